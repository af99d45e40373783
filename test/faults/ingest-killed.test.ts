import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultPoint } from '../../faults/points.ts';
import { peopleCsv, peopleNumbers, type LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startStack } from '../e2e/support.ts';
import { storedInbound, struck } from './support.ts';

const AREA = '404';
const PEOPLE = 60;

let stack: Stack;
let campaign: LaunchedCampaign;
let sender = '';
beforeAll(async () => {
  stack = await startStack({ ingests: 1 });
  // Each webhook is tried six times within some seconds: a restart fits between.
  await stack.steer('PUT', 'settings', { webhookRetryMs: 300 });
  campaign = await stack.launch({
    name: 'ingest',
    csv: peopleCsv(AREA, PEOPLE),
    senders: 1,
    segmentsPerSecond: 100,
    replyWindowSeconds: 120,
  });
  [sender = ''] = await stack.sendersOf(campaign);
  await waitUntil(async () => ((await stack.states(campaign))['accepted'] ?? 0) === PEOPLE, {
    what: 'everybody to have a text',
  });
});
afterAll(async () => stack?.close());

let nextPerson = 0;

/** Some people answer at the same time; returns the ids of their texts. */
async function answers(count: number): Promise<string[]> {
  const people = peopleNumbers(AREA, PEOPLE).slice(nextPerson, nextPerson + count);
  nextPerson += count;
  return Promise.all(
    people.map((from) => stack.inject({ from, to: sender, body: 'Who is this?' })),
  );
}

async function acknowledgedAll(sids: readonly string[]): Promise<void> {
  await waitUntil(
    async () => {
      const acknowledged = await stack.acknowledged();
      return sids.every((sid) => acknowledged.has(sid));
    },
    { what: 'a 2xx for every text', timeoutMs: 90_000 },
  );
}

describe('an ingest process', () => {
  test.each<FaultPoint>(['ingest.reading', 'ingest.storing', 'ingest.stored'])(
    'that is killed at %s has each text once after the provider tried again',
    async (point) => {
      const ingest = stack.part('ingest');
      await ingest.kill();
      await ingest.start(`${point}:kill`);
      const sids = await answers(8);
      expect(await ingest.ended()).toBe('SIGKILL');
      expect(struck(stack)).toContain(`${point} kill`);
      await ingest.start();
      await acknowledgedAll(sids);
      const stored = await storedInbound(stack);
      expect(sids.map((sid) => stored.get(sid))).toEqual(sids.map(() => 1));
    },
  );

  test('whose commit succeeded but whose answer failed says 503, and stores the repeat of it once', async () => {
    const ingest = stack.part('ingest');
    await ingest.kill();
    await ingest.start('ingest.stored:fail');
    const sids = await answers(8);
    await acknowledgedAll(sids);
    expect(struck(stack)).toContain('ingest.stored fail');
    const stored = await storedInbound(stack);
    expect(sids.map((sid) => stored.get(sid))).toEqual(sids.map(() => 1));
  });

  test.each<FaultPoint>(['report.storing', 'report.stored'])(
    'that is killed at %s has every delivery report applied once after the provider tried again',
    async (point) => {
      const ingest = stack.part('ingest');
      await ingest.kill();
      await ingest.start(`${point}:kill`);
      const area = point === 'report.storing' ? '405' : '406';
      const small = await stack.launch({
        name: `reports ${area}`,
        csv: peopleCsv(area, 12),
        senders: 1,
        segmentsPerSecond: 100,
        replyWindowSeconds: 1,
      });
      expect(await ingest.ended()).toBe('SIGKILL');
      await ingest.start();
      await waitUntil(
        async () => {
          const [row] = await stack.database.query<{ n: number }>(
            `select count(*)::int as n from message where campaign_id = $1::uuid and delivery >= 'undelivered'`,
            small.id,
          );
          return row?.n === 12;
        },
        { what: 'every text to have its last report', timeoutMs: 90_000 },
      );
      const report = await stack.finished(small, 150_000);
      expect(report.sumsAgree).toBe(true);
      expect(Object.values(report.delivery).reduce((sum, n) => sum + n, 0)).toBe(12);
    },
  );

  test('that is killed while it reads a body has stored nothing of it', async () => {
    const before = await storedInbound(stack);
    const ingest = stack.part('ingest');
    const { hostname, port } = new URL(stack.urls.webhooks);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    const head = [
      `POST /webhooks/twilio/${stack.accountId}/inbound HTTP/1.1`,
      `Host: ${hostname}`,
      'Content-Type: application/x-www-form-urlencoded',
      'Content-Length: 400',
      'X-Twilio-Signature: AAAA',
    ];
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise<void>((resolve) => {
      socket.write(`${head.join('\r\n')}\r\n\r\nMessageSid=SM${'0'.repeat(32)}&Body=half`, () =>
        resolve(),
      );
    });
    await ingest.kill();
    await closed;
    await ingest.start();
    expect(await storedInbound(stack)).toEqual(before);
  });
});
