import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createArchiveActivities } from '../../activities/archives.ts';
import { createExportActivities } from '../../activities/exports.ts';
import { storeInbound } from '../../db/inbound.ts';
import { storeReports } from '../../db/reports.ts';
import { newId } from '../../db/ids.ts';
import type { RetentionRules } from '../../domain/retention.ts';
import { armFaultPoints, FaultError } from '../../faults/points.ts';
import { aCampaign, withTestApi, type TestOrg } from '../api/support.ts';
import { addExport } from '../support/export-rows.ts';
import {
  addOldTexts,
  addStrayReply,
  ageArchives,
  dateOf,
  monthsAgo,
  type OldCampaign,
} from '../support/old-campaign.ts';
import { waitUntil } from '../support/wait-until.ts';
import { Client } from 'pg';

const api = withTestApi();
const RULES: RetentionRules = {
  archiveAfterDays: 90,
  graceDays: 7,
  archivesKeptDays: 0,
  eventsKeptDays: 90,
};
const MONTH = monthsAgo(8);
const NEXT_MONTH = monthsAgo(7);
/** Two days before the month ends: replies come in the next one. */
const LAUNCHED = new Date(NEXT_MONTH.getTime() - 2 * 86_400_000 - 60_000);
const day = 86_400_000;

/** Everything of before is taken away: archives are of the whole deployment. */
beforeEach(async () => {
  const { engine } = api();
  const client = new Client({ connectionString: ownerUrl() });
  await client.connect();
  try {
    await client.query(`do $$ declare t text; begin
      for t in select relname from pg_class where relnamespace = 'detached'::regnamespace and relkind = 'r' loop execute format('drop table detached.%I', t); end loop; end $$`);
    await client.query(
      'truncate archived_month, archive_chunk, archived_conversation, campaign_archive, stored_object, housekeeping_report, message, provider_event, provider_key, inbound_key, answer_current, counter, counter_delta, conversation, conversation_route, campaign_contact, campaign_progress, export, export_chunk, campaign_cursor, campaign cascade',
    );
  } finally {
    await client.end();
  }
  await engine.query(`select ensure_partitions($1::date, 3)::text as done`, dateOf(MONTH));
});
afterEach(() => armFaultPoints([], () => {}));

function ownerUrl(): string {
  const url = new URL(api().engine.url);
  url.username = 'gw_owner';
  return url.href;
}

function activities(rules: Partial<RetentionRules> = {}) {
  return createArchiveActivities({
    database: api().engine,
    storage: api().deps.storage,
    settings: { retention: { ...RULES, ...rules } },
  });
}

type Round = Awaited<ReturnType<ReturnType<typeof activities>['archiveRound']>>;

/** Rounds until nothing is left to do. */
async function runAll(rules: Partial<RetentionRules> = {}): Promise<Round> {
  const total: Record<string, number> = {};
  for (;;) {
    const round = await activities(rules).archiveRound();
    for (const [name, n] of Object.entries(round.done)) total[name] = (total[name] ?? 0) + n;
    if (!round.more) return { ...round, done: total };
  }
}

/** One round after the other, until a month is so far. */
async function runUntil(state: string, month = MONTH): Promise<void> {
  await waitUntil(
    async () => {
      if ((await stateOf(month)) === state) return true;
      await activities().archiveRound();
      return (await stateOf(month)) === state;
    },
    { what: `the month to be ${state}` },
  );
}

async function stateOf(month: Date, parent = 'message'): Promise<string | null> {
  const [row] = await api().engine.query<{ state: string }>(
    'select state from archived_month where parent = $1 and month = $2::date',
    parent,
    dateOf(month),
  );
  return row?.state ?? null;
}

async function addOld(org: TestOrg, people: number): Promise<OldCampaign> {
  const { campaignId, accountId } = await aCampaign(api(), org);
  const campaign: OldCampaign = {
    orgId: org.orgId,
    accountId,
    campaignId,
    launchedAt: LAUNCHED,
    finishedAt: new Date(LAUNCHED.getTime() + 5 * day),
    people,
  };
  await addOldTexts(api().engine, campaign);
  return campaign;
}

async function get(path: string, org = api().a): Promise<string> {
  const answer = await api().send(`GET ${path}`, { key: org.admin });
  return `${answer.status} ${answer.text}`;
}

