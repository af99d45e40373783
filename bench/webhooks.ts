/** Delivery reports and incoming texts: verified, stored and applied before they are answered. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDatabase, type Database } from '../db/client.ts';
import { signWebhook, type WebhookParams } from '../simulator/callbacks.ts';
import { inboundParams, statusParams } from '../simulator/webhook-fields.ts';
import type { SimulatedText } from '../simulator/messages.ts';
import { asUser } from '../runtime/config.ts';
import { createLedger, TEST_TOKEN, type Ledger } from '../test/support/ledger-rows.ts';
import type { Reporter } from './figure.ts';
import { acceptAll, type AcceptedText } from './ledger.ts';
import { startMachine, type Machine } from './machine.ts';
import { load, startRawServer } from './raw/run.ts';
import type { LoadResult } from './raw/load.ts';
import type { Scenario } from './scenario.ts';

const TEXTS = 30_000;
const CONNECTIONS = 100;
/** A burst of a provider that catches up. */
const MANY_CONNECTIONS = 500;

export const webhooks: Scenario = {
  about: 'delivery reports and incoming texts a second, answered after their commit',
  run: async (reporter, options) => {
    const machine = await startMachine({
      name: 'webhooks',
      workers: 0,
      ingests: options.ingests,
      profile: options.profile,
      temporal: options.temporal,
    });
    const { databaseUrls } = machine.stack;
    const database = createDatabase({
      url: databaseUrls.engineUrl,
      applicationName: 'bench',
      poolSize: 10,
    });
    try {
      const apiUrl = asUser(databaseUrls.ownerUrl, 'gw_api');
      const ledger = await createLedger(database, { ...databaseUrls, apiUrl });
      await measure({ machine, reporter, database, ledger }, options.size ?? TEXTS);
    } finally {
      await database.close();
      await machine.close();
    }
  },
};

interface Bench {
  readonly machine: Machine;
  readonly reporter: Reporter;
  readonly database: Database;
  readonly ledger: Ledger;
}

async function measure(bench: Bench, size: number): Promise<void> {
  const { reporter } = bench;
  reporter.say(`planning, claiming and recording ${size * 2} texts`);
  const texts = await acceptAll(bench.database, bench.ledger, size);
  const others = await acceptAll(bench.database, bench.ledger, size);
  const floor = await rawFloor(bench, texts);
  const reports = { unit: 'reports/s', floor };
  await post(bench, {
    ...reports,
    name: 'webhooks.reports',
    file: await writeReports(bench, 'reports', texts),
    connections: CONNECTIONS,
  });
  await expectApplied(bench, texts);
  await post(bench, {
    ...reports,
    name: 'webhooks.burst',
    file: await writeReports(bench, 'burst', others),
    connections: MANY_CONNECTIONS,
  });
  await expectApplied(bench, others);
  const inbound = await post(bench, {
    name: 'webhooks.inbound',
    unit: 'texts/s',
    floor,
    file: await writeReplies(bench, texts),
    connections: CONNECTIONS,
  });
  const stored = await bench.ledger.count(
    `inbound_key where account_id = $1::uuid`,
    bench.ledger.accountId,
  );
  const acknowledged = inbound.statuses['204'] ?? 0;
  if (stored < acknowledged)
    throw new Error(`${acknowledged} texts were acknowledged, ${stored} are stored`);
}

/** Sends a file of webhooks and adds its rate, its slowest answers and what each cost. */
async function post(
  { machine, reporter }: Bench,
  run: {
    readonly name: string;
    readonly unit: string;
    readonly floor: number;
    readonly file: string;
    readonly connections: number;
  },
): Promise<LoadResult> {
  const { name, unit, floor, file, connections } = run;
  const stop = machine.meter.start();
  const result = await load({ file, connections, origins: machine.stack.urls.ingests });
  const cpu = stop();
  const { perSecond: value, p50Ms, p99Ms, statuses } = result;
  const requests = Object.values(statuses).reduce((sum, n) => sum + n, 0);
  reporter.add({ name, value, unit, ratio: value / floor, with: { connections, p50Ms, statuses } });
  reporter.add({ name: `${name}.p99`, value: p99Ms, unit: 'ms' });
  for (const part of ['ingest', 'postgres'])
    reporter.add({
      name: `${name}.cpu.${part}`,
      value: (cpu[part] ?? 0) / requests,
      unit: 'CPU-ms each',
    });
  return result;
}

