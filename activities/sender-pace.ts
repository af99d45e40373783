/** How far ahead (ms) texts may be claimed of the moment that their sender may start them; well within the right to post. */
export const AHEAD_MS = 150;
/** A booking that came late (ms) may be caught up by this much; more would crowd the next second. */
const CATCH_UP_MS = 10;
/** Timers and sockets jitter: starts are booked a little further apart than the rate asks … */
const SLACK = 1.02;
/** … and may come nearer to each other by a twentieth, never more: after a stall, texts that are late do not all start at once. */
const NEAREST = 0.95;
const MAX_SENDERS = 100_000;

interface Sender {
  /** When its next start is free to be booked. */
  freeAt: number;
  /** When its last text did start, and how long (ms) that one keeps the next away. */
  startedAt: number;
  keepsMs: number;
  /** Texts that are booked and have not started. */
  waiting: number;
}

/** The right of one text to start, at its turn. */
export interface Turn {
  /** How long (ms) it is at least until the text may start. */
  leftMs(): number;
  /** 0 when the text starts now, which it then must; else how long (ms) to wait before asking again. */
  waitMs(): number;
  /** The text will not start. */
  giveUp(): void;
}

/**
 * Spaces the starts of each sender's texts in this process, so that no second holds more than its rate
 * and one text, whatever the permits of a moment allow. `now` is the process's monotonic clock.
 */
export function createSenderPace(now: () => number = () => performance.now()) {
  const senders = new Map<string, Sender>();

  const find = (senderId: string): Sender => {
    const known = senders.get(senderId);
    if (known !== undefined) return known;
    if (senders.size >= MAX_SENDERS) senders.clear();
    const fresh = { freeAt: 0, startedAt: Number.NEGATIVE_INFINITY, keepsMs: 0, waiting: 0 };
    senders.set(senderId, fresh);
    return fresh;
  };
  const readyAt = ({ freeAt }: Sender): number => Math.max(freeAt, now() - CATCH_UP_MS);

  return {
    /** Segments of this sender that may be claimed now and still start in time; 0 when it is booked out. */
    room: (senderId: string, segmentsPerSecond: number): number => {
      const left = AHEAD_MS - Math.max(0, readyAt(find(senderId)) - now());
      return left <= 0 ? 0 : Math.ceil((left * segmentsPerSecond) / (1_000 * SLACK));
    },
    /** How long (ms) it is until the first of these senders has room; 0 when one has, or when there is none. */
    untilRoom: (senderIds: readonly string[]): number => {
      const first = Math.min(...senderIds.map((id) => readyAt(find(id))));
      return Number.isFinite(first) ? Math.max(0, first - now() - AHEAD_MS) : 0;
    },
    /** The sender's next start must not come before this: other processes have booked what lies before it. */
    notBefore: (senderId: string, at: number): void => {
      const sender = find(senderId);
      sender.freeAt = Math.max(at, readyAt(sender));
    },
    /** Books the sender's next start for a text of so many segments. */
    book: (
      { id, segmentsPerSecond }: { readonly id: string; readonly segmentsPerSecond: number },
      segments: number,
    ): Turn => {
      const sender = find(id);
      const at = readyAt(sender);
      const keepsMs = (segments * 1_000) / segmentsPerSecond;
      sender.freeAt = at + keepsMs * SLACK;
      sender.waiting += 1;
      const leftMs = (): number =>
        Math.max(at, sender.startedAt + sender.keepsMs * NEAREST) - now();
      return {
        leftMs,
        waitMs: () => {
          const left = leftMs();
          if (left > 0) return left;
          sender.startedAt = now();
          sender.keepsMs = keepsMs;
          sender.waiting -= 1;
          // Who comes late delays whoever is booked next: what was lost in a stall is not made up for.
          if (now() - at > CATCH_UP_MS)
            sender.freeAt = Math.max(sender.freeAt, now() + (sender.waiting + 1) * keepsMs * SLACK);
          return 0;
        },
        giveUp: () => {
          sender.waiting -= 1;
        },
      };
    },
  };
}

export type SenderPace = ReturnType<typeof createSenderPace>;
