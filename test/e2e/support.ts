/** A whole engine in real processes: API, worker and simulator over a database and a namespace of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { z } from 'zod';
import {
  accountSchema,
  anythingSchema,
  campaignSchema,
  createApiClient,
  importSchema,
  listSchema,
  poolSchema,
  reportSchema,
  scriptSchema,
  type ApiClient,
  type Campaign,
  type Import,
  type Report,
} from '../../cli/demo-client.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { createOrg } from '../../db/orgs.ts';
import type { Script } from '../../domain/script.ts';
import { createTestDatabase } from '../support/database.ts';
import { TEST_KEY } from '../support/ledger.ts';
import { freePort } from '../support/ports.ts';
import { startProcess, type TestProcess } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const ACCOUNT_SID = `AC${'b'.repeat(32)}`;
const AUTH_TOKEN = 'a-simulated-token';

/** One question and a goodbye, so that most talks are short. */
export const SCRIPT: Script = {
  start: 'vote',
  steps: {
    vote: {
      text: 'Hi {{first_name|there}}, can we count on your vote on Tuesday? Reply STOP to opt out.',
      answers: [
        {
          key: 'yes',
          label: 'Yes',
          words: ['yes', 'yeah', 'y', 'sure', 'yep', 'absolutely'],
          next: 'thanks',
        },
        { key: 'no', label: 'No', words: ['no', 'nope', 'n', 'not', 'sorry'], next: 'thanks' },
      ],
    },
    thanks: { text: 'Thank you for letting us know, and have a good day!' },
  },
};

const entrySchema = z.looseObject({ n: z.int(), at: z.string(), kind: z.string() });
const createEntrySchema = z.looseObject({
  kind: z.literal('create'),
  receivedAt: z.string(),
  answer: z.number().nullable(),
  sid: z.string().nullable(),
  to: z.string(),
  from: z.string(),
  body: z.string(),
});
const webhookEntrySchema = z.looseObject({
  kind: z.literal('inbound-webhook'),
  at: z.string(),
  sid: z.string(),
  answer: z.number().nullable(),
});

/** A request to create a text, as the simulator saw it. */
export interface Create {
  readonly to: string;
  readonly from: string;
  readonly body: string;
  readonly sid: string | null;
  readonly answer: number | null;
  readonly receivedAtMs: number;
}

export interface CampaignWish {
  readonly name: string;
  readonly csv: string;
  readonly senders: number;
  /** Of one sender. */
  readonly segmentsPerSecond: number;
  readonly replyWindowSeconds: number;
  readonly startMode?: 'first_text' | 'first_reply';
  readonly script?: Script;
}

export interface LaunchedCampaign {
  readonly id: string;
  readonly imported: Import;
  readonly path: string;
}

export interface Stack {
  readonly api: ApiClient;
  readonly database: Database;
  readonly temporal: Client;
  readonly worker: () => TestProcess;
  readonly startWorker: () => Promise<TestProcess>;
  readonly launch: (wish: CampaignWish) => Promise<LaunchedCampaign>;
  readonly finished: (campaign: LaunchedCampaign, timeoutMs: number) => Promise<Report>;
  readonly stateOf: (campaign: LaunchedCampaign) => Promise<Campaign['state']>;
  /** Requests to create texts, oldest first. */
  readonly creates: () => Promise<Create[]>;
  /** When the simulator got our 2xx for each of these inbound texts. */
  readonly acknowledged: () => Promise<Map<string, number>>;
  readonly steer: (method: 'POST' | 'PUT', path: string, body: object) => Promise<unknown>;
  readonly inject: (text: {
    readonly from: string;
    readonly to: string;
    readonly body: string;
  }) => Promise<string>;
  readonly sendersOf: (campaign: LaunchedCampaign) => Promise<string[]>;
  readonly close: () => Promise<void>;
}

