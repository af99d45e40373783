import { PURPOSES, PURPOSE_RULES, type PurposeRule } from '../domain/purpose.ts';

/** The purposes whose rule matches, as an SQL list. */
export function purposesWhere(matches: (rule: PurposeRule) => boolean): string {
  return PURPOSES.filter((purpose) => matches(PURPOSE_RULES[purpose]))
    .map((purpose) => `'${purpose}'`)
    .join(', ');
}

/** What a suppressed person gets no more. */
export const SUPPRESSED_PURPOSES = purposesWhere((rule) => rule.suppression === 'checked');
