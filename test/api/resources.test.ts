import { describe, expect, test } from 'vitest';
import { aCampaign, GRAPH, TOKEN, withTestApi } from './support.ts';

const api = withTestApi();
const NOBODY = '01900000-0000-8000-8000-000000000000';
const ONE = { e164: '+12125550199', segmentsPerSecond: 1 };
let sids = 0;
const accountBody = () => {
  sids += 1;
  const accountSid = `AC${'f'.repeat(24)}${String(sids).padStart(8, '0')}`;
  return { provider: 'twilio', name: 'Main', accountSid, authToken: TOKEN };
};
const admin = (route: string, body?: unknown) =>
  api().send(route, { key: api().a.admin, ...(body === undefined ? {} : { body }) });

describe('provider accounts', () => {
  test('are added without showing tokens, which are sealed', async () => {
    const body = { ...accountBody(), secondaryAuthToken: 'the-second-token' };
    const { status, body: made, text } = await admin('POST /v1/provider-accounts', body);
    expect(status).toBe(201);
    expect(made).toMatchObject({
      provider: 'twilio',
      accountSid: body.accountSid,
      baseUrl: null,
      state: 'active',
      webhooks: {
        inboundUrl: `https://texts.example.org/webhooks/twilio/${String(made['id'])}/inbound`,
      },
    });
    expect(text).not.toContain(TOKEN);
    const [row] = await api().engine.query<{ sealed: Uint8Array; key_id: string }>(
      'select auth_tokens_encrypted as sealed, key_id from provider_account where id = $1::uuid',
      made['id'],
    );
    const sealed = Buffer.from(row?.sealed ?? []).toString();
    expect([sealed, row?.key_id]).toEqual([`sealed ["${TOKEN}","the-second-token"]`, 'test']);
  });

  test('are found, listed, and given new tokens', async () => {
    const made = await admin('POST /v1/provider-accounts', accountBody());
    const path = `/v1/provider-accounts/${String(made.body['id'])}`;
    const changed = await admin(`PUT ${path}/tokens`, { authToken: 'another-token' });
    expect([changed.status, changed.body]).toEqual([200, made.body]);
    expect((await admin(`GET ${path}`)).body).toEqual(made.body);
    expect((await admin('GET /v1/provider-accounts')).body['items']?.[0]).toEqual(made.body);
  });

  test('are unique by their sid', async () => {
    const body = accountBody();
    await admin('POST /v1/provider-accounts', body);
    const again = await admin('POST /v1/provider-accounts', body);
    expect([again.status, again.body['code']]).toEqual([409, 'account-exists']);
  });

  test.each([
    ['accountSid', 'AC123'],
    ['authToken', 'short'],
    ['baseUrl', 'http://example.org'],
    ['baseUrl', 'nonsense'],
    ['provider', 'carrier-pigeon'],
  ])('refuse %s %s', async (field, value) => {
    const answer = await admin('POST /v1/provider-accounts', { ...accountBody(), [field]: value });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-request']);
  });
});

describe('sender pools', () => {
  test('take senders with their buckets, all or none', async () => {
    const { poolId } = await aCampaign(api(), api().a);
    const path = `/v1/sender-pools/${poolId}/senders`;
    const added = await admin(`POST ${path}`, {
      senders: [
        { e164: '+12125550102', segmentsPerSecond: 2.5 },
        { e164: '+12125550101', segmentsPerSecond: 0.5 },
      ],
    });
    expect(added.status).toBe(201);
    const { senders } = added.body as unknown as { senders: { id: string; e164: string }[] };
    expect(senders.map(({ e164 }) => e164)).toEqual(['+12125550101', '+12125550102']);
    const buckets = await api().engine.query(
      `select segments_per_second as rate, burst from permit_bucket where kind = 'sender' and ref_id = any($1::uuid[]) order by 1`,
      senders.map(({ id }) => id),
    );
    expect(buckets).toEqual([
      { rate: 0.5, burst: 1 },
      { rate: 2.5, burst: 1 },
    ]);
    const again = await admin(`POST ${path}`, {
      senders: [
        { e164: '+12125550103', segmentsPerSecond: 1 },
        { e164: '+12125550102', segmentsPerSecond: 1 },
      ],
    });
    expect([again.status, again.body['code']]).toEqual([409, 'sender-exists']);
    expect(again.body['errors']?.[0]).toMatchObject({ field: 'senders.1.e164' });
    const pool = await admin(`GET /v1/sender-pools/${poolId}`);
    expect(pool.body['totals']).toEqual({ senders: 3, active: 3, segmentsPerSecond: 4 });
  });

  test('have unique names and an account that exists', async () => {
    const { accountId, poolId } = await aCampaign(api(), api().a);
    const { body: pool } = await admin(`GET /v1/sender-pools/${poolId}`);
    const taken = await admin('POST /v1/sender-pools', { name: pool['name'], accountId });
    expect([taken.status, taken.body['code']]).toEqual([409, 'name-taken']);
    const lost = await admin('POST /v1/sender-pools', { name: 'Lost', accountId: NOBODY });
    expect([lost.status, lost.body['code']]).toEqual([404, 'not-found']);
  });

  test.each([
    ['none', []],
    ['one twice', [ONE, ONE]],
    ['one without +', [{ e164: '12125550199', segmentsPerSecond: 1 }]],
    ['one that stands still', [{ e164: '+12125550199', segmentsPerSecond: 0 }]],
  ])('refuse %s', async (_, senders) => {
    const answer = await admin(`POST /v1/sender-pools/${NOBODY}/senders`, { senders });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-request']);
  });
});

