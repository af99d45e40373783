import { beforeAll, describe, expect, test } from 'vitest';
import { createExportActivities } from '../../activities/exports.ts';
import { createPostgresStorage } from '../../db/stored-objects.ts';
import { freezeAudience } from '../../db/planning.ts';
import { aCampaign, GRAPH, withTestApi, type TestCampaign } from './support.ts';

const api = withTestApi();
const TEXT_ID = '01900000-0000-8000-8000-00000000cafe';

/** What a foreign org knows of org A's things, by the segment of the path before their id. */
let ids: Record<string, string> = {};
let campaign: TestCampaign;

/** A body that is valid, so that only the id can be at fault. */
const BODIES: Record<string, object> = {
  'put /v1/provider-accounts/{id}/tokens': { authToken: 'another-token' },
  'post /v1/sender-pools/{id}/senders': {
    senders: [{ e164: '+12125550999', segmentsPerSecond: 1 }],
  },
  'post /v1/scripts/{id}/versions': { graph: GRAPH },
  'patch /v1/campaigns/{id}': { name: 'Taken over' },
  'put /v1/campaigns/{id}/rate': { segmentsPerSecond: 1 },
  'post /v1/suppressions/{id}/lift': { evidence: 'none' },
};

beforeAll(async () => {
  const { engine, a } = api();
  campaign = await aCampaign(api(), a, { people: ['Secretia'] });
  const launchedAt = new Date();
  await engine.query(
    `update campaign set state = 'running', launched_at = $2::timestamptz where id = $1::uuid returning 1`,
    campaign.campaignId,
    launchedAt,
  );
  await engine.query(
    'insert into campaign_progress (campaign_id, org_id) values ($1::uuid, $2::uuid) returning 1',
    campaign.campaignId,
    a.orgId,
  );
  await freezeAudience(engine, {
    campaignId: campaign.campaignId,
    launchedAt,
    startMode: 'first_reply',
  });
  await engine.query(
    `insert into conversation (id, org_id, kind, account_id, address) values ($1::uuid, $2::uuid, 'catch_all', $3::uuid, '+12125551234') returning 1`,
    TEXT_ID,
    a.orgId,
    campaign.accountId,
  );
  await engine.query(
    `insert into message (id, org_id, direction, purpose, state, priority, account_id, address, body, conversation_id)
     values ($1::uuid, $2::uuid, 'inbound', 'inbound', 'received', 0, $3::uuid, '+12125551234', 'Secretia', $1::uuid) returning 1`,
    TEXT_ID,
    a.orgId,
    campaign.accountId,
  );
  const made = async (route: string, body: object) =>
    (await api().send(route, { key: a.admin, body })).body['id'] ?? '';
  const contacts = await api().send(`GET /v1/contacts?listId=${campaign.listId}`, { key: a.read });
  const [contact] = contacts.body['items'] as unknown as { id: string }[];
  const pool = await api().send(`GET /v1/sender-pools/${campaign.poolId}`, { key: a.read });
  const [sender] = pool.body['senders'] as unknown as { id: string }[];
  ids = {
    members: await made('POST /v1/members', {
      email: 'secretia@example.org',
      name: 'Secretia',
      role: 'texter',
    }),
    senders: sender?.id ?? '',
    keys: await made('POST /v1/keys', { name: 'Secretia', scopes: ['read'] }),
    'provider-accounts': campaign.accountId,
    'sender-pools': campaign.poolId,
    'contact-lists': campaign.listId,
    imports: campaign.importId,
    contacts: contact?.id ?? '',
    scripts: campaign.scriptId,
    campaigns: campaign.campaignId,
    messages: TEXT_ID,
    conversations: TEXT_ID,
    suppressions: await made('POST /v1/suppressions', {
      address: '+12125551299',
      reason: 'Secretia',
    }),
    exports: await made('POST /v1/exports', { kind: 'messages', format: 'csv' }),
  };
  await createExportActivities({
    database: engine,
    storage: createPostgresStorage(engine),
  }).runExport({ exportId: ids['exports'] ?? '' });
});

async function routes(): Promise<{ method: string; path: string }[]> {
  const { paths } = (await api().send('GET /openapi.json')).body as unknown as {
    paths: Record<string, object>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method, path })),
  );
}

