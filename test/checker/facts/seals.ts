/** The chain of hashes over the audit log, worked out here once more. */
import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { BrokenRows } from './facts.ts';

const PAGE = 10_000;
const FIRST = '0'.repeat(64);
const NIL_ID = '00000000-0000-0000-0000-000000000000';

interface Seal {
  readonly org_id: string;
  readonly n: number;
  readonly to_id: string;
  readonly rows: number;
  readonly previous_sha256: string;
  readonly sha256: string;
}

/** What a seal covers of one row; its parts are parted by the unit separator. */
const ROWS = `
select id, array[id::text, ((extract(epoch from at) * 1000)::bigint)::text, org_id::text, actor, action, object_kind, object_id::text, detail::text] as parts
  from audit_log where org_id = $1 and id > $2 and id <= $3 order by id limit ${PAGE}`;

/** Finds seals that do not match the rows they cover, or the seal before them. */
export async function findBrokenSeals(
  client: ClientBase,
): Promise<{ readonly sealed: number; readonly broken: BrokenRows }> {
  const { rows: seals } = await client.query<Seal>(
    'select org_id, n::int as n, to_id, rows::int as rows, previous_sha256, sha256 from audit_seal order by org_id, n',
  );
  const examples: string[] = [];
  let sealed = 0;
  let earlier: Seal | null = null;
  for (const seal of seals) {
    const before: Seal | null = earlier?.org_id === seal.org_id ? earlier : null;
    const { rows, sha256 } = await hashRows(client, seal, before?.to_id ?? NIL_ID);
    const isNext = seal.n === (before?.n ?? 0) + 1;
    const isChained = isNext && seal.previous_sha256 === (before?.sha256 ?? FIRST);
    if (!isChained || rows !== seal.rows || sha256 !== seal.sha256) {
      examples.push(`seal ${seal.n} of org ${seal.org_id}`);
    }
    sealed += seal.rows;
    earlier = seal;
  }
  const rule = 'a seal does not match the audit log';
  return { sealed, broken: { rule, rows: examples.length, examples: examples.slice(0, 10) } };
}

async function hashRows(
  client: ClientBase,
  seal: Seal,
  afterId: string,
): Promise<{ rows: number; sha256: string }> {
  const chain = createHash('sha256').update(seal.previous_sha256);
  let rows = 0;
  let last = afterId;
  for (;;) {
    const values = [seal.org_id, last, seal.to_id];
    const page = await client.query<{ id: string; parts: string[] }>(ROWS, values);
    for (const { id, parts } of page.rows) {
      chain.update(createHash('sha256').update(parts.join('\u001f')).digest('hex'));
      last = id;
    }
    rows += page.rows.length;
    if (page.rows.length < PAGE) return { rows, sha256: chain.digest('hex') };
  }
}
