import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { createActivities, type ActivityDeps } from '../activities/index.ts';
import { SLICES_MS } from '../activities/deps.ts';
import { createRecorder } from '../activities/recorder.ts';
import { createSenderPace } from '../activities/sender-pace.ts';
import { createSockets } from '../activities/sockets.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ENGINE_QUEUE, FILES_QUEUE, SENDING_QUEUE } from '../workflows/contract.ts';
import { bundleApart } from './bundle.ts';
import { createImportApart } from './import-apart.ts';
import { createRelay } from './relay.ts';

/** Workflows that a killed worker had in its cache wait so long for it, then another takes them. */
const STICKY_FOR = '3s';
/** A campaign that runs and a pool that is awake hold a slot each; mostly they wait. */
const ACTIVITIES_AT_ONCE = 2_000;
/** Enough that a few of one org leave room for others; large imports have a bound of their own. */
const FILES_AT_ONCE = 50;
/** Some wait inside for a POST. */
const WORKFLOW_TASKS_AT_ONCE = 100;

/** Everything a worker process runs: its queues and the outbox relay. */
export async function createEngine(
  runtime: Runtime,
  temporal: { readonly connection: NativeConnection; readonly client: Client },
  knownBeat: () => Date,
) {
  const { config, log } = runtime;
  const deps = activityDeps(runtime, knownBeat);
  const activities = createActivities(deps);
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
        workflowBundle: await bundleApart(),
        // Files that were begun before they had a queue of their own are still asked for here.
        activities: { ...activities.engine, ...activities.files },
        stickyQueueScheduleToStartTimeout: STICKY_FOR,
        maxConcurrentActivityTaskExecutions: ACTIVITIES_AT_ONCE,
        maxConcurrentWorkflowTaskExecutions: WORKFLOW_TASKS_AT_ONCE,
      }),
    );
  }
  if (queues.has('sending')) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: SENDING_QUEUE,
        activities: activities.sending,
        maxConcurrentActivityTaskExecutions: ACTIVITIES_AT_ONCE,
      }),
    );
  }
  if (queues.has('files')) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: FILES_QUEUE,
        activities: activities.files,
        maxConcurrentActivityTaskExecutions: FILES_AT_ONCE,
      }),
    );
  }
  const relay = createRelay({ database: runtime.engine, client: temporal.client, log });

  return {
    /** Runs until `stop` is called; rejects when a worker breaks. */
    run: (): Promise<unknown> => Promise.all(workers.map((worker) => worker.run())),
    stop: async (): Promise<void> => {
      for (const worker of workers) {
        if (worker.getState() === 'RUNNING') worker.shutdown();
      }
      await relay.stop();
    },
    flush: (): Promise<void> => deps.recorder.close(),
  };
}

/** What the activities of a worker process share. */
export function activityDeps(runtime: Runtime, knownBeat: () => Date): ActivityDeps {
  const { config } = runtime;
  return {
    database: runtime.engine,
    accounts: runtime.accounts,
    providers: runtime.providers,
    sockets: createSockets(config.MAX_CONCURRENT_SENDS),
    pace: createSenderPace(),
    knownBeat,
    recorder: createRecorder(runtime.engine),
    importApart: createImportApart(),
    storage: runtime.storage,
    log: runtime.log,
    onPost: runtime.metrics.countPost,
    settings: {
      publicUrl: config.PUBLIC_URL,
      sendDeadlineMs: config.SEND_DEADLINE_MS,
      startsPerSecond: config.TEMPORAL_STARTS_PER_SECOND,
      reconcileLagMs: config.RECONCILE_LAG_MS,
      reconcileBackoffMs: config.RECONCILE_BACKOFF_MS,
      sliceMs: SLICES_MS,
      retention: {
        archiveAfterDays: config.ARCHIVE_AFTER_DAYS,
        graceDays: config.ARCHIVE_GRACE_DAYS,
        archivesKeptDays: config.ARCHIVES_KEPT_DAYS,
        eventsKeptDays: config.EVENTS_KEPT_DAYS,
      },
    },
  };
}
