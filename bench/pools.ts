/**
 * Many pools on one worker: each has one sender and texts a slow campaign of its own, and some people answer.
 * Then a second worker takes its part, and the first is killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignSchema } from '../cli/demo-client.ts';
import { peopleCsv, type LaunchedCampaign } from '../test/support/stack/campaigns.ts';
import { waitUntil } from '../test/support/wait-until.ts';
import { percentile, type Reporter } from './figure.ts';
import { drained, readAnswers, readTalk } from './journal.ts';
import { startMachine, type Machine } from './machine.ts';
import type { Scenario } from './scenario.ts';

const POOLS = 300;
const SECONDS = 30;
/** Of all pools together. */
const RATE = 100;
/** What an ordinary number may send; what its campaign leaves is there for replies. */
const SENDER_RATE = 1;
const REPLY_SHARE = 0.02;
/** Pools that are made at once. */
const MADE_AT_ONCE = 8;
/** How long (ms) the pools warm up, both workers share them (a slice lasts 36 seconds), and they are watched after the kill. */
const STRETCHES = { warmUp: 15_000, shared: 45_000, watched: 20_000 };
/** A short run shows no more than that it works. */
const SHORT = {
  belowSeconds: 10,
  pools: 12,
  stretches: { warmUp: 3_000, shared: 6_000, watched: 12_000 },
};
/** More than can be texted, so that no pool runs out of people while it is watched. */
const MORE_PEOPLE = 1.4;
const DRAIN_WITHIN_MS = 180_000;

export const pools: Scenario = {
  about: 'many pools on one worker, and what its end does to them',
  run: async (reporter, options) => {
    const machine = await startMachine({
      name: 'pools',
      workers: 2,
      profile: options.profile,
      temporal: options.temporal,
      settings: {
        SIMULATOR_REPLY_SHARE: String(REPLY_SHARE),
        SIMULATOR_REPLY_DELAY_MS: '500-3000',
        // What the killed worker had on the wire is looked for in the provider's list, which is up to date here.
        MAINTENANCE_EVERY_MS: '2000',
        RECONCILE_LAG_MS: '2000',
        RECONCILE_BACKOFF_MS: '500',
      },
    });
    try {
      await machine.stack.part('worker-2').stop();
      const seconds = options.seconds ?? SECONDS;
      const isShort = seconds < SHORT.belowSeconds;
      await measure(machine, reporter, {
        count: Math.min(options.size ?? POOLS, isShort ? SHORT.pools : POOLS),
        rate: isShort ? SHORT.pools : (options.rate ?? RATE),
        seconds,
        stretches: isShort ? SHORT.stretches : STRETCHES,
      });
      await machine.judge(reporter);
    } finally {
      await machine.close();
    }
  },
};

