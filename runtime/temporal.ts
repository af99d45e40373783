import {
  Client,
  Connection,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import proto from '@temporalio/proto';
import {
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

/** Creates the periodic jobs' schedules where they are missing; tells how many were. */
export async function ensureSchedules(
  client: Client,
  config: Pick<Config, 'MAINTENANCE_EVERY_MS'>,
): Promise<{ created: number }> {
  const everyMs: Readonly<Record<MaintenanceJob, number>> = {
    reconcile: config.MAINTENANCE_EVERY_MS,
    'fill-inbound-gaps': config.MAINTENANCE_EVERY_MS * 2,
    'fold-counters': config.MAINTENANCE_EVERY_MS,
    housekeeping: 3_600_000,
  };
  const created = await Promise.all(
    MAINTENANCE_JOBS.map(async (job): Promise<number> => {
      const scheduleId = maintenanceScheduleId(job);
      const spec = { intervals: [{ every: everyMs[job] }] };
      try {
        await client.schedule.create({
          scheduleId,
          spec,
          action: {
            type: 'startWorkflow',
            workflowType: MAINTENANCE_WORKFLOW,
            workflowId: scheduleId,
            taskQueue: ENGINE_QUEUE,
            args: [{ job }],
            workflowExecutionTimeout: '10 minutes',
          },
          policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
          state: { triggerImmediately: true },
        });
        return 1;
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
        return 0;
      }
    }),
  );
  return { created: created.reduce((sum, n) => sum + n, 0) };
}
