import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { changeCampaign, skipPlanned } from '../../db/campaigns.ts';
import { causeId } from '../../db/ids.ts';
import {
  findPlanningCampaign,
  freezeAudience,
  listAudience,
  listCursors,
  markPlannedAll,
  planTexts,
} from '../../db/planning.ts';
import { aCampaign, createSend, phoneOf, withTestApi, type TestCampaign } from './support.ts';

const api = withTestApi();
const NOBODY = '01900000-0000-8000-8000-000000000000';
const write = (route: string, body?: unknown) =>
  api().send(route, { key: api().a.write, ...(body === undefined ? {} : { body }) });
const act = (campaign: TestCampaign, action: string, body?: unknown) =>
  write(`POST /v1/campaigns/${campaign.campaignId}/${action}`, body);

async function aLaunchedCampaign(people?: readonly string[]): Promise<TestCampaign> {
  const campaign = await aCampaign(api(), api().a, people === undefined ? {} : { people });
  for (const action of ['check', 'launch']) {
    const answer = await act(campaign, action);
    if (answer.status !== 200) throw new Error(`could not ${action}: ${answer.text}`);
  }
  return campaign;
}

/** Starts a launched campaign and plans its first texts, as the engine does. */
async function plan({ campaignId }: TestCampaign): Promise<void> {
  const { engine } = api();
  const launched = await findPlanningCampaign(engine, campaignId);
  if (launched === null) throw new Error('the campaign is not launched');
  await freezeAudience(engine, {
    campaignId,
    launchedAt: launched.launched_at,
    startMode: 'first_reply',
  });
  await changeCampaign(engine, { campaignId, action: 'start', actor: 'engine' });
  const running = await findPlanningCampaign(engine, campaignId);
  await engine.query(
    `update campaign_cursor set opens_at = now(), closes_at = now() + interval '8 hours' where campaign_id = $1::uuid returning 1 as done`,
    campaignId,
  );
  for (const cursor of await listCursors(engine, campaignId)) {
    const slice = { campaignId, zoneSetId: cursor.zone_set_id, fromSeq: 1, toSeq: cursor.size };
    const people = await listAudience(engine, slice);
    await planTexts(engine, {
      ...slice,
      nextSeq: cursor.size + 1,
      fence: running?.fence ?? 0,
      driver: 'pool',
      priority: 3,
      step: 'hello',
      notAfter: new Date(Date.now() + 3_600_000),
      texts: people.map((person) => ({
        id: causeId(launched.launched_at.getTime(), 'campaign-text', person.id, 'hello', 0, 1),
        conversationId: person.id,
        contactId: person.contact_id,
        address: person.e164,
        body: 'Hello',
        encoding: 'gsm7',
        segments: 1,
        skipReason: null,
      })),
    });
  }
  await markPlannedAll(engine, campaignId);
}

