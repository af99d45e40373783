/** A whole engine in real processes, which a test may kill, freeze, arm and start again. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { z } from 'zod';
import {
  anythingSchema,
  campaignSchema,
  createApiClient,
  reportSchema,
  type ApiClient,
  type Campaign,
  type Report,
} from '../../../cli/demo-client.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createOrg } from '../../../db/orgs.ts';
import { findLeftovers, runCommand, type EngineCommand } from '../engine-process.ts';
import { freePort } from '../ports.ts';
import { TEST_KEY } from '../ledger-rows.ts';
import { waitUntil } from '../wait-until.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  connectAccount,
  launch,
  prepare,
  type CampaignWish,
  type ClientParts,
  type LaunchedCampaign,
} from './campaigns.ts';
import { createJournaledFetch } from './clients-journal.ts';
import { readLines, toAcknowledgements, toCreate, type Create } from './journals.ts';
import { createPart, type Part, type Strike } from './parts.ts';
import {
  createPostgres,
  createTemporal,
  type DatabaseUrls,
  type StackPostgres,
  type StackServer,
} from './servers.ts';

export interface StackOptions {
  /** A server of its own, or a database of another. */
  readonly postgres: 'own' | DatabaseUrls;
  /** Of a server of its own, instead of those that spare the disk. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** A server of its own, with a store that survives it or not, or a namespace of another. */
  readonly temporal: 'file' | 'memory' | { readonly address: string; readonly namespace: string };
  readonly workers?: number;
  /** Processes of their own for webhooks; the API takes them where there is none. */
  readonly ingests?: number;
  /** Settings of all processes. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where data, logs and journals go, and stay; a temporary one without. */
  readonly folder?: string;
  /** Fault points of the first start, by the name of the part. */
  readonly faultPoints?: Readonly<Record<string, string>>;
  /** More options of Node for every process. */
  readonly nodeOptions?: readonly string[];
}

export interface Stack {
  readonly api: ApiClient;
  readonly accountId: string;
  readonly database: Database;
  readonly temporal: Client;
  readonly folder: string;
  readonly simulatorJournal: string;
  readonly clientsJournal: string;
  readonly databaseUrls: DatabaseUrls;
  /** Null where the server is not the stack's own. */
  readonly postgresServer: StackPostgres | null;
  readonly temporalServer: StackServer | null;
  readonly parts: ReadonlyMap<string, Part>;
  /** `api`, `ingest`, `simulator`, `worker-1`, `worker-2` … */
  readonly part: (name: string) => Part;
  /** Fault points that struck so far. */
  readonly strikes: readonly Strike[];
  readonly urls: {
    /** Where the provider sends webhooks to. */
    readonly webhooks: string;
    /** Every process that takes them. */
    readonly ingests: readonly string[];
    readonly simulator: string;
  };
  /** host:port. */
  readonly temporalAddress: string;
  /** Another org with an account of its own at the same simulator. */
  readonly addTenant: (name: string) => Promise<ClientParts>;
  readonly launch: (wish: CampaignWish) => Promise<LaunchedCampaign>;
  readonly prepare: (wish: CampaignWish) => Promise<LaunchedCampaign>;
  readonly finished: (campaign: LaunchedCampaign, timeoutMs: number) => Promise<Report>;
  readonly stateOf: (campaign: LaunchedCampaign) => Promise<Campaign['state']>;
  /** Requests to create texts, oldest first. */
  readonly creates: () => Promise<Create[]>;
  /** When the simulator got our 2xx for each of these inbound texts. */
  readonly acknowledged: () => Promise<Map<string, number>>;
  readonly steer: (
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    body: object,
  ) => Promise<unknown>;
  readonly inject: (text: InjectedText) => Promise<string>;
  readonly sendersOf: (campaign: LaunchedCampaign) => Promise<string[]>;
  /** How many outbound texts of a campaign are in which state. */
  readonly states: (campaign: LaunchedCampaign) => Promise<Record<string, number>>;
  /** Runs `npm start -- <args>` with the settings of the stack. */
  readonly command: (
    ...args: readonly string[]
  ) => Promise<{ readonly ended: string; readonly output: string }>;
  readonly close: () => Promise<void>;
}

export interface InjectedText {
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly deliver?: 'webhook' | 'list-only';
}

const LEFTOVERS_END_WITHIN_MS = 10_000;

