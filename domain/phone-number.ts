import {
  isSupportedCountry,
  parsePhoneNumberFromString,
  validatePhoneNumberLength,
  type CountryCode,
  type NumberType,
} from 'libphonenumber-js/max';

/** Lists why a cell of a contact list is not a number that can be texted. */
export const PHONE_PROBLEMS = [
  'missing',
  'not-a-number',
  'too-short',
  'too-long',
  'impossible',
  'excel-damage',
  'several-numbers',
  'unreachable-kind',
  'landline',
] as const;

/** Names why a cell of a contact list is not a number that can be texted. */
export type PhoneProblem = (typeof PHONE_PROBLEMS)[number];

/** Names what a numbering plan says of a number that can be texted. */
export type PhoneKind = 'mobile' | 'mobile-or-landline' | 'voip' | 'unknown';

/** Holds a number that can be texted, or why there is none. */
export type PhoneResult =
  | { ok: true; e164: string; country: string; kind: PhoneKind }
  | { ok: false; reason: PhoneProblem; detail: string };

/**
 * Reads one cell of a contact list as one phone number; it reports what it cannot read and never guesses.
 *
 * `defaultCountry` is the ISO 3166 code that a number without `+` is read in.
 *
 * - `(212) 555-0123` in US -> `+12125550123`
 * - `1.21255E+10` -> excel-damage
 */
export function parsePhone(raw: string, defaultCountry: string): PhoneResult {
  const text = tidy(raw);
  const country = defaultCountry.toUpperCase();
  return parseFast(text, country) ?? parseSlowly(text, country);
}

/** Reads a cell by the full numbering plan only; `parsePhone` gives the same answers sooner. */
export function parsePhoneByPlan(raw: string, defaultCountry: string): PhoneResult {
  return parseSlowly(tidy(raw), defaultCountry.toUpperCase());
}

/** Hides a number for logs and screens: only its last four digits stay. */
export function redactPhone(e164: string): string {
  return e164.length > 7 ? `***${e164.slice(-4)}` : '***';
}

const NANP_CELL = /^\+?[\d ().-]+$/;
const NANP_DIGITS = /^1?([2-9]\d{2}[2-9]\d{2})\d{4}$/;
// 640,000 prefixes are possible; a list of a million rows uses some ten thousand.
const MAX_PREFIXES = 50_000;
const validPrefixes = new Map<string, 'US' | 'CA'>();

// Most rows of a list are North American, and the plan decides on the first six digits alone.
// Only a "valid" of the two open countries is remembered: anything else takes the slow path each time.
function parseFast(text: string, country: string): PhoneResult | null {
  if (text.length > 24 || !NANP_CELL.test(text)) return null;
  const international = text.startsWith('+');
  if (!international && country !== 'US' && country !== 'CA') return null;
  const digits = text.replace(/\D/g, '');
  const prefix = NANP_DIGITS.exec(digits)?.[1];
  if (prefix === undefined || (international && digits.length !== 11)) return null;

  const known = validPrefixes.get(prefix);
  if (known !== undefined) {
    const e164 = `+1${digits.slice(-10)}`;
    return { ok: true, e164, country: known, kind: 'mobile-or-landline' };
  }
  const result = parseSlowly(text, country);
  if (result.ok && result.kind === 'mobile-or-landline') rememberPrefix(prefix, result.country);
  return result;
}

function rememberPrefix(prefix: string, country: string): void {
  if (country !== 'US' && country !== 'CA') return;
  if (validPrefixes.size >= MAX_PREFIXES) validPrefixes.clear();
  validPrefixes.set(prefix, country);
}

