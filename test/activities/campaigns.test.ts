import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { createCampaignActivities, type RunCampaignResult } from '../../activities/campaigns.ts';
import type { Database } from '../../db/client.ts';
import { setCursorWindows } from '../../db/planning.ts';
import { recordOutcomes } from '../../db/records.ts';
import { openWindow } from '../../domain/texting-hours.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();
const MINUTE_MS = 60_000;
const HOURS = { startMinute: 540, endMinute: 1200, days: [1, 2, 3, 4, 5, 6, 7], blackoutDates: [] };

/** One look at a campaign. */
function run(campaign: Pick<TestCampaign, 'id'>, at?: Date): Promise<RunCampaignResult> {
  const deps = createActivityDeps(ledger(), createScriptedProvider(), {
    sliceMs: { pool: 0, campaign: 0 },
  });
  const database = at === undefined ? deps.database : withClock(deps.database, at);
  const { runCampaign } = createCampaignActivities({ ...deps, database });
  return new MockActivityEnvironment().run(() => runCampaign({ campaignId: campaign.id }));
}

/** A database whose clock stands where a test wants it. */
function withClock(database: Database, now: Date): Database {
  return {
    ...database,
    query: async <Row>(sql: string, ...parameters: readonly unknown[]) => {
      const rows = await database.query<Row & object>(sql, ...parameters);
      return rows.map((row) => ('now' in row ? { ...row, now } : row));
    },
  };
}

async function counters(campaign: Pick<TestCampaign, 'id'>): Promise<Record<string, number>> {
  const rows = await ledger().database.query<{ value: string; n: number }>(
    `select value, sum(n)::int as n from counter_delta where campaign_id = $1::uuid and kind = 'state' group by value`,
    campaign.id,
  );
  return Object.fromEntries(rows.map(({ value, n }) => [value, n]));
}

/** The rows of `addCampaign` are plain; whoever counts on their counters has to write them. */
async function count(campaign: Pick<TestCampaign, 'id'>, value: string, n: number): Promise<void> {
  await ledger().database.query(
    `insert into counter_delta (org_id, campaign_id, kind, value, n) values ($1::uuid, $2::uuid, 'state', $3, $4::int) returning 1 as done`,
    ledger().orgId,
    campaign.id,
    value,
    n,
  );
}