/** Every page of a list. */
async function pages(path: string): Promise<string[]> {
  const texts: string[] = [];
  let cursor = '';
  for (;;) {
    const answer = await api().send(`GET ${path}${cursor}`, { key: api().a.admin });
    texts.push(`${answer.status} ${answer.text}`);
    if ((answer.body['nextCursor'] ?? null) === null) return texts;
    cursor = `&cursor=${answer.body['nextCursor']}`;
  }
}

async function exportOf(wish: { format: 'csv' | 'ndjson'; campaignId?: string }): Promise<string> {
  const { engine, deps } = api();
  const id = await addExport(engine, api().a.orgId, wish);
  const ended = await createExportActivities({
    database: engine,
    storage: deps.storage,
  }).runExport({ exportId: id });
  const chunks = await engine.query<{ data: Uint8Array }>(
    'select data from export_chunk where export_id = $1::uuid order by n',
    id,
  );
  return `${ended.state} ${ended.rows} ${Buffer.concat(chunks.map(({ data }) => data)).toString()}`;
}

/** All that the API and exports say of a campaign and of its org's texts. */
async function readEverything(campaign: OldCampaign, strayIds: readonly string[] = []) {
  const { campaignId } = campaign;
  const [some, talks] = await Promise.all([
    someTexts(campaignId),
    api().engine.query<{ id: string }>(
      'select id from conversation where org_id = $1::uuid order by id limit 30',
      campaign.orgId,
    ),
  ]);
  return {
    report: await get(`/v1/campaigns/${campaignId}/report`),
    people: await get(`/v1/campaigns/${campaignId}/report.csv`),
    texts: await pages(`/v1/campaigns/${campaignId}/messages?limit=200`),
    unknown: await pages(`/v1/campaigns/${campaignId}/messages?limit=40&state=unknown`),
    all: await pages('/v1/messages?limit=199'),
    received: await pages('/v1/messages?limit=50&state=received'),
    traces: await Promise.all([...some, ...strayIds].map(async (id) => get(`/v1/messages/${id}`))),
    conversations: await Promise.all(talks.map(async ({ id }) => get(`/v1/conversations/${id}`))),
    csv: await exportOf({ format: 'csv', campaignId }),
    ndjson: await exportOf({ format: 'ndjson' }),
  };
}

/** The report, and every text of the campaign, as files. */
async function readFiles({ campaignId }: OldCampaign) {
  return {
    report: await get(`/v1/campaigns/${campaignId}/report`),
    people: await get(`/v1/campaigns/${campaignId}/report.csv`),
    texts: await exportOf({ format: 'ndjson', campaignId }),
  };
}

const chosen = new Map<string, string[]>();

/** A text of each kind, the same ones before and after. */
async function someTexts(campaignId: string): Promise<string[]> {
  const known = chosen.get(campaignId);
  if (known !== undefined) return known;
  const rows = await api().engine.query<{ id: string }>(
    `select distinct on (direction, state, delivery, purpose, try) id from message where campaign_id = $1::uuid order by direction, state, delivery, purpose, try, id`,
    campaignId,
  );
  chosen.set(
    campaignId,
    rows.map(({ id }) => id),
  );
  return rows.map(({ id }) => id);
}

async function count(sql: string, ...parameters: unknown[]): Promise<number> {
  const [row] = await api().engine.query<{ n: number }>(
    `select count(*)::int as n from ${sql}`,
    ...parameters,
  );
  return row?.n ?? -1;
}

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

test('a month that fails keeps no purge, and is told', async () => {
  const campaign = await addOld(api().a, 20);
  const archiveAfterDays = Math.floor((Date.now() - monthsAgo(5).getTime()) / day) + 1;
  await runAll({ archiveAfterDays });
  await api().send(`POST /v1/campaigns/${campaign.campaignId}/purge`, { key: api().a.admin });
  await addStrayReply(api().engine, campaign, new Date(monthsAgo(6).getTime() + day));
  const real = api().deps.storage;
  const { archiveRound } = createArchiveActivities({
    database: api().engine,
    storage: { ...real, put: () => Promise.reject(new Error('the disk is full')) },
    settings: { retention: RULES },
  });
  await expect(
    (async () => {
      while ((await archiveRound()).more);
    })(),
  ).rejects.toThrow('the disk is full');
  expect(await real.list(`${campaign.orgId}/${campaign.campaignId}/`)).toEqual([]);
});

