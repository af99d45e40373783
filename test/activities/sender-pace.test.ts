import { describe, expect, test } from 'vitest';
import { createSenderPace, type Turn } from '../../activities/sender-pace.ts';

/** Claims and starts as many texts as the pace allows, looking every `everyMs`; returns when each started (ms). */
function simulate(options: {
  readonly rate: number;
  readonly segments: number;
  readonly everyMs: number;
  readonly forMs: number;
  /** The process stands still for so long, from the fourth second on. */
  readonly stallMs?: number;
}): number[] {
  const { rate, segments, everyMs, forMs, stallMs = 0 } = options;
  let clock = 0;
  const pace = createSenderPace(() => clock);
  const starts: number[] = [];
  let waiting: Turn[] = [];
  for (; clock < forMs; clock += 1) {
    if (clock >= 4_000 && clock < 4_000 + stallMs) continue;
    if (clock % everyMs === 0) {
      for (let room = pace.room('s', rate); room > 0; room -= segments)
        waiting.push(pace.book({ id: 's', segmentsPerSecond: rate }, segments));
    }
    waiting = waiting.filter((turn) => {
      if (turn.waitMs() > 0) return true;
      starts.push(clock);
      return false;
    });
  }
  return starts;
}

/** The most segments that start in any one second. */
function worstSecond(starts: readonly number[], segments: number): number {
  return Math.max(
    ...starts.map(
      (from) => starts.filter((at) => at >= from && at < from + 1_000).length * segments,
    ),
  );
}

describe('a sender’s pace', () => {
  test.each([
    { rate: 1, segments: 1 },
    { rate: 1, segments: 3 },
    { rate: 3, segments: 2 },
    { rate: 10, segments: 1 },
    { rate: 100, segments: 1 },
    { rate: 225, segments: 2 },
  ])('of $rate a second with texts of $segments never passes it by more than a text', (sender) => {
    const starts = simulate({ ...sender, everyMs: 7, forMs: 20_000 });
    expect(worstSecond(starts, sender.segments)).toBeLessThanOrEqual(sender.rate + sender.segments);
    // And loses little of it.
    const sent = starts.filter((at) => at < 20_000).length * sender.segments;
    expect(sent).toBeGreaterThan(sender.rate * 20 * 0.95 - sender.segments);
  });

  test.each([
    { rate: 9, stallMs: 300 },
    { rate: 50, stallMs: 300 },
    { rate: 50, stallMs: 2_000 },
  ])('of $rate a second does not burst after a stall of $stallMs ms', ({ rate, stallMs }) => {
    const starts = simulate({ rate, segments: 1, everyMs: 100, forMs: 10_000, stallMs });
    expect(worstSecond(starts, 1)).toBeLessThanOrEqual(rate + 1);
  });

  test('begins behind what another process booked', () => {
    let clock = 0;
    const pace = createSenderPace(() => clock);
    pace.notBefore('s', 120);
    const turn = pace.book({ id: 's', segmentsPerSecond: 10 }, 1);
    expect(turn.waitMs()).toBe(120);
    clock = 120;
    expect(turn.waitMs()).toBe(0);
  });
});
