import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';

const MIGRATIONS = fileURLToPath(new URL('../prisma/migrations/', import.meta.url));
/** Any number: it only keeps two migrating processes apart. */
const MIGRATION_LOCK = 7_203_114;

/** The database holds a migration that this code does not have: the code is older. */
export class DatabaseIsNewerError extends Error {
  constructor(names: readonly string[]) {
    super(
      `The database was migrated by a newer version of Groundswell (unknown: ${names.join(', ')}). ` +
        'Update the code, or point DATABASE_URL at another database.',
    );
  }
}

/**
 * Applies prisma/migrations in order, each in its own transaction, and keeps Prisma's own table so
 * that its tools agree. Connects as the owner. Returns the names that were applied now.
 */
export async function migrate(ownerUrl: string): Promise<string[]> {
  const client = new Client({
    connectionString: ownerUrl,
    application_name: 'groundswell-migrate',
  });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await applyPending(client);
  } finally {
    await client.end();
  }
}

async function applyPending(client: Client): Promise<string[]> {
  await client.query(`create table if not exists _prisma_migrations (
    id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz,
    migration_name varchar(255) not null, logs text, rolled_back_at timestamptz,
    started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`);
  const { rows } = await client.query<{ migration_name: string; checksum: string }>(
    'select migration_name, checksum from _prisma_migrations where finished_at is not null and rolled_back_at is null',
  );
  const applied = new Map(rows.map((row) => [row.migration_name, row.checksum]));
  const known = await readMigrations();
  const unknown = [...applied.keys()].filter(
    (name) => !known.some((migration) => migration.name === name),
  );
  if (unknown.length > 0) throw new DatabaseIsNewerError(unknown);
  const pending = known.filter((migration) => !applied.has(migration.name));
  for (const migration of known) {
    const checksum = applied.get(migration.name);
    if (checksum !== undefined && checksum !== migration.checksum) {
      throw new Error(
        `Migration ${migration.name} was changed after it was applied. Restore the file and write a new migration.`,
      );
    }
  }
  for (const migration of pending) await applyOne(client, migration);
  return pending.map((migration) => migration.name);
}

async function applyOne(client: Client, migration: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(migration.sql);
    await client.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       values (gen_random_uuid()::text, $1, now(), $2, 1)`,
      [migration.checksum, migration.name],
    );
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error(`Could not apply migration ${migration.name}`, { cause: error });
  }
}

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

async function readMigrations(): Promise<Migration[]> {
  const entries = await readdir(MIGRATIONS, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(`${MIGRATIONS}${name}/migration.sql`, 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}
