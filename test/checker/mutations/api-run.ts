/** The API alone, real, over a real Postgres: what needs neither a worker nor a provider. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  accountSchema,
  anythingSchema,
  campaignSchema,
  createApiClient,
  listSchema,
  poolSchema,
  scriptSchema,
} from '../../../cli/demo-client.ts';
import { createOrg } from '../../../db/orgs.ts';
import { createTestDatabase } from '../../support/database.ts';
import { launchEngine, untilServing } from '../../support/engine-process.ts';
import { TEST_KEY } from '../../support/ledger-rows.ts';
import { freePort } from '../../support/ports.ts';
import { SCRIPT } from '../../support/stack/campaigns.ts';
import { createJournaledFetch } from '../../support/stack/clients-journal.ts';
import type { Verdict } from '../check.ts';
import { judge } from './judged.ts';

/** Makes a campaign and takes it back, and judges what is left. */
export async function runApi(root: string): Promise<Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-api-'));
  const urls = await createTestDatabase();
  const port = await freePort();
  const files = { simulator: join(folder, 'simulator.ndjson'), clients: join(folder, 'c.ndjson') };
  await writeFile(files.simulator, '');
  const api = await launchEngine({
    command: 'api',
    root,
    env: {
      NODE_ENV: 'production',
      DATABASE_URL: urls.ownerUrl,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      API_PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      KEY_ENCRYPTION_KEY: TEST_KEY,
      LOG_LEVEL: 'silent',
    },
  });
  try {
    const { apiKey } = await createOrg(urls.ownerUrl, { name: 'Rivertown' });
    await untilServing(api, 'api');
    const baseUrl = `http://127.0.0.1:${port}`;
    const request = createJournaledFetch(files.clients);
    await play(createApiClient({ baseUrl, apiKey, request }));
    return await judge({
      engineUrl: urls.engineUrl,
      simulatorJournal: files.simulator,
      clientsJournal: files.clients,
      simulatorUrl: null,
    });
  } finally {
    api.kill('SIGKILL');
    await api.exited;
    await rm(folder, { recursive: true, force: true });
    await urls.drop();
  }
}

async function play(api: ReturnType<typeof createApiClient>): Promise<void> {
  const account = await api.post('/v1/provider-accounts', accountSchema, {
    provider: 'twilio',
    name: 'Nobody',
    accountSid: `AC${'a'.repeat(32)}`,
    authToken: 'a-token-of-nobody',
    baseUrl: 'http://127.0.0.1:1',
  });
  const list = await api.post('/v1/contact-lists', listSchema, { name: 'Nobody' });
  const pool = await api.post('/v1/sender-pools', poolSchema, {
    name: 'Nobody',
    accountId: account.id,
  });
  const script = await api.post('/v1/scripts', scriptSchema, { name: 'Nobody', graph: SCRIPT });
  const campaign = await api.post('/v1/campaigns', campaignSchema, {
    name: 'Nobody',
    listId: list.id,
    scriptVersionId: script.version.id,
    poolId: pool.id,
    textingHours: { start: '09:00', end: '20:00', days: [1, 2, 3, 4, 5], blackoutDates: [] },
    replyWindowSeconds: 60,
  });
  await api.post(`/v1/campaigns/${campaign.id}/cancel`, anythingSchema);
}