const MAX_CELL_CHARACTERS = 250;
// Fifteen by E.164, and an international prefix.
const MAX_DIGITS = 18;
const INVISIBLE = /\p{Cf}/gu;
const WHOLE_FLOAT = /^(\d{7,15})\.0$/;
const EXTENSION = /\s*(?:[;,]\s*ext\s*=\s*|;?\s*ext(?:ension|n)?\.?:?\s*|x\.?\s*|#\s*)\d{1,7}$/i;
const LABEL_BEFORE = /^(?:tel|phone|cell|mobile|mob|home|work|[cmhwtp])\b\s*[.:]?\s*/i;
const LABEL_AFTER = /\s*[([]?(?:cell|mobile|mob|home|work|[cmhw])[)\]]?$/i;
const SCIENTIFIC = /^[+-]?\d+(?:[.,]\d+)?e[+-]?\d+$/i;
const SPREADSHEET_ERROR = /^#(?:REF!|N\/A|NAME\?|VALUE!|NUM!|DIV\/0!|NULL!|#+)$/i;
const SEPARATORS = /[/;,|&\n\r]|\b(?:or|and)\b/i;
const SHORT_SERVICES = /^(?:000|112|999|988|[2-9]11)$/;

function tidy(raw: string): string {
  return raw
    .slice(0, MAX_CELL_CHARACTERS + 1)
    .replace(INVISIBLE, '')
    .trim();
}

function parseSlowly(cell: string, country: string): PhoneResult {
  if (cell === '') return problem('missing', 'The cell is empty.');
  if (SCIENTIFIC.test(cell) || SPREADSHEET_ERROR.test(cell)) {
    return problem('excel-damage', 'A spreadsheet has replaced the number; its digits are lost.');
  }
  if (cell.length > MAX_CELL_CHARACTERS) return problem('too-long', 'The cell is too long.');
  const text = withoutExtras(cell);
  if (holdsSeveralNumbers(text)) {
    return problem('several-numbers', 'The cell holds more than one number.');
  }
  if (SHORT_SERVICES.test(text)) {
    return problem('unreachable-kind', 'A short service number takes no campaign texts.');
  }
  return parseByPlan(text, isSupportedCountry(country) ? country : undefined);
}

function withoutExtras(cell: string): string {
  const text = cell.replace(LABEL_BEFORE, '').replace(LABEL_AFTER, '').replace(EXTENSION, '');
  return text.replace(WHOLE_FLOAT, '$1').trim();
}

function holdsSeveralNumbers(text: string): boolean {
  const longParts = (separator: RegExp, digits: number) =>
    text.split(separator).filter((part) => part.replace(/\P{Nd}/gu, '').length >= digits).length;
  return longParts(SEPARATORS, 7) > 1 || longParts(/\s+/, 10) > 1;
}

function parseByPlan(text: string, country: CountryCode | undefined): PhoneResult {
  const options = { extract: false, ...(country === undefined ? {} : { defaultCountry: country }) };
  const phone = parsePhoneNumberFromString(text, options);
  if (phone === undefined || !phone.isValid()) return lengthProblem(text, country);

  const type = phone.getType();
  if (type === 'FIXED_LINE') return problem('landline', 'The number is a landline.');
  const kind = type === undefined ? 'unknown' : KINDS[type];
  if (kind === null) {
    return problem('unreachable-kind', `The number is of the kind ${words(type)}.`);
  }
  return { ok: true, e164: phone.number, country: phone.country ?? '001', kind };
}

const KINDS: Record<Exclude<NumberType, undefined | 'FIXED_LINE'>, PhoneKind | null> = {
  MOBILE: 'mobile',
  FIXED_LINE_OR_MOBILE: 'mobile-or-landline',
  VOIP: 'voip',
  TOLL_FREE: null,
  PREMIUM_RATE: null,
  SHARED_COST: null,
  UAN: null,
  PAGER: null,
  PERSONAL_NUMBER: null,
  VOICEMAIL: null,
};

function lengthProblem(text: string, country: CountryCode | undefined): PhoneResult {
  const digits = text.replace(/\P{Nd}/gu, '').length;
  if (digits === 0) return problem('not-a-number', 'The cell holds no digits.');
  const length = validatePhoneNumberLength(text, country);
  if (length === 'TOO_SHORT') return problem('too-short', 'The number has too few digits.');
  if (length === 'TOO_LONG' || digits > MAX_DIGITS) {
    return problem('too-long', 'The number has too many digits.');
  }
  if (length === 'NOT_A_NUMBER') return problem('not-a-number', 'The cell holds no phone number.');
  if (length === 'INVALID_COUNTRY') return problem('impossible', 'The country code is unknown.');
  return problem('impossible', 'No numbering plan has such a number.');
}

function problem(reason: PhoneProblem, detail: string): PhoneResult {
  return { ok: false, reason, detail };
}

function words(type: NumberType): string {
  return (type ?? 'unknown').toLowerCase().replaceAll('_', ' ');
}
