import { comparable, findStep, isQuestion } from './script-graph.ts';
import type { Script, ScriptAnswer, ScriptStep } from './script-graph.ts';

export { checkScript, SCRIPT_LIMITS, SCRIPT_PROBLEMS } from './script-check.ts';
export type { ScriptProblem } from './script-check.ts';
export { findStep, isQuestion } from './script-graph.ts';
export type { Script, ScriptAnswer, ScriptStep } from './script-graph.ts';

/** Holds what goes out now (step keys, in order) and where the conversation then stands; null when it is over. */
export interface Progress {
  readonly sends: string[];
  readonly step: string | null;
}

/** Holds what a reply does to a conversation. */
export type Advance =
  | {
      outcome: 'answered';
      answer: ScriptAnswer;
      sends: string[];
      step: string | null;
      handOver: boolean;
      optOut: boolean;
    }
  | { outcome: 'unclear'; handOver: boolean; sends: string[]; step: string };

/**
 * Finds the one answer that a reply means, by a whole match or by the word or phrase that it starts with.
 *
 * - `Yes please!` -> the answer with the word `yes`
 * - `yes or no?` -> null
 */
export function matchAnswer(step: ScriptStep, body: string): ScriptAnswer | null {
  const reply = comparable(body);
  const answers = step.answers ?? [];
  if (reply === '') return null;
  const whole = answers.filter((answer) => answer.words.some((word) => comparable(word) === reply));
  if (whole.length > 0) return only(whole);
  if (` ${reply} `.includes(' or ')) return null;
  return only(
    answers.filter((answer) =>
      answer.words.some((word) => {
        const start = comparable(word);
        return start !== '' && reply.startsWith(`${start} `);
      }),
    ),
  );
}

/** Applies a reply to the step where the conversation stands. */
export function advance({
  script,
  step,
  body,
}: {
  script: Script;
  step: string;
  body: string;
}): Advance {
  const current = knownStep(script, step);
  const answer = matchAnswer(current, body);
  if (answer === null) {
    const repeat = current.unclear === 'repeat';
    const sends = repeat && isQuestion(current) ? [step] : [];
    return { outcome: 'unclear', handOver: !repeat, sends, step };
  }
  const optOut = answer.action === 'opt-out';
  const progress = optOut ? { sends: [], step: null } : follow(script, answer.next ?? null);
  const handOver = answer.action === 'hand-over';
  return { outcome: 'answered', answer, ...progress, handOver, optOut };
}

/**
 * Says what opens a conversation: the start step alone, whatever follows it.
 *
 * A start step without a question that has a next one stands until its text was delivered.
 */
export function openingSends(script: Script): Progress {
  const start = knownStep(script, script.start);
  const stands = isQuestion(start) || start.waitFor !== undefined || (start.next ?? null) !== null;
  return { sends: [script.start], step: stands ? script.start : null };
}

/** Says what follows the delivery of a step's text; a question goes on standing. */
export function afterDelivered({ script, step }: { script: Script; step: string }): Progress {
  const current = knownStep(script, step);
  return isQuestion(current) ? { sends: [], step } : follow(script, current.next ?? null);
}

function follow(script: Script, from: string | null): Progress {
  const sends: string[] = [];
  let key = from;
  while (key !== null) {
    // checkScript refuses endless loops; a script that was never checked ends instead.
    if (sends.includes(key)) return { sends, step: null };
    const step = knownStep(script, key);
    sends.push(key);
    if (isQuestion(step) || step.waitFor !== undefined) return { sends, step: key };
    key = step.next ?? null;
  }
  return { sends, step: null };
}

function knownStep(script: Script, key: string): ScriptStep {
  const step = findStep(script, key);
  if (step === null) throw new RangeError(`could not find step ${key} in the script`);
  return step;
}

function only(answers: readonly ScriptAnswer[]): ScriptAnswer | null {
  return answers.length === 1 ? (answers[0] ?? null) : null;
}
