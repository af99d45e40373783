/** Where a page of rows begins: behind this row, newest first. */
export interface PageRequest {
  /** Rows at most, 1 to 200. */
  readonly limit: number;
  readonly beforeAt: string;
  readonly beforeId: string;
}

/** One page, and the last row of it when more follow. */
export interface Page<Row> {
  readonly items: readonly Row[];
  readonly last: Row | null;
}

/** The tail of every page statement; takes $1 = beforeAt, $2 = beforeId, $3 = limit + 1. */
export function pageBy(alias: string): string {
  return `(${alias}.created_at, ${alias}.id) < ($1::timestamptz, $2::uuid)
    order by ${alias}.created_at desc, ${alias}.id desc limit $3::int`;
}

/** The parameters of `pageBy`: one row more than asked shows whether more follow. */
export function pageParameters(page: PageRequest): [string, string, number] {
  return [page.beforeAt, page.beforeId, page.limit + 1];
}

/** Cuts the extra row off again. */
export function toPage<Row>(rows: readonly Row[], limit: number): Page<Row> {
  const items = rows.slice(0, limit);
  return { items, last: rows.length > limit ? (items.at(-1) ?? null) : null };
}
