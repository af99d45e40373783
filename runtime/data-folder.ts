import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isRunning } from './child-process.ts';

const keysSchema = z.object({
  databasePassword: z.string().min(16),
  keyEncryptionKey: z.base64(),
  simulatorAccountSid: z.string().regex(/^AC[0-9a-f]{32}$/),
  simulatorAuthToken: z.string().regex(/^[0-9a-f]{32}$/),
});

/** The secrets of dev and demo, made once. */
export type Keys = z.infer<typeof keysSchema>;

/** Where dev and demo keep their databases, logs and secrets. */
export function dataFolderPath(
  environment: Readonly<Record<string, string | undefined>>,
  root: string,
): string {
  const given = environment['GROUNDSWELL_DATA_DIR'];
  return given === undefined || given === '' ? join(root, '.data') : resolve(root, given);
}

/** Reads keys.json, and makes it where there is none. */
export async function readKeys(folder: string): Promise<Keys> {
  const file = join(folder, 'keys.json');
  const text = await readFileOrNull(file);
  if (text !== null) return parseKeys(file, text);
  const keys: Keys = {
    databasePassword: randomBytes(24).toString('hex'),
    keyEncryptionKey: randomBytes(32).toString('base64'),
    simulatorAccountSid: `AC${randomBytes(16).toString('hex')}`,
    simulatorAuthToken: randomBytes(16).toString('hex'),
  };
  await mkdir(folder, { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return keys;
}

function parseKeys(file: string, text: string): Keys {
  try {
    return keysSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(
      `${file} cannot be read. The database beside it needs it: restore it, or remove the whole folder to start anew.`,
      { cause: error },
    );
  }
}

/** Another dev or demo uses this data folder. */
export class DataFolderInUseError extends Error {
  constructor(folder: string, pid: number) {
    super(
      `Another dev or demo (process ${pid}) already uses ${folder}. ` +
        'Stop it, or set GROUNDSWELL_DATA_DIR (and other ports) for a second one.',
    );
  }
}

export interface DataFolderLock {
  /** Whether the one who held it before was killed: what it started may still be ending. */
  readonly wasTakenOver: boolean;
  /** Runs at once, so that it can be the last act of a process. */
  readonly release: () => void;
}

const GUARD_EXPIRES_MS = 10_000;
const lockSchema = z.object({ pid: z.int(), mark: z.string() });

/**
 * Takes the data folder for this process alone. A lock whose process is gone is taken over; the mark
 * stands in the command line of its holder, since process numbers are used again.
 */
export async function lockDataFolder(folder: string, mark: string): Promise<DataFolderLock> {
  const file = join(folder, 'supervisor.lock');
  await mkdir(folder, { recursive: true });
  let wasTakenOver = false;
  for (let tries = 0; ; tries += 1) {
    if (await createLock(file, mark)) {
      return { wasTakenOver, release: () => rmSync(file, { force: true }) };
    }
    const holder = await readHolder(file);
    if (holder !== null && (await isRunning(holder.pid, holder.mark))) {
      throw new DataFolderInUseError(folder, holder.pid);
    }
    if (tries > 300) throw new Error(`Could not take ${file}: remove it and try again.`);
    // Null is a lock that its holder is writing right now, or one that a full disk cut short.
    if (holder === null && tries < 5) await sleep(50);
    else if (await removeStale(file)) wasTakenOver = true;
    else await sleep(50);
  }
}

async function createLock(file: string, mark: string): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify({ pid: process.pid, mark }), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a lock that is still stale. Only one process at a time may do so, and looks again first:
 * else a slow one would remove the fresh lock of a quick one.
 */
async function removeStale(file: string): Promise<boolean> {
  const guard = `${file}.takeover`;
  try {
    await mkdir(guard);
  } catch {
    // A process that was killed in these few milliseconds left its guard behind.
    const age = Date.now() - ((await stat(guard).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > GUARD_EXPIRES_MS) await rmdir(guard).catch(() => {});
    return false;
  }
  try {
    const holder = await readHolder(file);
    if (holder !== null && (await isRunning(holder.pid, holder.mark))) return false;
    await rm(file, { force: true });
    return true;
  } finally {
    await rmdir(guard).catch(() => {});
  }
}

async function readHolder(file: string): Promise<z.infer<typeof lockSchema> | null> {
  const text = await readFileOrNull(file);
  try {
    return lockSchema.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}

async function readFileOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
