import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, inject } from 'vitest';
import { asUser } from '../../runtime/config.ts';
import { waitUntil } from './wait-until.ts';

export interface TestDatabase {
  readonly ownerUrl: string;
  readonly engineUrl: string;
  readonly apiUrl: string;
  readonly drop: () => Promise<void>;
}

/** Clones the migrated template; about 50 ms. All three roles are those of production, none a superuser. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asOwner(`create database ${name} template ${inject('templateDatabase')}`);
  const url = new URL(inject('ownerUrl'));
  url.pathname = `/${name}`;
  return {
    ownerUrl: url.href,
    engineUrl: asUser(url.href, 'gw_engine'),
    apiUrl: asUser(url.href, 'gw_api'),
    drop: async () => drop(name),
  };
}

/** Gives the tests of a file or `describe` one database of their own, ready from `beforeAll` on. */
export function withTestDatabase(): () => TestDatabase {
  let database: TestDatabase | null = null;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => database?.drop());
  return () => {
    if (database === null)
      throw new Error('the test database is there only inside hooks and tests');
    return database;
  };
}

/** Ends the sessions that a failed test left open. A vacuum is none of ours to end: it is waited for. */
async function drop(name: string): Promise<void> {
  await waitUntil(
    async () => {
      await asOwner(`drop database if exists ${name} with (force)`);
      return true;
    },
    { what: `the database ${name} to go`, timeoutMs: 10_000 },
  );
}

async function asOwner(statement: string): Promise<void> {
  const client = new Client({ connectionString: inject('ownerUrl') });
  await client.connect();
  try {
    // Two clones of one template at the same time refuse each other.
    await client.query('select pg_advisory_lock(1)');
    await client.query(statement);
  } finally {
    await client.end();
  }
}
