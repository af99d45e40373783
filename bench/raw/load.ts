/** Sends signed webhooks from a file as fast as the other side answers, over that many connections; prints what came of it. */
import { readFile } from 'node:fs/promises';
import { Agent } from 'undici';
import { z } from 'zod';
import { percentile } from '../figure.ts';

const { file, origins, connections } = z
  .object({ file: z.string(), origins: z.array(z.string()).min(1), connections: z.number() })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

export interface LoadResult {
  readonly perSecond: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests by status; 0 is no answer. */
  readonly statuses: Readonly<Record<string, number>>;
}

interface Line {
  readonly path: string;
  readonly signature: string;
  readonly body: string;
}

const lines = (await readFile(file, 'utf8'))
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Line);
const agent = new Agent({ connections: Math.ceil(connections / origins.length), pipelining: 1 });
const took: number[] = [];
const statuses: Record<string, number> = {};
let next = 0;

async function sender(origin: string): Promise<void> {
  for (let index = next++; index < lines.length; index = next++) {
    const line = lines[index];
    if (line === undefined) return;
    const from = performance.now();
    const status = await post(origin, line);
    took.push(performance.now() - from);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
}

async function post(origin: string, { path, signature, body }: Line): Promise<number> {
  try {
    const answer = await agent.request({
      origin,
      path,
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'x-twilio-signature': signature,
      },
      body,
    });
    await answer.body.dump();
    return answer.statusCode;
  } catch {
    return 0;
  }
}

const from = performance.now();
await Promise.all(
  Array.from({ length: connections }, (_, n) => sender(origins[n % origins.length] ?? '')),
);
const seconds = (performance.now() - from) / 1_000;
const result: LoadResult = {
  perSecond: lines.length / seconds,
  seconds,
  p50Ms: percentile(took, 0.5),
  p99Ms: percentile(took, 0.99),
  statuses,
};
process.stdout.write(`${JSON.stringify({ load: result })}\n`);
await agent.destroy();
process.disconnect?.();
