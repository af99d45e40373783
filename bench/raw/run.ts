import { z } from 'zod';
import { startProcess, untilReady, type RunningProcess } from '../../runtime/child-process.ts';
import { ROOT } from '../../test/support/engine-process.ts';
import { freePort } from '../../test/support/ports.ts';
import type { LoadResult } from './load.ts';

/** Starts one of the scripts of this folder with its settings. */
export async function startRaw(
  script: string,
  settings: object,
  log: (text: string) => void,
): Promise<RunningProcess> {
  return startProcess({
    command: process.execPath,
    args: ['--import', 'tsx', `bench/raw/${script}.ts`, JSON.stringify(settings)],
    cwd: ROOT,
    withChannel: true,
    env: process.env,
    log,
  });
}

/** A bare server of this folder that listens; `stop` ends it. */
export async function startRawServer(
  script: string,
  settings: { readonly port?: number } & Readonly<Record<string, unknown>>,
): Promise<{ readonly origin: string; readonly pid: number; readonly stop: () => Promise<void> }> {
  const port = settings.port ?? (await freePort());
  let output = '';
  const child = await startRaw(script, { ...settings, port }, (text) => {
    output += text;
  });
  await untilReady(child, {
    name: script,
    isReady: () => output.includes('{"raw":"ready"}'),
    timeoutMs: 30_000,
  });
  return { origin: `http://127.0.0.1:${port}`, pid: child.pid, stop: child.stop };
}

const resultSchema = z.object({
  load: z.object({
    perSecond: z.number(),
    seconds: z.number(),
    p50Ms: z.number(),
    p99Ms: z.number(),
    statuses: z.record(z.string(), z.number()),
  }),
});

/** Sends every line of the file, from a process of its own. */
export async function load(settings: {
  readonly file: string;
  /** The connections are spread over these. */
  readonly origins: readonly string[];
  readonly connections: number;
}): Promise<LoadResult> {
  let output = '';
  const child = await startRaw('load', settings, (text) => {
    output += text;
  });
  const ended = await child.exited;
  const line = output.split('\n').find((text) => text.startsWith('{"load"'));
  if (line === undefined) throw new Error(`the load ended (${ended}):\n${child.tail()}`);
  return resultSchema.parse(JSON.parse(line)).load;
}
