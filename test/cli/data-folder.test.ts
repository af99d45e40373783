import { spawnSync } from 'node:child_process';
import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DataFolderInUseError, lockDataFolder, readKeys } from '../../runtime/data-folder.ts';

const makeFolder = async (): Promise<string> => mkdtemp(join(tmpdir(), 'gw-'));
const lockOf = (pid: number, mark: string): string => JSON.stringify({ pid, mark });
/** Stands in the command line of this very process. */
const OWN_MARK = 'node';

test('a second holder is told who holds the folder', async () => {
  const folder = await makeFolder();
  const lock = await lockDataFolder(folder, OWN_MARK);
  await expect(lockDataFolder(folder, OWN_MARK)).rejects.toThrow(DataFolderInUseError);
  await expect(lockDataFolder(folder, OWN_MARK)).rejects.toThrow(String(process.pid));
  lock.release();
  expect((await lockDataFolder(folder, OWN_MARK)).wasTakenOver).toBe(false);
});

test('the lock of a process that is gone is taken over', async () => {
  const folder = await makeFolder();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  await writeFile(join(folder, 'supervisor.lock'), lockOf(pid, OWN_MARK));
  expect((await lockDataFolder(folder, OWN_MARK)).wasTakenOver).toBe(true);
});

test('a process of the same number that is something else does not hold the lock', async () => {
  const folder = await makeFolder();
  await writeFile(
    join(folder, 'supervisor.lock'),
    lockOf(process.pid, 'no command line holds this'),
  );
  expect((await lockDataFolder(folder, OWN_MARK)).wasTakenOver).toBe(true);
});

test('a lock that was cut short is taken over', async () => {
  const folder = await makeFolder();
  await writeFile(join(folder, 'supervisor.lock'), '');
  expect((await lockDataFolder(folder, OWN_MARK)).wasTakenOver).toBe(true);
});

test('of many that want a stale lock exactly one gets it', async () => {
  const folder = await makeFolder();
  await writeFile(
    join(folder, 'supervisor.lock'),
    lockOf(process.pid, 'no command line holds this'),
  );
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, async () => lockDataFolder(folder, OWN_MARK)),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('the keys are made once and are readable by their owner only', async () => {
  const folder = await makeFolder();
  const keys = await readKeys(folder);
  expect(await readKeys(folder)).toEqual(keys);
  expect((await stat(join(folder, 'keys.json'))).mode & 0o777).toBe(0o600);
});

test('unreadable keys are never replaced', async () => {
  const folder = await makeFolder();
  await writeFile(join(folder, 'keys.json'), '{');
  await expect(readKeys(folder)).rejects.toThrow('cannot be read');
});
