import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readClients } from './facts/clients.ts';
import { readJournal } from './facts/journal.ts';

const AT = '2026-11-25T10:00:00.000Z';
const LATER = Date.parse(AT) + 1_000;
const ACCOUNT = '019aa000-0000-8000-8000-00000000000a';
const MESSAGE = '019aa000-0000-8000-8000-00000000000b';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checker-journal-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function write(name: string, lines: readonly (object | string)[]): Promise<string> {
  const file = join(folder, name);
  const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  await writeFile(file, texts.join('\n'));
  return file;
}

test('a create is known by the message in its callback path', async () => {
  const file = await write('creates', [
    {
      kind: 'create',
      n: 2,
      at: AT,
      receivedAt: '2026-11-25T10:00:00.002Z',
      answer: 201,
      sid: 'SM1',
      status: 'queued',
      to: '+1',
      from: '+2',
      body: 'a'.repeat(161),
      segments: 2,
      statusCallback: `https://texts.example.org/webhooks/twilio/${ACCOUNT}/status/${MESSAGE}#rc=5`,
    },
    {
      kind: 'create',
      n: 1,
      at: AT,
      receivedAt: '2026-11-25T10:00:00.001Z',
      answer: 429,
      sid: null,
    },
    '{"kind":"create","n":3,"at":"2026-11',
    { kind: 'status', at: AT, sid: 'SM1', status: 'undelivered', errorCode: 30005 },
    { kind: 'callback', at: AT, sid: 'SM1', status: 'undelivered', answer: 204 },
    { kind: 'callback', at: AT, sid: 'SM1', status: 'sent', answer: 503 },
  ]);
  const { creates, reports, unreadable } = await readJournal(file, LATER);
  expect(creates).toMatchObject([
    { n: 1, sid: null, messageId: null },
    { n: 2, sid: 'SM1', messageId: MESSAGE, accountId: ACCOUNT, billed: 2, counted: 2 },
  ]);
  expect(reports.get('SM1')?.ever.get('undelivered')).toBe(30005);
  expect([...(reports.get('SM1')?.acked ?? [])]).toEqual(['undelivered']);
  expect(unreadable).toBe(1);
});

test('an inbound text keeps its first 2xx, and nothing later than the snapshot counts', async () => {
  const webhook = { kind: 'inbound-webhook', sid: 'SM9', status: 'received' };
  const file = await write('inbound', [
    { kind: 'inbound', at: AT, sid: 'SM9', from: '+1', to: '+2', body: 'Stop' },
    { ...webhook, at: AT, answer: 503 },
    { ...webhook, at: '2026-11-25T10:00:00.200Z', answer: 204 },
    { ...webhook, at: '2026-11-25T10:00:00.300Z', answer: 204 },
    { kind: 'inbound', at: '2026-11-25T10:00:05.000Z', sid: 'SM10', from: '+1', to: '+2' },
  ]);
  const { inbound } = await readJournal(file, LATER);
  expect([...inbound.values()]).toMatchObject([
    { sid: 'SM9', keyword: 'stop', ackedAtMs: Date.parse(AT) + 200 },
  ]);
});

test('a reset forgets what came before', async () => {
  const file = await write('reset', [
    { kind: 'inbound', at: AT, sid: 'SM9', body: 'Hi' },
    { kind: 'reset', at: AT },
  ]);
  expect((await readJournal(file, LATER)).inbound.size).toBe(0);
});

test('clients without a file made no calls; other lines are skipped', async () => {
  expect(await readClients(null, LATER)).toMatchObject({ calls: [], intruders: [] });
  const file = await write('clients', [
    { kind: 'api', at: AT, sentAt: AT, action: 'pause', campaignId: 'c', status: 200 },
    { kind: 'webhook', at: AT, sentAt: AT, path: '/p', sid: 'SM1', status: 403, forged: true },
    { kind: 'note', at: AT },
  ]);
  const { calls, intruders } = await readClients(file, LATER);
  expect(calls).toMatchObject([{ action: 'pause', campaignId: 'c', status: 200 }]);
  expect(intruders).toEqual([{ path: '/p', status: 403, sid: 'SM1', forged: true }]);
});
