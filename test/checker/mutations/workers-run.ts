/** A worker that is frozen between claim and request, and one that dies between answer and record. */
import { startStack } from '../../e2e/support.ts';
import { peopleCsv, type LaunchedCampaign } from '../../support/stack/campaigns.ts';
import type { Stack } from '../../support/stack/stack.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Verdict } from '../check.ts';
import { judge } from './judged.ts';

const PEOPLE = 6;
const PATIENCE_MS = 30_000;
const FROZEN_AT = 'send.claimed';
const KILLED_AT = 'send.accepted';

/** Freezes and kills a tree's worker, starts it again, and judges what is left. */
export async function runWorkers(root: string): Promise<Verdict[]> {
  const stack = await startStack({
    root,
    // One request at a time: whoever is frozen holds one text, whoever dies loses one.
    settings: {
      SEND_DEADLINE_MS: '1000',
      LOG_LEVEL: 'error',
      MAX_CONCURRENT_SENDS: '1',
      SIMULATOR_FAILURE_SHARE: '0',
    },
    faultPoints: { 'worker-1': `${FROZEN_AT}:stop@1 ${KILLED_AT}:kill@2` },
  });
  try {
    const drop = { fault: 'drop-callbacks', times: 100 };
    await stack.steer('POST', 'faults', drop);
    const campaign = await stack.launch({
      name: 'workers',
      csv: peopleCsv('206', PEOPLE),
      senders: 1,
      segmentsPerSecond: 50,
      replyWindowSeconds: 3_600,
    });
    await stopWhileFrozen(stack, campaign);
    await restartWhenDead(stack);
    await untilSettled(stack).catch(() => undefined);
    return await judge({
      engineUrl: stack.engineUrl,
      simulatorJournal: stack.simulatorJournal,
      clientsJournal: stack.clientsJournal,
      simulatorUrl: stack.urls.simulator,
    });
  } finally {
    await stack.close();
  }
}

/** The person whose text a frozen worker holds says stop; then it wakes up. */
async function stopWhileFrozen(stack: Stack, campaign: LaunchedCampaign): Promise<void> {
  await struck(stack, FROZEN_AT);
  const [held] = await stack.database.query<{ address: string; sender: string }>(
    `select address, sender from message where state = 'sending' order by claimed_at limit 1`,
  );
  if (held === undefined) throw new Error(`${campaign.path}: no text was claimed`);
  const sid = await stack.inject({ from: held.address, to: held.sender, body: 'STOP' });
  await waitUntil(async () => (await stack.acknowledged()).has(sid), {
    what: 'our 2xx to the stop',
  });
  // Late beyond any doubt about clocks.
  const until = Date.now() + 300;
  await waitUntil(() => Date.now() > until, { what: 'the stop to be old' });
  stack.part('worker-1').thaw();
}

/** Its leases end at once: nobody waits ten seconds for them. */
async function restartWhenDead(stack: Stack): Promise<void> {
  await struck(stack, KILLED_AT);
  await stack.part('worker-1').ended();
  await stack.database.query(
    `update message set lease_until = now() - interval '1 s' where state = 'sending' returning 1 as done`,
  );
  await stack.part('worker-1').start();
}

async function struck(stack: Stack, point: string): Promise<void> {
  await waitUntil(() => stack.strikes.some((strike) => strike.point === point), {
    what: `the fault ${point}`,
    timeoutMs: PATIENCE_MS,
  });
}

/** Pools are rung meanwhile, as maintenance does after a minute: what is planned is to be sent now. */
async function untilSettled(stack: Stack): Promise<void> {
  await waitUntil(
    async () => {
      await stack.database.query(
        `insert into outbox (kind, ref_id) select 'wake_pool', id from sender_pool on conflict do nothing returning 1 as done`,
      );
      const [row] = await stack.database.query<{ n: number }>(
        `select (select count(*) from message where state in ('planned', 'sending', 'unknown'))::int
              + (select count(*) from conversation where kind = 'campaign' and handled_seq < arrival_seq)::int as n`,
      );
      return row?.n === 0;
    },
    { what: 'everything to settle', timeoutMs: PATIENCE_MS, everyMs: 250 },
  );
}
