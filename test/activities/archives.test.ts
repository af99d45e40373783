import { describe, expect, test } from 'vitest';
import { storeInbound } from '../../db/inbound.ts';
import { storeReports } from '../../db/reports.ts';
import { addStrayReply, ageArchives, dateOf } from '../support/old-campaign.ts';
import { Client } from 'pg';
import {
  LAUNCHED,
  MONTH,
  NEXT_MONTH,
  addOld,
  api,
  count,
  day,
  get,
  ownerUrl,
  pages,
  readEverything,
  runAll,
  runUntil,
  someTexts,
  stateOf,
} from './archives-support.ts';

describe('an old month', () => {
  test('is answered for in the same words, to the byte, wherever its texts are', async () => {
    const campaign = await addOld(api().a, 2_900);
    await addOld(api().b, 300);
    const stray = await addStrayReply(api().engine, campaign, new Date(MONTH.getTime() + day));
    const read = () => readEverything(campaign, [stray.messageId]);
    const before = await read();
    expect(before.texts.length).toBeGreaterThan(15);
    expect(before.traces.length).toBeGreaterThan(8);
    expect(before.traces.every((trace) => trace.startsWith('200 '))).toBe(true);
    expect(before.report).toContain('"sumsAgree":true');
    const texts = await count('message');
    for (const state of ['written', 'detached', 'verified']) {
      await runUntil(state);
      expect(await read(), `while ${state}`).toEqual(before);
    }
    await runAll();
    expect([await stateOf(MONTH), await stateOf(NEXT_MONTH)]).toEqual(['verified', 'verified']);
    expect(await read()).toEqual(before);
    await ageArchives(api().engine, 8);
    const { done } = await runAll();
    expect(done).toMatchObject({
      filesRestored: 0,
      partitionsDropped: 3,
      partitionsDetached: 3,
    });
    // Events go after the texts that they are about.
    await ageArchives(api().engine, 8);
    expect((await runAll()).done).toEqual({ partitionsDropped: 3 });
    expect([await stateOf(MONTH), await stateOf(MONTH, 'provider_event')]).toEqual([
      'dropped',
      'dropped',
    ]);
    expect(await count('message')).toBe(0);
    expect(await read()).toEqual(before);
    const [kept] = await api().engine.query<{ n: number }>(
      'select sum(texts)::int as n from archive_chunk',
    );
    expect(kept?.n).toBe(texts);
  }, 240_000);

  test('stays while a campaign from then is not over, and the report says which', async () => {
    const campaign = await addOld(api().a, 10);
    await api().engine.query(
      `update campaign set state = 'running', finished_at = null where id = $1::uuid returning 1 as done`,
      campaign.campaignId,
    );
    const { held, done } = await runAll();
    expect(done).toEqual({});
    expect(held).toContainEqual({
      parent: 'message',
      month: dateOf(MONTH),
      reason: 'campaigns-not-over',
      campaigns: 1,
      campaignIds: [campaign.campaignId],
    });
    expect(held.map(({ reason }) => reason)).toContain('texts-not-archived');
  });

  test('stays while a text of it may still be sent or settled', async () => {
    await addOld(api().a, 10);
    await api().engine.query(
      `update message set reconcile_at = now() where state = 'unknown' returning 1 as done`,
    );
    const { held } = await runAll();
    expect(held).toContainEqual(
      expect.objectContaining({ parent: 'message', month: dateOf(MONTH), reason: 'open-texts' }),
    );
  });

  test('waits for whoever reads it, and nobody waits for it', async () => {
    await addOld(api().a, 10);
    await runUntil('written');
    const reader = new Client({ connectionString: api().engine.url });
    await reader.connect();
    try {
      await reader.query('begin');
      await reader.query('select count(*) from message');
      const { busy, held } = await runAll();
      expect(busy).toBe(true);
      expect(held).toContainEqual(expect.objectContaining({ reason: 'lock-busy' }));
      expect(await stateOf(MONTH)).toBe('written');
    } finally {
      await reader.end();
    }
    await runAll();
    expect(await stateOf(MONTH)).toBe('verified');
  });

  test('is not touched while the database is in safe mode', async () => {
    await addOld(api().a, 10);
    const safe = (at: string) =>
      api().engine.query(`update deployment set safe_mode_at = ${at} returning 1 as done`);
    await safe('now()');
    expect(await runAll()).toEqual({ more: false, busy: false, done: {}, held: [] });
    await safe('null');
    expect(await stateOf(MONTH)).toBeNull();
  });

  test('that an operator attached again is read from its rows, and left alone', async () => {
    const campaign = await addOld(api().a, 30);
    const before = await readEverything(campaign);
    await runAll();
    const owner = new Client({ connectionString: ownerUrl() });
    await owner.connect();
    await owner.query(`select attach_month('message', $1::date)`, [dateOf(MONTH)]);
    await owner.end();
    expect(await readEverything(campaign)).toEqual(before);
    const { held } = await runAll();
    expect(held).toContainEqual(
      expect.objectContaining({ month: dateOf(MONTH), reason: 'kept-by-operator' }),
    );
  });
});

