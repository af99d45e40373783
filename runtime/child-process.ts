import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a process is started and how it is stopped again. */
export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
  readonly gid?: number;
  /** Gets stdout and stderr as they come. */
  readonly log: (text: string) => void;
  /** Asks to stop; SIGTERM where nothing else is said. */
  readonly stopSignal?: NodeJS.Signals;
  /** Ends it when it did not stop in time; SIGKILL where nothing else is said. */
  readonly killSignal?: NodeJS.Signals;
  /** Opens a channel whose end tells a Node child that its parent is gone. */
  readonly withChannel?: boolean;
}

export interface RunningProcess {
  readonly pid: number;
  /** Resolves, in words, with how the process ended; never rejects. */
  readonly exited: Promise<string>;
  readonly hasExited: () => boolean;
  readonly stop: () => Promise<void>;
  readonly kill: (signal?: NodeJS.Signals) => void;
  /** The end of what it printed, for error messages. */
  readonly tail: () => string;
}

/** What is asked to stop gets this long. */
const STOP_GRACE_MS = 10_000;
const TAIL_CHARACTERS = 2_000;

/**
 * Starts a process in a group of its own: Ctrl-C in the terminal reaches only its supervisor, which
 * then stops its processes in order.
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { uid, gid, cwd, env } = options;
  const child = spawn(options.command, [...options.args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...(options.withChannel === true ? (['ipc'] as const) : [])],
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARACTERS);
      options.log(text);
    });
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not start: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : signal));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${options.command}: ${await exited}`);
  return { pid, exited, tail: () => tail.trim(), ...controls(child, exited, options) };
}

function controls(
  child: ChildProcess,
  exited: Promise<string>,
  options: ProcessOptions,
): Pick<RunningProcess, 'hasExited' | 'stop' | 'kill'> {
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const kill = (signal?: NodeJS.Signals): void => {
    if (!hasExited()) child.kill(signal ?? options.killSignal ?? 'SIGKILL');
  };
  const stop = async (): Promise<void> => {
    if (hasExited()) return;
    child.kill(options.stopSignal ?? 'SIGTERM');
    const timer = setTimeout(kill, STOP_GRACE_MS);
    await exited;
    clearTimeout(timer);
  };
  return { hasExited, stop, kill };
}

/** Waits until a started process serves; one that ends or takes too long is an error with its last words. */
export async function untilReady(
  child: RunningProcess,
  options: {
    readonly name: string;
    readonly isReady: () => boolean | Promise<boolean>;
    readonly timeoutMs: number;
  },
): Promise<void> {
  const { name, isReady, timeoutMs } = options;
  const deadline = Date.now() + timeoutMs;
  while (!(await isReady())) {
    if (child.hasExited()) {
      throw new Error(`${name} did not start (${await child.exited}):\n${child.tail()}`);
    }
    if (Date.now() > deadline) {
      await child.stop();
      throw new Error(`${name} was not ready after ${timeoutMs / 1_000} s:\n${child.tail()}`);
    }
    await sleep(20);
  }
}

/**
 * Stops a process that a killed supervisor left behind. The mark must stand in its command line: its
 * number may by now belong to somebody else.
 */
export async function stopLeftover(leftover: {
  readonly pid: number;
  readonly mark: string;
  readonly stopSignal?: NodeJS.Signals;
  readonly killSignal?: NodeJS.Signals;
}): Promise<boolean> {
  const { pid, mark } = leftover;
  if (!(await isRunning(pid, mark))) return false;
  process.kill(pid, leftover.stopSignal ?? 'SIGTERM');
  const deadline = Date.now() + STOP_GRACE_MS;
  while (Date.now() < deadline) {
    if (!(await isRunning(pid, mark))) return true;
    await sleep(50);
  }
  process.kill(pid, leftover.killSignal ?? 'SIGKILL');
  while (await isRunning(pid, mark)) await sleep(50);
  return true;
}

/** Whether a process of this number runs whose command line holds the mark. */
export async function isRunning(pid: number, mark: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  return new Promise((resolve) => {
    // An ended process that nobody waited for yet is listed as <defunct>, without its arguments.
    execFile('ps', ['-ww', '-o', 'command=', '-p', String(pid)], (error, output) => {
      const hasNoPs = error !== null && error.code === 'ENOENT';
      resolve(hasNoPs || output.includes(mark));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
