/** The ingest alone, real, over a real Postgres: what the simulator and strangers post, and nothing sends. */
import { createHmac } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createSimulator, type RunningSimulator } from '../../../simulator/server.ts';
import { createTestDatabase } from '../../support/database.ts';
import { launchEngine, untilServing } from '../../support/engine-process.ts';
import { createLedger, TEST_KEY, TEST_TOKEN, type Ledger } from '../../support/ledger-rows.ts';
import { freePort } from '../../support/ports.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Verdict } from '../check.ts';
import { judge } from './judged.ts';

const PEOPLE = 4;
const OUTAGE_MS = 700;

interface World {
  readonly ledger: Ledger;
  /** A second tenant, who knows its own token only. */
  readonly stranger: { readonly accountId: string; readonly accountSid: string };
  readonly owner: Database;
  readonly simulator: RunningSimulator;
  readonly url: string;
  readonly clientsJournal: string;
}

type Fields = readonly (readonly [name: string, value: string])[];

/** Runs the webhooks of a tree through everything that may come, and judges what is left. */
export async function runWebhooks(root: string): Promise<Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-webhooks-'));
  const urls = await createTestDatabase();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const files = { simulator: join(folder, 'simulator.ndjson'), clients: join(folder, 'c.ndjson') };
  await writeFile(files.clients, '');
  const ingest = await launchEngine({
    command: 'ingest',
    root,
    env: {
      NODE_ENV: 'production',
      DATABASE_URL: urls.ownerUrl,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      INGEST_PORT: String(port),
      PUBLIC_URL: url,
      KEY_ENCRYPTION_KEY: TEST_KEY,
      LOG_LEVEL: 'silent',
    },
  });
  const database = createDatabase({ url: urls.engineUrl, applicationName: 'test', poolSize: 2 });
  const owner = createDatabase({ url: urls.ownerUrl, applicationName: 'test', poolSize: 1 });
  const simulator = await createSimulator({
    journalFile: files.simulator,
    settings: {
      sentDelayMs: [5, 5],
      deliveredDelayMs: [20, 20],
      replyShare: 0,
      failureShare: 0,
      webhookRetryMs: 100,
    },
  }).start();
  try {
    const ledger = await createLedger(database, urls);
    const stranger = await createLedger(database, urls);
    await untilServing(ingest, 'ingest');
    await putAccount(simulator, ledger, url);
    const world = { ledger, stranger, owner, simulator, url, clientsJournal: files.clients };
    await play(world);
    return await judge(
      {
        engineUrl: urls.engineUrl,
        simulatorJournal: files.simulator,
        clientsJournal: files.clients,
        simulatorUrl: simulator.url,
      },
      {},
    );
  } finally {
    ingest.kill('SIGKILL');
    await ingest.exited;
    await simulator.close();
    await Promise.all([database.close(), owner.close()]);
    await rm(folder, { recursive: true, force: true });
    await urls.drop();
  }
}

async function play(world: World): Promise<void> {
  const { simulator } = world;
  await steer(simulator, 'POST', 'faults', {
    faults: [
      { fault: 'shuffle-callbacks', times: PEOPLE, delayMs: 100 },
      { fault: 'undelivered', code: 30_008 },
    ],
  });
  const sids = await sendAsADeadWorkerDid(world);
  const captured = await receiveTexts(world);
  await forge(world, captured, sids);
  await repeatAnEarlyReport(world, sids);
  await receiveDuringAnOutage(world);
  await untilQuiet(world);
}