describe('planning', () => {
  /** A running campaign of which nothing is planned, in a window that closes when the hours of today do. */
  async function addUnplanned(
    people: number,
    window: { readonly opensAtMs: number; readonly closesAtMs: number },
  ): Promise<TestCampaign> {
    const campaign = await ledger().addCampaign({ people });
    const { database } = ledger();
    await database.query(
      'delete from message where campaign_id = $1::uuid returning 1 as done',
      campaign.id,
    );
    await database.query(
      'update campaign set hours_start_minute = $2::int, hours_end_minute = $3::int where id = $1::uuid returning 1 as done',
      campaign.id,
      HOURS.startMinute,
      HOURS.endMinute,
    );
    const [cursor] = await database.query<{ zone_set_id: number }>(
      `insert into campaign_cursor (campaign_id, zone_set_id, org_id, size) select $1::uuid, id, $2::uuid, $3::int from zone_set returning zone_set_id`,
      campaign.id,
      ledger().orgId,
      people,
    );
    await setCursorWindows(database, { id: campaign.id, org_hours: { version: 0 } }, [
      {
        zoneSetId: cursor?.zone_set_id ?? 0,
        opensAt: new Date(window.opensAtMs),
        closesAt: new Date(window.closesAtMs),
        notAfter: new Date(window.closesAtMs),
      },
    ]);
    return campaign;
  }

  test.each([
    ['none of those that are planned can go before tomorrow', 0, 30],
    ['few of them can go soon', 10, 20],
    ['half of what it keeps ahead can go soon', 15, 0],
  ])('goes on with as many as are missing when %s', async (_when, soon, more) => {
    const now = Date.now();
    const campaign = await addUnplanned(100, {
      opensAtMs: now - 60 * MINUTE_MS,
      closesAtMs: now + 300 * MINUTE_MS,
    });
    const { database } = ledger();
    await database.query(
      'update campaign set segments_per_second = 1 where id = $1::uuid returning 1 as done',
      campaign.id,
    );
    const look = async (): Promise<number> => {
      await run(campaign);
      return ledger().count(
        `message where campaign_id = $1::uuid and state = 'planned'`,
        campaign.id,
      );
    };
    expect(await look()).toBe(30);
    await database.query(
      `update message set due_at = due_at + interval '1 day' where id in (
         select id from message where campaign_id = $1::uuid order by id offset $2::int) returning 1 as done`,
      campaign.id,
      soon,
    );
    expect(await look()).toBe(30 + more);
  });

  test.each([
    [10, 5],
    [6, 5],
    [4, 0],
    [3, 0],
    [1, 0],
  ])('%i minutes before the hours close plans %i texts', async (minutesLeft, planned) => {
    const window = openWindow({
      zones: ['America/New_York'],
      hours: HOURS,
      nowMs: Date.now(),
    });
    if (window === null) throw new Error('there is no window');
    const campaign = await addUnplanned(5, window);
    const at = new Date(window.closesAtMs - minutesLeft * MINUTE_MS);
    const result = await run(campaign, at);
    expect(result).toMatchObject({ state: 'running', done: false });
    expect(await ledger().count('message where campaign_id = $1::uuid', campaign.id)).toBe(planned);
    expect(
      await ledger().count(
        'campaign_cursor where campaign_id = $1::uuid and next_seq = $2::int',
        campaign.id,
        1 + planned,
      ),
    ).toBe(1);
    // What is planned may leave for four minutes still: the claim skips from two minutes before `not_after`.
    expect(
      await ledger().count(
        `message where campaign_id = $1::uuid and not_after - interval '2 minutes' < $2::timestamptz`,
        campaign.id,
        new Date(at.getTime() + 2 * MINUTE_MS),
      ),
    ).toBe(0);
    if (planned > 0) return;
    // The people wait for the next window instead.
    expect(
      await ledger().count(
        'campaign_cursor where campaign_id = $1::uuid and opens_at > $2::timestamptz',
        campaign.id,
        new Date(window.closesAtMs),
      ),
    ).toBe(1);
    expect(result.waitMs).toBeGreaterThan(MINUTE_MS);
  });
});

describe('a cancelled campaign', () => {
  test('skips what comes back from the wire, and is done only then', async () => {
    const campaign = await ledger().addCampaign({ people: 2, state: 'cancelled' });
    const [onTheWire = { messageId: '' }, waiting = { messageId: '' }] = campaign.people;
    await ledger().database.query(
      `update message set state = 'sending', attempt = 1, sender = '+12125550101', claimed_at = now(), lease_until = now() + interval '1 min'
        where id = $1::uuid returning 1 as done`,
      onTheWire.messageId,
    );
    await count(campaign, 'sending', 1);
    await count(campaign, 'planned', 1);

    expect(await run(campaign)).toMatchObject({ state: 'cancelled', done: false });
    expect(
      await ledger().count(
        `message where id = $1::uuid and state = 'skipped' and reason = 'cancelled'`,
        waiting.messageId,
      ),
    ).toBe(1);

    await recordOutcomes(ledger().database, [
      {
        id: onTheWire.messageId,
        attempt: 1,
        outcome: 'planned',
        providerMessageId: null,
        errorCode: 20429,
        reason: 'slow',
        delayMs: 1_000,
      },
    ]);
    expect(await run(campaign)).toMatchObject({ state: 'cancelled', done: true });
    expect(
      await ledger().count(
        `message where campaign_id = $1::uuid and state = 'skipped' and reason = 'cancelled'`,
        campaign.id,
      ),
    ).toBe(2);
    expect(await counters(campaign)).toEqual({ planned: 0, sending: 0, skipped: 2 });
  });

  test('does not wait for a text whose outcome nobody knows', async () => {
    const campaign = await ledger().addCampaign({ state: 'cancelled' });
    await ledger().database.query(
      `update message set state = 'unknown', sender = '+12125550101', lease_until = now(), reconcile_at = now() where campaign_id = $1::uuid returning 1 as done`,
      campaign.id,
    );
    await count(campaign, 'unknown', 1);
    expect(await run(campaign)).toMatchObject({ done: true });
  });
});

