import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { startProcess as launch } from '../../runtime/child-process.ts';
import { waitUntil } from './wait-until.ts';

export interface TestProcess {
  readonly pid: number;
  /** Resolves, in words, with how it ended: `exit code 0` or a signal's name. */
  readonly exited: Promise<string>;
  readonly kill: (signal?: NodeJS.Signals) => void;
  /** Everything it printed so far. */
  readonly logs: () => string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const READY_MARKS = {
  api: '{"api":"ready"',
  worker: '{"worker":"ready"',
  simulator: '{"simulator":"listening"',
} as const;

const running = new Set<TestProcess>();
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([...running].map(({ exited }) => exited));
});

/** Starts a real process of the engine and waits until it serves; it is killed when the file's tests end. */
export async function startProcess(options: {
  readonly command: keyof typeof READY_MARKS;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<TestProcess> {
  const { command, env } = options;
  let output = '';
  const child = await launch({
    command: process.execPath,
    args: ['--import', 'tsx', 'cli/start.ts', command],
    cwd: ROOT,
    env: { ...process.env, ...env },
    withChannel: true,
    log: (text) => {
      output += text;
    },
  });
  const started = { pid: child.pid, exited: child.exited, kill: child.kill, logs: () => output };
  running.add(started);
  void child.exited.then(() => running.delete(started));
  await waitUntil(() => child.hasExited() || output.includes(READY_MARKS[command]), {
    what: `${command} to be ready`,
    timeoutMs: 30_000,
  });
  if (child.hasExited()) throw new Error(`${command} ended (${await child.exited}):\n${output}`);
  return started;
}