/** Rows whose process died after its POST: only the reports can tell what became of them. */
async function sendAsADeadWorkerDid({ ledger, simulator, url }: World): Promise<string[]> {
  const campaign = await ledger.addCampaign({ people: PEOPLE, state: 'paused' });
  const [sender] = ledger.senders;
  await ledger.database.query(
    `with s as (
       update message set state = 'sending', attempt = 1, claimed_at = now(), lease_until = now() + interval '1 hour',
              sender_id = $2::uuid, sender = $3 where campaign_id = $1::uuid returning org_id, campaign_id)
     insert into counter_delta (org_id, campaign_id, kind, value, n)
     select org_id, campaign_id, 'state', 'sending', count(*) from s group by 1, 2 returning 1 as done`,
    campaign.id,
    sender?.id,
    sender?.e164,
  );
  const sids: string[] = [];
  for (const person of campaign.people) {
    const text = {
      To: person.address,
      From: sender?.e164 ?? '',
      Body: 'Hi Ada, will you vote? Reply STOP to opt out.',
      StatusCallback: `${url}/webhooks/twilio/${ledger.accountId}/status/${person.messageId}#rc=5&rp=all`,
    };
    const path = `/2010-04-01/Accounts/${ledger.accountSid}/Messages.json`;
    const answer = await fetch(`${simulator.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${ledger.accountSid}:${TEST_TOKEN}`)}` },
      body: new URLSearchParams(text),
    });
    sids.push(((await answer.json()) as { sid: string }).sid);
  }
  return sids;
}

/** Texts from people, one of them posted twice by the provider and once more by whoever overheard it. */
async function receiveTexts(world: World): Promise<{ path: string; fields: Fields; sid: string }> {
  const { ledger, simulator } = world;
  const to = ledger.senders[1]?.e164 ?? '';
  const inject = async (from: string, body: string): Promise<string> => {
    const text = { account: ledger.accountSid, from, to, body };
    return (await steer<{ sid: string }>(simulator, 'POST', 'inbound', text)).sid;
  };
  await inject('+13125550001', 'Who is this?');
  await steer(simulator, 'POST', 'faults', { fault: 'duplicate-inbound' });
  const sid = await inject('+13125550002', 'Hello\u0000 there 👋');
  await untilStored(world, sid);
  const path = `/webhooks/twilio/${ledger.accountId}/inbound`;
  const fields = inboundFields({
    ledger,
    sid,
    from: '+13125550002',
    to,
    body: 'Hello\u0000 there 👋',
  });
  const signature = sign(world.url, path, fields);
  // Long after the first one was committed: the batch does not see them side by side.
  await post(world, { path, fields, signature, sid, forged: false });
  return { path, fields, sid };
}

/** What nobody may get through with. */
async function forge(
  world: World,
  captured: { readonly path: string; readonly fields: Fields; readonly sid: string },
  sids: readonly string[],
): Promise<void> {
  const { ledger, stranger, url } = world;
  const signature = sign(url, captured.path, captured.fields);
  const strange = captured.fields.map(([name, value]): [string, string] => [
    name,
    name.endsWith('Sid') && name !== 'AccountSid' ? `SM${'e'.repeat(32)}` : value,
  ]);
  const forged = { path: captured.path, forged: true } as const;
  const sid = `SM${'e'.repeat(32)}`;
  await post(world, { ...forged, fields: strange, signature: null, sid });
  await post(world, { ...forged, fields: strange, signature, sid });
  // A report, overheard, with a blank parameter more: the signature covers that one, too.
  const [first = ''] = sids;
  const known = 'message where provider_message_id = $1';
  await waitUntil(async () => (await ledger.count(known, first)) === 1, {
    what: 'the first report',
  });
  const status = await statusPath(world, first);
  const report = statusFields({ accountSid: ledger.accountSid, sid: first, status: 'sent' });
  await post(world, {
    path: status,
    fields: [...report, ['Extra', '']],
    signature: sign(url, status, report),
    sid: first,
    forged: true,
  });
  // The other tenant, with its own token, about a text that is not its own.
  const foreign = status.replace(ledger.accountId, stranger.accountId);
  const read = statusFields({ accountSid: stranger.accountSid, sid: first, status: 'read' });
  await post(world, {
    path: foreign,
    fields: read,
    signature: sign(url, foreign, read),
    sid: first,
    forged: false,
  });
}

/** The report that a text was sent, once more and long after the one of its end. */
async function repeatAnEarlyReport(world: World, sids: readonly string[]): Promise<void> {
  const { ledger, url } = world;
  const sid = sids.at(-1) ?? '';
  const ended = `message where provider_message_id = $1 and delivery > 'sent'`;
  await waitUntil(async () => (await ledger.count(ended, sid)) === 1, { what: 'the last report' });
  const path = await statusPath(world, sid);
  const fields = statusFields({ accountSid: ledger.accountSid, sid, status: 'sent' });
  await post(world, { path, fields, signature: sign(url, path, fields), sid, forged: false });
}

async function statusPath({ ledger }: World, sid: string): Promise<string> {
  const [row] = await ledger.database.query<{ id: string }>(
    'select id from message where provider_message_id = $1',
    sid,
  );
  return `/webhooks/twilio/${ledger.accountId}/status/${row?.id}`;
}

/** A text that comes while nothing can be committed. */
async function receiveDuringAnOutage(world: World): Promise<void> {
  const { ledger, owner, simulator } = world;
  await owner.query('alter table inbound_key rename to inbound_key_away');
  const text = { account: ledger.accountSid, from: '+13125550003', body: 'Are you there?' };
  await steer(simulator, 'POST', 'inbound', { ...text, to: ledger.senders[1]?.e164 });
  const until = Date.now() + OUTAGE_MS;
  await waitUntil(() => Date.now() > until, { what: 'the outage to end' });
  await owner.query('alter table inbound_key_away rename to inbound_key');
}

/** Every report and text was posted until somebody took it. */
async function untilQuiet({ simulator }: World): Promise<void> {
  const isQuiet = async (): Promise<boolean> => {
    const state = await steer<{
      due: number;
      webhooks: { inFlight: number; waiting: number };
    }>(simulator, 'GET', 'state');
    return state.due + state.webhooks.inFlight + state.webhooks.waiting === 0;
  };
  await waitUntil(isQuiet, { what: 'the simulator to be quiet' });
}

async function untilStored({ ledger }: World, sid: string): Promise<void> {
  await waitUntil(
    async () => (await ledger.count('message where provider_message_id = $1', sid)) > 0,
    { what: 'the text to be stored', timeoutMs: 5_000 },
  ).catch(() => undefined);
}

async function putAccount(simulator: RunningSimulator, ledger: Ledger, url: string): Promise<void> {
  await steer(simulator, 'PUT', `accounts/${ledger.accountSid}`, {
    authToken: TEST_TOKEN,
    smsUrl: `${url}/webhooks/twilio/${ledger.accountId}/inbound#rc=5&rp=all`,
  });
}