describe('a campaign', () => {
  test('is a draft with defaults, and shows what it was given', async () => {
    const campaign = await aCampaign(api(), api().a);
    const { body } = await write(`GET /v1/campaigns/${campaign.campaignId}`);
    expect(body).toMatchObject({
      id: campaign.campaignId,
      state: 'draft',
      fence: 0,
      accountId: campaign.accountId,
      startMode: 'auto',
      unknownPolicy: 'confirmed_absent',
      textingHours: { start: '09:00', end: '20:00', days: [1, 2, 3, 4, 5, 6], blackoutDates: [] },
      segmentsPerSecond: null,
      replyWindowSeconds: 259_200,
      programme: null,
      startsAt: null,
      temporalUrl: null,
    });
    expect((await write('GET /v1/campaigns')).body['items']?.[0]).toEqual(body);
  });

  test('keeps every setting that it was given', async () => {
    const settings = {
      textingHours: { start: '08:30', end: '24:00', days: [7, 1], blackoutDates: ['2026-12-25'] },
      startMode: 'first_text',
      unknownPolicy: 'at_most_once',
      segmentsPerSecond: 0.5,
      replyWindowSeconds: 60,
      startsAt: '2027-01-01T10:00:00+02:00',
      programme: 'alerts',
    };
    const { campaignId } = await aCampaign(api(), api().a, { campaign: settings });
    expect((await write(`GET /v1/campaigns/${campaignId}`)).body).toMatchObject({
      ...settings,
      textingHours: { ...settings.textingHours, days: [1, 7] },
      startsAt: '2027-01-01T08:00:00.000Z',
    });
  });

  test.each([
    [{ textingHours: { start: '24:00', end: '20:00', days: [1], blackoutDates: [] } }],
    [{ textingHours: { start: '09:00', end: '00:00', days: [1], blackoutDates: [] } }],
    [{ textingHours: { start: '09:00', end: '20:00', days: [8], blackoutDates: [] } }],
    [{ textingHours: { start: '09:00', end: '20:00', days: [], blackoutDates: [] } }],
    [{ textingHours: { start: '09:00', end: '20:00', days: [1], blackoutDates: ['2026-02-30'] } }],
    [{ segmentsPerSecond: 0 }],
    [{ replyWindowSeconds: 0 }],
    [{ unknownPolicy: 'hope' }],
    [{ startsAt: 'tomorrow' }],
  ])('refuses %j', async (settings) => {
    const { campaignId } = await aCampaign(api(), api().a);
    const answer = await write(`PATCH /v1/campaigns/${campaignId}`, settings);
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-request']);
  });

  test('names what it needs and does not find', async () => {
    const answer = await write('POST /v1/campaigns', {
      name: 'X',
      listId: NOBODY,
      scriptVersionId: NOBODY,
      poolId: NOBODY,
    });
    const fields = (answer.body['errors'] as unknown as { field: string }[]).map(
      ({ field }) => field,
    );
    expect([answer.status, fields]).toEqual([404, ['listId', 'scriptVersionId', 'poolId']]);
  });

  test('that is changed must be checked anew; what is not named stays', async () => {
    const campaign = await aCampaign(api(), api().a, { campaign: { programme: 'alerts' } });
    await act(campaign, 'check');
    const path = `/v1/campaigns/${campaign.campaignId}`;
    const patched = await write(`PATCH ${path}`, { name: 'New', segmentsPerSecond: 2 });
    expect(patched.body).toMatchObject({
      state: 'draft',
      name: 'New',
      segmentsPerSecond: 2,
      programme: 'alerts',
    });
    expect((await write(`PATCH ${path}`, { programme: null })).body['programme']).toBeNull();
    expect((await write(`PATCH ${path}`, { listId: NOBODY })).status).toBe(404);
  });
});

describe('a preview', () => {
  test('says who gets what, at what cost, until when', async () => {
    const { engine, a } = api();
    const graph = {
      start: 'hello',
      steps: { hello: { text: 'Hi {{first_name}} ✊ Reply STOP to opt out.' } },
    };
    const campaign = await aCampaign(api(), a, { people: ['Ada', 'Bo', 'Cy', ''], graph });
    await engine.query(
      `insert into suppression (id, org_id, scope, address, reason, source)
       select gen_random_uuid(), $1::uuid, 'org', k.e164, 'stop', 'reply' from contact k join contact_list_member m on m.contact_id = k.id
        where m.list_id = $2::uuid and k.first_name = 'Cy' returning 1`,
      a.orgId,
      campaign.listId,
    );
    const { status, body } = await write(`GET /v1/campaigns/${campaign.campaignId}/preview`);
    const samples = body['samples'] as unknown as object[];
    expect(status).toBe(200);
    expect(body).toMatchObject({
      audience: { size: 3, leftOut: { opted_out: 1 } },
      segments: { total: 2, average: 1, gsm7Texts: 0, ucs2Texts: 2, exact: true },
      estimate: { amountMicros: '16600', currency: 'USD' },
      rate: { segmentsPerSecond: 1 },
      startMode: 'first_text',
      problems: [{ code: 'missing-merge-field', severity: 'warning' }],
    });
    expect(samples).toHaveLength(3);
    expect(samples[0]).toEqual({
      contactId: expect.any(String),
      body: 'Hi Ada ✊ Reply STOP to opt out.',
      encoding: 'ucs2',
      segments: 1,
      missing: [],
    });
    expect(samples[2]).toMatchObject({ body: null, segments: 0, missing: ['first_name'] });
    const finish = new Date(body['projectedFinishAt'] ?? '').getTime();
    expect(Math.abs(finish - Date.now() - 2_000)).toBeLessThan(2_000);
  });

  test('takes samples from the whole list', async () => {
    const people = Array.from({ length: 95 }, (_, index) => `P${index}`);
    const { campaignId } = await aCampaign(api(), api().a, { people });
    const { body } = await write(`GET /v1/campaigns/${campaignId}/preview`);
    const bodies = (body['samples'] as unknown as { body: string }[]).map((sample) => sample.body);
    expect(bodies).toHaveLength(10);
    expect(bodies[0]).toContain('P0,');
    expect(bodies[9]).toContain('P81,');
  });

  test('starts by replies when it is faster than workflows can start', async () => {
    const { campaignId, poolId } = await aCampaign(api(), api().a);
    const senders = [{ e164: '+12125550190', segmentsPerSecond: 100 }];
    await write(`POST /v1/sender-pools/${poolId}/senders`, { senders });
    const path = `/v1/campaigns/${campaignId}`;
    expect((await write(`GET ${path}/preview`)).body['startMode']).toBe('first_reply');
    await write(`PATCH ${path}`, { segmentsPerSecond: 20 });
    expect((await write(`GET ${path}/preview`)).body['startMode']).toBe('first_text');
  });

  test('prefers the org’s own price', async () => {
    const { engine, a } = api();
    await engine.query(
      `insert into rate_card (id, org_id, provider, country, direction, price_micros, currency, source, valid_from)
       values (gen_random_uuid(), $1::uuid, 'twilio', null, 'outbound', 5000, 'EUR', 'contract', '2025-01-01') returning 1`,
      a.orgId,
    );
    const { campaignId } = await aCampaign(api(), a);
    const { body } = await write(`GET /v1/campaigns/${campaignId}/preview`);
    await engine.query('delete from rate_card where org_id = $1::uuid returning 1', a.orgId);
    expect(body['estimate']).toEqual({
      amountMicros: '15000',
      currency: 'EUR',
      source: 'contract',
    });
  });
});

