import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { brake } from '../../activities/campaign-brakes.ts';
import { noteProjection, pace } from '../../activities/campaign-pace.ts';
import { createCampaignActivities, type RunCampaignResult } from '../../activities/campaigns.ts';
import { createSendingActivities } from '../../activities/sending.ts';
import { changeCampaign, READ_COUNTERS, type CounterRow } from '../../db/campaigns.ts';
import { newId } from '../../db/ids.ts';
import { findPlanningCampaign, listCursors, type PlanningCampaign } from '../../db/planning.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();
const HOUR_MS = 3_600_000;

const deps = () => createActivityDeps(ledger(), createScriptedProvider());

async function planningCampaign({ id }: Pick<TestCampaign, 'id'>): Promise<PlanningCampaign> {
  const campaign = await findPlanningCampaign(ledger().database, id);
  if (campaign === null) throw new Error('no campaign');
  return campaign;
}

async function set(campaign: TestCampaign, assignments: string): Promise<void> {
  await ledger().database.query(
    `update campaign set ${assignments} where id = $1::uuid returning 1 as done`,
    campaign.id,
  );
}

async function count(
  campaign: TestCampaign,
  counts: readonly (readonly [string, string, number])[],
) {
  for (const [kind, value, n] of counts) {
    await ledger().database.query(
      `insert into counter_delta (org_id, campaign_id, kind, value, n) values ($1::uuid, $2::uuid, $3, $4, $5::int) returning 1 as done`,
      ledger().orgId,
      campaign.id,
      kind,
      value,
      n,
    );
  }
}

function readCounters({ id }: TestCampaign): Promise<CounterRow[]> {
  return ledger().database.query<CounterRow>(READ_COUNTERS, id);
}

/** A campaign with one zone set, open around the clock, of whose people nobody is planned. */
async function unplanned(people: number): Promise<TestCampaign> {
  const campaign = await ledger().addCampaign({ people });
  const { database } = ledger();
  await database.query(
    'delete from message where campaign_id = $1::uuid returning 1 as done',
    campaign.id,
  );
  await database.query(
    `insert into campaign_cursor (campaign_id, zone_set_id, org_id, size, opens_at, closes_at)
     select $1::uuid, id, $2::uuid, $3::int, now() - interval '1 hour', now() + interval '20 hours' from zone_set limit 1 returning 1 as done`,
    campaign.id,
    ledger().orgId,
    people,
  );
  return campaign;
}

async function paceOf(campaign: TestCampaign): Promise<number> {
  const cursors = await listCursors(ledger().database, campaign.id);
  return pace(deps(), await planningCampaign(campaign), cursors);
}

describe('a campaign’s brakes', () => {
  const step = async (campaign: TestCampaign): Promise<boolean> =>
    brake(deps(), await planningCampaign(campaign), await readCounters(campaign));
  const stateOf = async (campaign: TestCampaign) => {
    const [row] = await ledger().database.query<{ state: string; reason: string | null }>(
      'select state::text as state, state_reason as reason from campaign where id = $1::uuid',
      campaign.id,
    );
    return row;
  };

  test.each([
    ['texts that are refused', [['state', 'rejected', 120]], '120 of the last 320 texts failed'],
    [
      'texts that do not arrive',
      [['delivery', 'undelivered', 70]],
      '70 of the last 200 texts failed',
    ],
    [
      'texts that carriers filter',
      [['error', '30007', 11]],
      '11 of the last 200 texts were refused by carriers',
    ],
    ['opt-outs', [['optout', 'reply', 31]], '31 of the last 200 texts made people opt out'],
  ] as const)('pause it on a spike of %s', async (_name, spike, reason) => {
    const campaign = await ledger().addCampaign();
    expect(await step(campaign)).toBe(false);
    await count(campaign, [['state', 'accepted', 200], ...spike]);
    expect(await step(campaign)).toBe(true);
    expect(await stateOf(campaign)).toEqual({
      state: 'paused',
      reason: expect.stringContaining(reason),
    });
  });

  test('leave it alone when all is well, and look only at what comes after', async () => {
    const campaign = await ledger().addCampaign();
    await step(campaign);
    await count(campaign, [
      ['state', 'accepted', 5_000],
      ['optout', 'reply', 50],
    ]);
    expect(await step(campaign)).toBe(false);
    await count(campaign, [
      ['state', 'accepted', 200],
      ['optout', 'reply', 40],
    ]);
    expect(await step(campaign)).toBe(true);
  });

  test('do not trip again on what was there before it was resumed', async () => {
    const campaign = await ledger().addCampaign();
    await step(campaign);
    await count(campaign, [
      ['state', 'accepted', 200],
      ['optout', 'reply', 100],
    ]);
    await step(campaign);
    await changeCampaign(ledger().database, {
      campaignId: campaign.id,
      action: 'resume',
      actor: 'test',
    });
    expect([await step(campaign), (await stateOf(campaign))?.state]).toEqual([false, 'running']);
  });

  test('are applied by the campaign’s own slices', async () => {
    const campaign = await ledger().addCampaign();
    await step(campaign);
    await count(campaign, [
      ['state', 'accepted', 200],
      ['error', '30034', 100],
    ]);
    const { runCampaign } = createCampaignActivities(deps());
    const result: RunCampaignResult = await new MockActivityEnvironment().run(() =>
      runCampaign({ campaignId: campaign.id }),
    );
    expect(result.state).toBe('paused');
  });
});

