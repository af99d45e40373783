/** How far ahead (ms) texts may be claimed of the moment that their sender may start them; well within the right to post. */
const AHEAD_MS = 150;
/** A start that came late (ms) may be caught up by this much; more would crowd the next second. */
const CATCH_UP_MS = 15;
/** Timers and sockets jitter: starts are spaced by a little more than the rate asks. */
const SLACK = 1.02;
const MAX_SENDERS = 100_000;

/**
 * Spaces the starts of each sender's texts in this process, so that no second holds more than its rate
 * and one text, whatever the permits of a moment allow. `now` is the process's monotonic clock.
 */
export function createSenderPace(now: () => number = () => performance.now()) {
  const freeAt = new Map<string, number>();

  const readyAt = (senderId: string): number =>
    Math.max(freeAt.get(senderId) ?? 0, now() - CATCH_UP_MS);

  const remember = (senderId: string, at: number): void => {
    if (freeAt.size >= MAX_SENDERS) freeAt.clear();
    freeAt.set(senderId, at);
  };

  return {
    /** Segments of this sender that may be claimed now and still start in time; 0 when it is booked out. */
    room: (senderId: string, segmentsPerSecond: number): number => {
      const left = AHEAD_MS - Math.max(0, readyAt(senderId) - now());
      return left <= 0 ? 0 : Math.ceil((left * segmentsPerSecond) / (1_000 * SLACK));
    },
    /** The sender's next start must not come before this: other processes have booked what lies before it. */
    notBefore: (senderId: string, at: number): void => {
      remember(senderId, Math.max(at, readyAt(senderId)));
    },
    /** Books the sender's next start; returns when that is (ms of the same clock). */
    book: (
      sender: { readonly id: string; readonly segmentsPerSecond: number },
      segments: number,
    ): number => {
      const at = readyAt(sender.id);
      remember(sender.id, at + (segments * 1_000 * SLACK) / sender.segmentsPerSecond);
      return at;
    },
  };
}

export type SenderPace = ReturnType<typeof createSenderPace>;