export async function startStack(options: {
  readonly temporalAddress: string;
  readonly namespace: string;
}): Promise<Stack> {
  const { temporalAddress, namespace } = options;
  const [urls, folder, apiPort, simulatorPort] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'groundswell-e2e-')),
    freePort(),
    freePort(),
  ]);
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const simulatorUrl = `http://127.0.0.1:${simulatorPort}`;
  const connection = await Connection.connect({ address: temporalAddress });
  const temporal = new Client({ connection, namespace });
  await ensureNamespace(temporal, namespace);
  const env = {
    NODE_ENV: 'production',
    DATABASE_URL: urls.ownerUrl,
    DATABASE_POOL_SIZE: '5',
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    API_PORT: String(apiPort),
    PUBLIC_URL: apiUrl,
    KEY_ENCRYPTION_KEY: TEST_KEY,
    LOG_LEVEL: 'warn',
    MAINTENANCE_EVERY_MS: '1000',
    RECONCILE_LAG_MS: '2000',
    RECONCILE_BACKOFF_MS: '500',
    SEND_DEADLINE_MS: '2000',
    SIMULATOR_PORT: String(simulatorPort),
    SIMULATOR_ACCOUNTS: JSON.stringify([{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }]),
    SIMULATOR_SENT_DELAY_MS: '5-20',
    SIMULATOR_DELIVERED_DELAY_MS: '10-50',
    SIMULATOR_REPLY_SHARE: '0',
    SIMULATOR_REPLY_DELAY_MS: '50-400',
  };
  let worker: TestProcess | null = null;
  const processes: TestProcess[] = [];
  const start = async (command: 'simulator' | 'api' | 'worker'): Promise<TestProcess> => {
    const started = await startProcess({ command, env });
    processes.push(started);
    return started;
  };
  const startWorker = async (): Promise<TestProcess> => (worker = await start('worker'));
  await Promise.all([start('simulator'), start('api'), startWorker()]);
  const { apiKey } = await createOrg(urls.ownerUrl, { name: 'Rivertown' });
  const api = createApiClient({ baseUrl: apiUrl, apiKey });
  const database = createDatabase({ url: urls.engineUrl, applicationName: 'e2e', poolSize: 2 });
  const steer = createSteering(simulatorUrl);
  const accountId = await connectAccount({ api, steer, apiUrl, simulatorUrl });
  const journal = async (): Promise<unknown[]> => readJournal(simulatorUrl);
  return {
    api,
    database,
    temporal,
    startWorker,
    worker: () => {
      if (worker === null) throw new Error('the worker was not started');
      return worker;
    },
    launch: async (wish) => launch({ api, accountId, folder }, wish),
    finished: async (campaign, timeoutMs) => {
      await waitUntil(async () => (await stateOf(api, campaign)) === 'finished', {
        what: `${campaign.path} to be finished`,
        timeoutMs,
        everyMs: 250,
      });
      return api.get(`${campaign.path}/report`, reportSchema);
    },
    stateOf: async (campaign) => stateOf(api, campaign),
    creates: async () => (await journal()).flatMap(toCreate),
    acknowledged: async () => new Map((await journal()).flatMap(toAcknowledgement)),
    steer,
    inject: async (text) =>
      z
        .object({ sid: z.string() })
        .parse(await steer('POST', 'inbound', { account: ACCOUNT_SID, ...text })).sid,
    sendersOf: async (campaign) => {
      const rows = await database.query<{ e164: string }>(
        'select s.e164 from sender s join campaign c on c.pool_id = s.pool_id where c.id = $1::uuid order by 1',
        campaign.id,
      );
      return rows.map(({ e164 }) => e164);
    },
    close: async () => {
      for (const started of processes) started.kill('SIGKILL');
      await Promise.all(processes.map(({ exited }) => exited));
      await database.close();
      await connection.close();
      await rm(folder, { recursive: true, force: true });
      await urls.drop();
    },
  };
}

export function newNamespace(): string {
  return `e2e-${randomBytes(6).toString('hex')}`;
}

/** Registers a namespace and waits until every part of the server knows it. */
async function ensureNamespace(temporal: Client, namespace: string): Promise<void> {
  const { workflowService } = temporal.connection;
  if (namespace !== 'default') {
    await workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
  }
  await waitUntil(
    async () => {
      await workflowService.describeNamespace({ namespace });
      for await (const _ of temporal.schedule.list()) return true;
      await workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      return true;
    },
    { what: `the namespace ${namespace}`, timeoutMs: 30_000, everyMs: 100 },
  );
}

