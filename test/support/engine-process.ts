/** Real processes of the engine and the simulator. Knows no test runner, so that scripts may use it too. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startProcess as launch } from '../../runtime/child-process.ts';
import { waitUntil } from './wait-until.ts';

export interface EngineProcess {
  readonly pid: number;
  /** Resolves, in words, with how it ended: `exit code 0` or a signal's name. */
  readonly exited: Promise<string>;
  readonly hasExited: () => boolean;
  readonly kill: (signal?: NodeJS.Signals) => void;
  /** Everything it printed so far, or the end of it. */
  readonly logs: () => string;
}

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const READY_MARKS = {
  api: '{"api":"ready"',
  ingest: '{"ingest":"ready"',
  worker: '{"worker":"ready"',
  simulator: '{"simulator":"listening"',
} as const;
export type EngineCommand = keyof typeof READY_MARKS;

const READY_WITHIN_MS = 60_000;
const KEPT_LOG = 2_000_000;

export interface EngineProcessOptions {
  readonly command: EngineCommand;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets what it prints as it comes. */
  readonly log?: (text: string) => void;
  /** Another copy of the source, whose entry points are started instead. */
  readonly root?: string;
  /** What of it is started instead of the command line. */
  readonly entry?: string;
  /** More options of Node, such as those of its profiler. */
  readonly nodeOptions?: readonly string[];
}

/** Starts a process and returns at once; `untilServing` waits for it. */
export async function launchEngine(options: EngineProcessOptions): Promise<EngineProcess> {
  const { command, env } = options;
  let output = '';
  const child = await launch({
    command: process.execPath,
    args: [
      ...(options.nodeOptions ?? []),
      '--import',
      'tsx',
      options.entry ?? 'cli/start.ts',
      command,
    ],
    cwd: options.root ?? ROOT,
    env: { ...process.env, ...env },
    withChannel: true,
    log: (text) => {
      output = (output + text).slice(-KEPT_LOG);
      options.log?.(text);
    },
  });
  return {
    pid: child.pid,
    exited: child.exited,
    hasExited: child.hasExited,
    kill: child.kill,
    logs: () => output,
  };
}

/** Runs one administrative act (`npm start -- <args>`) to its end. */
export async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly ended: string; readonly output: string }> {
  let output = '';
  const child = await launch({
    command: process.execPath,
    args: ['--import', 'tsx', 'cli/start.ts', ...args],
    cwd: ROOT,
    env: { ...process.env, ...env },
    withChannel: true,
    log: (text) => {
      output += text;
    },
  });
  return { ended: await child.exited, output };
}

/** Waits until it serves; one that ends before is an error with all it said. */
export async function untilServing(child: EngineProcess, command: EngineCommand): Promise<void> {
  await waitUntil(() => child.hasExited() || child.logs().includes(READY_MARKS[command]), {
    what: `${command} to be ready`,
    timeoutMs: READY_WITHIN_MS,
    everyMs: 20,
  });
  if (child.hasExited())
    throw new Error(`${command} ended (${await child.exited}):\n${child.logs()}`);
}

/** What still runs in the process groups of these processes, as `ps` shows it. */
export async function findLeftovers(pids: readonly number[]): Promise<string[]> {
  const groups = new Set(pids);
  const { stdout } = await promisify(execFile)('ps', [
    '-ww',
    '-e',
    '-o',
    'pgid=,stat=,pid=,command=',
  ]);
  return stdout.split('\n').filter((line) => {
    const [pgid, state = ''] = line.trim().split(/\s+/);
    return groups.has(Number(pgid)) && !state.startsWith('Z');
  });
}
