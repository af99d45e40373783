/** The checker's own reading of what texts and statuses mean: written from the standards, not from the engine. */
import type { Keyword } from './facts.ts';

// 3GPP TS 23.038, the basic alphabet and its extension (each of the latter takes two places).
const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const WIDTH = new Map<string, number>([
  ...Array.from(BASIC, (character) => [character, 1] as const),
  ...Array.from('\f^{}\\[~]|€', (character) => [character, 2] as const),
]);

/** Counts the segments of a body; a character is never cut in two. */
export function countSegments(body: string): number {
  const characters = Array.from(body);
  const isGsm = characters.every((character) => WIDTH.has(character));
  const [single, part] = isGsm ? [160, 153] : [70, 67];
  const widths = characters.map((character) =>
    isGsm ? (WIDTH.get(character) ?? 1) : character.length,
  );
  if (widths.reduce((sum, width) => sum + width, 0) <= single) return 1;
  let segments = 1;
  let used = 0;
  for (const width of widths) {
    if (used + width > part) {
      segments += 1;
      used = 0;
    }
    used += width;
  }
  return segments;
}

/** Words that every carrier takes for a stop, and what the simulator's people say. */
const STOPS = new Set([
  'stop',
  'stopall',
  'unsubscribe',
  'cancel',
  'end',
  'quit',
  'revoke',
  'optout',
  'stop texting me please',
  'please remove me',
]);
const STARTS = new Set(['start', 'unstop']);

/** Only what is beyond doubt: whoever is in doubt must not accuse. */
export function readKeyword(body: string, optOutType: string | null): Keyword {
  const words = body
    .toLowerCase()
    .replace(/[^a-z\s]/g, ' ')
    .trim()
    .replace(/\s+/g, ' ');
  if (optOutType === 'STOP' || STOPS.has(words)) return 'stop';
  return optOutType === 'START' || STARTS.has(words) ? 'start' : null;
}

const RANKS: Readonly<Record<string, number>> = {
  none: 0,
  scheduled: 1,
  accepted: 1,
  queued: 1,
  sending: 2,
  sent: 3,
  // Final ones exclude each other; a carrier that said several has at least once said the highest.
  undelivered: 4,
  failed: 5,
  canceled: 6,
  delivered: 7,
  read: 8,
};

/** Ranks a delivery status; a later one never has a lower rank. */
export function rankOf(status: string): number {
  return RANKS[status] ?? 0;
}

/** What a keyword is answered with passes every stop. */
export const KEYWORD_ANSWERS: ReadonlySet<string> = new Set([
  'stop_confirmation',
  'start_confirmation',
  'help',
]);