async function steer<Answer>(
  simulator: RunningSimulator,
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: object,
): Promise<Answer> {
  const answer = await fetch(`${simulator.url}/simulator/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

interface Posting {
  readonly path: string;
  readonly fields: Fields;
  readonly signature: string | null;
  readonly sid: string;
  readonly forged: boolean;
}

/** Posts what the provider did not, and notes the answer as the clients' journal wants it. */
async function post({ url, clientsJournal }: World, posting: Posting): Promise<void> {
  const { path, fields, signature, sid, forged } = posting;
  const sentAt = new Date().toISOString();
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(signature === null ? {} : { 'x-twilio-signature': signature }),
    },
    body: fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&'),
  });
  const line = { at: new Date().toISOString(), sentAt, kind: 'webhook', path, sid, forged };
  appendFileSync(clientsJournal, `${JSON.stringify({ ...line, status: answer.status })}\n`);
}

function sign(url: string, path: string, fields: Fields): string {
  const sorted = fields.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = sorted.reduce((signed, [name, value]) => signed + name + value, `${url}${path}`);
  return createHmac('sha1', TEST_TOKEN).update(text, 'utf8').digest('base64');
}

function inboundFields(text: {
  readonly ledger: Ledger;
  readonly sid: string;
  readonly from: string;
  readonly to: string;
  readonly body: string;
}): Fields {
  return [
    ['AccountSid', text.ledger.accountSid],
    ['Body', text.body],
    ['From', text.from],
    ['FromCity', ''],
    ['MessageSid', text.sid],
    ['NumMedia', '0'],
    ['SmsSid', text.sid],
    ['To', text.to],
  ];
}

function statusFields(report: {
  readonly accountSid: string;
  readonly sid: string;
  readonly status: string;
}): Fields {
  return [
    ['AccountSid', report.accountSid],
    ['MessageSid', report.sid],
    ['MessageStatus', report.status],
    ['To', '+13125550009'],
  ];
}
