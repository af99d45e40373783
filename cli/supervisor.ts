import { createWriteStream, mkdirSync, renameSync, existsSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProcess, untilReady, type RunningProcess } from '../runtime/child-process.ts';

/** Something that runs until it is stopped. */
export interface Part {
  /** Resolves, in words, with how it ended. */
  readonly exited: Promise<string>;
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
}

export interface NodeProcess {
  readonly name: string;
  /** Arguments of `node`. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stands in its output once it serves. */
  readonly readyMark: string;
  /** Starts it again when it ends by itself. */
  readonly restarts: boolean;
}

/** The stop was asked for while something was still starting. */
export class StoppedError extends Error {}

const READY_TIMEOUT_MS = 60_000;
/** One Ctrl-C can arrive twice, from the terminal and from npm; a second one comes later than this. */
const SECOND_SIGNAL_MS = 700;
const RESTARTS_AT_MOST = 5;
const HEALTHY_AFTER_MS = 30_000;

/** Runs named parts with a log file each, and stops them in reverse order. */
export function createSupervisor({
  folder,
  say,
}: {
  readonly folder: string;
  readonly say: (line: string) => void;
}) {
  const parts: { readonly name: string; readonly part: Part }[] = [];
  const starting = new Set<Promise<unknown>>();
  const logs: WriteStream[] = [];
  let isStopping = false;
  let stopping: Promise<void> | null = null;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // The failure may come while nobody waits for it yet.
  failed.catch(() => {});

  const logFile = (name: string): string => join(folder, 'logs', `${name}.log`);

  /** Opens a log, the earlier run's set aside, and returns what writes to it. */
  function openLog(name: string): (text: string) => void {
    mkdirSync(join(folder, 'logs'), { recursive: true });
    if (existsSync(logFile(name))) renameSync(logFile(name), `${logFile(name)}.1`);
    const stream = createWriteStream(logFile(name), { flags: 'a', mode: 0o600 });
    stream.on('error', () => {});
    logs.push(stream);
    return (text) => void (stream.writableEnded || stream.write(text));
  }

  /** Starts a part; one that ends by itself from then on is a failure of the whole. */
  async function start<Started extends Part>(
    name: string,
    make: (log: (text: string) => void) => Promise<Started>,
  ): Promise<Started> {
    if (isStopping) throw new StoppedError(name);
    const attempt = makePart(name, make);
    starting.add(attempt);
    const part = await attempt.finally(() => starting.delete(attempt));
    if (isStopping) throw new StoppedError(name);
    return part;
  }

  async function makePart<Started extends Part>(
    name: string,
    make: (log: (text: string) => void) => Promise<Started>,
  ): Promise<Started> {
    try {
      const part = await make(openLog(name));
      parts.push({ name, part });
      void failWhenOver(name, part);
      return part;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}\nIts log: ${logFile(name)}`, { cause: error });
    }
  }

  async function failWhenOver(name: string, part: Part): Promise<void> {
    const how = await part.exited;
    if (!isStopping) fail(new Error(`${name} ended (${how}). Its log: ${logFile(name)}`));
  }

  /** Starts a Node process and waits until it says that it serves. */
  async function startNode(process: NodeProcess): Promise<void> {
    const { name } = process;
    await start(name, async (log) => keepRunning({ process, log, say, logFile: logFile(name) }));
  }

  /** Stops everything, the last started first. */
  async function stopAll(): Promise<void> {
    isStopping = true;
    await Promise.allSettled(starting);
    for (const { part } of parts.toReversed()) await part.stop();
    await Promise.all(
      logs.map(async (log) => new Promise<void>((resolve) => log.end(() => resolve()))),
    );
  }

  return {
    start,
    startNode,
    failed,
    stop: async (): Promise<void> => (stopping ??= stopAll()),
    kill: (): void => {
      isStopping = true;
      for (const { part } of parts.toReversed()) part.kill();
    },
  };
}
export type Supervisor = ReturnType<typeof createSupervisor>;

interface Keeping {
  readonly process: NodeProcess;
  readonly log: (text: string) => void;
  readonly say: (line: string) => void;
  readonly logFile: string;
}

/** One process after the other under the same name, until it is stopped or fails too often in a row. */
async function keepRunning(keeping: Keeping): Promise<Part> {
  const { process, say, logFile } = keeping;
  let current = await startReady(keeping);
  let isStopping = false;
  const exited = (async (): Promise<string> => {
    let failures = 0;
    for (;;) {
      const startedAt = Date.now();
      const how = await current.exited;
      if (isStopping || !process.restarts) return how;
      failures = Date.now() - startedAt > HEALTHY_AFTER_MS ? 1 : failures + 1;
      if (failures > RESTARTS_AT_MOST) return `${how}, ${failures} times in a row`;
      const pauseMs = 250 * 2 ** failures;
      say(
        `${process.name} ended (${how}); starting it again in ${pauseMs / 1000} s. Its log: ${logFile}`,
      );
      await sleep(pauseMs);
      if (isStopping) return how;
      current = await launch(keeping);
    }
  })();
  return {
    exited,
    stop: async () => {
      isStopping = true;
      await current.stop();
    },
    kill: () => {
      isStopping = true;
      current.kill();
    },
  };
}

async function startReady(keeping: Keeping): Promise<RunningProcess> {
  const { name, readyMark } = keeping.process;
  let seen = '';
  let isReady = false;
  const child = await launch(keeping, (text) => {
    seen = (seen + text).slice(-10_000);
    isReady ||= seen.includes(readyMark);
  });
  await untilReady(child, { name, isReady: () => isReady, timeoutMs: READY_TIMEOUT_MS });
  return child;
}

async function launch(
  { process: { args, cwd, env }, log }: Keeping,
  watch: (text: string) => void = () => {},
): Promise<RunningProcess> {
  return startProcess({
    command: process.execPath,
    args,
    cwd,
    env,
    withChannel: true,
    log: (text) => {
      watch(text);
      log(text);
    },
  });
}

/**
 * Runs the body until it ends, a part fails, or a signal comes; then stops everything. Returns the
 * exit code. A second signal ends everything at once.
 */
export async function runSupervised(
  supervisor: Supervisor,
  options: {
    readonly body: (signal: AbortSignal) => Promise<number>;
    readonly say: (line: string) => void;
  },
): Promise<number> {
  const { say } = options;
  const aborter = new AbortController();
  const interrupted = new Promise<number>((resolve) => {
    onSignals({
      first: (code) => {
        say('Stopping (again to end at once) ...');
        resolve(code);
      },
      second: (code) => {
        supervisor.kill();
        process.exit(code);
      },
    });
  });
  let code: number;
  try {
    code = await Promise.race([options.body(aborter.signal), supervisor.failed, interrupted]);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    code = 1;
  }
  aborter.abort();
  await supervisor.stop();
  return code;
}

function onSignals(react: {
  readonly first: (code: number) => void;
  readonly second: (code: number) => void;
}): void {
  let firstAt: number | null = null;
  const handle = (code: number): void => {
    if (firstAt === null) {
      firstAt = Date.now();
      react.first(code);
    } else if (Date.now() - firstAt > SECOND_SIGNAL_MS) react.second(code);
  };
  process.on('SIGINT', () => handle(130));
  process.on('SIGTERM', () => handle(143));
  process.on('SIGHUP', () => handle(129));
  // The command that started us was killed.
  process.once('disconnect', () => handle(143));
  process.channel?.unref();
  // The terminal may be gone while we stop.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
