/** Names the alphabet that a text is sent in. */
export type Encoding = 'gsm7' | 'ucs2';

/** Describes what a body bills as. */
export interface Measure {
  readonly encoding: Encoding;
  /** Septets in GSM-7, UTF-16 code units in UCS-2. */
  readonly units: number;
  readonly segments: number;
  /** The distinct characters that forced UCS-2, at most 10. */
  readonly forcedBy: string[];
}

const EXTENSION = new Set('\f^{}\\[~]|€');
// The basic set of 3GPP TS 23.038 section 6.2.1, without the escape character.
const BASIC_ONLY =
  /^[\n\r !"#$%&'()*+,\-./0-9:;<=>?@A-Z_a-z£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà]*$/;
const MAX_FORCED_BY = 10;

const LIMITS = {
  gsm7: { single: 160, multi: 153 },
  ucs2: { single: 70, multi: 67 },
} as const;

/**
 * Counts the segments that a body bills as; an empty body is 0 segments.
 *
 * - 160 plain characters -> 1 segment, 161 -> 2
 * - one `’` among 71 characters -> UCS-2, 2 segments
 */
export function measure(body: string): Measure {
  if (BASIC_ONLY.test(body)) {
    const units = body.length;
    const { single, multi } = LIMITS.gsm7;
    const segments = units <= single ? Math.min(units, 1) : Math.ceil(units / multi);
    return { encoding: 'gsm7', units, segments, forcedBy: [] };
  }
  const forcedBy = forcingCharacters(body);
  const encoding: Encoding = forcedBy.length === 0 ? 'gsm7' : 'ucs2';
  return { encoding, ...pack(body, encoding), forcedBy };
}

/** Replaces typographic punctuation and invisible characters by their GSM-7 twins, so that a text stays cheap. */
export function plainPunctuation(body: string): string {
  let plain = body;
  for (const [pattern, twin] of TWINS) plain = plain.replace(pattern, twin);
  return plain;
}

// A joiner is kept beside letters of other scripts and emoji, where it carries meaning.
const TWINS: readonly (readonly [RegExp, string])[] = [
  [/[‘’‚‛′ʼ`´＇]/gu, "'"],
  [/[“”„‟″«»＂]/gu, '"'],
  [/[‹]/gu, '<'],
  [/[›]/gu, '>'],
  [/[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/gu, '-'],
  [/[•‣·]/gu, '-'],
  [/…/gu, '...'],
  [/⁄/gu, '/'],
  [/[\t\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/gu, ' '],
  [/\u2028|\u2029|\u0085|\v/gu, '\n'],
  [/\u00AD|\u200B|\u2060|\uFEFF/gu, ''],
  [/(?<=^|[\p{Script=Latin}\p{P}\p{N}\s])(?:\u200C|\u200D)/gu, ''],
];

function forcingCharacters(body: string): string[] {
  const forcing = new Set<string>();
  for (const character of body) {
    if (EXTENSION.has(character) || BASIC_ONLY.test(character)) continue;
    forcing.add(character);
    if (forcing.size === MAX_FORCED_BY) break;
  }
  return [...forcing];
}

function pack(body: string, encoding: Encoding): { units: number; segments: number } {
  const { single, multi } = LIMITS[encoding];
  let units = 0;
  let segments = 1;
  let room: number = multi;
  for (const character of body) {
    const width = encoding === 'ucs2' ? character.length : EXTENSION.has(character) ? 2 : 1;
    if (width > room) {
      segments += 1;
      room = multi;
    }
    room -= width;
    units += width;
  }
  return { units, segments: units <= single ? 1 : segments };
}