describe('a campaign of which everything is planned', () => {
  /** Its one text is unknown since its lease ended; no reply is waited for. */
  async function addUnknown(leaseEnded: string): Promise<TestCampaign> {
    const campaign = await ledger().addCampaign();
    await ledger().database.query(
      `update message set state = 'unknown', sender = '+12125550101', claimed_at = now() - $2::interval, lease_until = now() - $2::interval, reconcile_at = now()
        where campaign_id = $1::uuid returning 1 as done`,
      campaign.id,
      leaseEnded,
    );
    await ledger().database.query(
      'update campaign set replies_closed_at = now() where id = $1::uuid returning 1 as done',
      campaign.id,
    );
    await count(campaign, 'unknown', 1);
    return campaign;
  }

  test('finishes though a text stays unknown longer than anybody looks for it', async () => {
    const campaign = await addUnknown('1 hour');
    expect(await run(campaign)).toMatchObject({ state: 'finished', done: true });
  });

  test('waits for a text that has become unknown just now', async () => {
    const campaign = await addUnknown('10 seconds');
    expect(await run(campaign)).toMatchObject({ state: 'running', done: false });
  });
});

test('texts that are still planned when their hours close move to the next hours, those that were handed back too', async () => {
  const campaign = await ledger().addCampaign({ people: 3 });
  const { database } = ledger();
  const [tried] = campaign.people;
  await database.query(
    'update message set attempt = 1 where id = $1::uuid returning 1 as done',
    tried?.messageId,
  );
  const [zone] = await database.query<{ id: number }>(
    `insert into campaign_cursor (campaign_id, zone_set_id, org_id, next_seq, size)
     select $1::uuid, zone_set_id, org_id, 4, 3 from campaign_contact where campaign_id = $1::uuid limit 1 returning zone_set_id as id`,
    campaign.id,
  );
  const opensAt = new Date(Date.now() + 3_600_000);
  const closesAt = new Date(Date.now() + 7_200_000);
  await setCursorWindows(database, { id: campaign.id, org_hours: { version: 0 } }, [
    { zoneSetId: zone?.id ?? 0, opensAt, closesAt, notAfter: closesAt },
  ]);
  const rows = await database.query<{ n: number; moved: boolean; attempt: number }>(
    `select count(*)::int as n, due_at = $2::timestamptz and not_after = $3::timestamptz as moved, attempt from message
      where campaign_id = $1::uuid group by 2, 3 order by attempt`,
    campaign.id,
    opensAt,
    closesAt,
  );
  expect(rows).toEqual([
    { n: 2, moved: true, attempt: 0 },
    { n: 1, moved: true, attempt: 1 },
  ]);
});

describe('a launched campaign that may choose how to begin', () => {
  async function launched(): Promise<TestCampaign> {
    const campaign = await ledger().addCampaign({ people: 0, state: 'launched' });
    await ledger().database.query(
      `with c as (update campaign set segments_per_second = 15 where id = $1::uuid)
       update campaign_progress set frozen_at = null, resolved_start_mode = null where campaign_id = $1::uuid returning 1 as done`,
      campaign.id,
    );
    return campaign;
  }

  async function modeOf(campaign: TestCampaign): Promise<string | undefined> {
    const [row] = await ledger().database.query<{ mode: string }>(
      'select resolved_start_mode::text as mode from campaign_progress where campaign_id = $1::uuid',
      campaign.id,
    );
    return row?.mode;
  }

  test('starts a workflow with each first text while the deployment has room for that, else with the first reply', async () => {
    const alone = await launched();
    await run(alone);
    expect(await modeOf(alone)).toBe('first_text');

    await ledger().database.query(
      'update campaign_progress set planned_all_at = null where campaign_id = $1::uuid returning 1 as done',
      alone.id,
    );
    const second = await launched();
    await run(second);
    expect(await modeOf(second)).toBe('first_reply');
  });
});
