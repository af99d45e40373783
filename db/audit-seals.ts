/**
 * The audit log's chain of seals. Rows may only be inserted; a seal makes it evident when somebody with more
 * rights changed them all the same.
 */
import { NIL_ID } from '../domain/derived-id.ts';
import type { Database } from './client.ts';

/** Rows younger than this are not sealed: a transaction that began earlier may still insert before them. */
export const SEAL_AFTER_S = 300;
const ROWS_A_SEAL = 10_000;

/** What a row's hash is taken over; written out, because a row's text differs between sessions. */
const ROW_HASH = `encode(sha256(convert_to(concat_ws(E'\\x1f', a.id, (extract(epoch from a.at) * 1000)::bigint, a.org_id, a.actor, a.action,
              a.object_kind, a.object_id, a.detail::text), 'UTF8')), 'hex')`;
const CHAIN_HASH = (previous: string): string =>
  `encode(sha256(convert_to(${previous} || string_agg(${ROW_HASH}, '' order by a.id), 'UTF8')), 'hex')`;

/** Seals the next rows of every org's log, up to 10,000 each. Key: (org, n); a second sealer at once seals nothing. */
export async function sealAuditLog(database: Database, afterS = SEAL_AFTER_S): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `with last as (
       select o.id as org_id, coalesce(s.n, 0) as n, coalesce(s.to_id, '${NIL_ID}'::uuid) as to_id, coalesce(s.sha256, repeat('0', 64)) as sha256
         from org o left join lateral (select * from audit_seal s where s.org_id = o.id order by n desc limit 1) s on true),
     due as (
       select l.org_id, l.n, l.sha256, a.id from last l join lateral (
         select id from audit_log a where a.org_id = l.org_id and a.id > l.to_id
            and a.id < uuid_floor(now() - $1::float8 * interval '1 s') order by a.id limit ${ROWS_A_SEAL}) a on true),
     made as (
       insert into audit_seal (org_id, n, from_id, to_id, rows, previous_sha256, sha256)
       select d.org_id, d.n + 1, (array_agg(d.id order by d.id))[1], (array_agg(d.id order by d.id desc))[1], count(*), d.sha256, ${CHAIN_HASH('d.sha256')}
         from due d join audit_log a on a.id = d.id group by d.org_id, d.n, d.sha256
       on conflict do nothing returning rows)
     select coalesce(sum(rows), 0)::int as n from made`,
    afterS,
  );
  return row?.n ?? 0;
}

/** A seal that the rows no longer match. */
export interface BrokenSeal {
  readonly orgId: string;
  readonly n: number;
}

/** Checks every seal against the rows that it covers, and each against the one before. */
export async function findBrokenSeals(database: Pick<Database, 'query'>): Promise<BrokenSeal[]> {
  return database.query<BrokenSeal>(
    `select s.org_id as "orgId", s.n from audit_seal s
       left join audit_seal p on p.org_id = s.org_id and p.n = s.n - 1
       left join lateral (
         select count(*) as rows, ${CHAIN_HASH('s.previous_sha256')} as sha256 from audit_log a
          where a.org_id = s.org_id and a.id > coalesce(p.to_id, '${NIL_ID}'::uuid) and a.id <= s.to_id) t on true
      where t.rows <> s.rows or t.sha256 is distinct from s.sha256 or s.previous_sha256 <> coalesce(p.sha256, repeat('0', 64))
         or (s.n > 1 and p.n is null)
      order by 1, 2 limit 1000`,
  );
}
