import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { migrate } from '../../../db/migrate.ts';
import { asUser } from '../../../runtime/config.ts';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../../runtime/embedded-postgres.ts';
import { binaryCacheFolder, findTemporalBinary } from '../../../runtime/temporal-binary.ts';
import { startTemporalServer, type TemporalServer } from '../../../runtime/temporal-server.ts';
import { freePort } from '../ports.ts';
import { waitUntil } from '../wait-until.ts';

/** A server of a stack's own, which a test may kill and start again on the same port. */
export interface StackServer {
  readonly start: () => Promise<void>;
  /** Sends SIGKILL and waits for the end. */
  readonly kill: () => Promise<void>;
  /** Of the present run. */
  readonly pid: () => number;
}

export interface DatabaseUrls {
  readonly ownerUrl: string;
  readonly engineUrl: string;
}

const RESTART_WITHIN_MS = 60_000;

/** A Postgres of a stack, whose files may be put back to what they were. */
export interface StackPostgres extends StackServer {
  /** Copies the files of the killed server, as a snapshot of its disk would, and starts it again. */
  readonly backUp: () => Promise<void>;
  /** Kills the server, puts the copied files in the place of its own, and starts it again. */
  readonly restore: () => Promise<void>;
}

/** What it answered survives a killed process, because the pages are the system's; faster than a disk. */
const WITHOUT_DISK = { fsync: 'off', full_page_writes: 'on', shared_buffers: '128MB' } as const;

/** A Postgres that can be killed. */
export async function createPostgres(
  folder: string,
  settings: Readonly<Record<string, string>> = WITHOUT_DISK,
): Promise<StackPostgres & { readonly urls: DatabaseUrls }> {
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  const logFile = join(folder, 'postgres.log');
  let server: EmbeddedPostgres | null = null;
  const start = async (): Promise<void> => {
    // Sessions of a killed server hold its shared memory for a moment; a new one refuses to start beside them.
    server = await waitUntil(
      () =>
        startEmbeddedPostgres({
          dataDir: join(folder, 'postgres'),
          port,
          password,
          settings,
          log: (text) => appendFileSync(logFile, text),
        }),
      { what: 'Postgres to start', timeoutMs: RESTART_WITHIN_MS, everyMs: 100 },
    );
  };
  await start();
  const ownerUrl = `postgres://gw_owner:${password}@127.0.0.1:${port}/groundswell`;
  await migrate(ownerUrl);
  const kill = async (): Promise<void> => {
    server?.kill('SIGKILL');
    await server?.exited;
  };
  // With `cp -a`, because the files belong to another user where the tests run as root.
  const copy = async (from: string, to: string): Promise<void> => {
    await rm(to, { recursive: true, force: true });
    await promisify(execFile)('cp', ['-a', from, to]);
  };
  const data = (): string => server?.dataDir ?? '';
  return {
    urls: { ownerUrl, engineUrl: asUser(ownerUrl, 'gw_engine') },
    start,
    kill,
    pid: () => server?.pid ?? 0,
    backUp: async () => {
      await kill();
      await copy(data(), `${data()}.backup`);
      await start();
    },
    restore: async () => {
      await kill();
      await copy(`${data()}.backup`, data());
      await start();
    },
  };
}

/** A Temporal that can be killed; without a file it comes back knowing nothing. */
export async function createTemporal(
  folder: string,
  store: 'file' | 'memory',
): Promise<StackServer & { readonly address: string }> {
  const logFile = join(folder, 'temporal.log');
  const [port, uiPort] = [await freePort(), await freePort()];
  const log = (text: string): void => appendFileSync(logFile, text);
  const binary = await findTemporalBinary({
    cacheDir: binaryCacheFolder(process.env),
    environment: process.env,
    log,
  });
  let server: TemporalServer | null = null;
  const start = async (): Promise<void> => {
    server = await startTemporalServer({
      binary,
      port,
      uiPort,
      dbFile: store === 'file' ? join(folder, 'temporal.db') : null,
      pidFile: join(folder, 'temporal.pid'),
      log,
    });
  };
  await start();
  return {
    address: `127.0.0.1:${port}`,
    start,
    kill: async () => {
      server?.kill();
      await server?.exited;
    },
    pid: () => server?.pid ?? 0,
  };
}
