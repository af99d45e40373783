import { MockActivityEnvironment } from '@temporalio/testing';
import { Client } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SLICES_MS } from '../../activities/deps.ts';
import { createSendingActivities } from '../../activities/sending.ts';
import { createSockets } from '../../activities/sockets.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();

const ROWS = 1_000;
const WRITERS = 20;
const LONGEST_MS = 2_500;
const WAIT_AT_MOST_MS = 3_000;
const BUSY = 2_400;
/** Half of what the sockets below can carry; the slow ones bring as much again. */
const BUSY_EVERY_MS = 4;
/** So many due at once that the lane is about a second behind all the time: its watermark follows what is claimed. */
const BEHIND = 400;
const SOCKETS = 200;
const POST_MS = 500;

/** Due when the transaction began, as every planned text is. */
const INSERT = `
insert into message
select (jsonb_populate_record(null::message, row || jsonb_build_object('due_at', now()))).*
  from jsonb_array_elements($1::jsonb) row`;

test('of 1,000 texts that slow transactions insert under a busy claimer, none waits more than three seconds', async () => {
  const { poolId, urls, database } = ledger();
  const campaign = await ledger().addCampaign({ people: ROWS + BUSY });
  const ids = campaign.people.slice(0, ROWS).map(({ messageId }) => messageId);
  const rows = await database.query<{ row: { id: string; address: string } }>(
    'delete from message m where id = any($1::uuid[]) returning to_jsonb(m) as row',
    ids,
  );
  const committedAt = new Map<string, number>();
  const postedAt = new Map<string, number>();
  const provider = createScriptedProvider({
    send: async (_account, text, options) => {
      if (!options.mayStart()) return { kind: 'not-started', detail: 'too late' };
      postedAt.set(text.to, performance.now());
      await sleep(POST_MS);
      return {
        kind: 'accepted',
        providerMessageId: `SM${text.to.slice(1).padStart(32, '0')}`,
        from: text.from,
      };
    },
  });
  const deps = {
    // The slices of a worker: at a slice's end nothing is claimed until its POSTs have ended.
    ...createActivityDeps(ledger(), provider, { sliceMs: SLICES_MS }),
    sockets: createSockets(SOCKETS),
  };
  const { sendPlanned } = createSendingActivities(deps);
  // Faster than anything here: what is measured is the lane, not the pace.
  await database.query('update sender set segments_per_second = 2000 returning 1 as done');
  // The rest falls due one by one, so that the lane is never empty and its watermark always moves.
  await database.query(
    `update message m set due_at = now() + greatest(0, n - $4::int) * $3::float8 * interval '1 ms'
       from unnest($1::uuid[]) with ordinality u(id, n) where m.id = u.id and m.campaign_id = $2::uuid returning 1 as done`,
    campaign.people.slice(ROWS).map(({ messageId }) => messageId),
    campaign.id,
    BUSY_EVERY_MS,
    BEHIND,
  );
  const write = async (part: typeof rows): Promise<void> => {
    const client = new Client({ connectionString: urls.engineUrl });
    await client.connect();
    for (let start = 0; start < part.length; start += 10) {
      const some = part.slice(start, start + 10);
      await client.query('begin');
      await client.query(INSERT, [JSON.stringify(some.map(({ row }) => row))]);
      await sleep(Math.random() * LONGEST_MS);
      await client.query('commit');
      for (const { row } of some) committedAt.set(row.address, performance.now());
    }
    await client.end();
  };
  const each = ROWS / WRITERS;
  const writers = Promise.all(
    Array.from({ length: WRITERS }, (_, n) => write(rows.slice(n * each, (n + 1) * each))),
  );
  while (committedAt.size < ROWS || postedAt.size < ROWS + BUSY)
    await new MockActivityEnvironment().run(() => sendPlanned({ poolId }));
  await writers;
  await deps.recorder.close();

  const waits = rows
    .slice(0, ROWS)
    .map(({ row: { address } }) => (postedAt.get(address) ?? 0) - (committedAt.get(address) ?? 0));
  expect(postedAt.size).toBe(ROWS + BUSY);
  expect(Math.max(...waits)).toBeLessThan(WAIT_AT_MOST_MS);
}, 240_000);
