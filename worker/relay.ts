import type { Client } from '@temporalio/client';
import { Client as PostgresClient } from 'pg';
import type { Database } from '../db/client.ts';
import { finishDoorbells, takeDoorbells, type Doorbell, type OutboxKind } from '../db/outbox.ts';
import { faultPoint } from '../faults/points.ts';
import type { Logger } from '../runtime/logger.ts';
import {
  CAMPAIGN_ID,
  CAMPAIGN_WORKFLOW,
  campaignWorkflowId,
  CONVERSATION_WORKFLOW,
  conversationWorkflowId,
  ENGINE_QUEUE,
  EXPORT_WORKFLOW,
  exportWorkflowId,
  IMPORT_WORKFLOW,
  importWorkflowId,
  ringSignal,
  SENDER_POOL_WORKFLOW,
  senderPoolWorkflowId,
} from '../workflows/contract.ts';

/** What each kind of doorbell starts or wakes. */
const TARGETS: Readonly<
  Record<
    OutboxKind,
    { workflow: string; idOf: (ref: string) => string; argsOf: (ref: string) => unknown }
  >
> = {
  wake_campaign: {
    workflow: CAMPAIGN_WORKFLOW,
    idOf: campaignWorkflowId,
    argsOf: (campaignId) => ({ campaignId }),
  },
  wake_pool: {
    workflow: SENDER_POOL_WORKFLOW,
    idOf: senderPoolWorkflowId,
    argsOf: (poolId) => ({ poolId }),
  },
  ring_conversation: {
    workflow: CONVERSATION_WORKFLOW,
    idOf: conversationWorkflowId,
    argsOf: (conversationId) => ({ conversationId }),
  },
  start_import: {
    workflow: IMPORT_WORKFLOW,
    idOf: importWorkflowId,
    argsOf: (importId) => ({ importId }),
  },
  start_export: {
    workflow: EXPORT_WORKFLOW,
    idOf: exportWorkflowId,
    argsOf: (exportId) => ({ exportId }),
  },
};

const DOORBELLS_AT_ONCE = 50;
/** Without a notification the outbox is read this often (ms): notifications are lost while nobody listens. */
const POLL_MS = 1_000;
const RING_DEADLINE_MS = 5_000;
/** A task that a killed worker had begun goes to another after this. */
const TASK_TIMEOUT = '5s';

/**
 * Rings in Temporal what the outbox holds, until Temporal took it. Several relays share the rows
 * (SKIP LOCKED); a ring that is repeated does nothing. While Temporal is away the rows wait.
 */
export function createRelay(deps: {
  readonly database: Database;
  readonly client: Client;
  readonly log: Logger;
}) {
  const { database, client, log } = deps;
  const state = { stopped: false };
  let wake: () => void = () => {};
  const listener = createListener(database.url, log, () => wake());

  const ring = async (bell: Doorbell): Promise<boolean> => {
    const target = TARGETS[bell.kind];
    try {
      await client.withDeadline(Date.now() + RING_DEADLINE_MS, () =>
        client.workflow.signalWithStart(target.workflow, {
          workflowId: target.idOf(bell.ref_id),
          taskQueue: ENGINE_QUEUE,
          workflowTaskTimeout: TASK_TIMEOUT,
          args: [target.argsOf(bell.ref_id)],
          signal: ringSignal,
          ...(bell.campaign_id === null
            ? {}
            : { typedSearchAttributes: [{ key: CAMPAIGN_ID, value: bell.campaign_id }] }),
        }),
      );
      return true;
    } catch (error) {
      log.warn(
        { kind: bell.kind, ref: bell.ref_id, error: String(error) },
        'Temporal did not take a doorbell; it will be rung again',
      );
      return false;
    }
  };

  const round = async (): Promise<number> => {
    const bells = await takeDoorbells(database, DOORBELLS_AT_ONCE);
    const rung = await Promise.all(bells.map(async (bell) => ((await ring(bell)) ? [bell] : [])));
    if (rung.length > 0) faultPoint('relay.rung');
    await finishDoorbells(database, rung.flat());
    return bells.length;
  };

  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const loop = async (): Promise<void> => {
    while (!state.stopped) {
      const rung = await round().catch((error: unknown) => {
        log.error({ error: String(error) }, 'the outbox could not be read');
        return 0;
      });
      if (rung < DOORBELLS_AT_ONCE && !state.stopped) await pause();
    }
  };
  const running = loop();

  return {
    stop: async (): Promise<void> => {
      state.stopped = true;
      wake();
      await running;
      await listener.stop();
    },
  };
}

/** Listens for "the outbox has rows"; connects again, with a pause, when the connection is lost. */
function createListener(url: string, log: Logger, onNotice: () => void) {
  let stopped = false;
  let client: PostgresClient | null = null;
  let timer: NodeJS.Timeout | null = null;

  const connect = async (): Promise<void> => {
    const next = new PostgresClient({
      connectionString: url,
      application_name: 'groundswell-relay-listen',
    });
    client = next;
    next.on('notification', onNotice);
    next.on('error', (error) =>
      log.warn({ error: String(error) }, 'the outbox listener lost its connection'),
    );
    next.on('end', again);
    try {
      await next.connect();
      await next.query('listen gw_outbox');
    } catch (error) {
      log.warn({ error: String(error) }, 'the outbox listener could not connect');
      next.removeListener('end', again);
      again();
    }
  };
  const again = (): void => {
    if (!stopped) timer = setTimeout(() => void connect(), POLL_MS);
  };
  void connect();

  return {
    stop: async (): Promise<void> => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await client?.end().catch(() => {});
    },
  };
}