describe('what comes late', () => {
  test('before a month is detached is in its files, though they were written before', async () => {
    const campaign = await addOld(api().a, 600);
    await runUntil('written');
    const [text] = await api().engine.query<{ id: string; sid: string }>(
      `select id, provider_message_id as sid from message where campaign_id = $1::uuid and delivery = 'failed' limit 1`,
      campaign.campaignId,
    );
    await storeReports(api().engine, [
      {
        accountId: campaign.accountId,
        orgId: campaign.orgId,
        messageId: text?.id ?? '',
        providerMessageId: text?.sid ?? '',
        status: 'delivered',
        errorCode: null,
      },
    ]);
    const before = await readEverything(campaign);
    const { done } = await runAll();
    expect(done['filesCorrected']).toBe(1);
    expect(await readEverything(campaign)).toEqual(before);
  });

  test('after it is kept, changes nothing, and is never a second text', async () => {
    const campaign = await addOld(api().a, 40);
    const before = await readEverything(campaign);
    const [text] = await api().engine.query<{ id: string; sid: string; talk: string; to: string }>(
      `select id, provider_message_id as sid, conversation_id as talk, address as "to" from message
        where campaign_id = $1::uuid and state = 'accepted' and purpose = 'campaign' and delivery = 'failed' limit 1`,
      campaign.campaignId,
    );
    if (text === undefined) throw new Error('no text');
    await api().engine.query(
      `insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
       values ($1::uuid, '+12125550101', $2, $3::uuid, $4::uuid, $5::timestamptz) returning 1 as done`,
      campaign.accountId,
      text.to,
      campaign.orgId,
      text.talk,
      LAUNCHED,
    );
    await runAll();
    const report = {
      accountId: campaign.accountId,
      orgId: campaign.orgId,
      messageId: text.id,
      providerMessageId: text.sid,
      status: 'delivered',
      errorCode: null,
    };
    await storeReports(api().engine, [report]);
    expect(await count(`provider_event where detail->>'named' = $1`, text.id)).toBe(1);
    expect(await readEverything(campaign)).toEqual(before);
    const arrival = {
      accountId: campaign.accountId,
      orgId: campaign.orgId,
      orgName: 'Org A',
      providerMessageId: `SM${'7'.repeat(32)}`,
      address: text.to,
      sender: '+12125550101',
      body: 'Yes, am I late?',
      media: [],
      providerKeyword: null,
      receivedAt: new Date(),
      timed: true,
    } as const;
    await storeInbound(api().engine, [arrival]);
    await storeInbound(api().engine, [arrival]);
    const talk = await get(`/v1/conversations/${text.talk}`);
    expect(talk).toContain('Yes, am I late?');
    expect(talk).toContain(text.id);
    expect(await count(`message where direction = 'outbound'`)).toBe(0);
    expect(await count(`message where direction = 'inbound'`)).toBe(1);
  });
});

