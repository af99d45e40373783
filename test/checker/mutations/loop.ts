/**
 * The engine's activities in a process that does by a plain loop what workflows do: a second to start instead of five,
 * and no Temporal. What it runs, and all that a mutation changes, is the engine's own.
 */
import { MockActivityEnvironment } from '@temporalio/testing';
import { createActivities } from '../../../activities/index.ts';
import { beat, type Beat } from '../../../db/deployment.ts';
import { readConfig } from '../../../runtime/config.ts';
import { createRuntime } from '../../../runtime/runtime.ts';
import { activityDeps } from '../../../worker/engine.ts';

const TICK_MS = 100;
const BEAT_MS = 1_000;
const MAINTENANCE_MS = 500;

/** Where something waits for an activity, by the kind of it. */
const WAITING = `
select 'import' as kind, id from import where state in ('queued', 'running')
union all
select 'campaign', c.id from campaign c where c.state in ('launched', 'running', 'paused')
    or (c.state = 'cancelled' and exists (select 1 from message m where m.campaign_id = c.id and m.state = 'planned'))
union all
select distinct 'pool', pool_id from message where state = 'planned' and driver = 'pool' and due_at <= now()
union all
select 'conversation', c.id from conversation c where c.kind = 'campaign' and (c.handled_seq < c.arrival_seq
    or exists (select 1 from message m where m.conversation_id = c.id and m.state = 'planned' and m.driver = 'conversation'))`;

async function main(): Promise<void> {
  const runtime = createRuntime(readConfig(), 'worker');
  const { engine: database, log } = runtime;
  let known: Beat | null = null;
  const live = async (): Promise<void> => {
    known = (await beat(database, known)).beat;
  };
  await live();
  const deps = activityDeps(runtime, () => known?.beatAt ?? new Date(0));
  const { engine, files, sending } = createActivities(deps);

  const doers: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    import: (importId) => files.runImport({ importId }),
    campaign: (campaignId) => engine.runCampaign({ campaignId }),
    pool: (poolId) => sending.sendPlanned({ poolId }),
    conversation: async (conversationId) => {
      const { sendIds } = await engine.takeTurn({ conversationId });
      for (const messageId of sendIds) await engine.sendMessage({ messageId });
    },
  };

  const busy = new Set<string>();
  /** One at a time of each; a failure is tried again by the next tick, as Temporal would. */
  const start = (key: string, run: () => Promise<unknown>): void => {
    if (busy.has(key)) return;
    busy.add(key);
    new MockActivityEnvironment()
      .run(run)
      .catch((error: unknown) => log.warn({ key, error: String(error) }, 'will be tried again'))
      .finally(() => busy.delete(key));
  };

  setInterval(() => start('heart', live), BEAT_MS);
  setInterval(() => {
    start('reconcile', engine.reconcile);
    start('counters', engine.foldCounters);
    // Also after a death that lasted: accounts stay closed until their lists have been read.
    start('gaps', async () => {
      for (const accountId of await engine.listInboundAccounts()) {
        await engine.fillInboundGap({ accountId });
      }
    });
  }, MAINTENANCE_MS);
  setInterval(() => {
    start('look', async () => {
      const waiting = await database.query<{ kind: string; id: string }>(WAITING);
      for (const { kind, id } of waiting) {
        const run = doers[kind];
        if (run !== undefined) start(`${kind} ${id}`, async () => run(id));
      }
    });
  }, TICK_MS);
  process.stdout.write(`${JSON.stringify({ worker: 'ready', pid: process.pid })}\n`);
}

// Whoever started it was killed.
process.once('disconnect', () => process.exit(1));
await main();
