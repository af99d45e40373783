import { createHash } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { findBrokenSeals, sealAuditLog } from '../../db/audit-seals.ts';
import { newId } from '../../db/ids.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();

async function note(n: number): Promise<void> {
  for (let index = 0; index < n; index += 1) {
    await ledger().database.query(
      `insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       values ($1::uuid, $2::uuid, 'key:1', 'campaign.pause', 'campaign', $3::uuid, '{"reason":"ü"}') returning 1 as done`,
      newId(Date.now() - 60_000 + index),
      ledger().orgId,
      newId(),
    );
  }
}

/** As somebody who has more rights than the engine. */
async function tamper(sql: string): Promise<void> {
  const client = new Client({ connectionString: ledger().urls.ownerUrl });
  await client.connect();
  try {
    await client.query('alter table audit_log disable row level security');
    await client.query(sql);
    await client.query('alter table audit_log enable row level security');
  } finally {
    await client.end();
  }
}

const broken = () => findBrokenSeals(ledger().database);

describe('the audit log', () => {
  test('takes no change from the engine', async () => {
    await note(1);
    for (const sql of [`update audit_log set actor = 'x'`, 'delete from audit_log']) {
      await expect(ledger().database.query(`${sql} returning 1 as done`)).rejects.toThrow(
        /42501|denied/,
      );
    }
  });

  test('is sealed in a chain that anybody can work out again', async () => {
    await note(3);
    expect(await sealAuditLog(ledger().database, 0)).toBeGreaterThanOrEqual(3);
    expect(await sealAuditLog(ledger().database, 0)).toBe(0);
    await note(2);
    await sealAuditLog(ledger().database, 0);
    const seals = await ledger().database.query<{ rows: number; sha256: string }>(
      'select rows, sha256 from audit_seal order by n',
    );
    const rows = await ledger().database.query<Record<string, string>>(
      `select id::text, (extract(epoch from at) * 1000)::bigint::text as at, org_id::text, actor, action, object_kind, object_id::text, detail::text
         from audit_log order by id`,
    );
    const sha = (text: string) => createHash('sha256').update(text).digest('hex');
    let previous = '0'.repeat(64);
    for (const seal of seals) {
      const hashes = rows.splice(0, seal.rows).map((row) => sha(Object.values(row).join('\u001f')));
      previous = sha(previous + hashes.join(''));
      expect(seal.sha256).toBe(previous);
    }
    expect(rows).toEqual([]);
    expect(await broken()).toEqual([]);
  });

  const NEWEST = '(select id from audit_log order by id desc limit 1)';
  test.each([
    ['changed', `update audit_log set actor = 'nobody' where id = ${NEWEST}`],
    ['taken away', `delete from audit_log where id = ${NEWEST}`],
    [
      'slipped in',
      `insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select (left(id::text, 34) || '00')::uuid, org_id, 'x', 'y', 'campaign', id from audit_log where id = ${NEWEST}`,
    ],
  ])('shows a row that was %s', async (_name, sql) => {
    await note(4);
    await sealAuditLog(ledger().database, 0);
    const [last] = await ledger().database.query<{ n: number }>(
      'select max(n)::int as n from audit_seal',
    );
    expect(await broken()).not.toContainEqual({ orgId: ledger().orgId, n: last?.n });
    await tamper(sql);
    expect(await broken()).toContainEqual({ orgId: ledger().orgId, n: last?.n });
  });
});
