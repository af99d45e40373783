import { describe, expect, test } from 'vitest';
import {
  AUTO_REPLY_WITHIN_MS,
  PURPOSE_RULES,
  PURPOSES,
  STOP_CONFIRMATION_WITHIN_MS,
} from '../../domain/purpose.ts';

describe('the rules of a purpose', () => {
  test.each([
    ['stop_confirmation', 0, 'passes', 'passes', 'any', 'free', 'counted'],
    ['help', 0, 'passes', 'passes', 'any', 'free', 'counted'],
    ['start_confirmation', 0, 'passes', 'passes', 'any', 'free', 'counted'],
    ['auto_reply', 1, 'checked', 'setting', 'running', 'free', 'checked'],
    ['human_reply', 1, 'checked', 'setting', 'running-or-paused', 'free', 'checked'],
    ['human_first', 2, 'checked', 'checked', 'running', 'checked', 'checked'],
    ['campaign', 3, 'checked', 'checked', 'running', 'checked', 'checked'],
    ['api', 3, 'checked', 'checked', 'running', 'checked', 'checked'],
  ] as const)(
    '%s: priority %d, suppression %s, window %s, campaign %s, frequency %s, budget %s',
    (purpose, ...flags) => {
      const { priority, suppression, window, campaign, frequency, budget } = PURPOSE_RULES[purpose];
      expect([priority, suppression, window, campaign, frequency, budget]).toEqual(flags);
    },
  );

  test('let a text pass an opt-out only as the answer to a keyword', () => {
    const passing = PURPOSES.filter((purpose) => PURPOSE_RULES[purpose].suppression === 'passes');
    expect(passing).toEqual(['stop_confirmation', 'help', 'start_confirmation']);
  });

  test('bound how late an answer may go', () => {
    expect([STOP_CONFIRMATION_WITHIN_MS, AUTO_REPLY_WITHIN_MS]).toEqual([300_000, 900_000]);
  });
});
