import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { DatabaseIsNewerError, migrate } from '../../db/migrate.ts';
import { generateSchema } from '../../prisma/generate-schema.ts';
import { withTestDatabase } from '../support/database.ts';

const urls = withTestDatabase();

async function asOwner<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: urls().ownerUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('the Prisma schema says exactly what the migrated database is', async () => {
  const committed = await readFile(new URL('../../prisma/schema.prisma', import.meta.url), 'utf8');
  expect(await asOwner(generateSchema)).toBe(committed);
});

test('a second migration applies nothing', async () => {
  expect(await migrate(urls().ownerUrl)).toEqual([]);
});

test('every table with an org forces row-level security, and no partition can be reached around it', async () => {
  const rows = await asOwner(async (client) => {
    const result = await client.query<{ relname: string }>(
      `select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and case when c.relispartition then has_table_privilege('gw_api', c.oid, 'select') else not (c.relrowsecurity and c.relforcerowsecurity) end`,
    );
    return result.rows;
  });
  expect(rows).toEqual([]);
});

test('a database that is newer than the code is refused in words', async () => {
  await asOwner((client) =>
    client.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name) values ('x', 'x', now(), '29990101000000_from_the_future')`,
    ),
  );
  await expect(migrate(urls().ownerUrl)).rejects.toThrow(DatabaseIsNewerError);
});
