import type { BucketKind } from '../db/permits.ts';
import type { SenderPace } from './sender-pace.ts';
import type { SharedStatements } from './shared-statements.ts';

export interface PermitWish {
  readonly kind: BucketKind;
  readonly refId: string;
  readonly want: number;
  /** Of what is wanted: the length of a text. */
  readonly least: number;
}

/** How long the texts of a process are on average, in segments; 1 before the first. */
export function createTextLength() {
  let [texts, segments] = [0, 0];
  return {
    add: (used: number): void => {
      texts += Math.sign(used);
      segments += used;
      // What was long ago says little of what comes.
      if (texts < 10_000) return;
      [texts, segments] = [texts / 2, segments / 2];
    },
    average: (): number => (texts <= 0 ? 1 : Math.max(1, segments / texts)),
  };
}

/**
 * What a slice holds of its buckets between two cycles. Each `take` first gives back what the last
 * cycle did not use, in the same statement; a text that was longer than its seat goes back as debt.
 */
export function createPermitBook({
  takePermits,
  pace,
  length,
}: {
  readonly takePermits: SharedStatements['takePermits'];
  readonly pace: SenderPace;
  readonly length: ReturnType<typeof createTextLength>;
}) {
  let held = new Map<string, { kind: BucketKind; refId: string; left: number; free: boolean }>();

  const take = async (wishes: readonly PermitWish[]): Promise<void> => {
    const requests = new Map(
      wishes.map((wish) => [bucketKey(wish.kind, wish.refId), { ...wish, giveBack: 0 }]),
    );
    for (const [name, { kind, refId, left, free }] of held) {
      const wish = requests.get(name) ?? { kind, refId, want: 0, least: 0 };
      // Nothing wanted and nothing left says nothing.
      if (!free && (wish.want > 0 || left !== 0)) requests.set(name, { ...wish, giveBack: left });
    }
    held = new Map();
    const grants = requests.size === 0 ? [] : await takePermits([...requests.values()]);
    for (const grant of grants) {
      if (grant.kind === 'sender' && grant.granted > 0)
        pace.notBefore(grant.ref_id, performance.now() + grant.start_ms);
    }
    const granted = new Map(
      grants.map((grant) => [bucketKey(grant.kind, grant.ref_id), grant.granted]),
    );
    for (const wish of wishes) {
      const name = bucketKey(wish.kind, wish.refId);
      // A bucket without a row limits nothing.
      held.set(name, {
        kind: wish.kind,
        refId: wish.refId,
        left: granted.get(name) ?? wish.want,
        free: !granted.has(name),
      });
    }
  };

  return {
    take,
    /** Segments of this bucket still to be used in this cycle. */
    left: (kind: BucketKind, refId: string): number =>
      Math.max(0, Math.floor(held.get(bucketKey(kind, refId))?.left ?? 0)),
    anyEmpty: (): boolean => [...held.values()].some(({ left }) => left < 1),
    spend: (kind: BucketKind, refId: string, used: number): void => {
      const bucket = held.get(bucketKey(kind, refId));
      if (bucket !== undefined) bucket.left -= used;
      if (kind === 'sender') length.add(used);
    },
    /** Gives everything back; at the end of a slice. */
    settle: (): Promise<void> => (held.size === 0 ? Promise.resolve() : take([])),
  };
}

export type PermitBook = ReturnType<typeof createPermitBook>;

/** Names a bucket among those of a process. */
export function bucketKey(kind: BucketKind, refId: string): string {
  return `${kind}/${refId}`;
}
