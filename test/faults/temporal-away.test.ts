import { afterAll, beforeAll, expect, test } from 'vitest';
import { campaignSchema } from '../../cli/demo-client.ts';
import { peopleCsv, peopleNumbers } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { HOP_MS, startStack } from '../e2e/support.ts';
import { createdFor, repeated, storedInbound } from './support.ts';

const AREA = '602';
const PEOPLE = 200;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ temporal: 'file' });
});
afterAll(async () => stack?.close());

test('while Temporal is away texts are stored, stops and a pause hold; when it is back every reply is answered', async () => {
  const campaign = await stack.launch({
    name: 'temporal away',
    csv: peopleCsv(AREA, PEOPLE),
    senders: 2,
    segmentsPerSecond: 12,
    replyWindowSeconds: 3,
  });
  const [to = ''] = await stack.sendersOf(campaign);
  await waitUntil(async () => (await createdFor(stack, AREA)).size >= 30, { what: '30 texts' });
  await stack.temporalServer?.kill();

  const texted = [...(await createdFor(stack, AREA))].slice(0, 6);
  const [quitter, ...talkers] = texted.map(([person, [create]]) => ({
    from: person,
    to: create?.from ?? '',
  }));
  const known = await createdFor(stack, AREA);
  const last = peopleNumbers(AREA, PEOPLE).findLast((person) => !known.has(person)) ?? '';
  const sids = await Promise.all([
    ...talkers.map((talker) => stack.inject({ ...talker, body: 'Yes' })),
    stack.inject({ from: quitter?.from ?? '', to: quitter?.to ?? '', body: 'STOP' }),
    stack.inject({ from: last, to, body: 'STOP' }),
  ]);
  await waitUntil(
    async () => {
      const acknowledged = await stack.acknowledged();
      return sids.every((sid) => acknowledged.has(sid));
    },
    { what: 'a 2xx for every text without Temporal', timeoutMs: 5_000 },
  );
  const stored = await storedInbound(stack);
  expect(sids.map((sid) => stored.get(sid))).toEqual(sids.map(() => 1));

  const pausedAt = performance.now();
  await stack.api.post(`${campaign.path}/pause`, campaignSchema.partial());
  expect(performance.now() - pausedAt).toBeLessThan(1_000 + HOP_MS);
  const answeredAtMs = Date.now();

  await stack.temporalServer?.start();
  const before = [...(await createdFor(stack, AREA)).values()].flat();
  const questions = before.filter(({ body }) => body.includes('?'));
  expect(Math.max(...questions.map(({ receivedAtMs }) => receivedAtMs))).toBeLessThan(
    answeredAtMs + HOP_MS,
  );
  await stack.api.post(`${campaign.path}/resume`, campaignSchema.partial());
  const report = await stack.finished(campaign, 150_000);
  expect(report.sumsAgree).toBe(true);
  const created = await createdFor(stack, AREA);
  expect(repeated(created)).toEqual([]);
  for (const { from } of talkers) {
    expect(created.get(from)?.map(({ body }) => body.slice(0, 9))).toEqual([
      expect.stringMatching(/^Hi Ada/),
      'Thank you',
    ]);
  }
  const acknowledged = await stack.acknowledged();
  for (const [person, sid] of [
    [quitter?.from, sids.at(-2)],
    [last, sids.at(-1)],
  ] as const) {
    const at = acknowledged.get(sid ?? '') ?? 0;
    const late = created
      .get(person ?? '')
      ?.filter(({ body, receivedAtMs }) => body.includes('?') && receivedAtMs > at + HOP_MS);
    expect(late).toEqual([]);
  }
}, 240_000);
