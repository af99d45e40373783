import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { createOrg } from '../db/orgs.ts';
import {
  accountSchema,
  anythingSchema,
  ApiError,
  createApiClient,
  meSchema,
  poolSchema,
  type ApiClient,
} from './demo-client.ts';
import type { Stack } from './stack.ts';

/** What dev and demo set up once and use again: an org, its key, its account, its pools. */
const savedSchema = z.object({
  orgId: z.string(),
  apiKey: z.string(),
  accountId: z.string().nullable(),
  /** By number of senders and their rate. */
  pools: z.record(z.string(), z.string()),
});
/** By gateway: an account's address cannot change, and the simulator's port can. */
const fileSchema = z.record(z.string(), savedSchema);
type Saved = z.infer<typeof savedSchema>;

export interface Workspace {
  readonly orgId: string;
  readonly apiKey: string;
  readonly api: ApiClient;
  readonly accountId: string;
  readonly inboundUrl: string;
  readonly findOrCreatePool: (wish: PoolWish) => Promise<string>;
}

export interface PoolWish {
  readonly senders: number;
  /** Of one sender. */
  readonly segmentsPerSecond: number;
}

/** Area codes of the made-up senders; 555-01xx is kept for fiction in each. */
const AREA_CODES =
  '202 212 303 312 404 415 503 512 602 612 617 702 713 801 804 813 816 901 907 919'.split(' ');

/** Opens the org that the data folder remembers, or makes a new one where the database does not know it. */
export async function openWorkspace(stack: Stack, folder: string): Promise<Workspace> {
  const file = join(folder, 'workspace.json');
  const all =
    fileSchema.safeParse(parseJson(await readFile(file, 'utf8').catch(() => ''))).data ?? {};
  const key = `${stack.gateway.accountSid} ${stack.gateway.baseUrl ?? ''}`;
  const known = all[key];
  const saved =
    known !== undefined && (await isKnown(stack, known)) ? known : await createSaved(stack);
  const api = createApiClient({ baseUrl: stack.apiUrl, apiKey: saved.apiKey });
  const accountId = (saved.accountId ??= await findOrCreateAccount(stack, api));
  const save = async (): Promise<void> =>
    writeFile(file, `${JSON.stringify({ ...all, [key]: saved }, null, 2)}\n`, { mode: 0o600 });
  await save();
  return {
    orgId: saved.orgId,
    apiKey: saved.apiKey,
    api,
    accountId,
    inboundUrl: `${stack.apiUrl}/webhooks/twilio/${accountId}/inbound`,
    findOrCreatePool: async (wish) => {
      const name = `${wish.senders} senders at ${wish.segmentsPerSecond}/s`;
      const index = Object.keys(saved.pools).length;
      const poolId = (saved.pools[name] ??= await createPool(api, {
        ...wish,
        name,
        accountId,
        index,
      }));
      await save();
      return poolId;
    },
  };
}

/** Sends what people text to the simulator's account to us, tried again as Twilio does when asked to. */
export async function connectInbound(stack: Stack, inboundUrl: string): Promise<void> {
  await steerSimulator(stack, `accounts/${stack.gateway.accountSid}`, {
    smsUrl: `${inboundUrl}#rc=5&rp=all`,
  });
}

/** Changes something in the running simulator. */
export async function steerSimulator(stack: Stack, path: string, body: object): Promise<void> {
  const response = await fetch(`${stack.simulatorUrl ?? ''}/simulator/${path}`, {
    method: 'PUT',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`The simulator refused ${path}: ${await response.text()}`);
}

async function isKnown(stack: Stack, { apiKey }: Saved): Promise<boolean> {
  try {
    await createApiClient({ baseUrl: stack.apiUrl, apiKey }).get('/v1/me', meSchema);
    return true;
  } catch (error) {
    // The database was made anew, or DATABASE_URL names another one.
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}

async function createSaved(stack: Stack): Promise<Saved> {
  const { orgId, apiKey } = await createOrg(stack.ownerUrl, { name: 'Dev' });
  return { orgId, apiKey, accountId: null, pools: {} };
}

async function findOrCreateAccount(stack: Stack, api: ApiClient): Promise<string> {
  const { accountSid, authToken, baseUrl } = stack.gateway;
  const listSchema = z.object({ items: z.array(accountSchema) });
  const { items } = await api.get('/v1/provider-accounts?limit=200', listSchema);
  const found = items.find((account) => account.accountSid === accountSid);
  if (found !== undefined) return found.id;
  const created = await api.post('/v1/provider-accounts', accountSchema, {
    provider: 'twilio',
    name: stack.simulatorUrl === null ? 'Twilio' : 'Simulator',
    accountSid,
    authToken,
    ...(baseUrl === null ? {} : { baseUrl }),
  });
  return created.id;
}

async function createPool(
  api: ApiClient,
  pool: PoolWish & { readonly name: string; readonly accountId: string; readonly index: number },
): Promise<string> {
  const { name, accountId, index, senders, segmentsPerSecond } = pool;
  const { id } = await api.post('/v1/sender-pools', poolSchema, { name, accountId });
  await api.post(`/v1/sender-pools/${id}/senders`, anythingSchema, {
    senders: Array.from({ length: senders }, (_, number) => ({
      e164: senderNumber(index * 20 + number),
      segmentsPerSecond,
    })),
  });
  return id;
}

function senderNumber(index: number): string {
  const area = AREA_CODES[Math.floor(index / 100) % AREA_CODES.length] ?? '202';
  return `+1${area}55501${String(index % 100).padStart(2, '0')}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
