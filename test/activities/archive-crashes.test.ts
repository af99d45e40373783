import { describe, expect, test } from 'vitest';
import { createArchiveActivities } from '../../activities/archives.ts';
import { newId } from '../../db/ids.ts';
import { armFaultPoints, FaultError } from '../../faults/points.ts';
import { addStrayReply, ageArchives, dateOf, monthsAgo } from '../support/old-campaign.ts';
import {
  MONTH,
  NEXT_MONTH,
  RULES,
  activities,
  addOld,
  api,
  count,
  day,
  get,
  readEverything,
  readFiles,
  runAll,
  stateOf,
} from './archives-support.ts';

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
