/** A long random mix of kills and faults against a whole engine: `npm run chaos -- --minutes 5 --seed 1`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { anythingSchema } from '../../cli/demo-client.ts';
import { check, formatVerdicts, type Verdict } from '../checker/check.ts';
import { ROOT } from '../support/engine-process.ts';
import { startStack, type Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { strike, type Arena } from './blows.ts';
import { launchAll } from './audience.ts';
import { gather } from './evidence.ts';
import { createKeeper, type Keeper } from './keeper.ts';
import { planBlows, type Blow } from './plan.ts';
import { printTable } from './table.ts';
import { createTally, type Tally } from './tally.ts';
import { countKills, judge, type Finding } from './verdict.ts';

/**
 * While databases and workers start over on two cores, requests that were sent apart are seen up to so long late (ms):
 * the simulator's own event loop stands still too. A pace that is broken exceeds its rate by more than this hides.
 */
const CHAOS_JITTER_MS = 250;
const SOCKETS = 16;
const DRAIN_WITHIN_MS = 100_000;
const PROGRESS_MS = 15_000;
const SETTINGS = {
  MAX_CONCURRENT_SENDS: String(SOCKETS),
  SEND_DEADLINE_MS: '1500',
  // Beyond the list lag that is injected.
  RECONCILE_LAG_MS: '4000',
  RECONCILE_BACKOFF_MS: '100',
  MAINTENANCE_EVERY_MS: '2000',
  DATABASE_POOL_SIZE: '8',
  LOG_LEVEL: 'error',
  SIMULATOR_REPLY_SHARE: '0.06',
  SIMULATOR_REPLY_DELAY_MS: '200-4000',
  SIMULATOR_FAILURE_SHARE: '0.01',
  SIMULATOR_SENT_DELAY_MS: '5-50',
  SIMULATOR_DELIVERED_DELAY_MS: '10-400',
  SIMULATOR_LATENCY_MS: '15',
};

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    folder: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  process.stderr.write('npm run chaos -- --minutes N --seed S: N above 0, S a whole number\n');
  process.exit(1);
}
const startedAt = Date.now();
const say = (text: string): void =>
  void process.stdout.write(
    `${((Date.now() - startedAt) / 1_000).toFixed(0).padStart(4)} s  ${text}\n`,
  );

const folder = values.folder ?? join(ROOT, '.data', 'chaos', `${seed}-${startedAt}`);
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => stopped.abort(new Error(signal)));
process.once('disconnect', () => stopped.abort(new Error('the command was killed')));
process.channel?.unref();

say(`seed ${seed}, ${minutes} min, data in ${folder}`);
const stack = await startStack({
  postgres: 'own',
  temporal: 'file',
  workers: 2,
  ingests: 1,
  folder,
  settings: SETTINGS,
});
let keepers: Keeper[] = [];
try {
  process.exitCode = await run(stack);
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
} finally {
  await Promise.all(keepers.map((keeper) => keeper.stop()));
  await stack.close();
}
say(process.exitCode === 0 ? 'All bounds hold.' : 'A bound is broken, or the run failed.');
process.exit();

async function run(chaos: Stack): Promise<number> {
  const durationMs = minutes * 60_000;
  const tally = createTally();
  const campaigns = await launchAll(chaos, { minutes, durationMs });
  say(
    `launched ${campaigns.length} campaigns for ${campaigns.reduce((n, c) => n + c.people.length, 0)} people`,
  );
  keepers = [...chaos.parts.values()]
    .filter((part) => part.command !== 'simulator')
    .map((part) => createKeeper(part, { seed, tally }));
  const healing = new AbortController();
  stopped.signal.addEventListener('abort', () => healing.abort(), { once: true });
  const arena: Arena = { stack: chaos, campaigns, tally, healing: healing.signal };
  const progress = setInterval(() => void showProgress(chaos), PROGRESS_MS);
  const thawing = watchStrikes(chaos);

  await rain(arena, planBlows(seed, durationMs), durationMs);
  stopped.signal.throwIfAborted();
  say('healing');
  const left = await heal(chaos, arena);
  clearInterval(thawing);
  await drain(chaos);
  clearInterval(progress);
  countStrikes(chaos, tally, left);

  const verdict = judge({
    evidence: await gather(chaos),
    campaigns,
    tally,
    minutes,
    socketsAWorker: SOCKETS,
  });
  const judged = await askChecker(chaos, tally);
  const findings = [...verdict.findings, ...judged.map(toFinding)];
  const result = { seed, minutes, blows: tally.all(), texts: verdict.texts, findings };
  await writeFile(
    join(folder, 'result.json'),
    `${JSON.stringify({ ...result, checker: judged }, null, 2)}\n`,
  );
  printTable(result);
  process.stdout.write(`\n${formatVerdicts(judged)}\n`);
  return findings.every(({ holds }) => holds) ? 0 : 1;
}

