/**
 * A campaign through everything: plan, permits, claim, the real SDK over HTTP to the simulator, record, two
 * signed delivery reports each, people silent. First at a steady rate, then faster until something falls behind.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignSchema } from '../cli/demo-client.ts';
import { peopleCsv, type LaunchedCampaign } from '../test/support/stack/campaigns.ts';
import type { Reporter } from './figure.ts';
import { drained, readCreates, readState } from './journal.ts';
import { startMachine, type Machine } from './machine.ts';
import { rawLoop } from './raw/loop.ts';
import type { Scenario } from './scenario.ts';

const SENDERS = 20;
/** One worker runs a pool at a time: several of them share two campaigns each, with a pool of its own. */
const CAMPAIGNS_A_WORKER = 2;
/** Starts are booked a fiftieth further apart than the rate asks, and a pool rests between its slices. */
const HEADROOM = 1.1;
const WARM_UP_MS = 5_000;
const DRAIN_WITHIN_MS = 180_000;
const RATE = 1_000;
const SECONDS = 20;
/** Steps above the steady rate, each as long as that half. */
const LADDER = [1.25, 1.5, 1.75, 2, 2.25, 2.5] as const;
/** A rate is sustained when this part of it left, and no more than two seconds of reports wait at the end. */
const SUSTAINED = 0.97;
const BACKLOG_S = 2;

export const send: Scenario = {
  about: 'texts a second through everything, with two signed delivery reports each',
  run: async (reporter, options) => {
    const { workers, ingests, profile, temporal } = options;
    const machine = await startMachine({ name: 'send', workers, ingests, profile, temporal });
    const campaigns = workers === 1 ? 1 : workers * CAMPAIGNS_A_WORKER;
    const rate = options.rate ?? RATE;
    const seconds = options.seconds ?? SECONDS;
    // A long run is about the steady rate alone, a short one shows no more than that it works.
    const climbs = seconds >= 10 && seconds <= 60;
    try {
      const raw = await rawLoop(machine.folder, Math.min(seconds, 15));
      reporter.add({ name: 'send.raw', value: raw, unit: 'texts/s' });
      const steady = await sendAt(machine, reporter, { area: '303', rate, seconds, campaigns });
      report(reporter, { name: 'send', run: steady, raw });
      let fastest = steady;
      for (const [index, times] of LADDER.entries()) {
        const step = {
          area: String(404 + index),
          rate: rate * times,
          seconds: Math.max(5, seconds / 2),
          campaigns,
        };
        if (!climbs || !isSustained(fastest)) break;
        const run = await sendAt(machine, reporter, step);
        if (!isSustained(run)) break;
        fastest = run;
      }
      if (climbs) report(reporter, { name: 'send.fastest', run: fastest, raw });
      await machine.judge(reporter);
    } finally {
      await machine.close();
    }
  },
};

interface Run {
  readonly asked: number;
  readonly perSecond: number;
  readonly first: number;
  readonly last: number;
  /** Reports that waited at the simulator when the texts were out. */
  readonly waiting: number;
  readonly launchToFirstMs: number;
  readonly cpuMsEach: Readonly<Record<string, number>>;
}

function isSustained(run: Run): boolean {
  return run.perSecond >= run.asked * SUSTAINED && run.waiting <= run.asked * 2 * BACKLOG_S;
}

async function sendAt(
  machine: Machine,
  reporter: Reporter,
  {
    area,
    rate,
    seconds,
    campaigns,
  }: {
    readonly area: string;
    readonly rate: number;
    readonly seconds: number;
    readonly campaigns: number;
  },
): Promise<Run> {
  const { stack, meter } = machine;
  const people = Math.ceil((rate * (seconds + WARM_UP_MS / 1_000)) / campaigns) * campaigns;
  reporter.say(`${rate} texts/s for ${seconds} s: importing ${people} people`);
  const each = people / campaigns;
  const prepared: LaunchedCampaign[] = [];
  for (let n = 0; n < campaigns; n += 1)
    prepared.push(
      await stack.prepare({
        name: `send-${area}-${n}`,
        csv: peopleCsv(area, each, n * each),
        senders: SENDERS,
        segmentsPerSecond: (rate / campaigns / SENDERS) * HEADROOM,
        replyWindowSeconds: 1,
      }),
    );
  for (const { path } of prepared) await stack.api.post(`${path}/launch`, campaignSchema);
  const launchedAt = Date.now();
  await sleep(WARM_UP_MS);
  const stop = meter.start();
  const from = Date.now();
  await sleep(seconds * 1_000 * 0.95);
  const until = Date.now();
  const cpu = stop();
  const { waiting } = await readState(stack.urls.simulator);
  for (const campaign of prepared) await stack.finished(campaign, DRAIN_WITHIN_MS);
  await drained(stack.urls.simulator, DRAIN_WITHIN_MS);
  const times = await readCreates(machine, launchedAt);
  const between = (low: number, high: number): number =>
    times.filter((at) => at >= low && at < high).length;
  const texts = Math.max(1, between(from, until));
  const tenth = (until - from) / 10;
  return {
    asked: rate,
    perSecond: (texts / (until - from)) * 1_000,
    first: (between(from, from + tenth) / tenth) * 1_000,
    last: (between(until - tenth, until) / tenth) * 1_000,
    waiting,
    launchToFirstMs: (times[0] ?? Number.NaN) - launchedAt,
    cpuMsEach: Object.fromEntries(Object.entries(cpu).map(([name, ms]) => [name, ms / texts])),
  };
}

function report(
  reporter: Reporter,
  { name, run, raw }: { readonly name: string; readonly run: Run; readonly raw: number },
): void {
  const { cpuMsEach, perSecond, ...rest } = run;
  reporter.add({ name, value: perSecond, unit: 'texts/s', ratio: perSecond / raw, with: rest });
  for (const [part, ms] of Object.entries(cpuMsEach))
    reporter.add({ name: `${name}.cpu.${part}`, value: ms, unit: 'CPU-ms/text' });
  const ours = Object.entries(cpuMsEach).filter(([part]) => part !== 'simulator');
  const sum = ours.reduce((total, [, ms]) => total + ms, 0);
  reporter.add({
    name: `${name}.cpu`,
    value: sum,
    unit: 'CPU-ms/text',
    with: { without: 'simulator' },
  });
  reporter.add({ name: `${name}.flat`, value: run.last / run.first, unit: 'last tenth / first' });
}
