import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asUser } from '../../runtime/config.ts';
import { peopleCsv, peopleNumbers } from '../support/stack/campaigns.ts';
import { readLines } from '../support/stack/journals.ts';
import { startStack, type Stack } from '../support/stack/stack.ts';
import { testTemporalAddress } from '../support/temporal.ts';
import { waitUntil } from '../support/wait-until.ts';
import { newNamespace } from '../e2e/support.ts';
import { createdFor, repeated, storedInbound } from './support.ts';

/** Beyond the ten seconds after which a stop may be in what was missed. */
const AWAY_MS = 12_000;
const PEOPLE = 250;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    postgres: 'own',
    temporal: { address: testTemporalAddress(), namespace: newNamespace() },
    ingests: 1,
  });
  // All tries of a webhook are gone long before the database is back.
  await stack.steer('PUT', 'settings', { webhookRetryMs: 50 });
}, 240_000);
afterAll(async () => stack?.close());

/** The provider has given up on every one of these webhooks. */
async function givenUp(sids: readonly string[]): Promise<boolean> {
  const lines = (await readLines(stack.simulatorJournal)) as {
    kind: string;
    sid?: string;
    isDone?: boolean;
    answer?: number | null;
  }[];
  const done = new Set(
    lines
      .filter(({ kind, isDone }) => kind === 'inbound-webhook' && isDone === true)
      .filter(({ answer }) => answer === null || (answer ?? 0) >= 500)
      .map(({ sid }) => sid),
  );
  return sids.every((sid) => done.has(sid));
}

/** 0: the server refuses them as it does when it has no connection left (53300); -1: no limit. */
async function limitConnections(superuser: Client, limit: 0 | -1): Promise<void> {
  for (const role of ['gw_engine', 'gw_api'])
    await superuser.query(`alter role ${role} connection limit ${limit}`);
}

test('Postgres that is killed and away loses nothing, and who said stop meanwhile is not texted when it is back', async () => {
  const campaign = await stack.launch({
    name: 'postgres away',
    csv: peopleCsv('702', PEOPLE),
    senders: 2,
    segmentsPerSecond: 10,
    replyWindowSeconds: 1,
  });
  const [to = ''] = await stack.sendersOf(campaign);
  await waitUntil(async () => (await createdFor(stack, '702')).size >= 40, { what: '40 texts' });
  await stack.postgresServer?.kill();
  const killedAt = Date.now();
  // What was claimed before is on its way for half a second more.
  await waitUntil(() => Date.now() > killedAt + 1_000, { what: 'the last claims to be over' });
  const texted = await createdFor(stack, '702');
  const quitters = peopleNumbers('702', PEOPLE)
    .filter((person) => !texted.has(person))
    .slice(-8);
  const sids = await Promise.all(
    quitters.map((from) => stack.inject({ from, to, body: 'please remove me' })),
  );
  await waitUntil(() => givenUp(sids), { what: 'the provider to give up', timeoutMs: 90_000 });
  await waitUntil(() => Date.now() > killedAt + AWAY_MS, { what: 'the outage to be long' });
  await stack.postgresServer?.start();

  const report = await stack.finished(campaign, 150_000);
  expect(report.sumsAgree).toBe(true);
  const stored = await storedInbound(stack);
  expect(sids.map((sid) => stored.get(sid))).toEqual(sids.map(() => 1));
  const created = await createdFor(stack, '702');
  expect(repeated(created)).toEqual([]);
  const questions = [...created.values()].flat().filter(({ body }) => body.includes('?'));
  expect(questions.map((create) => create.to).toSorted()).toEqual(
    peopleNumbers('702', PEOPLE).filter((person) => !quitters.includes(person)),
  );
}, 240_000);

test('Postgres without a free connection answers no webhook with 2xx, and all is stored once when it has some again', async () => {
  const campaign = await stack.launch({
    name: 'no connections',
    csv: peopleCsv('303', 120),
    senders: 2,
    segmentsPerSecond: 10,
    replyWindowSeconds: 1,
  });
  const [to = ''] = await stack.sendersOf(campaign);
  await waitUntil(async () => (await createdFor(stack, '303')).size >= 20, { what: '20 texts' });
  const superuserUrl = asUser(stack.databaseUrls.ownerUrl, 'postgres');
  const superuser = new Client({ connectionString: superuserUrl });
  await superuser.connect();
  try {
    await limitConnections(superuser, 0);
    await superuser.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename in ('gw_engine', 'gw_api')`,
    );
    const sids = await Promise.all(
      peopleNumbers('303', 10).map((from) => stack.inject({ from, to, body: 'Who is this?' })),
    );
    await waitUntil(() => givenUp(sids), { what: 'the provider to give up', timeoutMs: 90_000 });
    await limitConnections(superuser, -1);
    const report = await stack.finished(campaign, 150_000);
    expect(report.sumsAgree).toBe(true);
    const stored = await storedInbound(stack);
    expect(sids.map((sid) => stored.get(sid))).toEqual(sids.map(() => 1));
    const created = await createdFor(stack, '303');
    expect(repeated(created)).toEqual([]);
    expect(created.size).toBe(120);
  } finally {
    await superuser.end();
  }
}, 240_000);
