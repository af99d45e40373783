import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOrg } from '../../../db/orgs.ts';
import { withTestDatabase } from '../../support/database.ts';
import { ROOT } from '../../support/engine-process.ts';

const urls = withTestDatabase();
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checker-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly printed: string;
}

async function run(...args: string[]): Promise<Ended> {
  const command = ['--import', 'tsx', 'test/checker/main.ts', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, printed: stdout + stderr });
    });
  });
}

async function journal(...lines: object[]): Promise<string> {
  const file = join(folder, 'journal.ndjson');
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  return file;
}

test('a database in which the role sees nothing cannot be judged', async () => {
  const empty = await run('--journal', await journal(), '--database', urls().engineUrl);
  expect(empty).toMatchObject({ code: 2, printed: expect.stringContaining('sees no org') });
});

test('the table is printed, and the exit code tells whether a promise was broken', async () => {
  await createOrg(urls().ownerUrl, { name: 'Rivertown' });
  const database = ['--database', urls().engineUrl, '--healed'];
  const kept = await run('--journal', await journal(), ...database);
  expect(kept).toMatchObject({ code: 0, printed: expect.stringMatching(/^I3 +green/m) });
  const at = new Date().toISOString();
  const lost = { kind: 'inbound', at, sid: 'SM1', from: '+13125550101', to: '+1', body: 'Hi' };
  const broken = await run('--journal', await journal(lost), ...database);
  expect(broken).toMatchObject({ code: 1, printed: expect.stringMatching(/^I3 +RED +1 /m) });
});

test('without a journal it says how it is called', async () => {
  expect(await run()).toMatchObject({ code: 2, printed: expect.stringContaining('--journal F') });
});