/** Starts everything and waits until it serves; `close` ends it and fails when a process is left. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'groundswell-stack-')));
  await mkdir(folder, { recursive: true });
  // Where tests run as root, the database has a user of its own, who must be able to enter.
  await chmod(folder, 0o755);
  const files = {
    simulatorJournal: join(folder, 'simulator.ndjson'),
    beat: join(folder, 'beat.json'),
    clientsJournal: join(folder, 'clients.ndjson'),
  };
  const servers = await startServers(options, folder);
  const strikes: Strike[] = [];
  const pids: number[] = [];
  const { env, urls, ingestPorts } = await environment(options, { ...servers, files });
  const parts = new Map(
    names(options, ingestPorts).map(([name, command, own]): [string, Part] => [
      name,
      createPart({
        name,
        command,
        env: { ...env, ...own },
        nodeOptions: options.nodeOptions ?? [],
        logFile: join(folder, `${name}.log`),
        onStrike: (strike) => void strikes.push(strike),
        onPid: (pid) => void pids.push(pid),
      }),
    ]),
  );
  await Promise.all(
    [...parts.values()].map((part) => part.start(options.faultPoints?.[part.name])),
  );
  const connection = Connection.lazy({ address: servers.address });
  const temporal = new Client({ connection, namespace: servers.namespace });
  const request = createJournaledFetch(files.clientsJournal);
  const database = createDatabase({
    url: servers.urls.engineUrl,
    applicationName: 'stack',
    poolSize: 2,
  });
  const steer = createSteering(urls.simulator);
  const addTenant = async (name: string): Promise<ClientParts> => {
    const { apiKey } = await createOrg(servers.urls.ownerUrl, { name });
    const api = createApiClient({ baseUrl: urls.api, apiKey, request });
    // These people are made up, and tests run at night too.
    await api.patch('/v1/org', anythingSchema, { hoursLaws: 'none' });
    const place = { webhookUrl: urls.webhooks, simulatorUrl: urls.simulator };
    return { api, folder, accountId: await connectAccount({ api, steer, ...place }) };
  };
  const client = await addTenant('Rivertown');
  const { api } = client;
  const readSimulator = async (): Promise<unknown[]> => readLines(files.simulatorJournal);
  const stateOf = async ({ path }: LaunchedCampaign): Promise<Campaign['state']> =>
    (await api.get(path, campaignSchema)).state;
  return {
    ...client,
    ...files,
    database,
    temporal,
    databaseUrls: servers.urls,
    postgresServer: servers.postgres,
    temporalServer: servers.temporal,
    parts,
    part: (name) => {
      const part = parts.get(name);
      if (part === undefined) throw new Error(`the stack has no ${name}`);
      return part;
    },
    strikes,
    urls,
    temporalAddress: servers.address,
    addTenant,
    launch: (wish) => launch(client, wish),
    prepare: (wish) => prepare(client, wish),
    finished: async (campaign, timeoutMs) => {
      const what = `${campaign.path} to be finished`;
      await waitUntil(async () => (await stateOf(campaign)) === 'finished', {
        what,
        timeoutMs,
        everyMs: 250,
      });
      return api.get(`${campaign.path}/report`, reportSchema);
    },
    stateOf,
    creates: async () => (await readSimulator()).flatMap(toCreate),
    acknowledged: async () => toAcknowledgements(await readSimulator()),
    steer,
    inject: async (text) => {
      const answer = await steer('POST', 'inbound', { account: ACCOUNT_SID, ...text });
      return z.object({ sid: z.string() }).parse(answer).sid;
    },
    sendersOf: async (campaign) => {
      const rows = await database.query<{ e164: string }>(
        'select s.e164 from sender s join campaign c on c.pool_id = s.pool_id where c.id = $1::uuid order by 1',
        campaign.id,
      );
      return rows.map(({ e164 }) => e164);
    },
    states: async (campaign) => {
      const rows = await database.query<{ state: string; n: number }>(
        `select state::text as state, count(*)::int as n from message
          where campaign_id = $1::uuid and direction = 'outbound' group by 1`,
        campaign.id,
      );
      return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
    },
    command: (...args) => runCommand(args, env),
    close: async () => {
      const started = [...parts.values()].filter((part) => part.isRunning());
      await Promise.all(started.map((part) => part.kill()));
      await database.close();
      await connection.close();
      await servers.temporal?.kill();
      await servers.postgres?.kill();
      await expectNobodyLeft(pids);
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Servers {
  readonly urls: DatabaseUrls;
  readonly address: string;
  readonly namespace: string;
  readonly postgres: StackPostgres | null;
  readonly temporal: StackServer | null;
}

async function startServers(options: StackOptions, folder: string): Promise<Servers> {
  const { postgres, temporal } = options;
  const [ownPostgres, ownTemporal] = await Promise.all([
    postgres === 'own' ? createPostgres(folder, options.postgresSettings) : null,
    typeof temporal === 'string' ? createTemporal(folder, temporal) : null,
  ]);
  const urls = postgres === 'own' ? ownPostgres?.urls : postgres;
  const place =
    typeof temporal === 'string'
      ? { address: ownTemporal?.address ?? '', namespace: 'default' }
      : temporal;
  if (urls === undefined) throw new Error('Postgres has no address');
  if (typeof temporal !== 'string') await ensureNamespace(temporal);
  return { urls, ...place, postgres: ownPostgres, temporal: ownTemporal };
}

/** A part's name, what it runs, and what its environment has of its own. */
type Named = [name: string, command: EngineCommand, own?: Readonly<Record<string, string>>];