function createSteering(simulatorUrl: string): Stack['steer'] {
  return async (method, path, body) => {
    const answer = await fetch(`${simulatorUrl}/simulator/${path}`, {
      method,
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text);
  };
}

async function connectAccount(parts: {
  readonly api: ApiClient;
  readonly steer: Stack['steer'];
  readonly apiUrl: string;
  readonly simulatorUrl: string;
}): Promise<string> {
  const { id } = await parts.api.post('/v1/provider-accounts', accountSchema, {
    provider: 'twilio',
    name: 'Simulator',
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    baseUrl: parts.simulatorUrl,
  });
  const smsUrl = `${parts.apiUrl}/webhooks/twilio/${id}/inbound#rc=5&rp=all`;
  await parts.steer('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl });
  return id;
}

let senders = 0;

async function launch(
  {
    api,
    accountId,
    folder,
  }: { readonly api: ApiClient; readonly accountId: string; readonly folder: string },
  wish: CampaignWish,
): Promise<LaunchedCampaign> {
  const { name, segmentsPerSecond } = wish;
  const file = join(folder, `${name}.csv`);
  await writeFile(file, wish.csv);
  const list = await api.post('/v1/contact-lists', listSchema, { name });
  let imported = await api.upload(
    `/v1/contact-lists/${list.id}/imports?fileName=people.csv&defaultCountry=US`,
    importSchema,
    file,
  );
  imported = await waitUntil(
    async () => {
      const found = await api.get(`/v1/imports/${imported.id}`, importSchema);
      return ['queued', 'running'].includes(found.state) ? null : found;
    },
    { what: 'the import to end' },
  );
  const pool = await api.post('/v1/sender-pools', poolSchema, { name, accountId });
  await api.post(`/v1/sender-pools/${pool.id}/senders`, anythingSchema, {
    senders: Array.from({ length: wish.senders }, () => ({
      e164: `+1202555${String(100 + (senders += 1)).padStart(4, '0')}`,
      segmentsPerSecond,
    })),
  });
  const script = await api.post('/v1/scripts', scriptSchema, {
    name,
    graph: wish.script ?? SCRIPT,
  });
  const campaign = await api.post('/v1/campaigns', campaignSchema, {
    name,
    listId: list.id,
    scriptVersionId: script.version.id,
    poolId: pool.id,
    startMode: wish.startMode ?? 'first_reply',
    textingHours: { start: '00:00', end: '24:00', days: [1, 2, 3, 4, 5, 6, 7], blackoutDates: [] },
    replyWindowSeconds: wish.replyWindowSeconds,
  });
  const path = `/v1/campaigns/${campaign.id}`;
  await api.post(`${path}/check`, campaignSchema);
  await api.post(`${path}/launch`, campaignSchema);
  return { id: campaign.id, imported, path };
}

async function stateOf(api: ApiClient, campaign: LaunchedCampaign): Promise<Campaign['state']> {
  return (await api.get(campaign.path, campaignSchema)).state;
}

async function readJournal(simulatorUrl: string): Promise<unknown[]> {
  const answer = await fetch(`${simulatorUrl}/simulator/journal?limit=100000`);
  return z.object({ entries: z.array(entrySchema) }).parse(await answer.json()).entries;
}

function toCreate(entry: unknown): Create[] {
  const { success, data } = createEntrySchema.safeParse(entry);
  if (!success) return [];
  const { to, from, body, sid, answer, receivedAt } = data;
  return [{ to, from, body, sid, answer, receivedAtMs: Date.parse(receivedAt) }];
}

function toAcknowledgement(entry: unknown): [sid: string, atMs: number][] {
  const { success, data } = webhookEntrySchema.safeParse(entry);
  if (!success || data.answer === null || data.answer > 299) return [];
  return [[data.sid, Date.parse(data.at)]];
}

/** People with numbers of one area code, which no other campaign of the file uses. */
export function peopleCsv(area: string, count: number): string {
  const rows = peopleNumbers(area, count).map((number, index) => `${number},Ada${index},${index}`);
  return ['phone,first_name,external_id', ...rows, ''].join('\n');
}

export function peopleNumbers(area: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `+1${area}${String(2_000_000 + index)}`);
}

/** Pauses over the API; tells when it answered, and when the last create of these people came in. */
export async function pauseAndWatch(
  stack: Stack,
  campaign: LaunchedCampaign,
  area: string,
): Promise<{ readonly lastAtMs: number; readonly answeredAtMs: number; readonly sending: number }> {
  const haltSchema = z.object({ sending: z.number() });
  const { sending } = await stack.api.post(`${campaign.path}/pause`, haltSchema);
  const answeredAtMs = Date.now();
  await waitUntil(() => Date.now() > answeredAtMs + 1_500, { what: 'texts that would be late' });
  const creates = (await stack.creates()).filter(({ to }) => to.startsWith(`+1${area}`));
  const lastAtMs = Math.max(...creates.map(({ receivedAtMs }) => receivedAtMs));
  return { lastAtMs, answeredAtMs, sending };
}
