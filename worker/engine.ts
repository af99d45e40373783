import type { Client } from '@temporalio/client';
import {
  bundleWorkflowCode,
  Worker,
  type NativeConnection,
  type WorkflowBundle,
} from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import {
  createEngineActivities,
  createPoolActivities,
  type ActivityDeps,
} from '../activities/index.ts';
import { createRecorder } from '../activities/recorder.ts';
import { createSenderPace } from '../activities/sender-pace.ts';
import { createSockets } from '../activities/sockets.ts';
import { beat } from '../db/deployment.ts';
import { ringEverything } from '../db/outbox.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ensureSchedules, ensureSearchAttributes, hasSchedules } from '../runtime/temporal.ts';
import { ENGINE_QUEUE, maintenanceScheduleId, SENDING_QUEUE } from '../workflows/contract.ts';
import { createRelay } from './relay.ts';

/** Between two beats of the deployment's heart, in milliseconds. */
const BEAT_MS = 1_000;
/** Between two looks whether Temporal still has our schedules: a lost store is rebuilt from the rows. */
const STORE_CHECK_MS = 30_000;

/** The bundle that the worker runs and the tests inspect. */
export async function bundleWorkflows(): Promise<WorkflowBundle> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    logger: {
      log: () => {},
      trace: () => {},
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: () => {},
    },
  });
}

/** Everything a worker process runs: the two queues, the outbox relay and the heartbeat. */
export async function createEngine(
  runtime: Runtime,
  temporal: { readonly connection: NativeConnection; readonly client: Client },
) {
  const { config, log } = runtime;
  const deps = activityDeps(runtime);
  const queues = new Set(config.WORKER_QUEUES.split(','));
  const common = {
    connection: temporal.connection,
    namespace: config.TEMPORAL_NAMESPACE,
    // Then slices are asked to end; a POST that has begun is still recorded before the process goes.
    shutdownGraceTime: '1s',
  };
  const workers: Worker[] = [];
  if (queues.has('engine')) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: ENGINE_QUEUE,
        workflowBundle: await bundleWorkflows(),
        activities: createEngineActivities(deps),
        maxConcurrentActivityTaskExecutions: 50,
      }),
    );
  }
  if (queues.has('sending')) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: SENDING_QUEUE,
        activities: createPoolActivities(deps),
        maxConcurrentActivityTaskExecutions: 50,
      }),
    );
  }
  const relay = createRelay({ database: runtime.engine, client: temporal.client, log });
  const heart = startHeart(runtime, temporal);

  return {
    /** Runs until `stop` is called; rejects when a worker breaks. */
    run: (): Promise<unknown> => Promise.all(workers.map((worker) => worker.run())),
    stop: async (): Promise<void> => {
      for (const worker of workers) {
        if (worker.getState() === 'RUNNING') worker.shutdown();
      }
      await Promise.all([relay.stop(), heart.stop()]);
    },
    flush: (): Promise<void> => deps.recorder.close(),
  };
}

function activityDeps(runtime: Runtime): ActivityDeps {
  const { config } = runtime;
  return {
    database: runtime.engine,
    accounts: runtime.accounts,
    providers: runtime.providers,
    sockets: createSockets(config.MAX_CONCURRENT_SENDS),
    pace: createSenderPace(),
    recorder: createRecorder(runtime.engine),
    log: runtime.log,
    onPost: runtime.metrics.countPost,
    settings: {
      publicUrl: config.PUBLIC_URL,
      sendDeadlineMs: config.SEND_DEADLINE_MS,
      startsPerSecond: config.TEMPORAL_STARTS_PER_SECOND,
      reconcileLagMs: config.RECONCILE_LAG_MS,
      reconcileBackoffMs: config.RECONCILE_BACKOFF_MS,
    },
  };
}

/** Beats in Postgres, and notices what was missed: an outage of the database, a lost Temporal store. */
function startHeart(
  runtime: Runtime,
  temporal: { readonly connection: NativeConnection; readonly client: Client },
) {
  const { engine, log, config } = runtime;
  let stopped = false;
  let checkAt = performance.now() + STORE_CHECK_MS;

  const once = async (): Promise<void> => {
    if (await beat(engine)) {
      log.warn({}, 'the database was away: accounts stay closed until their inbound gap is filled');
      await temporal.client.schedule
        .getHandle(maintenanceScheduleId('fill-inbound-gaps'))
        .trigger();
    }
    if (performance.now() < checkAt) return;
    checkAt = performance.now() + STORE_CHECK_MS;
    await adoptStore(runtime, temporal);
  };

  const timer = setInterval(() => {
    if (stopped) return;
    once().catch((error: unknown) => log.warn({ error: String(error) }, 'a heartbeat failed'));
  }, BEAT_MS);
  log.debug({ everyMs: BEAT_MS, maintenanceEveryMs: config.MAINTENANCE_EVERY_MS }, 'heart started');
  return {
    stop: async (): Promise<void> => {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/**
 * Makes Temporal's store ours: search attributes, and schedules. Where our schedules are missing the store
 * is new, so everything that the rows say should wait is rung first: a crash in between does it again.
 */
export async function adoptStore(
  runtime: Runtime,
  temporal: { readonly connection: NativeConnection; readonly client: Client },
): Promise<void> {
  if (await hasSchedules(temporal.client)) return;
  await ensureSearchAttributes(temporal.connection, runtime.config.TEMPORAL_NAMESPACE);
  const rung = await ringEverything(runtime.engine);
  await ensureSchedules(temporal.client, runtime.config);
  runtime.log.info(
    { rung },
    'Temporal had no schedules of ours: rang every workflow that the rows say should wait',
  );
}
