import { expect, test } from 'vitest';
import { estimateMicros, projectedFinishMs, sumMicros } from '../../domain/cost.ts';

test.each([
  [0, '8300', '0'],
  [1_000_000, '8300', '8300000000'],
  [9_007_199_254_740_991, '9007199254740993', '81129638414606681695789005144063'],
])('%d segments at %s cost %s', (segments, priceMicros, expected) => {
  expect(estimateMicros({ segments, priceMicros })).toBe(expected);
});

test('amounts add up exactly', () => {
  expect(sumMicros(['9007199254740993', '1', '-2'])).toBe('9007199254740992');
  expect(sumMicros([])).toBe('0');
});

test.each([
  [0, 0, 1000],
  [100, 50, 3000],
  [1, 3, 1334],
  [1, 0, null],
  [1, Number.NaN, null],
])('%d segments at %d a second end at %s', (segments, segmentsPerSecond, expected) => {
  expect(projectedFinishMs({ segments, segmentsPerSecond, nowMs: 1000 })).toBe(expected);
});
