/** A worker that is frozen between claim and request, and one that dies between answer and record. */
import { peopleCsv } from '../../support/stack/campaigns.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Verdict } from '../check.ts';
import { withWorld, type World } from './world.ts';

const PEOPLE = 6;
const PATIENCE_MS = 30_000;
const FROZEN_AT = 'send.claimed';
const KILLED_AT = 'send.accepted';

/** Freezes and kills a tree's worker, starts it again, and judges what is left. */
export async function runWorkers(root: string): Promise<Verdict[]> {
  const faultPoints = `${FROZEN_AT}:stop@1 ${KILLED_AT}:kill@2`;
  // One request at a time: whoever is frozen holds one text, whoever dies loses one.
  return withWorld(root, { maxSends: 1, faultPoints }, async (world) => {
    await world.addFaults([{ fault: 'drop-callbacks', times: 100 }]);
    await world.launch({
      name: 'workers',
      csv: peopleCsv('206', PEOPLE),
      senders: 1,
      segmentsPerSecond: 50,
      replyWindowSeconds: 3_600,
    });
    await stopWhileFrozen(world);
    await restartWhenDead(world);
    await untilSettled(world);
  });
}

/** The person whose text a frozen worker holds says stop; then it wakes up. */
async function stopWhileFrozen(world: World): Promise<void> {
  await struck(world, FROZEN_AT);
  const [held] = await world.database.query<{ address: string; sender: string }>(
    `select address, sender from message where state = 'sending' order by claimed_at limit 1`,
  );
  if (held === undefined) throw new Error('no text was claimed');
  const sid = await world.inject({ from: held.address, to: held.sender, body: 'STOP' });
  await waitUntil(async () => (await world.acknowledged()).has(sid), {
    what: 'our 2xx to the stop',
  });
  // Late beyond any doubt about clocks.
  const until = Date.now() + 300;
  await waitUntil(() => Date.now() > until, { what: 'the stop to be old' });
  world.worker.thaw();
}

/** Its leases end at once: nobody waits ten seconds for them. */
async function restartWhenDead(world: World): Promise<void> {
  await struck(world, KILLED_AT);
  await world.worker.ended();
  await world.database.query(
    `update message set lease_until = now() - interval '1 s' where state = 'sending' returning 1 as done`,
  );
  await world.worker.start();
}

async function struck(world: World, point: string): Promise<void> {
  await waitUntil(() => world.strikes.includes(point), {
    what: `the fault ${point}`,
    timeoutMs: PATIENCE_MS,
  });
}

async function untilSettled(world: World): Promise<void> {
  const pending = `message where state in ('planned', 'sending', 'unknown')`;
  await waitUntil(async () => (await world.count(pending)) === 0, {
    what: 'everything to settle',
    timeoutMs: PATIENCE_MS,
    everyMs: 100,
  });
}
