import { describe, expect, test } from 'vitest';
import {
  judgeBrakes,
  watchBrakes,
  type BrakeCounts,
  type BrakeLimits,
} from '../../domain/brakes.ts';

const LIMITS: BrakeLimits = { minTexts: 100, failures: 0.3, violations: 0.05, optOuts: 0.15 };
const ZERO: BrakeCounts = { texts: 0, failures: 0, violations: 0, optOuts: 0 };

describe('brakes', () => {
  test.each([
    ['too few texts to judge', { texts: 99, failures: 99 }, 'wait'],
    ['nothing unusual', { texts: 100, failures: 30, violations: 5, optOuts: 15 }, 'calm'],
    ['a spike of failures', { texts: 100, failures: 31 }, 'trip'],
    ['a spike of violations', { texts: 100, violations: 6 }, 'trip'],
    ['a spike of opt-outs', { texts: 100, optOuts: 16 }, 'trip'],
  ] as const)('see %s', (_name, counts, kind) => {
    expect(judgeBrakes(ZERO, { ...ZERO, ...counts }, LIMITS).kind).toBe(kind);
  });

  test('look only at what came after the mark', () => {
    const calm = { texts: 10_000, failures: 100, violations: 0, optOuts: 10 };
    const spike = { ...calm, texts: 10_100, failures: 140 };
    expect(judgeBrakes(calm, spike, LIMITS).kind).toBe('trip');
  });

  test('say what was seen and what the limit is', () => {
    expect(judgeBrakes(ZERO, { ...ZERO, texts: 210, failures: 70 }, LIMITS)).toEqual({
      kind: 'trip',
      reason: 'Brake: 70 of the last 210 texts failed (33.3 %, limit 30 %).',
    });
  });

  test('that are switched off never trip', () => {
    const off = { ...LIMITS, failures: null, violations: null, optOuts: null };
    const worst = { texts: 100, failures: 100, violations: 100, optOuts: 100 };
    expect(judgeBrakes(ZERO, worst, off).kind).toBe('calm');
  });
});

describe('what is reported in quiet times', () => {
  const HOUR = 3_600_000;
  const evening = { ...ZERO, texts: 100_000, optOuts: 900 };

  test('does not stand against the texts that follow', () => {
    const mark = watchBrakes(null, evening, 0);
    const overnight = { ...evening, optOuts: 1_900, failures: 500 };
    const morning = watchBrakes(mark, overnight, 10 * HOUR);
    const first = { ...overnight, texts: 100_200, optOuts: 1_905 };
    expect(judgeBrakes(morning, first, LIMITS).kind).toBe('calm');
    const bad = { ...first, optOuts: 1_940 };
    expect(judgeBrakes(morning, bad, LIMITS).kind).toBe('trip');
  });

  test('counts while texts go out, and for a minute after', () => {
    const mark = watchBrakes(null, evening, 0);
    const busy = watchBrakes(mark, { ...evening, texts: 100_050, optOuts: 930 }, 500);
    const soon = watchBrakes(busy, { ...evening, texts: 100_050, optOuts: 960 }, 59_000);
    expect([busy.optOuts, soon.optOuts]).toEqual([900, 900]);
  });
});
