import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import { createImportApart } from '../../worker/import-apart.ts';
import { uploadFile, type TestImport } from '../support/import-files.ts';
import { TEST_KEY } from '../support/ledger-rows.ts';
import { withLedger } from '../support/ledger.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 60_000;
const ledger = withLedger();
let apiDatabase: Database;
beforeAll(() => {
  const { urls } = ledger();
  apiDatabase = createDatabase({ url: urls.apiUrl, applicationName: 'test', poolSize: 2 });
  vi.stubEnv('DATABASE_URL', urls.ownerUrl);
  vi.stubEnv('KEY_ENCRYPTION_KEY', TEST_KEY);
  vi.stubEnv('TEMPORAL_ADDRESS', '127.0.0.1:9');
  vi.stubEnv('PUBLIC_URL', 'http://127.0.0.1:9');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await apiDatabase.close();
});

function upload(area: string): Promise<TestImport> {
  const lines = Array.from({ length: ROWS }, (_, n) => `+1${area}${2_000_000 + n},Ada ${n}`);
  return uploadFile(ledger(), apiDatabase, `phone,name\n${lines.join('\n')}\n`);
}

async function view({ id }: TestImport): Promise<{ state: string; row: number } | undefined> {
  const [row] = await ledger().database.query<{ state: string; row: number }>(
    'select state::text as state, cursor_row as row from import where id = $1::uuid',
    id,
  );
  return row;
}

/** The process that imports this file. */
async function findProcess({ id }: TestImport): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-A', '-o', 'pid=,command=']);
  return Number.parseInt(stdout.split('\n').find((line) => line.trim().endsWith(id)) ?? '', 10);
}

const importApart = createImportApart();
/** Nobody cancels. */
const NEVER = new AbortController().signal;

describe('a file that is imported in a process of its own', () => {
  test('is imported to its end', async () => {
    const files = [await upload('212'), await upload('303')];
    await Promise.all(files.map(({ id }) => importApart(id, NEVER)));
    for (const file of files) expect(await view(file)).toEqual({ state: 'finished', row: ROWS });
  });

  test('goes on where it was after its process was killed', async () => {
    const file = await upload('404');
    const killed = importApart(file.id, NEVER);
    killed.catch(() => {});
    const pid = await waitUntil(() => findProcess(file), { what: 'the process' });
    const isUnderway = async (): Promise<boolean> => ((await view(file))?.row ?? 0) > 0;
    await waitUntil(isUnderway, { what: 'a first chunk', everyMs: 5 });
    process.kill(pid, 'SIGKILL');
    await expect(killed).rejects.toThrow(/SIGKILL/);
    expect(await view(file)).toMatchObject({ state: 'running' });
    await importApart(file.id, NEVER);
    expect(await view(file)).toEqual({ state: 'finished', row: ROWS });
    const [sums] = await ledger().database.query(
      'select count(*)::int as rows, count(distinct row_no)::int as different from contact_list_member where import_id = $1::uuid',
      file.id,
    );
    expect(sums).toEqual({ rows: ROWS, different: ROWS });
  });

  test('is left where it is when its activity is cancelled', async () => {
    const file = await upload('505');
    const cancel = new AbortController();
    const cancelled = importApart(file.id, cancel.signal);
    cancelled.catch(() => {});
    const pid = await waitUntil(() => findProcess(file), { what: 'the process' });
    cancel.abort();
    await expect(cancelled).rejects.toThrow(/abort/i);
    await waitUntil(() => findProcess(file).then(Number.isNaN), { what: `the end of ${pid}` });
    expect(await view(file)).not.toMatchObject({ state: 'finished' });
  });

  test('is tried again where its process cannot reach the database', async () => {
    const file = await upload('503');
    vi.stubEnv('DATABASE_URL', 'postgres://gw_owner:none@127.0.0.1:9/nowhere');
    await expect(importApart(file.id, NEVER)).rejects.toThrow(/code 1/);
    expect(await view(file)).toEqual({ state: 'queued', row: 0 });
    vi.stubEnv('DATABASE_URL', ledger().urls.ownerUrl);
  });
});
