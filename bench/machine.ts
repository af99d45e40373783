/** The whole engine on this machine, as a benchmark runs it: real processes, a real disk, the simulator beside them. */
import { join } from 'node:path';
import { Client } from 'pg';
import { asUser } from '../runtime/config.ts';
import { check, formatVerdicts } from '../test/checker/check.ts';
import { ROOT } from '../test/support/engine-process.ts';
import { startStack, type Stack } from '../test/support/stack/stack.ts';
import type { Reporter } from './figure.ts';
import { createMeter, type Meter } from './processes.ts';
import { startTemporalCluster } from './temporal-postgres.ts';

export interface MachineOptions {
  readonly name: string;
  readonly workers?: number;
  readonly ingests?: number;
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * Counts Postgres' statements, logs the plans of some that took 25 ms, and writes CPU profiles of our processes
   * into the folder.
   */
  readonly profile?: boolean;
  /** The dev server with its store in a file, or the production server on a Postgres of its own. */
  readonly temporal?: 'dev' | 'postgres';
}

export interface Machine {
  readonly stack: Stack;
  readonly meter: Meter;
  readonly folder: string;
  /** The judge that shares no code with the engine; throws where a promise was broken. Ends the simulator. */
  readonly judge: (reporter: Reporter) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A provider that answers in 20 ms and people who are silent. */
export const SIMULATED: Readonly<Record<string, string>> = {
  SIMULATOR_LATENCY_MS: '20',
  SIMULATOR_SENT_DELAY_MS: '100-300',
  SIMULATOR_DELIVERED_DELAY_MS: '500-1500',
  SIMULATOR_FAILURE_SHARE: '0',
  SIMULATOR_REPLY_SHARE: '0',
};

/** What tests set for speed is as an installation has it. */
const SETTINGS: Readonly<Record<string, string>> = {
  LOG_LEVEL: 'warn',
  DATABASE_POOL_SIZE: '10',
  MAX_CONCURRENT_SENDS: '128',
  MAINTENANCE_EVERY_MS: '15000',
  SEND_DEADLINE_MS: '10000',
  RECONCILE_LAG_MS: '60000',
  RECONCILE_BACKOFF_MS: '5000',
  ...SIMULATED,
};

/** Starts everything; Postgres writes through to the disk, and Temporal's dev server keeps its store in a file with WAL. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const folder = join(ROOT, '.data', 'bench', `${options.name}-${Date.now()}`);
  const cluster =
    options.temporal === 'postgres'
      ? await startTemporalCluster(join(folder, 'temporal'), (text) => console.error(text))
      : null;
  const stack = await startStack({
    postgres: 'own',
    postgresSettings: options.profile === true ? COUNT_STATEMENTS : {},
    temporal: cluster ?? 'file',
    workers: options.workers ?? 1,
    ingests: options.ingests ?? 1,
    folder,
    nodeOptions: options.profile === true ? ['--cpu-prof', `--cpu-prof-dir=${folder}/cpu`] : [],
    settings: { ...SETTINGS, ...options.settings },
  }).catch(async (error: unknown) => {
    await cluster?.close();
    throw error;
  });
  if (options.profile === true) await asSuperuser(stack, 'create extension pg_stat_statements');
  const pidsOf = (command: string): number[] =>
    [...stack.parts.values()].filter((part) => part.command === command).map((part) => part.pid());
  return {
    stack,
    folder,
    meter: createMeter(() => ({
      worker: pidsOf('worker'),
      ingest: pidsOf('ingest'),
      api: pidsOf('api'),
      postgres: [stack.postgresServer?.pid() ?? 0],
      ...(cluster?.pids() ?? { temporal: [stack.temporalServer?.pid() ?? 0] }),
      simulator: pidsOf('simulator'),
    })),
    judge: async (reporter) => {
      await stack.part('simulator').stop();
      const verdicts = await check({
        databaseUrl: stack.databaseUrls.engineUrl,
        providerJournal: stack.simulatorJournal,
        clientJournal: stack.clientsJournal,
        expectations: { healed: true, jitterMs: 250 },
      });
      const broken = verdicts.filter(({ ok }) => !ok);
      if (broken.length > 0) throw new Error(`The checker says:\n${formatVerdicts(broken)}`);
      reporter.say('checker: nothing twice, nothing lost, every verdict green');
    },
    close: async () => {
      if (options.profile === true) await writeProfile(stack);
      try {
        await stack.close();
      } finally {
        await cluster?.close();
      }
    },
  };
}

const COUNT_STATEMENTS = {
  shared_preload_libraries: 'pg_stat_statements,auto_explain',
  'auto_explain.log_min_duration': '25',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  'auto_explain.sample_rate': '0.3',
  'pg_stat_statements.track_planning': 'on',
  track_io_timing: 'on',
};
const TOP_STATEMENTS = `
select round(total_exec_time + total_plan_time) as ms, round(total_plan_time) as planning, calls, rows,
       round(((total_exec_time + total_plan_time) / greatest(calls, 1))::numeric, 3) as ms_each, shared_blks_hit + shared_blks_read as blocks,
       left(regexp_replace(query, '\\s+', ' ', 'g'), 110) as statement
  from pg_stat_statements order by 1 desc limit 25`;

/** What Postgres and our processes spent their time on: the former to stderr, the latter as files for a profiler. */
async function writeProfile(stack: Stack): Promise<void> {
  const rows = await asSuperuser(stack, TOP_STATEMENTS);
  for (const row of rows) process.stderr.write(`${Object.values(row).join('\t')}\n`);
  const running = [...stack.parts.values()].filter((part) => part.isRunning());
  await Promise.all(running.map((part) => part.stop()));
}

async function asSuperuser(stack: Stack, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: asUser(stack.databaseUrls.ownerUrl, 'postgres') });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