function names(options: StackOptions, ports: readonly number[]): Named[] {
  const workers = Array.from({ length: options.workers ?? 1 }, (_, index): Named => [
    `worker-${index + 1}`,
    'worker',
  ]);
  const ingests = ports.map((port, index): Named => [
    index === 0 ? 'ingest' : `ingest-${index + 1}`,
    'ingest',
    { INGEST_PORT: String(port) },
  ]);
  return [['simulator', 'simulator'], ['api', 'api'], ...ingests, ...workers];
}

async function environment(
  options: StackOptions,
  {
    urls,
    address,
    namespace,
    files,
  }: Servers & { files: { readonly simulatorJournal: string; readonly beat: string } },
) {
  const [apiPort, simulatorPort] = [await freePort(), await freePort()];
  const ingestPorts: number[] = [];
  while (ingestPorts.length < (options.ingests ?? 0)) ingestPorts.push(await freePort());
  const api = `http://127.0.0.1:${apiPort}`;
  const ingests = ingestPorts.map((port) => `http://127.0.0.1:${port}`);
  const webhooks = ingests[0] ?? api;
  return {
    ingestPorts,
    urls: { api, webhooks, ingests, simulator: `http://127.0.0.1:${simulatorPort}` },
    env: {
      DATABASE_URL: urls.ownerUrl,
      DATABASE_POOL_SIZE: '5',
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: namespace,
      API_PORT: String(apiPort),
      PUBLIC_URL: webhooks,
      KEY_ENCRYPTION_KEY: TEST_KEY,
      BEAT_FILE: files.beat,
      LOG_LEVEL: 'warn',
      MAINTENANCE_EVERY_MS: '1000',
      RECONCILE_LAG_MS: '2000',
      RECONCILE_BACKOFF_MS: '500',
      SEND_DEADLINE_MS: '2000',
      SIMULATOR_PORT: String(simulatorPort),
      SIMULATOR_JOURNAL: files.simulatorJournal,
      SIMULATOR_ACCOUNTS: JSON.stringify([{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }]),
      SIMULATOR_SENT_DELAY_MS: '5-20',
      SIMULATOR_DELIVERED_DELAY_MS: '10-50',
      SIMULATOR_REPLY_SHARE: '0',
      SIMULATOR_REPLY_DELAY_MS: '50-400',
      ...options.settings,
    },
  };
}

/** Registers a namespace and waits until every part of the server knows it. */
export async function ensureNamespace(place: {
  readonly address: string;
  readonly namespace: string;
}): Promise<void> {
  const { address, namespace } = place;
  const connection = await Connection.connect({ address });
  const temporal = new Client({ connection, namespace });
  const { workflowService } = connection;
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
  await connection.close();
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

async function expectNobodyLeft(pids: readonly number[]): Promise<void> {
  let left: string[] = [];
  const isEmpty = async (): Promise<boolean> => {
    left = await findLeftovers(pids);
    return left.length === 0;
  };
  await waitUntil(isEmpty, {
    what: 'all processes to end',
    timeoutMs: LEFTOVERS_END_WITHIN_MS,
  }).catch((error: unknown) => {
    throw new Error(`still running:\n${left.join('\n')}`, { cause: error });
  });
}
