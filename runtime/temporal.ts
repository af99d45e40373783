import {
  Client,
  Connection,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import proto from '@temporalio/proto';
import {
  ARCHIVE_SCHEDULE_ID,
  ARCHIVE_WORKFLOW,
  ENGINE_QUEUE,
  MAINTENANCE_JOBS,
  MAINTENANCE_WORKFLOW,
  maintenanceScheduleId,
  SEARCH_ATTRIBUTE_NAMES,
  type MaintenanceJob,
} from '../workflows/contract.ts';
import type { Config } from './config.ts';

/** For a process that only starts and signals. */
export async function connectClient(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>,
): Promise<Client> {
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS });
  return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
}

/** For a worker: its client shares the worker's connection, so that workflows can start eagerly. */
export async function connectWorker(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>,
): Promise<{ connection: NativeConnection; client: Client }> {
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  return { connection, client: new Client({ connection, namespace: config.TEMPORAL_NAMESPACE }) };
}

/** Registers our search attributes where the server does not have them yet. */
export async function ensureSearchAttributes(
  connection: NativeConnection,
  namespace: string,
): Promise<void> {
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = SEARCH_ATTRIBUTE_NAMES.filter(
    (name) => known.customAttributes?.[name] === undefined,
  );
  if (missing.length === 0) return;
  const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
  });
}

const SCHEDULE_IDS = [...MAINTENANCE_JOBS.map(maintenanceScheduleId), ARCHIVE_SCHEDULE_ID];
const HOUR_MS = 3_600_000;

/** Whether all periodic jobs have their schedules. */
export async function hasSchedules(client: Client): Promise<boolean> {
  const found = await Promise.all(
    SCHEDULE_IDS.map((scheduleId) =>
      client.schedule
        .getHandle(scheduleId)
        .describe()
        .then(
          () => true,
          (error: unknown) => {
            if (error instanceof ScheduleNotFoundError) return false;
            throw error;
          },
        ),
    ),
  );
  return found.every(Boolean);
}

/** Creates the periodic jobs' schedules where they are missing. */
export async function ensureSchedules(
  client: Client,
  config: Pick<Config, 'MAINTENANCE_EVERY_MS'>,
): Promise<void> {
  const everyMs: Readonly<Record<MaintenanceJob, number>> = {
    reconcile: config.MAINTENANCE_EVERY_MS,
    'fill-inbound-gaps': config.MAINTENANCE_EVERY_MS * 2,
    'fold-counters': config.MAINTENANCE_EVERY_MS,
    housekeeping: HOUR_MS,
  };
  for (const job of MAINTENANCE_JOBS) {
    await ensureSchedule(client, maintenanceScheduleId(job), {
      everyMs: everyMs[job],
      workflowType: MAINTENANCE_WORKFLOW,
      args: [{ job }],
      workflowExecutionTimeout: '10 minutes',
    });
  }
  // Its first run may take a day: it beats, and a run that is due meanwhile is skipped.
  await ensureSchedule(client, ARCHIVE_SCHEDULE_ID, {
    everyMs: HOUR_MS,
    workflowType: ARCHIVE_WORKFLOW,
    args: [{}],
  });
}

async function ensureSchedule(
  client: Client,
  scheduleId: string,
  { everyMs, ...action }: ScheduledWorkflow,
): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId,
      spec: { intervals: [{ every: everyMs }] },
      action: {
        type: 'startWorkflow',
        workflowId: scheduleId,
        taskQueue: ENGINE_QUEUE,
        ...action,
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
      state: { triggerImmediately: true },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

interface ScheduledWorkflow {
  readonly everyMs: number;
  readonly workflowType: string;
  readonly args: unknown[];
  readonly workflowExecutionTimeout?: '10 minutes';
}
