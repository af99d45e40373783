import { describe, expect, test } from 'vitest';
import {
  openSeconds,
  projectFinishMs,
  rateToFinishBy,
  type ZoneSetWork,
} from '../../domain/projection.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Open every day from one hour to another, in hours after midnight of day 0. */
function daily(left: number, opens: number, closes: number): ZoneSetWork {
  return {
    left,
    windowAt: (nowMs) => {
      const day = Math.floor(nowMs / DAY) * DAY;
      const today = { opensAtMs: day + opens * HOUR, closesAtMs: day + closes * HOUR };
      return nowMs < today.closesAtMs
        ? today
        : { opensAtMs: today.opensAtMs + DAY, closesAtMs: today.closesAtMs + DAY };
    },
  };
}

describe('a projected finish', () => {
  test.each([
    ['within the hours of today', [daily(3_600, 9, 20)], 10, 11],
    ['after a night', [daily(36_000, 9, 20)], 15, 24 + 9 + 5],
    ['from the opening on', [daily(3_600, 9, 20)], 3, 10],
    ['one zone set after another', [daily(3_600, 9, 12), daily(3_600, 9, 20)], 9, 11],
    ['a zone set that opens later', [daily(3_600, 9, 12), daily(3_600, 15, 20)], 9, 16],
    ['with nothing left', [daily(0, 9, 20)], 3, 3],
  ])('%s', (_name, work, atHour, expectedHour) => {
    expect(projectFinishMs(work, { textsPerSecond: 1, nowMs: atHour * HOUR })).toBe(
      expectedHour * HOUR,
    );
  });

  test('is unknown without a rate, without hours, and beyond what anybody plans', () => {
    const never = { left: 1, windowAt: () => null };
    expect(projectFinishMs([daily(1, 9, 20)], { textsPerSecond: 0, nowMs: 0 })).toBeNull();
    expect(projectFinishMs([never], { textsPerSecond: 1, nowMs: 0 })).toBeNull();
    expect(projectFinishMs([daily(1e12, 9, 20)], { textsPerSecond: 1, nowMs: 0 })).toBeNull();
  });
});

describe('open seconds', () => {
  test('leave out the nights', () => {
    const { windowAt } = daily(1, 9, 20);
    expect(openSeconds(windowAt, { fromMs: 10 * HOUR, untilMs: DAY + 10 * HOUR })).toBe(11 * 3_600);
  });
});

describe('the rate to finish by a time', () => {
  test('spreads each zone set over its own hours', () => {
    const work = [daily(3_600, 9, 10), daily(7_200, 9, 20)];
    const rate = rateToFinishBy(work, { nowMs: 9 * HOUR, finishByMs: 11 * HOUR });
    expect(rate).toBeCloseTo(2 * 1.02, 5);
  });

  test('is as fast as possible when the time is over', () => {
    expect(rateToFinishBy([daily(1, 9, 20)], { nowMs: 10 * HOUR, finishByMs: 9 * HOUR })).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});
