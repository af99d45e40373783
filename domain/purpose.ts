/** Lists why a text is sent. */
export const PURPOSES = [
  'stop_confirmation',
  'help',
  'start_confirmation',
  'auto_reply',
  'human_reply',
  'human_first',
  'campaign',
  'api',
] as const;

/** Names why a text is sent. */
export type Purpose = (typeof PURPOSES)[number];

/** Holds the rules that a text of one purpose is claimed by. */
export interface PurposeRule {
  /** Goes first where lower: 0 to 3. */
  readonly priority: 0 | 1 | 2 | 3;
  /** Whether an opt-out keeps the text back. */
  readonly suppression: 'passes' | 'checked';
  /** Whether texting hours keep the text back; `setting` leaves it to the organization. */
  readonly window: 'passes' | 'setting' | 'checked';
  /** What state its campaign must be in. */
  readonly campaign: 'any' | 'running' | 'running-or-paused';
  /** Whether the person's frequency caps keep the text back: only what nobody asked for counts. */
  readonly frequency: 'free' | 'checked';
  /** Whether the org's budget keeps the text back, or only counts it. */
  readonly budget: 'counted' | 'checked';
}

/** Bounds how long after an inbound text an automatic reply may still go out, in milliseconds. */
export const AUTO_REPLY_WITHIN_MS = 15 * 60_000;

/**
 * Bounds how long after a stop its confirmation may still go out, in milliseconds.
 *
 * 47 CFR 64.1200(a)(12) presumes consent for a confirmation within five minutes.
 */
export const STOP_CONFIRMATION_WITHIN_MS = 5 * 60_000;

const ANSWER_TO_KEYWORD: PurposeRule = {
  priority: 0,
  suppression: 'passes',
  window: 'passes',
  campaign: 'any',
  frequency: 'free',
  budget: 'counted',
};

const UNASKED: PurposeRule = {
  priority: 3,
  suppression: 'checked',
  window: 'checked',
  campaign: 'running',
  frequency: 'checked',
  budget: 'checked',
};

/** Holds the rules of every purpose. */
export const PURPOSE_RULES: Readonly<Record<Purpose, PurposeRule>> = {
  stop_confirmation: ANSWER_TO_KEYWORD,
  help: ANSWER_TO_KEYWORD,
  start_confirmation: ANSWER_TO_KEYWORD,
  auto_reply: { ...UNASKED, priority: 1, window: 'setting', frequency: 'free' },
  human_reply: {
    ...UNASKED,
    priority: 1,
    window: 'setting',
    campaign: 'running-or-paused',
    frequency: 'free',
  },
  human_first: { ...UNASKED, priority: 2 },
  campaign: UNASKED,
  api: UNASKED,
};
