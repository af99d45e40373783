import { normalizeReply } from './keywords.ts';

/** Holds a conversation: texts, questions, and what follows each answer; a saved version never changes. */
export interface Script {
  readonly start: string;
  readonly steps: Readonly<Record<string, ScriptStep>>;
}

/** Holds one text of a conversation and what may follow it. */
export interface ScriptStep {
  /** A template. */
  readonly text: string;
  /** Makes the step a question when there is at least one. */
  readonly answers?: readonly ScriptAnswer[];
  /** The step after one without a question; null or absent ends the script. */
  readonly next?: string | null;
  /** What an answer that no word matches leads to; `hand-over` when absent. */
  readonly unclear?: 'hand-over' | 'repeat';
  /** Lets a step without a question go on to `next` only once its text was delivered. */
  readonly waitFor?: 'delivered';
}

/** Holds one answer to a question, the words that mean it, and what it leads to. */
export interface ScriptAnswer {
  readonly key: string;
  readonly label: string;
  readonly words: readonly string[];
  readonly next?: string | null;
  readonly tag?: string;
  readonly action?: 'hand-over' | 'opt-out';
}

/** Finds a step by its key among the script's own keys. */
export function findStep(script: Script, key: string): ScriptStep | null {
  return Object.hasOwn(script.steps, key) ? (script.steps[key] ?? null) : null;
}

/** Tells whether a step waits for an answer. */
export function isQuestion(step: ScriptStep): boolean {
  return step.answers !== undefined && step.answers.length > 0;
}

/** Brings an answer's word or a reply to the form in which they are compared; pure emoji stay emoji. */
export function comparable(text: string): string {
  const words = normalizeReply(text);
  return words === '' ? text.replace(/[\s\ufe0f]|[\u{1f3fb}-\u{1f3ff}]/gu, '') : words;
}