describe('a check', () => {
  test('lets a campaign be launched, once', async () => {
    const campaign = await aCampaign(api(), api().a);
    const checked = await act(campaign, 'check');
    expect([checked.status, checked.body['state'], checked.body['fence']]).toEqual([
      200,
      'checked',
      1,
    ]);
    const again = await act(campaign, 'check');
    expect([again.status, again.body['code']]).toEqual([409, 'campaign-state']);
  });

  test.each([
    ['empty-audience', { people: [] }, ''],
    [
      'no-active-sender',
      {},
      `update sender set state = 'stopped' where pool_id = $1::uuid returning 1`,
    ],
    [
      'account-stopped',
      {},
      `update provider_account set state = 'stopped' where id = (select account_id from sender_pool where id = $1::uuid) returning 1`,
    ],
    [
      'no-legal-hour',
      {
        campaign: {
          textingHours: {
            start: '09:00',
            end: '20:00',
            days: [1, 2, 3, 4, 5, 6, 7],
            blackoutDates: Array.from({ length: 14 }, (_, day) =>
              new Date(Date.now() + (day - 2) * 86_400_000).toISOString().slice(0, 10),
            ),
          },
        },
      },
      '',
    ],
    [
      'missing-merge-field',
      { graph: { start: 'a', steps: { a: { text: 'Hi {{shoe_size}}. Reply STOP to opt out.' } } } },
      '',
    ],
  ])('finds %s', async (code, options, sql) => {
    const campaign = await aCampaign(api(), api().a, options);
    if (sql !== '') await api().engine.query(sql, campaign.poolId);
    const answer = await act(campaign, 'check');
    const fields = (answer.body['errors'] as unknown as { field: string }[]).map(
      ({ field }) => field,
    );
    expect([answer.status, answer.body['code'], fields]).toEqual([
      422,
      'campaign-not-ready',
      [code],
    ]);
    const launch = await act(campaign, 'launch');
    expect([launch.status, launch.body['code']]).toEqual([409, 'campaign-state']);
  });

  test('finds a policy that the provider cannot keep', async () => {
    const campaign = await aCampaign(api(), api().a);
    const app = createApp({ ...api().deps, listsSentTexts: () => false });
    const options = { key: api().a.write };
    const path = `POST /v1/campaigns/${campaign.campaignId}/check`;
    const answer = await createSend(app)(path, options);
    expect(answer.body['errors']?.[0]).toMatchObject({ field: 'unknown-policy-unsupported' });
  });
});