/** Hono alone, and behind the bare signature check: nothing that stores can be faster. */
async function rawFloor(bench: Bench, texts: readonly AcceptedText[]): Promise<number> {
  const file = await writeReports(bench, 'floor', texts);
  let signed = 0;
  for (const mode of ['bare', 'signed'] as const) {
    const server = await startRawServer('hono', {
      mode,
      origin: bench.machine.stack.urls.webhooks,
      accountSid: bench.ledger.accountSid,
      authToken: TEST_TOKEN,
    });
    const { perSecond, p99Ms, statuses } = await load({
      file,
      origins: [server.origin],
      connections: CONNECTIONS,
    });
    await server.stop();
    if (statuses['204'] !== texts.length * 2)
      throw new Error(`the floor answered ${JSON.stringify(statuses)}`);
    bench.reporter.add({
      name: `webhooks.raw.${mode}`,
      value: perSecond,
      unit: 'requests/s',
      with: { p99Ms },
    });
    signed = perSecond;
  }
  return signed;
}

async function expectApplied({ ledger }: Bench, texts: readonly AcceptedText[]): Promise<void> {
  const ids = texts.map(({ id }) => id);
  const delivered = await ledger.count(
    `message where id = any($1::uuid[]) and delivery = 'delivered'`,
    ids,
  );
  const events = await ledger.count(
    `provider_event where message_id = any($1::uuid[]) and kind = 'status'`,
    ids,
  );
  if (delivered !== texts.length || events !== texts.length * 2)
    throw new Error(
      `${texts.length} texts were reported twice: ${events} reports stored, ${delivered} delivered`,
    );
}

/** For each text `sent` and `delivered`, apart from each other, as a carrier sends them. */
async function writeReports(
  bench: Bench,
  name: string,
  texts: readonly AcceptedText[],
): Promise<string> {
  const { accountId } = bench.ledger;
  const apart = 500;
  const lines: string[] = [];
  for (let start = 0; start < texts.length; start += apart) {
    const some = texts.slice(start, start + apart);
    for (const status of ['sent', 'delivered'] as const)
      for (const text of some)
        lines.push(
          toLine(
            bench,
            `/webhooks/twilio/${accountId}/status/${text.id}`,
            statusParams(toSimulated(bench, text, status)),
          ),
        );
  }
  return writeLines(bench, name, lines);
}

/** One in ten says stop. */
async function writeReplies(bench: Bench, texts: readonly AcceptedText[]): Promise<string> {
  const path = `/webhooks/twilio/${bench.ledger.accountId}/inbound`;
  const lines = texts.map((text, index) => {
    const body = index % 10 === 0 ? 'STOP' : 'Yes, count me in';
    const reply = {
      ...toSimulated(bench, text, 'received'),
      body,
      sid: text.providerMessageId.replace('SM', 'SM0').slice(0, 34),
    };
    return toLine(
      bench,
      path,
      inboundParams({ ...reply, from: text.address, to: text.sender }, null),
    );
  });
  return writeLines(bench, 'replies', lines);
}

async function writeLines(
  { machine }: Bench,
  name: string,
  lines: readonly string[],
): Promise<string> {
  const file = join(machine.folder, `${name}.ndjson`);
  await writeFile(file, lines.join('\n'));
  return file;
}

function toLine({ machine }: Bench, path: string, params: WebhookParams): string {
  const body = params.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  const signature = signWebhook(TEST_TOKEN, machine.stack.urls.webhooks + path, params);
  return JSON.stringify({ path, signature, body });
}

function toSimulated(
  bench: Bench,
  text: AcceptedText,
  status: SimulatedText['status'],
): SimulatedText {
  const now = Date.now();
  return {
    sid: text.providerMessageId,
    accountSid: bench.ledger.accountSid,
    direction: 'outbound-api',
    from: text.sender,
    to: text.address,
    body: '',
    segments: 1,
    mediaUrls: [],
    status,
    errorCode: null,
    createdAt: now,
    updatedAt: now,
    sentAt: now,
    leavesAt: now,
    messagingServiceSid: null,
    statusCallback: null,
    validityPeriodS: 14_400,
    ordinal: 0,
    inReplyTo: null,
  };
}
