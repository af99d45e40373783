import type { OpenAPIHono } from '@hono/zod-openapi';
import { afterAll, beforeAll } from 'vitest';
import { createApp, type ApiDeps, type ApiEnv } from '../../api/app.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import {
  endImport,
  findImport,
  findZoneSets,
  packImportChunk,
  startImport,
  writeImportChunk,
} from '../../db/imports.ts';
import { createPostgresStorage } from '../../db/stored-objects.ts';
import { createOrgIn } from '../../db/orgs.ts';
import { createTestDatabase } from '../support/database.ts';

/** One org with a key for each scope. */
export interface TestOrg {
  readonly orgId: string;
  readonly admin: string;
  readonly write: string;
  readonly read: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
}

/** A JSON body; its parts are read as text, and a test that looks deeper says as what. */
export type Body = Readonly<Record<string, string>>;

export interface SendOptions {
  readonly key?: string;
  readonly body?: unknown;
  readonly raw?: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

export interface TestApi {
  readonly app: OpenAPIHono<ApiEnv>;
  readonly deps: ApiDeps;
  readonly engine: Database;
  readonly a: TestOrg;
  readonly b: TestOrg;
  readonly log: { readonly level: string; readonly fields: object; readonly message: string }[];
  readonly notified: { count: number };
  readonly send: (route: string, options?: SendOptions) => Promise<Answer>;
}

/** Gives a test file an app over a database of its own, with two orgs. */
export function withTestApi(overrides: Partial<ApiDeps> = {}): () => TestApi {
  let api: TestApi | null = null;
  let stop = async (): Promise<void> => {};
  beforeAll(async () => {
    const urls = await createTestDatabase();
    const engine = open(urls.engineUrl);
    const apiDatabase = open(urls.apiUrl);
    stop = async () => {
      await Promise.all([engine.close(), apiDatabase.close()]);
      await urls.drop();
    };
    api = await createTestApi({ engine, apiDatabase, overrides });
  });
  afterAll(async () => stop());
  return () => {
    if (api === null) throw new Error('the app is there only inside hooks and tests');
    return api;
  };
}

export const TOKEN = 'an-auth-token-of-a-test';
export const GRAPH = {
  start: 'hello',
  steps: {
    hello: {
      text: 'Hi {{first_name|there}}, will you vote? Reply STOP to opt out.',
      answers: [
        { key: 'yes', label: 'Yes', words: ['yes', 'y'], next: 'thanks' },
        { key: 'no', label: 'No', words: ['no'], next: null },
      ],
    },
    thanks: { text: 'Thank you!' },
  },
};

async function createTestApi({
  engine,
  apiDatabase,
  overrides,
}: {
  engine: Database;
  apiDatabase: Database;
  overrides: Partial<ApiDeps>;
}): Promise<TestApi> {
  const log: TestApi['log'] = [];
  const notified = { count: 0 };
  const write = (level: string) => (fields: object, message: string) => {
    log.push({ level, fields, message });
  };
  const deps: ApiDeps = {
    apiDatabase,
    engineDatabase: engine,
    temporal: { updateCampaignRate: async (_, segmentsPerSecond) => ({ segmentsPerSecond }) },
    seal: (plain) => ({ sealed: Buffer.from(`sealed ${plain}`), keyId: 'test' }),
    storage: createPostgresStorage(engine),
    log: {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    },
    settings: {
      publicUrl: 'https://texts.example.org',
      temporalUiUrl: 'http://127.0.0.1:8233',
      temporalNamespace: 'default',
      maxUploadBytes: 2_000_000,
      startsPerSecond: 20,
    },
    ready: async () => ({ database: true }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
    notify: () => {
      notified.count += 1;
    },
    ...overrides,
  };
  const app = createApp(deps);
  const send = createSend(app);
  const orgs = [];
  for (const name of ['Org A', 'Org B']) {
    const org = await createOrgIn(engine, { name });
    const keys = { admin: org.apiKey, write: '', read: '' };
    for (const scope of ['write', 'read'] as const) {
      const made = await send('POST /v1/keys', {
        key: org.apiKey,
        body: { name: scope, scopes: [scope] },
      });
      keys[scope] = made.body['key'] ?? '';
    }
    orgs.push({ orgId: org.orgId, ...keys });
  }
  const [a, b] = orgs;
  if (a === undefined || b === undefined) throw new Error('two orgs are needed');
  return { app, deps, engine, a, b, log, notified, send };
}

export function createSend(app: OpenAPIHono<ApiEnv>) {
  return async (route: string, options: SendOptions = {}): Promise<Answer> => {
    const [method = 'GET', path = '/'] = route.split(' ');
    const headers = new Headers(options.headers);
    if (options.key !== undefined) headers.set('Authorization', `Bearer ${options.key}`);
    if (options.body !== undefined) headers.set('Content-Type', 'application/json');
    const body = options.raw ?? (options.body === undefined ? null : JSON.stringify(options.body));
    const response = await app.request(path, {
      method,
      headers,
      body: typeof body === 'string' || body === null ? body : new Blob([new Uint8Array(body)]),
    });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('Content-Type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (isJson ? JSON.parse(text) : {}) as Body,
    };
  };
}

/** What a campaign needs, made through the API. */
export interface TestCampaign {
  readonly accountId: string;
  readonly poolId: string;
  readonly listId: string;
  readonly scriptId: string;
  readonly scriptVersionId: string;
  readonly campaignId: string;
  readonly importId: string;
}

let numbers = 0;

/** Makes a campaign over people with these first names, its list filled as an import would. */
export async function aCampaign(
  api: TestApi,
  org: TestOrg,
  options: {
    readonly people?: readonly string[];
    readonly graph?: unknown;
    readonly campaign?: object;
  } = {},
): Promise<TestCampaign> {
  const n = (numbers += 1);
  const make = async (path: string, body: object): Promise<Body> => {
    const made = await api.send(`POST ${path}`, { key: org.admin, body });
    if (made.status !== 201) throw new Error(`could not make ${path}: ${made.text}`);
    return made.body;
  };
  const accountSid = `AC${n.toString(16).padStart(32, '0')}`;
  const account = { provider: 'twilio', name: 'Main', accountSid, authToken: TOKEN };
  const { id: accountId = '' } = await make('/v1/provider-accounts', account);
  const { id: poolId = '' } = await make('/v1/sender-pools', { name: `Pool ${n}`, accountId });
  await make(`/v1/sender-pools/${poolId}/senders`, {
    senders: [{ e164: '+12125550100', segmentsPerSecond: 1 }],
  });
  const { id: listId = '' } = await make('/v1/contact-lists', { name: `List ${n}` });
  const people = options.people ?? ['Ada', 'Bo', 'Cy'];
  const importId = await fillList(api, org, { listId, people, n });
  const graph = options.graph ?? GRAPH;
  const script: Body = await make('/v1/scripts', { name: `Script ${n}`, graph });
  const { id: scriptId, version } = script as unknown as { id: string; version: { id: string } };
  const named = { name: `Campaign ${n}`, listId, scriptVersionId: version.id, poolId };
  const { id: campaignId = '' } = await make('/v1/campaigns', { ...named, ...options.campaign });
  return { accountId, poolId, listId, scriptId, scriptVersionId: version.id, campaignId, importId };
}

/** Uploads a file and decides its rows as the import workflow does. */
async function fillList(
  api: TestApi,
  org: TestOrg,
  { listId, people, n }: { listId: string; people: readonly string[]; n: number },
): Promise<string> {
  const rows = people.map((name, index) => `${phoneOf(n, index)},${name}`);
  const uploaded = await api.send(`POST /v1/contact-lists/${listId}/imports`, {
    key: org.admin,
    raw: ['phone,first_name', ...rows, 'nonsense,Zed', ''].join('\n'),
    headers: { 'Content-Type': 'text/csv' },
  });
  const importId: string = uploaded.body['id'] ?? '';
  await decideRows(api, importId, { people, n });
  return importId;
}

export async function decideRows(
  api: TestApi,
  importId: string,
  { people, n }: { people: readonly string[]; n: number },
): Promise<void> {
  await startImport(api.engine, importId, { phone: 0 });
  const row = await findImport(api.engine, importId);
  if (row === null) throw new Error('the import was not stored');
  const place = { zones: ['America/New_York'], places: ['US-NY'] };
  const zoneSetIds = await findZoneSets(api.engine, [place]);
  const chunk = packImportChunk({
    import: row,
    fromRow: 0,
    toRow: people.length + 1,
    toByte: Number(row.total_bytes),
    people: people.map((firstName, index) => ({
      rowNo: index + 1,
      e164: phoneOf(n, index),
      country: 'US',
      firstName,
      lastName: '',
      externalId: null,
      postcode: null,
      fields: {},
      zoneSet: 0,
    })),
    zoneSetIds,
    rejects: [
      {
        rowNo: people.length + 1,
        reason: 'not-a-number',
        detail: '=The cell holds no digits.',
        duplicateOf: null,
      },
    ],
  });
  await writeImportChunk(api.engine, chunk);
  const end = { importId, state: 'finished', problem: null, problemRow: null } as const;
  await endImport(api.engine, end);
}

export function phoneOf(n: number, index: number): string {
  return `+1212${String(2_000_000 + n * 1_000 + index)}`;
}

function open(url: string): Database {
  return createDatabase({ url, applicationName: 'test', poolSize: 4 });
}
