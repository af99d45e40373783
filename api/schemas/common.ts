import { z } from '@hono/zod-openapi';

/** One id in a path. */
export const IdParam = z.object({ id: z.uuid().describe('The id of the thing.') });

/** An id in an answer or a body. */
export function id(meaning: string) {
  return z.uuid().describe(meaning);
}

/** An instant in an answer: ISO 8601, UTC, milliseconds. */
export function time(meaning: string) {
  return z.iso.datetime().describe(`${meaning} ISO 8601, UTC.`);
}

/** Words in a body. Postgres keeps neither NUL nor half a surrogate pair. */
export function text(max: number, meaning: string) {
  return z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine(isStorable, 'must be well-formed text without NUL')
    .describe(`${meaning} 1 to ${max} characters.`);
}

export function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0');
}

/** A phone number in a body. */
export function phone(meaning: string) {
  return z
    .string()
    .regex(/^\+[1-9]\d{6,14}$/, 'must be E.164, such as +12125550123')
    .describe(`${meaning} E.164, such as +12125550123.`);
}

/** Segments a second, as senders and campaigns are bound by. */
export function rate(meaning: string) {
  return z
    .number()
    .min(0.001)
    .max(10_000)
    .describe(`${meaning} Segments a second, 0.001 to 10,000.`);
}

/** How many, by name. */
export function counts(meaning: string) {
  return z.record(z.string(), z.int()).describe(meaning);
}

export function count(meaning: string) {
  return z.int().describe(meaning);
}

/** A JSON answer of a route. */
export function ok<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { 'application/json': { schema } } };
}

/** A CSV answer of a route. */
export function csv(description: string) {
  return { description, content: { 'text/csv': { schema: z.string() } } };
}

/** A JSON body that must be there. */
export function body<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}
