import { afterAll, beforeAll, expect, test } from 'vitest';
import { campaignSchema } from '../../cli/demo-client.ts';
import { peopleCsv, peopleNumbers, type LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startStack } from '../e2e/support.ts';
import { createdFor, struck, textsTo } from './support.ts';

const PEOPLE = 40;
const AREA = '503';

let stack: Stack;
let campaign: LaunchedCampaign;
beforeAll(async () => {
  // The lease is the deadline of a POST and 10.5 s: with a short deadline it ends while the process is frozen.
  stack = await startStack({
    workers: 2,
    settings: { SEND_DEADLINE_MS: '500', RECONCILE_LAG_MS: '1000', RECONCILE_BACKOFF_MS: '200' },
  });
  campaign = await stack.prepare({
    name: 'frozen',
    csv: peopleCsv(AREA, PEOPLE),
    senders: 2,
    segmentsPerSecond: 20,
    replyWindowSeconds: 1,
  });
});
afterAll(async () => stack?.close());

/** Texts that were given up because their lease ended without a record. */
async function lost(): Promise<{ id: string; address: string }[]> {
  return stack.database.query(
    `select id, address from message where campaign_id = $1::uuid and state = 'lost'`,
    campaign.id,
  );
}

test('a process that was frozen between its claim and its POST posts nothing when it wakes after its lease', async () => {
  const frozen = stack.part('worker-1');
  await Promise.all([frozen.kill(), stack.part('worker-2').kill()]);
  await stack.api.post(`${campaign.path}/launch`, campaignSchema);
  await frozen.start('send.claimed:stop@5');
  await waitUntil(() => struck(stack).includes('send.claimed stop'), { what: 'the freeze' });
  await stack.part('worker-2').start();
  // Others give its rows up, and the people get their text by a second try.
  const given = await waitUntil(async () => ((await lost()).length > 0 ? lost() : null), {
    what: 'the lease of the frozen rows to end',
    timeoutMs: 90_000,
  });
  await waitUntil(async () => (await createdFor(stack, AREA)).size === PEOPLE, {
    what: 'everybody to have a text',
    timeoutMs: 90_000,
  });
  frozen.thaw();
  // It has woken when it has finished what it held: every row that it claimed is past its `post_before`.
  const report = await stack.finished(campaign, 150_000);
  expect(report.sumsAgree).toBe(true);
  expect(await frozen.stop()).toBe('exit code 0');

  const created = await createdFor(stack, AREA);
  expect([...created.keys()].toSorted()).toEqual(peopleNumbers(AREA, PEOPLE));
  expect([...created.values()].filter((creates) => creates.length !== 1)).toEqual([]);
  const posted = new Set((await stack.creates()).map(({ messageId }) => messageId));
  for (const { id, address } of given) {
    expect(posted.has(id)).toBe(false);
    const tries = await textsTo(stack, campaign, address);
    expect(tries.map(({ state }) => state)).toEqual(['lost', 'accepted']);
  }
}, 240_000);
