import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../db/ids.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();
let api: Client;

beforeAll(async () => {
  await ledger().addCampaign({ people: 3 });
  api = new Client({ connectionString: ledger().urls.apiUrl });
  await api.connect();
});
afterAll(async () => api?.end());

/** Tables with an org of their own, which gw_api may read. */
async function tenantTables(): Promise<string[]> {
  const { rows } = await api.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and has_table_privilege('gw_api', c.oid, 'select') order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function count(table: string): Promise<number> {
  const { rows } = await api.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n ?? -1;
}

describe('the role of HTTP requests', () => {
  test('is neither owner nor superuser, and passes no row security', async () => {
    const { rows } = await api.query(
      'select rolname, rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user',
    );
    expect(rows).toEqual([
      { rolname: 'gw_api', rolsuper: false, rolbypassrls: false, rolcreaterole: false },
    ]);
  });

  test('sees no row of any tenant’s table while no org is set', async () => {
    const tables = await tenantTables();
    expect(tables.length).toBeGreaterThan(30);
    const seen: string[] = [];
    // A price without an org is everybody's.
    for (const table of tables.filter((name) => name !== 'rate_card'))
      if ((await count(table)) !== 0) seen.push(table);
    expect(seen).toEqual([]);
    expect(await count('org')).toBe(0);
  });

  test('sees its org’s rows alone once it is set, for that transaction', async () => {
    await api.query('begin');
    await api.query(`select set_config('app.org', $1, true)`, [ledger().orgId]);
    expect([await count('message'), await count('org')]).toEqual([3, 1]);
    await api.query(`select set_config('app.org', $1, true)`, [newId()]);
    expect([await count('message'), await count('org')]).toEqual([0, 0]);
    await api.query('commit');
    expect(await count('message')).toBe(0);
  });

  test.each([
    [
      'inserting for another org',
      `insert into contact_list (id, org_id, name) values (gen_random_uuid(), $1, 'x')`,
    ],
    [
      'suppressing for the whole deployment',
      `insert into suppression (id, org_id, scope, address, reason, source) values (gen_random_uuid(), null, 'platform', '+12125550000', $1, 'api')`,
    ],
    ['setting another org’s limits', `update org set texts_per_day = 1 where id = $1 returning 1`],
    ['raising what was spent', `update budget set spent_micros = 0 where org_id = $1`],
    [
      'putting bytes into an export’s file',
      `insert into export_chunk (export_id, n, org_id, data) values (gen_random_uuid(), 0, $1, '')`,
    ],
    [
      'showing full numbers in an export',
      'update export set full_numbers = true where org_id = $1',
    ],
    ['changing the audit log', `update audit_log set actor = $1::text`],
    [
      'stopping the deployment',
      `update deployment set stopped_at = now() where $1::text is not null`,
    ],
    ['reading a partition around its parent', 'select 1 from message_default where org_id = $1'],
  ])('is refused %s', async (_name, sql) => {
    await api.query('begin');
    await api.query(`select set_config('app.org', $1, true)`, [newId()]);
    const outcome = await api.query(sql, [ledger().orgId]).then(
      (result) => `${result.rowCount} rows`,
      (error: { code?: string }) => error.code,
    );
    await api.query('rollback');
    expect(['42501', '0 rows']).toContain(outcome);
  });
});

test('The role of the engine passes by policy, not by right', async () => {
  const rows = await ledger().database.query(
    'select rolsuper, rolbypassrls from pg_roles where rolname = current_user',
  );
  expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false }]);
});
