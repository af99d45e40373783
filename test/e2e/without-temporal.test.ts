import { afterAll, beforeAll, expect, test } from 'vitest';
import { campaignSchema } from '../../cli/demo-client.ts';
import { peopleCsv, peopleNumbers } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { HOP_MS, pauseAndWatch, startStack } from './support.ts';

const PEOPLE = 300;

let stack: Stack;
beforeAll(async () => {
  // In memory: a server that was killed comes back knowing nothing.
  stack = await startStack({ temporal: 'memory' });
});
afterAll(async () => stack?.close());

test('a pause holds within 600 ms while Temporal is away, and all goes on when it is back with an empty store', async () => {
  const campaign = await stack.launch({
    name: 'away',
    csv: peopleCsv('702', PEOPLE),
    senders: 4,
    segmentsPerSecond: 15,
    replyWindowSeconds: 1,
  });
  await waitUntil(async () => (await stack.creates()).length >= 40, { what: '40 texts' });
  await stack.temporalServer?.kill();
  // The slice under way goes on without Temporal: that is what the pause must stop.
  const before = (await stack.creates()).length;
  await waitUntil(async () => (await stack.creates()).length > before + 5, {
    what: 'texts without Temporal',
  });
  const { lastAtMs, answeredAtMs } = await pauseAndWatch(stack, campaign, '702');
  expect(lastAtMs).toBeLessThanOrEqual(answeredAtMs + HOP_MS);
  const sent = (await stack.creates()).length;
  expect(sent).toBeGreaterThan(before);
  expect(sent).toBeLessThan(PEOPLE);

  await stack.temporalServer?.start();
  await stack.api.post(`${campaign.path}/resume`, campaignSchema);
  const report = await stack.finished(campaign, 60_000);
  expect(report.sumsAgree).toBe(true);
  const texted = (await stack.creates()).map(({ to }) => to);
  expect(texted.toSorted()).toEqual(peopleNumbers('702', PEOPLE));
}, 120_000);