/** The judge that shares no code with the engine; the simulator must have written its last line. */
async function askChecker(chaos: Stack, tally: Tally): Promise<Verdict[]> {
  await chaos.part('simulator').stop();
  return check({
    databaseUrl: chaos.databaseUrls.engineUrl,
    providerJournal: chaos.simulatorJournal,
    clientJournal: chaos.clientsJournal,
    expectations: {
      healed: true,
      jitterMs: CHAOS_JITTER_MS,
      bounds: { kills: countKills(tally), sockets: SOCKETS },
    },
  });
}

function toFinding({ id, title, ok, violations }: Verdict): Finding {
  return { what: `checker ${id}: ${title}`, value: violations, bound: '0', holds: ok };
}

/** Lets every blow fall at its time; resolves when the time is over and what they broke is whole again. */
async function rain(arena: Arena, blows: readonly Blow[], durationMs: number): Promise<void> {
  const from = Date.now();
  const falling: Promise<void>[] = [];
  for (const blow of blows) {
    await untilThen(from + blow.atMs);
    if (stopped.signal.aborted) break;
    falling.push(
      strike(arena, blow).catch((error: unknown) => {
        arena.tally.add(`failed: ${blow.kind}`);
        process.stderr.write(`${blow.kind}: ${String(error)}\n`);
      }),
    );
  }
  await untilThen(from + durationMs);
  await Promise.all(falling);
}

async function untilThen(at: number): Promise<void> {
  await sleep(Math.max(0, at - Date.now()), undefined, { signal: stopped.signal }).catch(() => {});
}

/** A process that stopped itself goes on after a few seconds. */
function watchStrikes(chaos: Stack): NodeJS.Timeout {
  let seen = 0;
  return setInterval(() => {
    for (const { part, action } of chaos.strikes.slice(seen)) {
      if (action !== 'stop') continue;
      const frozen = chaos.part(part);
      setTimeout(() => frozen.isRunning() && frozen.thaw(), 3_000);
    }
    seen = chaos.strikes.length;
  }, 500);
}

/** Takes every fault back and waits until all parts serve; returns the provider's faults that never struck. */
async function heal(chaos: Stack, arena: Arena): Promise<Map<string, number>> {
  const { faults } = (await (await fetch(`${chaos.urls.simulator}/simulator/faults`)).json()) as {
    faults: { fault: string; left: number }[];
  };
  await chaos.steer('DELETE', 'faults', {});
  await chaos.steer('PUT', 'settings', { listLagMs: 0 });
  for (const keeper of keepers) keeper.heal();
  // Armed processes start anew, so that none dies while the rest settles.
  await Promise.all(keepers.map(async ({ part }) => part.isRunning() && part.kill()));
  await waitUntil(async () => (await fetch(`${chaos.urls.webhooks}/readyz`)).ok, {
    what: 'the ingest to be ready',
    timeoutMs: 60_000,
  });
  for (const campaign of arena.campaigns) {
    await waitUntil(
      async () => {
        const state = await chaos.stateOf(campaign);
        if (state === 'paused') await chaos.api.post(`${campaign.path}/resume`, anythingSchema);
        return state !== 'paused';
      },
      { what: `${campaign.path} to run`, timeoutMs: 30_000, everyMs: 200 },
    );
  }
  const left = new Map<string, number>();
  for (const { fault, left: n } of faults) left.set(fault, (left.get(fault) ?? 0) + n);
  return left;
}

/** Waits until nothing is planned, sending or unknown any more, or until that takes too long. */
async function drain(chaos: Stack): Promise<void> {
  await waitUntil(
    async () => {
      if (stopped.signal.aborted) throw new Error('stopped');
      const [row] = await chaos.database.query<{ open: number }>(
        `select (select count(*) from message where state in ('planned', 'sending', 'unknown'))::int
              + (select count(*) from outbox)::int
              + (select count(*) from campaign where state in ('launched', 'running', 'paused'))::int
              + (select count(*) from conversation where kind = 'campaign' and state = 'automatic')::int as open`,
      );
      return row?.open === 0;
    },
    { what: 'nothing to be pending', timeoutMs: DRAIN_WITHIN_MS, everyMs: 500 },
  ).catch((error: unknown) => say(String(error)));
}

function countStrikes(chaos: Stack, tally: Tally, left: ReadonlyMap<string, number>): void {
  for (const { point, action } of chaos.strikes) tally.add(`point ${point} ${action}`);
  for (const [kind, armed] of Object.entries(tally.all())) {
    const fault = /^armed at provider: (.*)$/.exec(kind)?.[1];
    if (fault !== undefined)
      tally.add(`struck at provider: ${fault}`, armed - (left.get(fault) ?? 0));
  }
}

async function showProgress(chaos: Stack): Promise<void> {
  const rows = await chaos.database
    .query<{ state: string; n: number }>(
      `select state::text as state, count(*)::int as n from message where direction = 'outbound' group by 1 order by 1`,
    )
    .catch(() => []);
  say(rows.map(({ state, n }) => `${state} ${n}`).join(', '));
}
