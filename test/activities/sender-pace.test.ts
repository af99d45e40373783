import { describe, expect, test } from 'vitest';
import { createSenderPace } from '../../activities/sender-pace.ts';

/** Starts as many texts as the pace allows, looking every `everyMs`; returns when each started (ms). */
function simulate(options: {
  readonly rate: number;
  readonly segments: number;
  readonly everyMs: number;
  readonly forMs: number;
  readonly stallAt?: number;
}): number[] {
  let clock = 0;
  const pace = createSenderPace(() => clock);
  const starts: number[] = [];
  for (; clock < options.forMs; clock += options.everyMs) {
    if (
      options.stallAt !== undefined &&
      clock >= options.stallAt &&
      clock < options.stallAt + 2_000
    )
      continue;
    let room = pace.room('s', options.rate);
    while (room > 0) {
      starts.push(
        Math.max(clock, pace.book({ id: 's', segmentsPerSecond: options.rate }, options.segments)),
      );
      room -= options.segments;
    }
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

  test('does not burst after a stall', () => {
    const starts = simulate({ rate: 50, segments: 1, everyMs: 100, forMs: 10_000, stallAt: 4_000 });
    expect(worstSecond(starts, 1)).toBeLessThanOrEqual(51);
  });
});
