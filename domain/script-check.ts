import { classifyReply, normalizeReply, RESERVED_WORDS } from './keywords.ts';
import { comparable, findStep, isQuestion } from './script-graph.ts';
import type { Script, ScriptAnswer, ScriptStep } from './script-graph.ts';
import { measure } from './segments.ts';
import { parseTemplate, templateFields, type Template } from './template.ts';

/** Lists what can be wrong with a script. */
export const SCRIPT_PROBLEMS = [
  'limit',
  'key-bad',
  'start-unknown',
  'next-unknown',
  'step-unreachable',
  'template-bad',
  'field-unknown',
  'opt-out-missing',
  'segments-many',
  'answers-and-next',
  'wait-ignored',
  'answer-repeated',
  'word-empty',
  'word-repeated',
  'word-reserved',
  'word-unclear',
  'next-after-opt-out',
  'loop-without-question',
] as const;

/** Names what is wrong with a script. */
export type ScriptProblemCode = (typeof SCRIPT_PROBLEMS)[number];

/** Holds one thing wrong with a script; `path` leads to it, and only an error keeps the script from being saved. */
export interface ScriptProblem {
  readonly path: string;
  readonly code: ScriptProblemCode;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

/** Bounds a script; sizes are in characters. */
export const SCRIPT_LIMITS = {
  steps: 100,
  answers: 20,
  words: 50,
  word: 100,
  label: 200,
  tag: 64,
  segments: 3,
} as const;

const KEY = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
// What a merge field is taken to be long when segments are estimated.
const TYPICAL_VALUE = 'Alexandria';

/** Finds everything wrong with a script, so that no launch meets it; `knownFields` are the merge fields of a contact. */
export function checkScript(script: Script, knownFields: readonly string[]): ScriptProblem[] {
  const keys = Object.keys(script.steps);
  if (keys.length > SCRIPT_LIMITS.steps) {
    return [error('steps', 'limit', `A script has at most ${SCRIPT_LIMITS.steps} steps.`)];
  }
  const known = new Set(knownFields);
  const problems = keys.flatMap((key) => {
    const step = findStep(script, key);
    return step === null ? [] : checkStep({ script, key, step, known });
  });
  return [...checkStart(script), ...problems, ...checkReach(script), ...checkLoops(script)];
}

function checkStart(script: Script): ScriptProblem[] {
  const start = findStep(script, script.start);
  if (start === null) {
    return [error('start', 'start-unknown', `There is no step "${script.start}" to start with.`)];
  }
  const parsed = parseTemplate(start.text);
  if (!parsed.ok || offersOptOut(parsed.template)) return [];
  const message = 'The first text must say how to opt out, such as "Reply STOP to opt out".';
  return [error(`steps.${script.start}.text`, 'opt-out-missing', message)];
}

function checkStep({
  script,
  key,
  step,
  known,
}: {
  script: Script;
  key: string;
  step: ScriptStep;
  known: ReadonlySet<string>;
}): ScriptProblem[] {
  const path = `steps.${key}`;
  const problems = [...checkText(`${path}.text`, step.text, known)];
  if (!KEY.test(key)) {
    problems.push(
      error(path, 'key-bad', 'A step key is letters, digits, "-" and "_", at most 64.'),
    );
  }
  if (isQuestion(step) && (step.next ?? null) !== null) {
    problems.push(error(`${path}.next`, 'answers-and-next', 'A question goes on by its answers.'));
  }
  if (isQuestion(step) && step.waitFor !== undefined) {
    problems.push(warning(`${path}.waitFor`, 'wait-ignored', 'A question waits for its answer.'));
  }
  problems.push(...checkNext(script, `${path}.next`, step.next));
  return [...problems, ...checkAnswers(script, path, step.answers ?? [])];
}

function checkText(path: string, text: string, known: ReadonlySet<string>): ScriptProblem[] {
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    return [error(path, 'template-bad', `${parsed.problem} (at character ${parsed.at + 1})`)];
  }
  const problems = templateFields(parsed.template)
    .filter((field) => !known.has(field))
    .map((field) => error(path, 'field-unknown', `No contact has a field "${field}".`));
  const { segments } = measure(typicalBody(parsed.template));
  if (segments > SCRIPT_LIMITS.segments) {
    problems.push(warning(path, 'segments-many', `The text bills as about ${segments} segments.`));
  }
  return problems;
}

function checkAnswers(
  script: Script,
  stepPath: string,
  answers: readonly ScriptAnswer[],
): ScriptProblem[] {
  const path = `${stepPath}.answers`;
  if (answers.length > SCRIPT_LIMITS.answers) {
    return [error(path, 'limit', `A question has at most ${SCRIPT_LIMITS.answers} answers.`)];
  }
  const keys = new Set<string>();
  const owners = new Map<string, number>();
  return answers.flatMap((answer, index) => {
    const at = `${path}.${index}`;
    const problems = [...checkAnswer(at, answer), ...checkNext(script, `${at}.next`, answer.next)];
    if (keys.has(answer.key)) {
      problems.push(error(`${at}.key`, 'answer-repeated', `Two answers are "${answer.key}".`));
    }
    keys.add(answer.key);
    for (const [position, word] of answer.words.entries()) {
      const same = comparable(word);
      const owner = owners.get(same);
      if (same !== '' && owner !== undefined && owner !== index) {
        const message = `"${word}" is a word of two answers.`;
        problems.push(error(`${at}.words.${position}`, 'word-repeated', message));
      }
      owners.set(same, owner ?? index);
    }
    return problems;
  });
}

