import { z } from '@hono/zod-openapi';
import type { Page, PageRequest } from '../db/page.ts';
import { MAX_ID } from '../domain/derived-id.ts';
import { ApiError } from './errors.ts';

/** The query of every list. */
export const PageQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .describe('Items at most, 1 to 200. Default 50.'),
  cursor: z.string().max(300).optional().describe('`nextCursor` of the page before.'),
});

export interface PageInput {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The form of every list. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item).describe('Newest first, unless said otherwise.'),
    nextCursor: z.string().nullable().describe('Leads to the next page; null on the last.'),
  });
}

const CreatedCursor = z.tuple([z.iso.datetime(), z.uuid()]);

/** Reads the cursor of a list in the order (created_at, id) descending. */
export function readPage({ limit, cursor }: PageInput): PageRequest {
  const [beforeAt, beforeId] = readCursor(cursor, CreatedCursor) ?? ['infinity', MAX_ID];
  return { limit, beforeAt, beforeId };
}

/** Answers one page of such a list. */
export function writePage<Row extends { readonly id: string; readonly createdAt: Date }>({
  items,
  last,
}: Page<Row>): { items: Row[]; nextCursor: string | null } {
  const nextCursor = last === null ? null : writeCursor([last.createdAt.toISOString(), last.id]);
  return { items: [...items], nextCursor };
}

const IdCursor = z.tuple([z.uuid()]);

/** Reads the cursor of a list in the order of ids descending. */
export function readIdCursor(cursor: string | undefined): string {
  return readCursor(cursor, IdCursor)?.[0] ?? MAX_ID;
}

const RowCursor = z.tuple([z.int().min(0).max(2_147_483_647)]);

/** Reads the cursor of a list in the order of row numbers. */
export function readRowCursor(cursor: string | undefined): number {
  return readCursor(cursor, RowCursor)?.[0] ?? -1;
}

/** Cuts a page out of limit + 1 rows. */
export function cutPage<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string | number,
): { items: Row[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, nextCursor: more ? writeCursor([keyOf(last)]) : null };
}

function writeCursor(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readCursor<Parts>(
  cursor: string | undefined,
  schema: z.ZodType<Parts>,
): Parts | undefined {
  if (cursor === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString('utf8')));
  if (!parsed.success) {
    throw new ApiError('invalid-cursor', 'Send `nextCursor` of the page before as it came.', {
      errors: [{ field: 'cursor', message: 'is not a cursor of this list' }],
    });
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