describe('lists and contacts', () => {
  test('a list knows its size, a contact its fields', async () => {
    const { listId } = await aCampaign(api(), api().a, { people: ['Ada', 'Bo'] });
    const list = await admin(`GET /v1/contact-lists/${listId}`);
    expect([list.status, list.body['size']]).toEqual([200, 2]);
    const contacts = await admin(`GET /v1/contacts?listId=${listId}`);
    const items = contacts.body['items'] as unknown as { id: string; firstName: string }[];
    expect(items.map(({ firstName }) => firstName).toSorted()).toEqual(['Ada', 'Bo']);
    const one = await admin(`GET /v1/contacts/${items[0]?.id ?? ''}`);
    expect(one.body).toEqual(items[0]);
    expect(one.body).toMatchObject({ country: 'US', zones: ['America/New_York'], state: 'active' });
  });

  test.each([`GET /v1/contacts?listId=${NOBODY}`, `GET /v1/contacts/${NOBODY}`])(
    '%s is 404',
    async (route) => {
      expect((await admin(route)).body['code']).toBe('not-found');
    },
  );
});

describe('scripts', () => {
  test('are versioned and do not change', async () => {
    const made = await admin('POST /v1/scripts', { name: 'S', graph: GRAPH });
    expect(made.status).toBe(201);
    expect(made.body['version']).toMatchObject({ version: 1, graph: GRAPH });
    const path = `/v1/scripts/${String(made.body['id'])}`;
    const graph = { start: 'only', steps: { only: { text: 'Hello. Reply STOP to opt out.' } } };
    const second = await admin(`POST ${path}/versions`, { graph });
    expect(second.body).toMatchObject({ version: 2, graph });
    expect((await admin(`GET ${path}`)).body['version']).toEqual(second.body);
    const listed = await admin('GET /v1/scripts');
    expect(listed.body['items']?.[0]).toMatchObject({ name: 'S', versions: 2 });
  });

  test('with errors are not saved', async () => {
    const graph = { start: 'a', steps: { a: { text: 'Hello', next: 'b' } } };
    for (const route of ['POST /v1/scripts', `POST /v1/scripts/${NOBODY}/versions`]) {
      const answer = await admin(route, { name: 'S', graph });
      expect([answer.status, answer.body['code']]).toEqual([422, 'script-problems']);
      expect(answer.body['errors']).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ field: 'steps.a.text' }),
          expect.objectContaining({ field: 'steps.a.next' }),
        ]),
      );
    }
  });

  test('may use any field, and can be checked without being saved', async () => {
    const text = 'Hi {{shoe_size}}, {{. Reply STOP.';
    const graph = { start: 'a', steps: { a: { text } } };
    const bad = await admin('POST /v1/scripts/check', { graph });
    expect(bad.body['problems']?.[0]).toMatchObject({ code: 'template-bad', severity: 'error' });
    graph.steps.a.text = 'Hi {{shoe_size}}. Reply STOP to opt out.';
    const good = await admin('POST /v1/scripts/check', { graph });
    expect([good.status, good.body['problems']]).toEqual([200, []]);
  });

  test('of another form are refused with the field', async () => {
    const answer = await admin('POST /v1/scripts/check', {
      graph: { start: 'a', steps: { a: {} } },
    });
    expect(answer.status).toBe(400);
    expect(answer.body['errors']?.[0]).toMatchObject({ field: 'graph.steps.a.text' });
  });
});

test('an id that is none is a bad request, not an error', async () => {
  const answer = await admin('GET /v1/campaigns/abc');
  expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-request']);
});