describe('a campaign’s pace', () => {
  test('is that of its pool, or its own limit', async () => {
    const campaign = await unplanned(100);
    expect(await paceOf(campaign)).toBe(200);
    await set(campaign, 'segments_per_second = 7');
    expect(await paceOf(campaign)).toBe(7);
  });

  test('is spread until its finish-by time, and becomes its bucket', async () => {
    const campaign = await unplanned(7_200);
    await set(campaign, `finish_by = now() + interval '1 hour'`);
    const rate = await paceOf(campaign);
    expect(rate).toBeCloseTo(2.04, 1);
    const [bucket] = await ledger().database.query<{ rate: number }>(
      `select segments_per_second as rate from permit_bucket where kind = 'campaign' and ref_id = $1::uuid`,
      campaign.id,
    );
    expect(bucket?.rate).toBe(rate);
  });

  test('is as fast as the limits allow when there is too little time', async () => {
    const campaign = await unplanned(7_200);
    await set(campaign, `finish_by = now() + interval '1 second'`);
    expect(await paceOf(campaign)).toBe(200);
  });

  test('stands still while as many conversations as it allows wait for a person', async () => {
    const campaign = await unplanned(10);
    await set(campaign, 'max_open_replies = 2');
    const open = (): Promise<unknown> =>
      ledger().database.query(
        `insert into conversation (id, org_id, kind, state, account_id, address, campaign_id)
         values ($1::uuid, $2::uuid, 'campaign', 'needs_reply', $3::uuid, '+12125550000', $4::uuid) returning 1 as done`,
        newId(),
        ledger().orgId,
        ledger().accountId,
        campaign.id,
      );
    await open();
    expect(await paceOf(campaign)).toBe(200);
    await open();
    expect(await paceOf(campaign)).toBe(0);
  });

  test('says when the last text will leave', async () => {
    const campaign = await unplanned(7_200);
    await set(campaign, 'segments_per_second = 1');
    await noteProjection(deps(), await planningCampaign(campaign), await readCounters(campaign));
    const [row] = await ledger().database.query<{ at: Date }>(
      'select projected_finish_at as at from campaign_progress where campaign_id = $1::uuid',
      campaign.id,
    );
    expect((row?.at.getTime() ?? 0) - Date.now()).toBeGreaterThan(1.9 * HOUR_MS);
    expect((row?.at.getTime() ?? 0) - Date.now()).toBeLessThan(2.1 * HOUR_MS);
  });
});

test('A campaign whose org has no money left pauses itself, and goes on when it is resumed with more', async () => {
  const { database, orgId, poolId } = ledger();
  await database.query(
    `update campaign set state = 'finished' where org_id = $1::uuid returning 1 as done`,
    orgId,
  );
  await database.query(
    `insert into budget (org_id, cap_micros, currency) values ($1::uuid, 80000 * 3, 'USD') returning 1 as done`,
    orgId,
  );
  const campaign = await ledger().addCampaign({ people: 5 });
  const send = async (): Promise<void> => {
    const { sendPlanned } = createSendingActivities(deps());
    await new MockActivityEnvironment().run(() => sendPlanned({ poolId }));
  };
  await send();
  const accepted = () =>
    ledger().count(`message where campaign_id = $1::uuid and state = 'accepted'`, campaign.id);
  const state = async () => (await planningCampaign(campaign)).state;
  expect([await accepted(), await state()]).toEqual([3, 'paused']);
  await database.query('update budget set cap_micros = 80000 * 10 returning 1 as done');
  await changeCampaign(database, { campaignId: campaign.id, action: 'resume', actor: 'test' });
  await database.query(
    'update message set due_at = now() where campaign_id = $1::uuid returning 1 as done',
    campaign.id,
  );
  await send();
  expect(await accepted()).toBe(5);
});