describe('an archive', () => {
  test('whose file was changed or is gone is not taken for whole', async () => {
    const campaign = await addOld(api().a, 20);
    await runAll();
    const [key = ''] = await api().deps.storage.list(`${campaign.orgId}/${campaign.campaignId}/`);
    await api().deps.storage.delete(key);
    expect(await get(`/v1/campaigns/${campaign.campaignId}/messages`)).toMatch(/^500 /);
  });

  test('that lost files since it was verified has them again before its rows are dropped', async () => {
    const campaign = await addOld(api().a, 2_100);
    const before = await readEverything(campaign);
    await runAll();
    const { storage } = api().deps;
    const [first = '', second = ''] = await storage.list(`${campaign.orgId}/`);
    await storage.delete(first);
    await storage.put(second, Buffer.from('not what it was'));
    await ageArchives(api().engine, 8);
    const { done } = await runAll();
    expect(done).toMatchObject({ filesRestored: 2, partitionsDropped: 3 });
    expect(await stateOf(MONTH)).toBe('dropped');
    expect(await readEverything(campaign)).toEqual(before);
  });

  test('whose text changed after it was written has a file of its own for it', async () => {
    const campaign = await addOld(api().a, 20);
    await runUntil('written');
    const written = await api().deps.storage.list(`${campaign.orgId}/`);
    const [textId = ''] = await someTexts(campaign.campaignId);
    await api().engine.query(
      `update message set error_code = 30003 where id = $1::uuid returning 1 as done`,
      textId,
    );
    await runAll();
    const all = await api().deps.storage.list(`${campaign.orgId}/`);
    expect(all).toEqual(expect.arrayContaining(written));
    expect(all.length).toBeGreaterThan(written.length);
    expect(await get(`/v1/messages/${textId}`)).toContain('30003');
  });

  test('that was purged before its rows are dropped is not written again', async () => {
    const campaign = await addOld(api().a, 80);
    await runAll();
    await api().send(`POST /v1/campaigns/${campaign.campaignId}/purge`, { key: api().a.admin });
    await runAll();
    await ageArchives(api().engine, 8);
    const { done } = await runAll();
    expect(done['filesRestored'] ?? 0).toBe(0);
    expect(await stateOf(MONTH)).toBe('dropped');
    expect(await api().deps.storage.list('')).toEqual([]);
  });

  test('is shown to its own org alone', async () => {
    const campaign = await addOld(api().a, 20);
    const [textId = ''] = await someTexts(campaign.campaignId);
    await runAll();
    const { b } = api();
    expect(await get(`/v1/messages/${textId}`)).toMatch(/^200 /);
    for (const path of [
      `/v1/messages/${textId}`,
      `/v1/campaigns/${campaign.campaignId}/messages`,
      `/v1/campaigns/${campaign.campaignId}/report`,
    ])
      expect(await get(path, b)).toMatch(/^404 /);
    expect(await get('/v1/messages', b)).toBe('200 {"items":[],"nextCursor":null}');
  });

  test('that is purged answers 410, and its report stays', async () => {
    const campaign = await addOld(api().a, 80);
    const other = await addOld(api().a, 20);
    const before = await readEverything(campaign);
    const path = `/v1/campaigns/${campaign.campaignId}`;
    const purge = (key: string, headers = {}) => api().send(`POST ${path}/purge`, { key, headers });
    const early = await purge(api().a.admin);
    expect([early.status, early.body['code']]).toEqual([409, 'campaign-state']);
    await runAll();
    expect((await purge(api().a.write)).status).toBe(403);
    expect((await purge(api().b.admin)).status).toBe(404);
    const keyed = { 'Idempotency-Key': 'purge-once' };
    const asked = await purge(api().a.admin, keyed);
    expect([asked.status, asked.body['archive']]).toEqual([
      200,
      { state: 'purging', archivedAt: expect.any(String), purgedAt: null },
    ]);
    expect((await purge(api().a.admin, keyed)).body).toEqual(asked.body);
    expect((await purge(api().a.admin)).status).toBe(409);
    const [textId = ''] = await someTexts(campaign.campaignId);
    const gone = async () => {
      for (const place of [`${path}/messages`, `/v1/messages/${textId}`]) {
        expect(await get(place)).toMatch(/^410 .*texts-purged/);
      }
      const exported = await api().send('POST /v1/exports', {
        key: api().a.admin,
        body: { kind: 'messages', format: 'csv', campaignId: campaign.campaignId },
      });
      expect([exported.status, exported.body['code']]).toEqual([410, 'texts-purged']);
      expect(await get(`${path}/report`)).toBe(before.report);
      expect(await get(`${path}/report.csv`)).toBe(before.people);
      expect((await pages('/v1/messages?limit=200')).join('')).not.toContain(campaign.campaignId);
    };
    await gone();
    const prefix = `${campaign.orgId}/${campaign.campaignId}/`;
    expect((await runAll()).done['filesPurged']).toBe(2);
    expect(await api().deps.storage.list(prefix)).toEqual([]);
    await gone();
    expect(await get(path)).toContain('"state":"purging"');
    await ageArchives(api().engine, 8);
    const { done } = await runAll();
    expect(done['campaignsPurged']).toBe(1);
    expect(await get(path)).toContain('"state":"purged"');
    expect(await get(`/v1/campaigns/${other.campaignId}/messages`)).toMatch(/^200 /);
    expect(
      await count(
        `audit_log where action = 'campaign.purge' and object_id = $1::uuid`,
        campaign.campaignId,
      ),
    ).toBe(1);
  });

  test('is purged by itself when it was kept for long enough, campaigns or not', async () => {
    const campaign = await addOld(api().a, 80);
    await addStrayReply(api().engine, campaign, new Date(MONTH.getTime() + day));
    await runAll({ archivesKeptDays: 365 });
    expect(await api().deps.storage.list(campaign.orgId)).toHaveLength(3);
    await ageArchives(api().engine, 364);
    await runAll({ archivesKeptDays: 365 });
    expect(await api().deps.storage.list(campaign.orgId)).toHaveLength(3);
    await ageArchives(api().engine, 2);
    const { done } = await runAll({ archivesKeptDays: 365 });
    expect(done).toMatchObject({ purgesBegun: 1, filesPurged: 3, campaignsPurged: 1 });
    expect(await api().deps.storage.list('')).toEqual([]);
    expect(await get('/v1/messages')).toContain('"items":[]');
  });
});
