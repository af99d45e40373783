/** Names one merge field of a template, with what stands in when a contact has no value. */
export interface TemplateField {
  readonly field: string;
  /** Null when the field must have a value. */
  readonly fallback: string | null;
}

/** Holds a parsed text: literal pieces and merge fields, in order. */
export interface Template {
  readonly parts: readonly (string | TemplateField)[];
}

/** Holds the parsed template, or what is wrong and where (an index into the source). */
export type ParsedTemplate =
  | { ok: true; template: Template }
  | { ok: false; problem: string; at: number };

/** Holds the body to send, or why this contact gets none; `missing` names the fields without a value. */
export type Rendered =
  | { ok: true; body: string }
  | { ok: false; problem: 'missing-fields' | 'too-long' | 'empty'; missing: string[] };

/** Caps a body, in UTF-16 code units: the longest that Twilio takes. */
export const MAX_BODY_CHARACTERS = 1600;

const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/**
 * Parses a text with `{{field}}` and `{{field|fallback}}`; there is no other syntax.
 *
 * - `Hi {{first_name|there}}` -> a literal and a field with a fallback
 * - `Hi {{first_name` -> a problem at 3
 */
export function parseTemplate(source: string): ParsedTemplate {
  const parts: (string | TemplateField)[] = [];
  let literals = 0;
  let at = 0;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    const literal = open === -1 ? source.slice(at) : source.slice(at, open);
    const stray = literal.indexOf('}}');
    if (stray !== -1) return problem('"}}" closes no field.', at + stray);
    if (literal !== '') parts.push(literal);
    literals += literal.length;
    if (open === -1) break;

    const close = source.indexOf('}}', open + 2);
    if (close === -1) return problem('"{{" is not closed.', open);
    const field = parseField(source.slice(open + 2, close));
    if (field === null) return problem('A field is {{name}} or {{name|fallback}}.', open);
    parts.push(field);
    at = close + 2;
  }
  if (parts.every((part) => typeof part === 'string' && clean(part) === '')) {
    return problem('The text is empty.', 0);
  }
  if (literals > MAX_BODY_CHARACTERS) {
    return problem(
      `The text is longer than ${MAX_BODY_CHARACTERS} characters.`,
      MAX_BODY_CHARACTERS,
    );
  }
  return { ok: true, template: { parts } };
}

/** Lists the distinct fields of a template in the order of their first use. */
export function templateFields(template: Template): string[] {
  const names = template.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.field]));
  return [...new Set(names)];
}

/**
 * Fills a template with one contact's values; a value is never read as template text again.
 *
 * A field is missing when it has no value of its own but blanks, and no fallback.
 */
export function render(template: Template, values: Readonly<Record<string, string>>): Rendered {
  const missing = new Set<string>();
  const pieces = template.parts.map((part) => {
    if (typeof part === 'string') return part;
    const value = valueOf(values, part.field) ?? part.fallback;
    if (value === null) missing.add(part.field);
    return value ?? '';
  });
  if (missing.size > 0) return { ok: false, problem: 'missing-fields', missing: [...missing] };

  const body = clean(pieces.join(''));
  if (body === '') return { ok: false, problem: 'empty', missing: [] };
  if (body.length > MAX_BODY_CHARACTERS) return { ok: false, problem: 'too-long', missing: [] };
  return { ok: true, body };
}

function parseField(inner: string): TemplateField | null {
  const bar = inner.indexOf('|');
  const field = (bar === -1 ? inner : inner.slice(0, bar)).trim();
  const fallback = bar === -1 ? null : inner.slice(bar + 1).trim();
  if (!FIELD_NAME.test(field) || fallback?.includes('{{') === true) return null;
  return { field, fallback };
}

function valueOf(values: Readonly<Record<string, string>>, field: string): string | null {
  if (!Object.hasOwn(values, field)) return null;
  const value = clean(values[field] ?? '');
  return /^[\s\p{Cf}]*$/u.test(value) ? null : value;
}

// Control and direction characters let a value forge line starts or reverse what a person reads;
// Postgres takes no NUL and no half of a surrogate pair.
function clean(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replaceAll('\t', ' ')
    .replace(/(?!\n)[\p{Cc}\p{Cs}\p{Bidi_Control}]/gu, '')
    .normalize('NFC')
    .trim();
}

function problem(text: string, at: number): ParsedTemplate {
  return { ok: false, problem: text, at };
}
