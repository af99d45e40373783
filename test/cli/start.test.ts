import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { withTestDatabase } from '../support/database.ts';

const database = withTestDatabase();

const VALID = {
  DATABASE_URL: 'postgres://gw_owner@127.0.0.1:9/groundswell',
  TEMPORAL_ADDRESS: '127.0.0.1:9',
  PUBLIC_URL: 'http://127.0.0.1:9',
  KEY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
};

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs one of our commands with nothing but this environment. */
async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

test.each(['api', 'ingest', 'worker', 'check-config'])(
  '%s names every wrong setting at once and exits with 1',
  async (command) => {
    const { code, err } = await run(['cli/start.ts', command], {
      API_PORT: 'eighty',
      PUBLIC_URL: 'example.org',
      LOG_LEVEL: 'loud',
    });
    expect(code).toBe(1);
    for (const name of [
      'DATABASE_URL',
      'TEMPORAL_ADDRESS',
      'KEY_ENCRYPTION_KEY',
      'API_PORT',
      'PUBLIC_URL',
      'LOG_LEVEL',
    ]) {
      expect(err).toContain(name);
    }
    expect(err).not.toContain('    at ');
  },
);

test.each(['production', 'development', ''])(
  'fault points are refused where NODE_ENV is "%s"',
  async (mode) => {
    const { code, err } = await run(['cli/start.ts', 'check-config'], {
      ...VALID,
      NODE_ENV: mode,
      FAULT_POINTS: 'send.accepted:kill@3',
    });
    expect(code).toBe(1);
    expect(err.match(/FAULT_POINTS/g)).toHaveLength(1);
    expect(err).toContain('for tests only (NODE_ENV=test)');
  },
);

test('a test arms fault points, and hears of one that does not exist', async () => {
  const env = { ...VALID, NODE_ENV: 'test' };
  const armed = { ...env, FAULT_POINTS: 'send.accepted:kill@3 ingest.stored:fail@0.05' };
  expect((await run(['cli/start.ts', 'check-config'], armed)).code).toBe(0);
  const wrong = { ...env, FAULT_POINTS: 'send.nowhere:kill' };
  const { code, err } = await run(['cli/start.ts', 'check-config'], wrong);
  expect(code).toBe(1);
  expect(err).toContain('cannot read "send.nowhere:kill"');
});

test('an unknown command shows the commands', async () => {
  const { code, err } = await run(['cli/start.ts', 'wroker']);
  expect(code).toBe(1);
  expect(err).toMatch(/Unknown command "wroker"[^]*worker/);
});

test('create-org prints the org and its key as JSON', async () => {
  const { code, out } = await run(['cli/start.ts', 'create-org', '--name', 'Rivertown'], {
    DATABASE_URL: database().ownerUrl,
  });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({
    orgId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    apiKey: expect.stringMatching(/^gw_/),
  });
});

test('migrate says that a migrated database is up to date', async () => {
  const { code, out } = await run(['cli/start.ts', 'migrate'], {
    DATABASE_URL: database().ownerUrl,
  });
  expect({ code, out }).toEqual({ code: 0, out: 'The database is up to date.\n' });
});

test('a database of a newer version is left alone, with words on what to do', async () => {
  const client = new Client({ connectionString: database().ownerUrl });
  await client.connect();
  const row = `insert into _prisma_migrations (id, checksum, finished_at, migration_name)
               values ('x', 'x', now(), '29990101000000_from_the_future')`;
  await client.query(row);
  try {
    const { code, err } = await run(['cli/start.ts', 'migrate'], {
      DATABASE_URL: database().ownerUrl,
    });
    expect(code).toBe(1);
    expect(err).toMatch(/newer version[^]*29990101000000_from_the_future[^]*Update the code/);
  } finally {
    await client.query(`delete from _prisma_migrations where id = 'x'`);
    await client.end();
  }
});

test('a taken port is named together with its variable, and nothing is left behind', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const port = String((server.address() as AddressInfo).port);
  const folder = await mkdtemp(join(tmpdir(), 'gw-'));
  const env = { GROUNDSWELL_DATA_DIR: folder, SIMULATOR_PORT: port };
  const others = { API_PORT: '0' };
  try {
    const { code, err } = await run(['cli/dev.ts'], { ...env, API_PORT: port });
    expect(code).toBe(1);
    expect(err).toContain(`Port ${port} is taken. Set API_PORT to another.`);
    expect(err).toContain(`Port ${port} is taken. Set SIMULATOR_PORT to another.`);
    // The lock was given back: the second run complains of something else.
    expect((await run(['cli/dev.ts'], { ...env, ...others })).err).toContain('API_PORT is "0"');
  } finally {
    server.close();
  }
});
