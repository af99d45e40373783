import { describe, expect, test } from 'vitest';
import { judgeBrakes, type BrakeCounts, type BrakeLimits } from '../../domain/brakes.ts';

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
