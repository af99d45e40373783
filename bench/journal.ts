/** What the simulator saw, read without stopping it. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { waitUntil } from '../test/support/wait-until.ts';
import type { Machine } from './machine.ts';

const stateSchema = z.object({
  texts: z.number(),
  due: z.number(),
  journal: z.number(),
  webhooks: z.object({
    sent: z.number(),
    lost: z.number(),
    inFlight: z.number(),
    waiting: z.number(),
  }),
});

export interface SimulatorState {
  readonly texts: number;
  readonly due: number;
  /** Webhooks that were answered, that got no answer in time, and that wait. */
  readonly sent: number;
  readonly lost: number;
  readonly inFlight: number;
  readonly waiting: number;
}

export async function readState(simulatorUrl: string): Promise<SimulatorState> {
  const response = await fetch(`${simulatorUrl}/simulator/state`);
  const { texts, due, webhooks } = stateSchema.parse(await response.json());
  return { texts, due, ...webhooks };
}

/** Waits until every report and reply was taken. */
export async function drained(simulatorUrl: string, timeoutMs: number): Promise<void> {
  await waitUntil(
    async () => {
      const state = await readState(simulatorUrl);
      return state.due === 0 && state.inFlight === 0 && state.waiting === 0;
    },
    { what: 'every webhook to be taken', timeoutMs, everyMs: 250 },
  );
}

const lineSchema = z.looseObject({
  kind: z.enum(['create', 'inbound']),
  at: z.string(),
  receivedAt: z.string().optional(),
  to: z.string(),
  from: z.string().nullable(),
  sid: z.string().nullable(),
});

/** Requests to create a text and texts from people, in the order of the journal, from that time (epoch ms) on. */
export async function* readTalk(
  machine: Machine,
  fromMs: number,
): AsyncGenerator<{ kind: 'create' | 'inbound'; atMs: number; to: string; from: string | null }> {
  const lines = createInterface({ input: createReadStream(machine.stack.simulatorJournal) });
  for await (const line of lines) {
    if (!/"kind":"(?:create|inbound)"/.test(line)) continue;
    const { success, data } = lineSchema.safeParse(JSON.parse(line));
    if (!success) continue;
    const atMs = Date.parse(data.receivedAt ?? data.at);
    if (atMs >= fromMs) yield { kind: data.kind, atMs, to: data.to, from: data.from };
  }
}

/** When each text reached the simulator from that time on, in order. */
export async function readCreates(machine: Machine, fromMs: number): Promise<number[]> {
  const times: number[] = [];
  for await (const { kind, atMs } of readTalk(machine, fromMs))
    if (kind === 'create') times.push(atMs);
  return times.sort((a, b) => a - b);
}

/** From each reply between two times (epoch ms) to the next text to the same person. */
export async function readAnswers(
  machine: Machine,
  fromMs: number,
  untilMs: number = Number.POSITIVE_INFINITY,
): Promise<{ waits: number[]; replies: number; creates: number }> {
  const open = new Map<string, number>();
  const waits: number[] = [];
  let [replies, creates] = [0, 0];
  for await (const { kind, atMs, to, from } of readTalk(machine, fromMs)) {
    if (kind === 'inbound') {
      if (atMs >= untilMs) continue;
      replies += 1;
      if (from !== null && !open.has(from)) open.set(from, atMs);
    } else {
      creates += 1;
      const since = open.get(to);
      if (since !== undefined) waits.push(atMs - since);
      open.delete(to);
    }
  }
  return { waits, replies, creates };
}
