import { appendFileSync } from 'node:fs';
import {
  launchEngine,
  untilServing,
  type EngineCommand,
  type EngineProcess,
} from '../engine-process.ts';

/** One process of a stack under its name, over all of its runs. */
export interface Part {
  readonly name: string;
  readonly command: EngineCommand;
  /** Starts it, armed with these fault points, and waits until it serves. */
  readonly start: (faultPoints?: string) => Promise<void>;
  /** Sends SIGKILL and waits for the end. */
  readonly kill: () => Promise<void>;
  /** Asks it to stop; resolves with how it ended. */
  readonly stop: () => Promise<string>;
  /** SIGSTOP: it runs no instruction until `thaw`. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly isRunning: () => boolean;
  /** How the present run ends. */
  readonly ended: () => Promise<string>;
  readonly pid: () => number;
  /** What the present run printed. */
  readonly logs: () => string;
}

/** A fault point that struck, in which process. */
export interface Strike {
  readonly part: string;
  readonly point: string;
  readonly action: string;
}

export interface PartOptions {
  readonly name: string;
  readonly command: EngineCommand;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Everything it prints over all runs goes here. */
  readonly logFile: string;
  readonly onStrike: (strike: Strike) => void;
  readonly onPid: (pid: number) => void;
  /** Another copy of the source, and what of it is started instead of the command line. */
  readonly source?: { readonly root: string; readonly entry?: string };
  readonly nodeOptions?: readonly string[];
}

const STRIKE = /\{"fault":"([\w.-]+)","action":"(\w+)"\}/g;

export function createPart(options: PartOptions): Part {
  const { name, command } = options;
  let current: EngineProcess | null = null;

  const running = (): EngineProcess => {
    if (current === null) throw new Error(`${name} was never started`);
    return current;
  };
  const log = (text: string): void => {
    appendFileSync(options.logFile, text);
    for (const [, point = '', action = ''] of text.matchAll(STRIKE))
      options.onStrike({ part: name, point, action });
  };

  return {
    name,
    command,
    start: async (faultPoints = '') => {
      if (current !== null && !current.hasExited()) throw new Error(`${name} runs already`);
      current = await launchEngine({
        command,
        env: {
          NODE_ENV: faultPoints === '' ? 'production' : 'test',
          ...options.env,
          FAULT_POINTS: faultPoints,
        },
        log,
        nodeOptions: options.nodeOptions ?? [],
        ...options.source,
      });
      options.onPid(current.pid);
      await untilServing(current, command);
    },
    kill: async () => {
      running().kill('SIGKILL');
      await running().exited;
    },
    stop: async () => {
      running().kill('SIGTERM');
      return running().exited;
    },
    freeze: () => running().kill('SIGSTOP'),
    thaw: () => running().kill('SIGCONT'),
    isRunning: () => current !== null && !current.hasExited(),
    ended: async () => running().exited,
    pid: () => running().pid,
    logs: () => running().logs(),
  };
}