function checkAnswer(path: string, answer: ScriptAnswer): ScriptProblem[] {
  const { words, word: wordSize, label, tag } = SCRIPT_LIMITS;
  const problems: ScriptProblem[] = [];
  if (!KEY.test(answer.key)) {
    const message = 'An answer key is letters, digits, "-" and "_", at most 64.';
    problems.push(error(`${path}.key`, 'key-bad', message));
  }
  if (answer.label.length > label || (answer.tag ?? '').length > tag) {
    const message = `A label has at most ${label} characters, a tag ${tag}.`;
    problems.push(error(path, 'limit', message));
  }
  if (answer.words.length > words || answer.words.some((each) => each.length > wordSize)) {
    const message = `An answer has at most ${words} words of ${wordSize} characters.`;
    return [...problems, error(`${path}.words`, 'limit', message)];
  }
  if (answer.action === 'opt-out' && (answer.next ?? null) !== null) {
    problems.push(error(`${path}.next`, 'next-after-opt-out', 'No text can follow an opt-out.'));
  }
  const checked = answer.words.flatMap((word, index) =>
    checkWord(`${path}.words.${index}`, word, answer.action === 'opt-out'),
  );
  return [...problems, ...checked];
}

function checkWord(path: string, word: string, optsOut: boolean): ScriptProblem[] {
  if (comparable(word) === '') return [error(path, 'word-empty', 'The word has nothing to match.')];
  const { kind } = classifyReply(word);
  if (RESERVED_WORDS.includes(normalizeReply(word)) || !['none', 'ambiguous-stop'].includes(kind)) {
    // A stop acts before any script does: as the word of an opt-out it is idle, but not wrong.
    if (optsOut && kind === 'stop') return [];
    const message = `"${word}" is reserved: carriers or the opt-out rules act on it first.`;
    return [error(path, 'word-reserved', message)];
  }
  if (kind === 'none' || optsOut) return [];
  return [warning(path, 'word-unclear', `"${word}" may be read as a wish to opt out.`)];
}

function checkNext(script: Script, path: string, next: string | null | undefined): ScriptProblem[] {
  if (next === undefined || next === null || findStep(script, next) !== null) return [];
  return [error(path, 'next-unknown', `There is no step "${next}".`)];
}

function checkReach(script: Script): ScriptProblem[] {
  const reached = new Set<string>();
  const open = [script.start];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    const step = findStep(script, key);
    if (step === null || reached.has(key)) continue;
    reached.add(key);
    const nexts = isQuestion(step) ? (step.answers ?? []).map((each) => each.next) : [step.next];
    open.push(...nexts.filter((next) => typeof next === 'string'));
  }
  return Object.keys(script.steps)
    .filter((key) => !reached.has(key))
    .map((key) => error(`steps.${key}`, 'step-unreachable', 'No answer leads to this step.'));
}

function checkLoops(script: Script): ScriptProblem[] {
  const message = 'The texts repeat without end: no step of the loop asks a question.';
  return Object.keys(script.steps)
    .filter((key) => loopsTo(script, key))
    .map((key) => error(`steps.${key}.next`, 'loop-without-question', message));
}

function loopsTo(script: Script, start: string): boolean {
  const seen = new Set<string>();
  let key: string | null = start;
  while (key !== null && !seen.has(key)) {
    seen.add(key);
    const step = findStep(script, key);
    key = step === null || isQuestion(step) ? null : (step.next ?? null);
  }
  return key === start;
}

const KEYWORD_IN_CAPITALS =
  /(?<!\p{L})(?:STOP(?:ALL|2END|2QUIT)?|UNSUBSCRIBE|OPT-?OUT|QUIT|CANCEL|END|ARR[EÊ]T|ALTO|PARAR|BAJA|SAIR|ACHA|SITISHA)(?!\p{L})/u;
const ASKED_FOR =
  /(?<!\p{L})(?:reply|text|txt|send|respond|répond(?:ez|s)|envoy(?:ez|er)|respond[ae]|env[ií][ae]|responder|tuma|jibu)(?:\s+with)?\s+["'“‘«]?\s*(?:stop|unsubscribe|opt ?out|arr[eê]t|alto|parar|baja|sair|acha|sitisha)(?!\p{L})/iu;

function offersOptOut(template: Template): boolean {
  const text = template.parts.map((part) => (typeof part === 'string' ? part : ' _ ')).join('');
  return KEYWORD_IN_CAPITALS.test(text) || ASKED_FOR.test(text);
}

function typicalBody(template: Template): string {
  return template.parts
    .map((part) => (typeof part === 'string' ? part : part.fallback || TYPICAL_VALUE))
    .join('');
}

function error(path: string, code: ScriptProblemCode, message: string): ScriptProblem {
  return { path, code, message, severity: 'error' };
}

function warning(path: string, code: ScriptProblemCode, message: string): ScriptProblem {
  return { path, code, message, severity: 'warning' };
}