describe('a launched campaign', () => {
  test('is rung, linked and cannot be edited', async () => {
    const rung = api().notified.count;
    const campaign = await aLaunchedCampaign();
    const path = `/v1/campaigns/${campaign.campaignId}`;
    const { body } = await write(`GET ${path}`);
    expect(body).toMatchObject({ state: 'launched', fence: 2, launchedAt: expect.any(String) });
    expect(body['temporalUrl']).toBe(
      `http://127.0.0.1:8233/namespaces/default/workflows/campaign%2F${campaign.campaignId}`,
    );
    expect(api().notified.count).toBeGreaterThan(rung);
    const edit = await write(`PATCH ${path}`, { name: 'Too late' });
    expect([edit.status, edit.body['code'], edit.body['detail']]).toEqual([
      409,
      'campaign-state',
      'The campaign is launched, which does not allow to edit. It allows: pause, cancel.',
    ]);
  });

  test.each(['pause', 'cancel'])(
    'answers a %s 600 ms after the change, with what is sending',
    async (action) => {
      const campaign = await aLaunchedCampaign();
      await plan(campaign);
      await api().engine.query(
        `update message set state = 'sending', sender = '+12125550100', lease_until = now() + interval '1 minute'
        where id = (select min(id::text)::uuid from message where campaign_id = $1::uuid) returning 1`,
        campaign.campaignId,
      );
      const from = performance.now();
      const answer = await act(campaign, action, { reason: 'typo' });
      expect(performance.now() - from).toBeGreaterThanOrEqual(599);
      const state = action === 'pause' ? 'paused' : 'cancelled';
      expect([answer.status, answer.body]).toEqual([
        200,
        { id: campaign.campaignId, state, fence: 4, sending: 1 },
      ]);
      const [audit] = await api().engine.query<{ actor: string; detail: object }>(
        'select actor, detail from audit_log where object_id = $1::uuid and action = $2',
        campaign.campaignId,
        `campaign.${action}`,
      );
      expect(audit).toMatchObject({
        actor: expect.stringMatching(/^key:/),
        detail: { reason: 'typo' },
      });
    },
  );

  test('is resumed into the state that it was paused from', async () => {
    const campaign = await aLaunchedCampaign();
    await act(campaign, 'pause');
    const resumed = await act(campaign, 'resume');
    expect([resumed.status, resumed.body['state']]).toEqual([200, 'launched']);
  });

  test.each(['launch', 'resume', 'check'])('does not allow to %s', async (action) => {
    const answer = await act(await aLaunchedCampaign(), action);
    expect([answer.status, answer.body['code']]).toEqual([409, 'campaign-state']);
  });

  test('closes its replies; a draft does not', async () => {
    const campaign = await aLaunchedCampaign();
    const closed = await act(campaign, 'close-replies');
    expect([closed.status, typeof closed.body['repliesClosedAt']]).toEqual([200, 'string']);
    const draft = await act(await aCampaign(api(), api().a), 'close-replies');
    expect([draft.status, draft.body['code']]).toEqual([409, 'campaign-state']);
  });
});

describe('the rate of a campaign', () => {
  const withUpdate = (updateCampaignRate: () => Promise<{ segmentsPerSecond: number }>) =>
    createSend(createApp({ ...api().deps, temporal: { updateCampaignRate } }));

  test('is set by its workflow and audited', async () => {
    const { campaignId } = await aLaunchedCampaign();
    const answer = await write(`PUT /v1/campaigns/${campaignId}/rate`, { segmentsPerSecond: 3 });
    expect([answer.status, answer.body]).toEqual([200, { segmentsPerSecond: 3 }]);
    const rows = await api().engine.query(
      `select detail from audit_log where object_id = $1::uuid and action = 'campaign.set_rate'`,
      campaignId,
    );
    expect(rows).toEqual([{ detail: { segmentsPerSecond: 3 } }]);
  });

  test.each([
    [new WorkflowUpdateFailedError('no', new Error('too fast')), 422, 'rate-refused'],
    [new WorkflowNotFoundError('none', 'campaign/x', undefined), 409, 'campaign-state'],
    [new Error('14 UNAVAILABLE'), 503, 'unavailable'],
  ])('where its workflow says %s is %i', async (error, status, code) => {
    const { campaignId } = await aLaunchedCampaign();
    const send = withUpdate(async () => {
      throw error;
    });
    const answer = await send(`PUT /v1/campaigns/${campaignId}/rate`, {
      key: api().a.write,
      body: { segmentsPerSecond: 3 },
    });
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
  });

  test('before the launch is a setting', async () => {
    const { campaignId } = await aCampaign(api(), api().a);
    const answer = await write(`PUT /v1/campaigns/${campaignId}/rate`, { segmentsPerSecond: 3 });
    expect([answer.status, answer.body['code']]).toEqual([409, 'campaign-state']);
  });
});

