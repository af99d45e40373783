/** What a run of campaigns needs: the API of a tree, its activities in a loop, and the simulator. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anythingSchema, createApiClient, type ApiClient } from '../../../cli/demo-client.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createOrg } from '../../../db/orgs.ts';
import { createSimulator } from '../../../simulator/server.ts';
import { createTestDatabase } from '../../support/database.ts';
import { TEST_KEY } from '../../support/ledger-rows.ts';
import { freePort } from '../../support/ports.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  connectAccount,
  launch,
  type CampaignWish,
  type LaunchedCampaign,
} from '../../support/stack/campaigns.ts';
import { createJournaledFetch } from '../../support/stack/clients-journal.ts';
import {
  readLines,
  toAcknowledgements,
  toCreate,
  type Create,
} from '../../support/stack/journals.ts';
import { createPart, type Part } from '../../support/stack/parts.ts';
import type { Verdict } from '../check.ts';
import { judge } from './judged.ts';
import { LOOP } from './trees.ts';

export interface World {
  readonly api: ApiClient;
  readonly database: Database;
  /** The process with the activities. */
  readonly worker: Part;
  /** Names of the fault points that struck. */
  readonly strikes: readonly string[];
  readonly launch: (wish: CampaignWish) => Promise<LaunchedCampaign>;
  readonly count: (rows: string, ...parameters: unknown[]) => Promise<number>;
  readonly creates: () => Promise<Create[]>;
  /** When the simulator got our 2xx for each of these inbound texts. */
  readonly acknowledged: () => Promise<Map<string, number>>;
  readonly addFaults: (faults: readonly object[]) => Promise<void>;
  readonly inject: (text: {
    readonly from: string;
    readonly to: string;
    readonly body: string;
    readonly deliver?: 'list-only';
  }) => Promise<string>;
}

/** Starts the processes of a tree, lets something happen, judges what is left, and ends everything. */
export async function withWorld(
  root: string,
  options: { readonly maxSends: number; readonly faultPoints?: string },
  play: (world: World) => Promise<void>,
): Promise<Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-world-'));
  const files = {
    simulatorJournal: join(folder, 'simulator.ndjson'),
    clientsJournal: join(folder, 'clients.ndjson'),
  };
  const urls = await createTestDatabase();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const simulator = await createSimulator({
    journalFile: files.simulatorJournal,
    accounts: [{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }],
    settings: { sentDelayMs: [5, 20], deliveredDelayMs: [10, 50], replyShare: 0, failureShare: 0 },
  }).start();
  const env = {
    DATABASE_URL: urls.ownerUrl,
    DATABASE_POOL_SIZE: '5',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    API_PORT: String(port),
    PUBLIC_URL: url,
    KEY_ENCRYPTION_KEY: TEST_KEY,
    LOG_LEVEL: 'error',
    RECONCILE_LAG_MS: '2000',
    RECONCILE_BACKOFF_MS: '500',
    SEND_DEADLINE_MS: '1000',
    MAX_CONCURRENT_SENDS: String(options.maxSends),
  };
  const strikes: string[] = [];
  const part = (command: 'api' | 'worker', source: { root: string; entry?: string }): Part =>
    createPart({
      name: command,
      command,
      env,
      source,
      logFile: join(folder, `${command}.log`),
      onStrike: ({ point }) => void strikes.push(point),
      onPid: () => {},
    });
  const server = part('api', { root });
  const worker = part('worker', { root, entry: LOOP });
  const database = createDatabase({ url: urls.engineUrl, applicationName: 'world', poolSize: 2 });
  const steer = createSteering(simulator.url);
  try {
    const { apiKey } = await createOrg(urls.ownerUrl, { name: 'Rivertown' });
    await Promise.all([server.start(), worker.start(options.faultPoints)]);
    const request = createJournaledFetch(files.clientsJournal);
    const api = createApiClient({ baseUrl: url, apiKey, request });
    // These people are made up, and tests run at night too.
    await api.patch('/v1/org', anythingSchema, { hoursLaws: 'none' });
    const accountId = await connectAccount({
      api,
      steer,
      webhookUrl: url,
      simulatorUrl: simulator.url,
    });
    const readSimulator = async (): Promise<unknown[]> => readLines(files.simulatorJournal);
    await play({
      api,
      database,
      worker,
      strikes,
      launch: (wish) => launch({ api, accountId, folder }, wish),
      count: async (rows, ...parameters) => {
        const [row] = await database.query<{ n: number }>(
          `select count(*)::int as n from ${rows}`,
          ...parameters,
        );
        return row?.n ?? 0;
      },
      creates: async () => (await readSimulator()).flatMap(toCreate),
      acknowledged: async () => toAcknowledgements(await readSimulator()),
      addFaults: async (faults) => void (await steer('POST', 'faults', { faults })),
      inject: async (text) => {
        const answer = await steer('POST', 'inbound', { account: ACCOUNT_SID, ...text });
        return (answer as { sid: string }).sid;
      },
    });
    return await judge({ engineUrl: urls.engineUrl, ...files, simulatorUrl: simulator.url });
  } finally {
    await Promise.all([server, worker].filter((one) => one.isRunning()).map((one) => one.kill()));
    await simulator.close();
    await database.close();
    await rm(folder, { recursive: true, force: true });
    await urls.drop();
  }
}

function createSteering(simulatorUrl: string) {
  return async (method: 'POST' | 'PUT', path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${simulatorUrl}/simulator/${path}`, {
      method,
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return answer.json();
  };
}