describe('another org', () => {
  test('gets 404 at every route with an id, and changes nothing', async () => {
    const before = await snapshot();
    const withId = (await routes()).filter(({ path }) => path.includes('{'));
    expect(withId.length).toBeGreaterThan(25);
    for (const { method, path } of withId) {
      const resource = path.split('/')[2] ?? '';
      const id = ids[resource];
      expect([path, id]).toEqual([path, expect.stringMatching(/^[0-9a-f-]{36}$/)]);
      const route = `${method.toUpperCase()} ${path.replace('{id}', id ?? '')}`;
      const isUpload = path.endsWith('/imports');
      const body = BODIES[`${method} ${path}`];
      const answer = await api().send(route, {
        key: api().b.admin,
        ...(isUpload
          ? { raw: 'phone\n+12125550000\n', headers: { 'Content-Type': 'text/csv' } }
          : {}),
        ...(body === undefined ? {} : { body }),
      });
      expect([route, answer.status, answer.body['code']]).toEqual([route, 404, 'not-found']);
      expect(answer.text).not.toContain('Secretia');
    }
    expect(await snapshot()).toEqual(before);
  });

  test('is what the 404 is about: the owner finds all of it', async () => {
    const found = (await routes()).filter(
      ({ method, path }) => method === 'get' && path.includes('{'),
    );
    for (const { path } of found) {
      const route = `GET ${path.replace('{id}', ids[path.split('/')[2] ?? ''] ?? '')}`;
      const own = await api().send(route, { key: api().a.admin });
      expect([route, own.status]).toEqual([route, 200]);
    }
  });

  test('sees nothing in any list', async () => {
    const lists = (await routes()).filter(
      ({ method, path }) => method === 'get' && path.startsWith('/v1/') && !path.includes('{'),
    );
    expect(lists.length).toBeGreaterThan(9);
    for (const { path } of lists) {
      const answer = await api().send(`GET ${path}`, { key: api().b.admin });
      expect([path, answer.status]).toEqual([path, 200]);
      for (const id of Object.values(ids)) expect(answer.text).not.toContain(id);
      expect(answer.text).not.toContain('Secretia');
    }
  });

  test.each([
    ['POST /v1/sender-pools', () => ({ name: 'X', accountId: campaign.accountId })],
    [
      'POST /v1/exports',
      () => ({ kind: 'messages', format: 'csv', campaignId: campaign.campaignId }),
    ],
    [
      'POST /v1/campaigns',
      () => ({
        name: 'X',
        listId: campaign.listId,
        scriptVersionId: campaign.scriptVersionId,
        poolId: campaign.poolId,
      }),
    ],
  ])('cannot name foreign things in %s', async (route, body) => {
    const answer = await api().send(route, { key: api().b.admin, body: body() });
    expect([answer.status, answer.body['code']]).toEqual([404, 'not-found']);
  });

  test('cannot filter by foreign things', async () => {
    for (const path of [
      `/v1/contacts?listId=${campaign.listId}`,
      `/v1/conversations?campaignId=${campaign.campaignId}`,
    ]) {
      expect((await api().send(`GET ${path}`, { key: api().b.read })).status).toBe(404);
    }
  });
});

async function snapshot(): Promise<unknown> {
  const { engine, a } = api();
  return engine.query(
    `select (select jsonb_agg(to_jsonb(c) order by c.id) from campaign c where c.org_id = $1::uuid) as campaigns,
            (select jsonb_agg(to_jsonb(k) - 'last_used_at' order by k.id) from api_key k where k.org_id = $1::uuid) as keys,
            (select jsonb_agg(to_jsonb(p) order by p.id) from provider_account p where p.org_id = $1::uuid) as accounts,
            (select jsonb_agg(to_jsonb(s) order by s.id) from sender s where s.org_id = $1::uuid) as senders,
            (select jsonb_agg(to_jsonb(o)) from org o where o.id = $1::uuid) as orgs,
            (select jsonb_agg(to_jsonb(i) order by i.id) from import i where i.org_id = $1::uuid) as imports,
            (select jsonb_agg(to_jsonb(e) order by e.id) from export e where e.org_id = $1::uuid) as exports,
            (select jsonb_agg(to_jsonb(s) order by s.id) from suppression s where s.org_id = $1::uuid) as suppressions,
            (select count(*)::int from script_version where org_id = $1::uuid) as versions`,
    a.orgId,
  );
}