describe('progress and report', () => {
  test('before the start are zeros', async () => {
    const { campaignId } = await aCampaign(api(), api().a);
    const { body } = await write(`GET /v1/campaigns/${campaignId}/progress`);
    expect(body).toMatchObject({ state: 'draft', startMode: 'auto', audience: 0, optOuts: 0 });
    expect(body['texts']).toMatchObject({ planned: 0, total: 0 });
  });

  test('agree once nothing is open', async () => {
    const campaign = await aLaunchedCampaign(['Ada', 'Bo']);
    await plan(campaign);
    const path = `/v1/campaigns/${campaign.campaignId}`;
    const open = await write(`GET ${path}/report`);
    expect(open.body).toMatchObject({
      startMode: 'first_reply',
      audience: 2,
      texts: { planned: 2, total: 2 },
      ledger: { planned: 2, total: 2 },
      sumsAgree: false,
    });
    await act(campaign, 'cancel');
    await skipPlanned(api().engine, campaign.campaignId, 'cancelled');
    const done = await write(`GET ${path}/report`);
    expect(done.body).toMatchObject({
      state: 'cancelled',
      texts: { planned: 0, skipped: 2 },
      ledger: { planned: 0, skipped: 2, total: 2 },
      skips: { cancelled: 2 },
      sumsAgree: true,
    });
    expect((await write(`GET ${path}/progress`)).body['texts']).toEqual(done.body['texts']);
  });

  test('see where counters and ledger differ', async () => {
    const campaign = await aLaunchedCampaign(['Ada']);
    await plan(campaign);
    const { engine } = api();
    await engine.query(
      `update message set state = 'skipped', reason = 'x' where campaign_id = $1::uuid returning 1`,
      campaign.campaignId,
    );
    const { body } = await write(`GET /v1/campaigns/${campaign.campaignId}/report`);
    expect(body['sumsAgree']).toBe(false);
  });

  test('count replies, answers, deliveries and opt-outs', async () => {
    const campaign = await aLaunchedCampaign(['Ada']);
    await plan(campaign);
    await api().engine.query(
      `insert into counter_delta (org_id, campaign_id, kind, value, n)
       select $1::uuid, $2::uuid, v.* from (values ('reply', 'none', 2), ('reply', 'stop', 1), ('answer', 'hello=yes', 2),
         ('answer', 'hello=a=b', 1), ('delivery', 'delivered', 1), ('delivery', 'sent', 0), ('optout', 'reply', 1)) v returning 1`,
      api().a.orgId,
      campaign.campaignId,
    );
    const { body } = await write(`GET /v1/campaigns/${campaign.campaignId}/progress`);
    expect(body).toMatchObject({
      replies: { total: 3, byKind: { none: 2, stop: 1 } },
      answers: { hello: { yes: 2, 'a=b': 1 } },
      delivery: { delivered: 1, sent: 0 },
      optOuts: 1,
    });
  });

  test('say of every person what became of them', async () => {
    const campaign = await aLaunchedCampaign(['Ada', 'Bo']);
    await plan(campaign);
    const { engine, a } = api();
    await engine.query(
      `insert into answer_current (conversation_id, step, org_id, campaign_id, answer, inbound_id, at)
       select c.id, 'hello', c.org_id, c.campaign_id, 'yes', gen_random_uuid(), now() from campaign_contact c
        where c.campaign_id = $1::uuid and c.seq = 2 returning 1`,
      campaign.campaignId,
    );
    const csv = await api().send(`GET /v1/campaigns/${campaign.campaignId}/report.csv`, {
      key: a.read,
    });
    const [header = '', ...lines] = csv.text.trimEnd().split('\r\n');
    expect(header.split(',').slice(2, 8)).toEqual([
      'phone',
      'state',
      'delivery',
      'reason',
      'error_code',
      'segments',
    ]);
    expect(header.endsWith('opted_out,conversation_state,answer:hello')).toBe(true);
    expect(lines.map((line) => line.split(',').slice(2))).toEqual([
      [expect.stringMatching(/^\+1212/), 'planned', 'none', '', '', '1', 'no', '', ''],
      [expect.stringMatching(/^\+1212/), 'planned', 'none', '', '', '1', 'no', '', 'yes'],
    ]);
    expect(phoneOf(1, 1)).not.toBe(phoneOf(1, 2));
  });
});

test.each(['check', 'launch', 'pause', 'resume', 'cancel', 'close-replies'])(
  '%s of a campaign that is not there is 404',
  async (action) => {
    const answer = await write(`POST /v1/campaigns/${NOBODY}/${action}`);
    expect([answer.status, answer.body['code']]).toEqual([404, 'not-found']);
  },
);
