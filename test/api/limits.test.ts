import { beforeAll, describe, expect, test } from 'vitest';
import { aCampaign, withTestApi, type TestCampaign } from './support.ts';

const api = withTestApi();
let campaign: TestCampaign;

beforeAll(async () => {
  campaign = await aCampaign(api(), api().a, { people: ['Ada'] });
});

describe('the limits of an org', () => {
  test('begin with none and change one by one', async () => {
    const key = api().a.admin;
    expect((await api().send('GET /v1/org', { key })).body).toMatchObject({
      textsPerDay: null,
      textsPerWeek: null,
      segmentsPerSecond: null,
      sendingStoppedAt: null,
    });
    await api().send('PATCH /v1/org', { key, body: { textsPerDay: 1, segmentsPerSecond: 50 } });
    const after = await api().send('PATCH /v1/org', { key, body: { textsPerWeek: 3 } });
    expect(after.body).toMatchObject({ textsPerDay: 1, textsPerWeek: 3, segmentsPerSecond: 50 });
    const freed = await api().send('PATCH /v1/org', {
      key,
      body: { textsPerDay: null, textsPerWeek: null, segmentsPerSecond: null },
    });
    expect(freed.body).toMatchObject({ textsPerDay: null, segmentsPerSecond: null });
  });

  test.each([
    [{ textsPerDay: 0 }, 'textsPerDay'],
    [{ textsPerWeek: 1.5 }, 'textsPerWeek'],
    [{ segmentsPerSecond: -1 }, 'segmentsPerSecond'],
  ])('refuse %j', async (body, field) => {
    const answer = await api().send('PATCH /v1/org', { key: api().a.admin, body });
    expect([answer.status, answer.body['errors']]).toEqual([
      400,
      [expect.objectContaining({ field })],
    ]);
  });

  test.each(['PATCH /v1/org', 'PUT /v1/budget', 'PUT /v1/rates', 'POST /v1/org/resume-sending'])(
    '%s needs an admin',
    async (route) => {
      const answer = await api().send(route, { key: api().a.write, body: {} });
      expect(answer.status).toBe(403);
    },
  );
});

describe('a kill switch', () => {
  test('of the org may be thrown by whoever may write, stays on, and is lifted by an admin', async () => {
    const { a, send } = { a: api().a, send: api().send };
    const stopped = await send('POST /v1/org/stop-sending', {
      key: a.write,
      body: { reason: 'wrong list' },
    });
    expect([stopped.status, stopped.body]).toEqual([200, { sending: 0 }]);
    const during = await send('GET /v1/org', { key: a.read });
    expect(during.body).toMatchObject({ sendingStoppedReason: 'wrong list' });
    const again = await send('POST /v1/org/resume-sending', { key: a.admin });
    expect(again.body).toMatchObject({ sendingStoppedAt: null, sendingStoppedReason: null });
    expect((await send('GET /v1/org', { key: api().b.read })).body).toMatchObject({
      sendingStoppedAt: null,
    });
  });

  test('of a sender takes it out of its pool and puts it back', async () => {
    const { a, send } = { a: api().a, send: api().send };
    const pool = async () =>
      (await send(`GET /v1/sender-pools/${campaign.poolId}`, { key: a.read })).body[
        'senders'
      ] as unknown as { id: string; state: string; stateReason: string | null }[];
    const [sender] = await pool();
    const path = `/v1/senders/${sender?.id ?? ''}`;
    await send(`POST ${path}/stop`, { key: a.write, body: { reason: 'complaints' } });
    expect((await pool())[0]).toMatchObject({ state: 'stopped', stateReason: 'complaints' });
    await send(`POST ${path}/resume`, { key: a.write });
    expect((await pool())[0]).toMatchObject({ state: 'active', stateReason: null });
  });
});

