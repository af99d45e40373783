/** One large campaign: how soon its first text leaves, what its planning costs, and how soon it stops when told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignSchema, progressSchema, reportSchema } from '../cli/demo-client.ts';
import { peopleCsv, type LaunchedCampaign } from '../test/support/stack/campaigns.ts';
import { waitUntil } from '../test/support/wait-until.ts';
import { percentile, type Reporter } from './figure.ts';
import { drained, readCreates } from './journal.ts';
import { startMachine, type Machine } from './machine.ts';
import { copyFloor } from './raw/copy.ts';
import type { Scenario } from './scenario.ts';

const PEOPLE = 1_000_000;
const RATE = 1_000;
const SENDERS = 20;
const SECONDS = 20;
const CALLS = 40;
/** What a campaign keeps planned (s), and the part of it that counts as all. */
const AHEAD_S = 30;
const FULL = 0.8;
const AHEAD_WITHIN_MS = 180_000;
const FIRST_WITHIN_MS = 120_000;
const DRAIN_WITHIN_MS = 240_000;
/** So long nothing may leave after a halt; the last text within it is what the figure says. */
const QUIET_MS = 3_000;
const AREAS = ['303', '404'] as const;
const MOST_OF_AN_AREA = 900_000;

export const plan: Scenario = {
  about: 'a million people in one campaign: launch, planning, pause, cancel',
  run: async (reporter, options) => {
    const machine = await startMachine({
      name: 'plan',
      workers: options.workers,
      profile: options.profile,
      temporal: options.temporal,
    });
    const people = options.size ?? PEOPLE;
    const rate = options.rate ?? RATE;
    try {
      reporter.say(`importing ${people} people`);
      const campaign = await machine.stack.prepare({
        name: 'plan',
        csv: peopleFile(people),
        senders: SENDERS,
        segmentsPerSecond: rate / SENDERS,
        replyWindowSeconds: 1,
      });
      const launchedAt = await launch(machine, reporter, { campaign, people, rate });
      await sleep((options.seconds ?? SECONDS) * 1_000);
      await ask(machine, reporter, campaign);
      await halt(machine, reporter, { campaign, launchedAt });
      await machine.judge(reporter);
    } finally {
      await machine.close();
    }
  },
};

/** Launches, and follows the plan until it is as far ahead as it wants to be. Returns when it was launched. */
async function launch(
  machine: Machine,
  reporter: Reporter,
  {
    campaign,
    people,
    rate,
  }: { readonly campaign: LaunchedCampaign; readonly people: number; readonly rate: number },
): Promise<number> {
  const { stack } = machine;
  const launchedAt = Date.now();
  await stack.api.post(`${campaign.path}/launch`, campaignSchema);
  const answeredMs = Date.now() - launchedAt;
  const wanted = Math.min(people, rate * AHEAD_S * FULL);
  let began = { at: Number.NaN, rows: 0 };
  const full = await waitUntil(
    async () => {
      const { texts } = await stack.api.get(`${campaign.path}/progress`, progressSchema);
      if (began.rows === 0 && texts.total > 0) began = { at: Date.now(), rows: texts.total };
      return texts.total >= wanted ? { at: Date.now(), rows: texts.total } : null;
    },
    { what: 'the plan to be ahead', timeoutMs: AHEAD_WITHIN_MS, everyMs: 50 },
  );
  const [first] = await waitUntil(async () => readFirst(machine, launchedAt), {
    what: 'a first text',
    timeoutMs: FIRST_WITHIN_MS,
  });
  reporter.add({
    name: 'plan.first',
    value: ((first ?? Number.NaN) - launchedAt) / 1_000,
    unit: 's',
    with: { people, answeredMs },
  });
  const perSecond = ((full.rows - began.rows) / Math.max(1, full.at - began.at)) * 1_000;
  const copySeconds = await copyFloor(stack.databaseUrls.ownerUrl, wanted);
  reporter.add({
    name: 'plan',
    value: perSecond,
    unit: 'rows/s',
    ratio: perSecond / (wanted / copySeconds),
    with: { people, ahead: full.rows, copySeconds, whileSending: rate },
  });
  return launchedAt;
}

async function readFirst(machine: Machine, fromMs: number): Promise<number[] | null> {
  const creates = await readCreates(machine, fromMs);
  return creates.length > 0 ? creates : null;
}

/** What those who look on wait for, while the campaign sends. */
async function ask(
  { stack }: Machine,
  reporter: Reporter,
  { path }: LaunchedCampaign,
): Promise<void> {
  for (const [name, schema] of [
    ['progress', progressSchema],
    ['report', reportSchema],
  ] as const) {
    const waits: number[] = [];
    for (let call = 0; call < CALLS; call += 1) {
      const from = performance.now();
      await stack.api.get(`${path}/${name}`, schema);
      waits.push(performance.now() - from);
    }
    reporter.add({
      name: `plan.${name}.p99`,
      value: percentile(waits, 0.99),
      unit: 'ms',
      with: { p50Ms: percentile(waits, 0.5) },
    });
  }
}

/** Pauses, resumes and cancels: when the last text left after the API had answered. */
async function halt(
  machine: Machine,
  reporter: Reporter,
  { campaign, launchedAt }: { readonly campaign: LaunchedCampaign; readonly launchedAt: number },
): Promise<void> {
  const { stack } = machine;
  const stops: { readonly name: string; readonly askedAt: number; readonly answeredAt: number }[] =
    [];
  for (const action of ['pause', 'cancel'] as const) {
    const askedAt = Date.now();
    await stack.api.post(`${campaign.path}/${action}`, campaignSchema);
    stops.push({ name: action, askedAt, answeredAt: Date.now() });
    await sleep(QUIET_MS);
    if (action === 'cancel') break;
    await stack.api.post(`${campaign.path}/resume`, campaignSchema);
    await sleep(QUIET_MS);
  }
  await waitUntil(
    async () => {
      const { texts } = await stack.api.get(`${campaign.path}/progress`, progressSchema);
      return texts.planned + texts.sending === 0;
    },
    { what: 'nothing to be planned any more', timeoutMs: DRAIN_WITHIN_MS },
  );
  const emptyMs = Date.now() - (stops.at(-1)?.askedAt ?? 0);
  await drained(stack.urls.simulator, DRAIN_WITHIN_MS);
  const creates = await readCreates(machine, launchedAt);
  for (const { name, askedAt, answeredAt } of stops) {
    const last = creates.findLast((at) => at < askedAt + QUIET_MS) ?? askedAt;
    reporter.add({
      name: `plan.${name}`,
      value: Math.max(0, last - askedAt),
      unit: 'ms',
      with: { answeredMs: answeredAt - askedAt, ...(name === 'cancel' ? { emptyMs } : {}) },
    });
  }
}

/** More people than an area code has numbers for. */
function peopleFile(people: number): string {
  return AREAS.map((area, index) => {
    const count = Math.min(MOST_OF_AN_AREA, people - index * MOST_OF_AN_AREA);
    const csv = peopleCsv(area, Math.max(0, count));
    return index === 0 ? csv : csv.slice(csv.indexOf('\n') + 1);
  }).join('');
}
