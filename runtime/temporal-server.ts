import { readFile, rm, writeFile } from 'node:fs/promises';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE_NAMES } from '../workflows/contract.ts';
import { startProcess, stopLeftover, untilReady, type RunningProcess } from './child-process.ts';

export interface TemporalServerOptions {
  readonly binary: string;
  readonly port: number;
  readonly uiPort: number;
  /** Null keeps everything in memory. */
  readonly dbFile: string | null;
  /** Remembers the process, so that the next start finds one that was left behind. */
  readonly pidFile: string;
  readonly log: (text: string) => void;
}

export interface TemporalServer {
  readonly address: string;
  readonly uiUrl: string;
  readonly pid: number;
  readonly exited: Promise<string>;
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
}

const START_TIMEOUT_MS = 30_000;
const NAMESPACE = 'default';

/** Starts Temporal's dev server and waits until it answers with our search attributes. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const address = `127.0.0.1:${options.port}`;
  await stopEarlierTemporal(options.pidFile);
  const server = await startProcess({
    command: options.binary,
    args: readArguments(options),
    log: options.log,
  });
  await writeFile(options.pidFile, `${server.pid} ${markOf(options.port)}\n`);
  try {
    await waitUntilReady(server, address);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    address,
    uiUrl: `http://127.0.0.1:${options.uiPort}`,
    pid: server.pid,
    exited: server.exited,
    stop: async () => {
      await server.stop();
      await rm(options.pidFile, { force: true });
    },
    kill: server.kill,
  };
}

/** Stops a dev server that a killed supervisor left behind. */
export async function stopEarlierTemporal(pidFile: string): Promise<boolean> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const [pid, ...mark] = text.trim().split(' ');
  if (mark.length === 0) return false;
  return stopLeftover({ pid: Number(pid), mark: mark.join(' ') });
}

function readArguments({ port, uiPort, dbFile }: TemporalServerOptions): string[] {
  // Twice as many transactions a second as the default journal, and a killed server loses nothing.
  const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];
  return [
    ...markOf(port).split(' '),
    ...`--ui-port ${uiPort} --ip 127.0.0.1 --log-level error`.split(' '),
    ...(dbFile === null ? [] : ['--db-filename', dbFile]),
    ...(dbFile === null ? [] : pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma])),
    ...SEARCH_ATTRIBUTE_NAMES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
  ];
}

/** The start of its arguments, by which the process is known again. */
function markOf(port: number): string {
  return `server start-dev --port ${port}`;
}

async function waitUntilReady(server: RunningProcess, address: string): Promise<void> {
  const connection = Connection.lazy({ address });
  try {
    await untilReady(server, {
      name: 'Temporal',
      isReady: async () => answers(connection),
      timeoutMs: START_TIMEOUT_MS,
    });
  } finally {
    await connection.close();
  }
}

async function answers(connection: Connection): Promise<boolean> {
  try {
    return await connection.withDeadline(Date.now() + 2_000, async () => {
      await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
      const found = await connection.operatorService.listSearchAttributes({ namespace: NAMESPACE });
      return SEARCH_ATTRIBUTE_NAMES.every((name) => found.customAttributes?.[name] !== undefined);
    });
  } catch {
    return false;
  }
}
