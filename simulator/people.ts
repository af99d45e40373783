import { chance, within } from './random.ts';
import type { Settings } from './settings.ts';

type AnswerKind = 'yes' | 'no' | 'unclear' | 'stop' | 'help' | 'silence';

const WORDINGS: Readonly<Record<Exclude<AnswerKind, 'silence'>, readonly string[]>> = {
  yes: ['Yes', 'yes!', 'Yeah, count me in', 'sure', 'Y', 'Yep 👍', 'Absolutely'],
  no: ['No', 'no thanks', 'Nope', "Sorry, I can't", 'N', 'not this time'],
  unclear: ['who is this?', 'maybe', 'What time?', 'k', 'depends on the weather', '?'],
  stop: ['STOP', 'Stop texting me please', 'unsubscribe', 'stop.', 'Stop', 'please remove me'],
  help: ['HELP', 'help', 'info'],
};
/** Upper bounds of each answer's part of all answers. */
const SHARES: readonly (readonly [AnswerKind, number])[] = [
  ['yes', 0.46],
  ['no', 0.7],
  ['unclear', 0.82],
  ['stop', 0.91],
  ['help', 0.94],
  ['silence', 1],
];

export interface Reply {
  readonly body: string;
  readonly delayMs: number;
}

interface Person {
  received: number;
  isSilent: boolean;
}

/** Creates the people: what one answers depends only on the seed, the number and which text it is. */
export function createPeople(seed: number, settings: () => Settings) {
  const people = new Map<string, Person>();

  /** Hands a text to a person; null when no answer will come. */
  function receive(phone: string, body: string): Reply | null {
    const person = people.get(phone) ?? { received: 0, isSilent: false };
    people.set(phone, person);
    person.received += 1;
    if (person.isSilent || !body.includes('?') || !answersQuestions(phone)) return null;
    const kind = chooseAnswer(chance(seed, 'answer', phone, person.received));
    if (kind === 'silence') return null;
    if (kind === 'stop') person.isSilent = true;
    const wordings = WORDINGS[kind];
    const draw = chance(seed, 'wording', phone, person.received);
    return {
      body: wordings[Math.floor(draw * wordings.length)] ?? kind,
      delayMs: within(settings().replyDelayMs, chance(seed, 'pause', phone, person.received)),
    };
  }

  function answersQuestions(phone: string): boolean {
    return chance(seed, 'answers', phone) < settings().replyShare;
  }

  return { receive, clear: () => people.clear() };
}
export type People = ReturnType<typeof createPeople>;

function chooseAnswer(draw: number): AnswerKind {
  return SHARES.find(([, upperBound]) => draw < upperBound)?.[0] ?? 'silence';
}