describe('money', () => {
  test('has no cap until one is set, and keeps its currency once something was spent', async () => {
    const key = api().a.admin;
    expect((await api().send('GET /v1/budget', { key })).body).toMatchObject({ capMicros: null });
    const set = await api().send('PUT /v1/budget', {
      key,
      body: { capMicros: '5000000', currency: 'USD' },
    });
    expect(set.body).toMatchObject({ capMicros: '5000000', spentMicros: '0', currency: 'USD' });
    await api().engine.query(
      'update budget set spent_micros = 1 where org_id = $1::uuid returning 1 as done',
      api().a.orgId,
    );
    const other = await api().send('PUT /v1/budget', {
      key,
      body: { capMicros: '1', currency: 'EUR' },
    });
    expect([other.status, other.body['code']]).toEqual([409, 'conflict']);
    expect((await api().send('GET /v1/budget', { key: api().b.admin })).body).toMatchObject({
      capMicros: null,
    });
  });

  test('prices of an org of its own come first and are nobody else’s', async () => {
    const body = {
      country: 'US',
      priceMicros: '7000',
      currency: 'USD',
      source: 'our contract',
      validFrom: '2026-01-01',
    };
    await api().send('PUT /v1/rates', { key: api().a.admin, body });
    await api().send('PUT /v1/rates', {
      key: api().a.admin,
      body: { ...body, priceMicros: '6500' },
    });
    const rates = async (key: string) =>
      (await api().send('GET /v1/rates', { key })).body['items'] as unknown as {
        priceMicros: string;
        own: boolean;
      }[];
    expect((await rates(api().a.read))[0]).toMatchObject({ priceMicros: '6500', own: true });
    expect((await rates(api().b.read)).every(({ own }) => !own)).toBe(true);
  });
});

describe('a carrier registration', () => {
  test('binds the senders that name it, and cannot be another org’s', async () => {
    const { a, b, send } = { a: api().a, b: api().b, send: api().send };
    const made = await send('POST /v1/registrations', {
      key: a.admin,
      body: {
        kind: '10dlc_campaign',
        externalId: 'CXYZ',
        segmentsPerSecond: 12,
        segmentsPerDay: 2_000,
      },
    });
    expect(made.status).toBe(201);
    const registrationId = made.body['id'];
    const senders = [{ e164: '+12125550777', segmentsPerSecond: 1, registrationId }];
    const added = await send(`POST /v1/sender-pools/${campaign.poolId}/senders`, {
      key: a.write,
      body: { senders },
    });
    expect(added.body).toMatchObject({ senders: [{ registrationId }] });
    const [day] = await api().engine.query<{ rate: number; burst: number }>(
      `select segments_per_second * 86400 as rate, burst from permit_bucket where kind = 'registration_day' and ref_id = $1::uuid`,
      registrationId,
    );
    // No 24 hours hold more than the cap: what the bucket holds and what flows in add up to it.
    expect((day?.rate ?? 0) + (day?.burst ?? 0)).toBeCloseTo(2_000, 3);
    const foreign = await aCampaign(api(), b, { people: ['Bob'] });
    const refused = await send(`POST /v1/sender-pools/${foreign.poolId}/senders`, {
      key: b.write,
      body: { senders: [{ e164: '+12125550778', segmentsPerSecond: 1, registrationId }] },
    });
    expect([refused.status, refused.body['detail']]).toEqual([
      404,
      'There is no such registration.',
    ]);
  });
});

describe('a campaign', () => {
  test('carries its brakes, its pace and what it does with busy people', async () => {
    const key = api().a.admin;
    const path = `/v1/campaigns/${campaign.campaignId}`;
    const before = await api().send(`GET ${path}`, { key });
    expect(before.body).toMatchObject({
      busyPolicy: 'delay',
      busyMinutes: 60,
      finishBy: null,
      maxOpenReplies: null,
      brakes: { minTexts: 200, failures: 0.3, optOuts: 0.15, violations: 0.05 },
    });
    const after = await api().send(`PATCH ${path}`, {
      key,
      body: {
        busyPolicy: 'skip',
        finishBy: '2027-01-01T00:00:00Z',
        maxOpenReplies: 50,
        brakes: { failures: null, minTexts: 50 },
      },
    });
    expect(after.body).toMatchObject({
      busyPolicy: 'skip',
      finishBy: '2027-01-01T00:00:00.000Z',
      maxOpenReplies: 50,
      brakes: { minTexts: 50, failures: null, optOuts: 0.15, violations: 0.05 },
    });
  });
});

