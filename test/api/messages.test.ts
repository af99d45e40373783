import { beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../db/ids.ts';
import { aCampaign, phoneOf, withTestApi, type TestCampaign } from './support.ts';

const api = withTestApi();
const PERSON = '+12125559876';
const NOBODY = '01900000-0000-8000-8000-000000000000';
let campaign: TestCampaign;
const conversationId = newId();
// Ids of one millisecond have no order among them.
let ms = Date.now();
const nextId = () => newId((ms += 1));
const ids = { first: nextId(), again: nextId(), reply: nextId(), skipped: nextId() };

beforeAll(async () => {
  const { a, engine } = api();
  campaign = await aCampaign(api(), a);
  await engine.query(
    `insert into conversation (id, org_id, kind, state, account_id, address, campaign_id, arrival_seq)
     values ($1::uuid, $2::uuid, 'campaign', 'needs_reply', $3::uuid, $4, $5::uuid, 1) returning 1`,
    conversationId,
    a.orgId,
    campaign.accountId,
    PERSON,
    campaign.campaignId,
  );
  await text({ id: ids.first, state: 'lost', reason: 'absent_at_provider' });
  await text({ id: ids.again, state: 'unknown', try: 2, retry_of: ids.first });
  await text({
    id: ids.skipped,
    state: 'skipped',
    reason: 'opted_out',
    step: 'thanks',
    purpose: 'auto_reply',
  });
  await engine.query(
    `insert into message (id, org_id, direction, purpose, state, priority, account_id, address, body, conversation_id, arrival_seq)
     values ($1::uuid, $2::uuid, 'inbound', 'inbound', 'received', 0, $3::uuid, $4, 'yes', $5::uuid, 1) returning 1`,
    ids.reply,
    a.orgId,
    campaign.accountId,
    PERSON,
    conversationId,
  );
  for (const [kind, detail] of [
    ['send_outcome', { outcome: 'unknown', reason: `no answer for ${PERSON}` }],
    ['reconciled', { outcome: 'unknown', reads: 1 }],
  ] as const) {
    await engine.query(
      `insert into provider_event (id, org_id, account_id, message_id, kind, detail)
       values ($1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::event_kind, $6::jsonb) returning 1`,
      nextId(),
      a.orgId,
      campaign.accountId,
      ids.again,
      kind,
      JSON.stringify(detail),
    );
  }
});

async function text(columns: Record<string, unknown>): Promise<void> {
  const row: Record<string, unknown> = {
    org_id: api().a.orgId,
    direction: 'outbound',
    purpose: 'campaign',
    priority: 3,
    driver: 'pool',
    account_id: campaign.accountId,
    address: PERSON,
    campaign_id: campaign.campaignId,
    conversation_id: conversationId,
    step: 'hello',
    try: 1,
    wave: 0,
    body: 'Hello',
    encoding: 'gsm7',
    segments: 1,
    media: [],
    channel: 'sms',
    delivery: 'none',
    attempt: 1,
    reconcile_reads: 0,
    reconcile_looks: 0,
    due_at: new Date().toISOString(),
    not_after: new Date(Date.now() + 60_000).toISOString(),
    created_at: new Date().toISOString(),
    ...columns,
  };
  await api().engine.query(
    'insert into message select (jsonb_populate_record(null::message, $1::jsonb)).* returning 1',
    JSON.stringify(row),
  );
}

const get = (path: string, key = api().a.read) => api().send(`GET ${path}`, { key });
const items = (body: Readonly<Record<string, unknown>>) =>
  body['items'] as readonly { readonly id: string; readonly address: string }[];

describe('texts', () => {
  test('of a campaign are its outbound ones, newest first, by page', async () => {
    const path = `/v1/campaigns/${campaign.campaignId}/messages`;
    const first = await get(`${path}?limit=2`);
    const second = await get(`${path}?limit=2&cursor=${String(first.body['nextCursor'])}`);
    const seen = [...items(first.body), ...items(second.body)].map(({ id }) => id);
    expect(seen).toEqual([ids.skipped, ids.again, ids.first]);
    expect(second.body['nextCursor']).toBeNull();
    const lost = await get(`${path}?state=lost`);
    expect(items(lost.body).map(({ id }) => id)).toEqual([ids.first]);
  });

  test('are found by state', async () => {
    const { body } = await get('/v1/messages?state=unknown');
    expect(items(body).map(({ id }) => id)).toEqual([ids.again]);
    const bad = await get(`/v1/messages?state=${encodeURIComponent("x' or '1'='1")}`);
    expect([bad.status, bad.body['code']]).toEqual([400, 'invalid-request']);
  });

  test('are traced with events in order and other tries', async () => {
    const { status, body } = await get(`/v1/messages/${ids.again}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: ids.again,
      state: 'unknown',
      try: 2,
      retryOf: ids.first,
      campaignState: 'draft',
      events: [{ kind: 'send_outcome' }, { kind: 'reconciled', detail: { reads: 1 } }],
      tries: [{ id: ids.first, state: 'lost' }],
      suppression: null,
    });
    const { body: first } = await get(`/v1/messages/${ids.first}`);
    expect(first['tries']?.[0]).toMatchObject({ id: ids.again });
  });

  test('show the opt-out that kept them back', async () => {
    await api().engine.query(
      `insert into suppression (id, org_id, scope, address, reason, source, evidence_message_id)
       values (gen_random_uuid(), $1::uuid, 'org', $2, 'stop', 'reply', $3::uuid) returning 1`,
      api().a.orgId,
      PERSON,
      ids.reply,
    );
    const { body } = await get(`/v1/messages/${ids.skipped}`);
    expect(body['suppression']).toMatchObject({ reason: 'stop', evidenceMessageId: ids.reply });
  });

  test('show numbers in full to admin keys only', async () => {
    for (const path of [
      `/v1/messages/${ids.again}`,
      '/v1/messages',
      `/v1/campaigns/${campaign.campaignId}/messages`,
      '/v1/conversations',
      `/v1/conversations/${conversationId}`,
    ]) {
      const hidden = await get(path, api().a.write);
      expect([path, hidden.text.includes(PERSON)]).toEqual([path, false]);
      expect(hidden.text).toContain('***9876');
      expect((await get(path, api().a.admin)).text).toContain(PERSON);
    }
  });

  test('that are not there are 404', async () => {
    expect((await get(`/v1/messages/${NOBODY}`)).status).toBe(404);
    expect((await get(`/v1/campaigns/${NOBODY}/messages`)).status).toBe(404);
  });
});

describe('conversations', () => {
  test('are listed by state', async () => {
    const { body } = await get('/v1/conversations?state=needs_reply');
    expect(items(body).map(({ id }) => id)).toEqual([conversationId]);
    expect(items((await get('/v1/conversations?state=closed')).body)).toEqual([]);
    const bad = await get('/v1/conversations?state=asleep');
    expect(bad.status).toBe(400);
  });

  test('show their texts in order', async () => {
    const { body } = await get(`/v1/conversations/${conversationId}`);
    const messages = body['messages'] as unknown as { id: string }[];
    expect(messages.map(({ id }) => id)).toEqual([ids.first, ids.again, ids.skipped, ids.reply]);
    expect(body).toMatchObject({ state: 'needs_reply', repliesReceived: 1, answers: [], tags: [] });
    expect((await get(`/v1/conversations/${NOBODY}`)).status).toBe(404);
  });
});

describe('suppressions', () => {
  const suppress = (address: string) =>
    api().send('POST /v1/suppressions', {
      key: api().a.write,
      body: { address, reason: 'e-mail' },
    });

  test('skip what is planned, with its counters', async () => {
    const address = phoneOf(77, 1);
    const id = newId();
    await text({ id, state: 'planned', address, conversation_id: newId() });
    const made = await suppress(address);
    expect([made.status, made.body]).toMatchObject([
      201,
      { scope: 'org', address, reason: 'e-mail', source: 'api', liftedAt: null },
    ]);
    const { body } = await get(`/v1/messages/${id}`);
    expect([body['state'], body['reason']]).toEqual(['skipped', 'opted_out']);
    expect(body['suppression']).toMatchObject({ id: made.body['id'] });
    const deltas = await api().engine.query(
      `select kind, value, n from counter_delta where campaign_id = $1::uuid order by kind, value`,
      campaign.campaignId,
    );
    expect(deltas).toEqual([
      { kind: 'skip', value: 'opted_out', n: 1 },
      { kind: 'state', value: 'planned', n: -1 },
      { kind: 'state', value: 'skipped', n: 1 },
    ]);
  });

  test('wait for a request that may still begin', async () => {
    const address = phoneOf(77, 2);
    const claim = {
      state: 'sending',
      sender: '+12125550100',
      lease_until: new Date(Date.now() + 60_000),
    };
    await text({
      ...claim,
      id: newId(),
      address,
      conversation_id: newId(),
      claimed_at: new Date(),
    });
    const from = performance.now();
    await suppress(address);
    expect(performance.now() - from).toBeGreaterThan(300);
  });

  test('are made once, found by number, and lifted once on evidence that is kept', async () => {
    const address = phoneOf(77, 3);
    const made = await suppress(address);
    const again = await suppress(address);
    expect([again.status, again.body]).toEqual([200, made.body]);
    const listed = await get(`/v1/suppressions?address=${encodeURIComponent(address)}`);
    expect(listed.body['items']).toEqual([made.body]);
    const lift = () =>
      api().send(`POST /v1/suppressions/${String(made.body['id'])}/lift`, {
        key: api().a.write,
        body: { evidence: 'signed form 12' },
      });
    const lifted = await lift();
    expect([lifted.status, typeof lifted.body['liftedAt']]).toEqual([200, 'string']);
    const twice = await lift();
    expect([twice.status, twice.body['code']]).toEqual([409, 'suppression-lifted']);
    const consent = await api().engine.query(
      'select kind, evidence from consent where address = $1',
      address,
    );
    expect(consent).toEqual([{ kind: 'given', evidence: 'signed form 12' }]);
    expect((await suppress(address)).status).toBe(201);
  });

  test.each(['12125550123', '+0123456789', 'Ada'])('refuse the number %s', async (address) => {
    expect((await suppress(address)).body['code']).toBe('invalid-request');
  });
});