test('what comes for a campaign after its purge is purged with its month', async () => {
  const campaign = await addOld(api().a, 80);
  const { campaignId, orgId } = campaign;
  // The month after the campaign is not old enough yet.
  const archiveAfterDays = Math.floor((Date.now() - monthsAgo(5).getTime()) / day) + 1;
  await runAll({ archiveAfterDays });
  expect([await stateOf(NEXT_MONTH), await stateOf(monthsAgo(6))]).toEqual(['verified', null]);
  await api().send(`POST /v1/campaigns/${campaignId}/purge`, { key: api().a.admin });
  await runAll({ archiveAfterDays });
  expect(await api().deps.storage.list(`${orgId}/`)).toEqual([]);
  const late = await addStrayReply(
    api().engine,
    campaign,
    new Date(monthsAgo(6).getTime() + 3 * day),
  );
  await api().engine.query(
    `update message set campaign_id = $2::uuid where id = $1::uuid returning 1 as done`,
    late.messageId,
    campaignId,
  );
  const { done } = await runAll();
  expect(done).toMatchObject({ filesWritten: 1, filesPurged: 1 });
  expect(await api().deps.storage.list('')).toEqual([]);
  expect(await get(`/v1/messages/${late.messageId}`)).toMatch(/^410 /);
  expect(await get(`/v1/conversations/${late.conversationId}`)).toContain('"textsPurged":true');
});

describe('an archive whose worker is killed', () => {
  test.each([
    ['archive.stored', 1],
    ['archive.stored', 3],
    ['archive.noted', 1],
    ['archive.noted', 4],
    ['archive.detached', 1],
    ['archive.verified', 1],
    ['archive.dropped', 1],
    ['archive.purged', 1],
  ] as const)('at %s, passage %i, ends as an uninterrupted one', async (point, at) => {
    const campaign = await addOld(api().a, 2_100);
    const other = await addOld(api().a, 15);
    const before = await readFiles(campaign);
    const texts = await count('message');
    let struck = 0;
    armFaultPoints([{ point, action: 'fail', at, share: 0 }], () => (struck += 1));
    const runThrough = async (): Promise<void> => {
      for (;;) {
        try {
          return void (await runAll());
        } catch (error) {
          if (!(error instanceof FaultError)) throw error;
        }
      }
    };
    await runThrough();
    await ageArchives(api().engine, 8);
    await runThrough();
    await api().send(`POST /v1/campaigns/${other.campaignId}/purge`, { key: api().a.admin });
    await runThrough();
    await runThrough();
    expect(struck).toBe(1);
    expect(await readFiles(campaign)).toEqual(before);
    const [sums] = await api().engine.query<{ n: number; rows: number }>(
      `select sum(texts)::int as n, (count(*) filter (where purged_at is null))::int as rows from archive_chunk`,
    );
    expect(sums?.n).toBe(texts);
    expect(await api().deps.storage.list('')).toHaveLength(sums?.rows ?? -1);
    expect(await stateOf(MONTH)).toBe('dropped');
    expect(await count(`campaign_archive where purged_at is not null`)).toBe(1);
  });
});

test('two workers that archive at once write nothing twice', async () => {
  const campaign = await addOld(api().a, 2_500);
  const before = await readEverything(campaign);
  const rounds = async (): Promise<void> => {
    for (let n = 0; n < 20; n += 1) await activities().archiveRound();
  };
  await Promise.all([rounds(), rounds()]);
  await runAll();
  expect(await readEverything(campaign)).toEqual(before);
  expect(await stateOf(MONTH)).toBe('verified');
});

test('reports say what was done, and an org sees only its own campaigns in them', async () => {
  const [a, b] = [await addOld(api().a, 3), await addOld(api().b, 3)];
  for (const { campaignId } of [a, b])
    await api().engine.query(
      `update campaign set state = 'paused' where id = $1::uuid returning 1 as done`,
      campaignId,
    );
  const { done, held } = await runAll();
  const startedAt = new Date().toISOString();
  await activities().noteHousekeeping({ job: 'archive', startedAt, done, held, problem: null });
  const answer = await api().send('GET /v1/system/housekeeping?job=archive', {
    key: api().a.admin,
  });
  const { rounds } = answer.body as unknown as { rounds: { items: { held: object[] }[] } };
  expect(rounds.items).toHaveLength(1);
  expect(rounds.items[0]?.held).toContainEqual({
    parent: 'message',
    month: dateOf(MONTH),
    reason: 'campaigns-not-over',
    campaigns: 2,
    campaignIds: [a.campaignId],
  });
  expect((await api().send('GET /v1/system/housekeeping', { key: api().a.write })).status).toBe(
    403,
  );
  expect(await get(`/v1/system/housekeeping?job=${newId()}`)).toMatch(/^400 .*"field":"job"/);
});