describe('the hours of an org', () => {
  test('are its laws, its own window and its blackout days, each changed by itself', async () => {
    const key = api().a.admin;
    expect((await api().send('GET /v1/org', { key })).body).toMatchObject({
      hoursLaws: 'all',
      textingHours: null,
      blackoutDates: [],
    });
    const textingHours = { start: '09:30', end: '18:00', days: [5, 1, 1] };
    await api().send('PATCH /v1/org', { key, body: { hoursLaws: 'federal', textingHours } });
    const after = await api().send('PATCH /v1/org', {
      key,
      body: { blackoutDates: ['2026-12-25', '2026-12-24', '2026-12-25'] },
    });
    expect(after.body).toMatchObject({
      hoursLaws: 'federal',
      textingHours: { start: '09:30', end: '18:00', days: [1, 5] },
      blackoutDates: ['2026-12-24', '2026-12-25'],
    });
    const freed = await api().send('PATCH /v1/org', { key, body: { textingHours: null } });
    expect(freed.body).toMatchObject({ textingHours: null, hoursLaws: 'federal' });
  });

  test('that change hold for a running campaign at once: its windows are worked out anew and its texts wait', async () => {
    const { a, engine, send } = { a: api().a, engine: api().engine, send: api().send };
    const made = await aCampaign(api(), a, { people: ['Flo'] });
    await engine.query(
      `with c as (update campaign set state = 'running', launched_at = now() where id = $1::uuid returning id, org_id),
       p as (insert into campaign_progress (campaign_id, org_id) select id, org_id from c),
       u as (
         insert into campaign_cursor (campaign_id, zone_set_id, org_id, size, opens_at, closes_at)
         select c.id, z.id, c.org_id, 1, now() - interval '1 hour', now() + interval '8 hours' from c, (select id from zone_set limit 1) z)
       insert into message (id, org_id, direction, purpose, state, priority, account_id, address, body, segments, due_at, not_after, campaign_id)
       select uuid_floor(now()), c.org_id, 'outbound', 'campaign', 'planned', 3, gen_random_uuid(), '+12125550499', 'Hi', 1, now(), now() + interval '8 hours', c.id
         from c returning id`,
      made.campaignId,
    );
    await send('PATCH /v1/org', { key: a.admin, body: { blackoutDates: ['2026-12-31'] } });
    const [after] = await engine.query<{ waits: boolean; known: boolean; rung: boolean }>(
      `select (select due_at > now() + interval '20 s' from message where campaign_id = $1::uuid) as waits,
              (select closes_at is not null from campaign_cursor where campaign_id = $1::uuid) as known,
              exists (select 1 from outbox where kind = 'wake_campaign' and ref_id = $1::uuid) as rung`,
      made.campaignId,
    );
    expect(after).toEqual({ waits: true, known: false, rung: true });
  });

  test('show in a preview where nobody may be texted by them', async () => {
    const { a, send } = { a: api().a, send: api().send };
    const made = await aCampaign(api(), a, { people: ['Eve'] });
    const path = `/v1/campaigns/${made.campaignId}`;
    await send(`PATCH ${path}`, {
      key: a.admin,
      body: {
        textingHours: { start: '02:00', end: '05:00', days: [1, 2, 3], blackoutDates: [] },
      },
    });
    const preview = await send(`GET ${path}/preview`, { key: a.read });
    expect(preview.body['problems']).toContainEqual(
      expect.objectContaining({ code: 'no-legal-hour', severity: 'error' }),
    );
  });

  test('let a campaign begin at a time by everybody’s own clock', async () => {
    const { a, send } = { a: api().a, send: api().send };
    const path = `/v1/campaigns/${campaign.campaignId}`;
    const set = (startsAtLocal: string) =>
      send(`PATCH ${path}`, { key: a.admin, body: { startsAtLocal } });
    expect((await set('2027-01-05T10:30')).body).toMatchObject({
      startsAtLocal: '2027-01-05T10:30',
    });
    expect((await set('2027-02-30T10:30')).status).toBe(400);
    expect((await set('2027-01-05T10:30Z')).status).toBe(400);
  });
});