async function measure(
  machine: Machine,
  reporter: Reporter,
  {
    count,
    rate,
    seconds,
    stretches,
  }: {
    readonly count: number;
    readonly rate: number;
    readonly seconds: number;
    readonly stretches: typeof STRETCHES;
  },
): Promise<void> {
  const { stack, meter } = machine;
  const segmentsPerSecond = rate / count;
  const lastsS = seconds + (stretches.warmUp + stretches.shared + stretches.watched) / 1_000;
  const each = Math.ceil(segmentsPerSecond * lastsS * MORE_PEOPLE);
  reporter.say(`making ${count} pools with ${each} people each`);
  const campaigns = await prepareAll(machine, { count, each, segmentsPerSecond });
  reporter.say('launching them');
  for (const { path } of campaigns) await stack.api.post(`${path}/launch`, campaignSchema);
  await sleep(stretches.warmUp);
  reporter.say(`measuring one worker for ${seconds} s`);
  const stop = meter.start();
  const from = Date.now();
  await sleep(seconds * 1_000);
  const until = Date.now();
  const cpu = stop();
  reporter.say('a second worker comes, then the first is killed');
  await stack.part('worker-2').start();
  await sleep(stretches.shared);
  const killedAt = Date.now();
  await stack.part('worker-1').kill();
  await sleep(stretches.watched);
  const watchedUntil = Date.now();
  reporter.say('cancelling what is left');
  for (const campaign of campaigns) {
    if ((await stack.stateOf(campaign)) === 'running')
      await stack.api.post(`${campaign.path}/cancel`, campaignSchema);
  }
  await drained(stack.urls.simulator, DRAIN_WITHIN_MS);
  await settled(machine);

  const times = await readSenders(machine, from);
  const rates = [...times.values()].map(
    (all) => (all.filter((at) => at < until).length / (until - from)) * 1_000,
  );
  const texts = rates.reduce((sum, rate) => sum + rate, 0);
  const cpuMs = Object.values(cpu).reduce((sum, ms) => sum + ms, 0) - (cpu['simulator'] ?? 0);
  reporter.add({
    name: 'pools',
    value: texts,
    unit: 'texts/s',
    ratio: texts / rate,
    with: {
      pools: count,
      slowest: Math.min(...rates),
      median: percentile(rates, 0.5),
      cpuMs: cpu,
      cpuMsEach: cpuMs / (texts * seconds),
    },
  });
  const { waits } = await readAnswers(machine, from, until);
  reporter.add({
    name: 'pools.answer.p95',
    value: percentile(waits, 0.95),
    unit: 'ms',
    with: { p50Ms: percentile(waits, 0.5), answered: waits.length },
  });
  // How long a pool was silent around the kill beyond the pause that its sender's rate makes anyway.
  const silent = [...times.values()].map(
    (all) => longestGap(all, killedAt, watchedUntil) - 1_000 / segmentsPerSecond,
  );
  reporter.add({
    name: 'pools.killed.silence',
    value: Math.max(...silent),
    unit: 'ms',
    with: {
      p50Ms: percentile(silent, 0.5),
      p95Ms: percentile(silent, 0.95),
      overThreeSeconds: silent.filter((ms) => ms > 3_000).length,
    },
  });
}

/** Waits until nobody wonders any more what became of a text of the killed worker. */
async function settled({ stack }: Machine): Promise<void> {
  await waitUntil(
    async () => {
      const [open] = await stack.database.query<{ n: number }>(
        `select count(*)::int as n from message where state in ('planned', 'sending', 'unknown')`,
      );
      return open?.n === 0;
    },
    { what: 'every text to be settled', timeoutMs: DRAIN_WITHIN_MS, everyMs: 500 },
  );
}

async function prepareAll(
  { stack }: Machine,
  {
    count,
    each,
    segmentsPerSecond,
  }: { readonly count: number; readonly each: number; readonly segmentsPerSecond: number },
): Promise<LaunchedCampaign[]> {
  const made: LaunchedCampaign[] = [];
  let next = 0;
  const make = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      made.push(
        await stack.prepare({
          name: `pool-${n}`,
          csv: peopleCsv('303', each, n * each),
          senders: 1,
          segmentsPerSecond: SENDER_RATE,
          campaignSegmentsPerSecond: segmentsPerSecond,
          replyWindowSeconds: 5,
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, make));
  return made;
}

/** When each sender's texts reached the simulator from that time on, in order. */
async function readSenders(machine: Machine, fromMs: number): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>();
  for await (const { kind, atMs, from } of readTalk(machine, fromMs)) {
    if (kind !== 'create' || from === null) continue;
    times.set(from, [...(times.get(from) ?? []), atMs]);
  }
  return times;
}

/** The longest time (ms) without a text between two moments. */
function longestGap(times: readonly number[], from: number, until: number): number {
  const seen = [from, ...times.filter((at) => at > from && at < until), until];
  return Math.max(...seen.slice(1).map((at, index) => at - (seen[index] ?? at)));
}
