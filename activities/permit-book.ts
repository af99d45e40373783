import type { BucketKind } from '../db/permits.ts';
import type { SenderPace } from './sender-pace.ts';
import type { SharedStatements } from './shared-statements.ts';

export interface PermitWish {
  readonly kind: BucketKind;
  readonly refId: string;
  readonly want: number;
}

/**
 * What a slice holds of its buckets between two cycles. Each `take` first gives back what the last
 * cycle did not use, in the same statement; a text that was longer than its seat goes back as debt.
 */
export function createPermitBook(takePermits: SharedStatements['takePermits'], pace: SenderPace) {
  let held = new Map<string, { kind: BucketKind; refId: string; left: number; free: boolean }>();
  let texts = 0;
  let segments = 0;

  const take = async (wishes: readonly PermitWish[]): Promise<void> => {
    const requests = new Map(
      wishes.map((wish) => [bucketKey(wish.kind, wish.refId), { ...wish, giveBack: 0 }]),
    );
    for (const [name, { kind, refId, left, free }] of held) {
      const wish = requests.get(name) ?? { kind, refId, want: 0 };
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
      if (kind === 'sender') {
        texts += Math.sign(used);
        segments += used;
      }
    },
    /** Of the texts spent so far; 1 before the first. */
    averageSegments: (): number => (texts <= 0 ? 1 : segments / texts),
    /** Gives everything back; at the end of a slice. */
    settle: (): Promise<void> => (held.size === 0 ? Promise.resolve() : take([])),
  };
}

export type PermitBook = ReturnType<typeof createPermitBook>;

/** Names a bucket among those of a process. */
export function bucketKey(kind: BucketKind, refId: string): string {
  return `${kind}/${refId}`;
}
