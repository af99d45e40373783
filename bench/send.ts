/**
 * A campaign through everything: plan, permits, claim, the real SDK over HTTP to the simulator, record, two
 * signed delivery reports each, people silent. First at a steady rate, then faster until something falls behind.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignSchema } from '../cli/demo-client.ts';
import { peopleCsv, type LaunchedCampaign } from '../test/support/stack/campaigns.ts';
import { toCreate } from '../test/support/stack/journals.ts';
import { waitUntil } from '../test/support/wait-until.ts';
import { percentile, type Reporter } from './figure.ts';
import { startMachine, type Machine } from './machine.ts';

export interface SendOptions {
  /** Of the steady part. */
  readonly seconds: number;
  /** Texts a second of the steady part. */
  readonly rate: number;
  readonly workers: number;
  readonly profile: boolean;
  readonly temporal: 'dev' | 'postgres';
}

const SENDERS = 20;
const WARM_UP_MS = 5_000;
const DRAIN_WITHIN_MS = 120_000;

/** Runs the scenario and adds its figures. */
export async function benchSend(reporter: Reporter, options: SendOptions): Promise<void> {
  const machine = await startMachine({
    name: 'send',
    workers: options.workers,
    profile: options.profile,
    temporal: options.temporal,
  });
  try {
    await steady(machine, reporter, options);
    await machine.judge(reporter);
  } finally {
    await machine.close();
  }
}

async function steady(machine: Machine, reporter: Reporter, options: SendOptions): Promise<void> {
  const { stack, meter } = machine;
  const { rate, seconds } = options;
  const people = Math.ceil(rate * seconds + (rate * WARM_UP_MS) / 1_000);
  reporter.say(`importing ${people} people`);
  const campaign = await stack.prepare({
    name: 'steady',
    csv: peopleCsv('303', people),
    senders: SENDERS,
    // Of the senders; starts are booked a fiftieth apart from what the rate allows.
    segmentsPerSecond: (rate / SENDERS) * 1.04,
    replyWindowSeconds: 1,
  });
  await stack.api.post(`${campaign.path}/launch`, campaignSchema);
  const launchedAt = Date.now();
  await sleep(WARM_UP_MS);
  const stop = meter.start();
  const from = Date.now();
  let backlog = 0;
  while (Date.now() - from < seconds * 1_000) {
    await sleep(2_000);
    const state = await readState(machine);
    backlog = Math.max(backlog, state.waiting);
    reporter.say(`${state.texts} texts, ${state.waiting} reports wait`);
    if (state.texts >= people) break;
  }
  const until = Date.now();
  const cpu = stop();
  const before = await readState(machine);
  await stack.finished(campaign, DRAIN_WITHIN_MS);
  await drained(machine);
  const creates = await readCreates(machine, campaign);
  const inWindow = creates.filter((at) => at >= from && at < until).length;
  const texts = Math.max(1, inWindow);
  reporter.add({
    name: 'send.steady',
    value: (inWindow / (until - from)) * 1_000,
    unit: 'texts/s',
    with: {
      asked: rate,
      people,
      launchToFirstMs: Math.min(...creates) - launchedAt,
      mostWaiting: backlog,
      before,
    },
  });
  for (const [name, ms] of Object.entries(cpu))
    reporter.add({ name: `send.cpu.${name}`, value: ms / texts, unit: 'CPU-ms/text' });
}

const stateSchema = z.object({
  texts: z.number(),
  due: z.number(),
  journal: z.number(),
  webhooks: z.object({
    sent: z.number(),
    failed: z.number(),
    lost: z.number(),
    inFlight: z.number(),
    waiting: z.number(),
  }),
});

async function readState(machine: Machine) {
  const response = await fetch(`${machine.stack.urls.simulator}/simulator/state`);
  const { texts, due, webhooks } = stateSchema.parse(await response.json());
  return { texts, due, ...webhooks };
}

async function drained(machine: Machine): Promise<void> {
  await waitUntil(
    async () => {
      const state = await readState(machine);
      return state.due === 0 && state.inFlight === 0 && state.waiting === 0;
    },
    { what: 'every report to be taken', timeoutMs: DRAIN_WITHIN_MS, everyMs: 500 },
  );
}

/** When each text of ours reached the simulator. */
async function readCreates(machine: Machine, _campaign: LaunchedCampaign): Promise<number[]> {
  const times: number[] = [];
  const lines = createInterface({ input: createReadStream(machine.stack.simulatorJournal) });
  for await (const line of lines) {
    if (!line.includes('"kind":"create"')) continue;
    const [create] = toCreate(JSON.parse(line));
    if (create !== undefined) times.push(create.receivedAtMs);
  }
  return times;
}
void percentile;
