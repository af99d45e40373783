import {
  CARRIER_STOP_WORDS,
  COURTESIES,
  STOP_PHRASES,
  STRONG_STOP_WORDS,
  UNCLEAR_ANYWHERE,
  UNCLEAR_IN_SHORT_TEXTS,
  WHOLE_STOP_WORDS,
} from './data/stop-words.ts';

/** Lists what a reply can ask of the sender itself. */
export const REPLY_KINDS = ['stop', 'start', 'help', 'ambiguous-stop', 'none'] as const;

/** Names what a reply asks of the sender itself. */
export type ReplyKind = (typeof REPLY_KINDS)[number];

/** Holds what a reply asks, and the normalised word or phrase that decided it. */
export interface ReplyClass {
  readonly kind: ReplyKind;
  readonly matched: string | null;
}

// YES is an answer, not a new consent: Twilio takes it as START on long codes only.
const START_WORDS: readonly string[] = ['start', 'unstop'];
const HELP_WORDS: readonly string[] = ['help', 'info', 'ayuda', 'aide', 'ajuda', 'msaada'];

/** Lists the words that carriers act on themselves, which no script may ask for as an answer. */
export const RESERVED_WORDS: readonly string[] = [
  ...CARRIER_STOP_WORDS,
  ...START_WORDS,
  'help',
  'info',
];

/**
 * Decides whether a reply stops, restarts or asks for help, in English, French, Spanish, Portuguese and Swahili.
 *
 * - `Stop!!` -> stop
 * - `is there a bus stop nearby` -> ambiguous-stop: automation ends and a person reads it
 * - `Liked “… Reply STOP to opt out”` -> none
 */
export function classifyReply(body: string): ReplyClass {
  const own = withoutQuotes(body);
  const text = normalizeReply(own);
  if (text === '') return { kind: 'none', matched: null };

  const core = withoutCourtesies(text);
  if (STRONG.has(core) || WHOLE.has(core)) return { kind: 'stop', matched: core };
  if (START_WORDS.includes(text)) return { kind: 'start', matched: text };
  if (HELP_WORDS.includes(core)) return { kind: 'help', matched: core };

  const sentence = own
    .split(/[.!?,;:\n\r]+|\s[-–—]\s/)
    .map((piece) => withoutCourtesies(normalizeReply(piece)))
    .find((piece) => STRONG.has(piece));
  if (sentence !== undefined) return { kind: 'stop', matched: sentence };
  return phraseClass(text) ?? unclearClass(text);
}

const EVERYTHING = /\b(?:stopall|all|everything|todos?|tous|tout|tudo|yote|zote)\b/;

/** Whether a stop means every programme of its sender, not only the one that it answers. */
export function meansEverything(body: string): boolean {
  return EVERYTHING.test(normalizeReply(body));
}

/**
 * Brings a reply to the form in which words are compared: lower case, no accents, punctuation or emoji, single spaces.
 *
 * - `S.T.O.P!` -> `stop`
 * - `  Ouí, d’accord ` -> `oui daccord`
 */
export function normalizeReply(body: string): string {
  const flat = body
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]|\u20e3|[\ufe0e\ufe0f]/g, '')
    .normalize('NFKC')
    .replace(/\p{Cf}|['’‘ʼ`´]/gu, '')
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim();
  const spelledOut = /^\p{L}(?: \p{L}){2,}$/u.test(flat);
  const joined = spelledOut ? flat.replaceAll(' ', '') : flat;
  return joined.replace(/(\p{L})\1{2,}/gu, '$1');
}

const STRONG: ReadonlySet<string> = new Set(STRONG_STOP_WORDS);
const WHOLE: ReadonlySet<string> = new Set(WHOLE_STOP_WORDS);

const OPEN_QUOTES = '[“"«„❝]';
const CLOSE_QUOTES = '[”"»“❞]';
const REACTIONS = [
  'liked|loved|disliked|laughed at|emphasi[sz]ed|questioned',
  'removed an? [a-z ]{3,20} from',
  'reacted .{1,24} (?:to|with .{1,16} to)|.{1,16} to',
  "a (?:adoré|aimé|ri à|réagi .{1,24} à)|n’a pas aimé|n'a pas aimé",
  'le (?:gustó|encantó|dio risa)|me (?:gusta|encanta)|reaccionó .{1,24} a',
  'gostou de|adorou|amou|riu de|reagiu .{1,24} a',
].join('|');
const TAPBACK = new RegExp(
  `^(?:${REACTIONS})\\s*(?:${OPEN_QUOTES}.*(?:${CLOSE_QUOTES}|…|\\.\\.\\.)|an? (?:image|photo|video|message|attachment))$`,
  'isu',
);
const QUOTED = new RegExp(`${OPEN_QUOTES}([^”"»❞]*)${CLOSE_QUOTES}`, 'gu');
const INSTRUCTION = /\bstop(?:all)?['’"]?\s*(?:to|2|pour|para|kwa)\b/i;

// A reaction sent as a text, or our own text quoted back, holds our "Reply STOP to opt out".
function withoutQuotes(body: string): string {
  const text = body.replace(/[\u200b\u2060\ufeff]|\u200e|\u200f/g, '').trim();
  if (TAPBACK.test(text)) return '';
  return text
    .replace(/^\s*>.*$/gm, ' ')
    .replace(QUOTED, (quote, inner: string) => (INSTRUCTION.test(inner) ? ' ' : quote));
}

function withoutCourtesies(text: string): string {
  const tokens = text.split(' ').filter((token, index, all) => token !== all[index - 1]);
  while (tokens.length > 1 && COURTESIES.has(tokens[0] ?? '')) tokens.shift();
  while (tokens.length > 1 && COURTESIES.has(tokens.at(-1) ?? '')) tokens.pop();
  return tokens.join(' ');
}

const NEGATED =
  / (?:dont|do not|never|not|wont|will not|cant|cannot|didnt|isnt|is not) (?:the |a |ever )?$/;

function phraseClass(text: string): ReplyClass | null {
  const padded = ` ${text} `;
  let negated: string | null = null;
  for (const phrase of STOP_PHRASES) {
    const at = padded.indexOf(` ${phrase} `);
    if (at === -1) continue;
    if (!NEGATED.test(padded.slice(0, at + 1))) return { kind: 'stop', matched: phrase };
    negated = phrase;
  }
  return negated === null ? null : { kind: 'ambiguous-stop', matched: negated };
}

const SHORT_TEXT_WORDS = 5;

function unclearClass(text: string): ReplyClass {
  const padded = ` ${text} `;
  const short = text.split(' ').length <= SHORT_TEXT_WORDS;
  const words = short ? [...UNCLEAR_ANYWHERE, ...UNCLEAR_IN_SHORT_TEXTS] : UNCLEAR_ANYWHERE;
  const matched = words.find((word) => padded.includes(` ${word} `));
  return matched === undefined
    ? { kind: 'none', matched: null }
    : { kind: 'ambiguous-stop', matched };
}
