import { MockActivityEnvironment } from '@temporalio/testing';
import { Client } from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { createSendingActivities } from '../../activities/sending.ts';
import { expirePlanned, ringOverduePools } from '../../db/housekeeping.ts';
import { newId } from '../../db/ids.ts';
import { findPlanningCampaign } from '../../db/planning.ts';
import { handToPool, letPoolSleep } from '../../db/pools.ts';
import { wakePools } from '../../db/wake.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { workOf } from '../support/claims.ts';
import { withLedger } from '../support/ledger.ts';
import { waitUntil } from '../support/wait-until.ts';

const ledger = withLedger();

beforeEach(async () => {
  for (const statement of [
    'delete from message',
    'delete from outbox',
    'delete from counter_delta',
    `update sender set state = 'active', state_reason = null, held_until = null`,
    `update provider_account set state = 'active'`,
    `update campaign set state = 'finished' where state = 'running'`,
    'update sender_pool set awake = false',
  ]) {
    await ledger().database.query(`${statement} returning 1 as done`);
  }
});

async function setAwake(awake: boolean): Promise<void> {
  await ledger().database.query('update sender_pool set awake = $1 returning 1 as done', awake);
}

async function isAwake(): Promise<boolean> {
  return (await ledger().count('sender_pool where awake')) === 1;
}

function rings(): Promise<number> {
  return ledger().count(
    `outbox where kind = 'wake_pool' and ref_id = $1::uuid and available_at <= now()`,
    ledger().poolId,
  );
}

/** A confirmation that only the first sender may send. */
async function addConfirmation(): Promise<string> {
  const id = newId();
  const [sender] = ledger().senders;
  await ledger().database.query(
    `insert into message (id, org_id, direction, purpose, state, priority, account_id, pool_id, sender_id, sender, address, body, encoding, segments, due_at, not_after)
     values ($1::uuid, $2::uuid, 'outbound', 'stop_confirmation', 'planned', 0, $3::uuid, $4::uuid, $5::uuid, $6, '+12125559999', 'x', 'gsm7', 1, now(), now() + interval '5 min') returning 1 as done`,
    id,
    ledger().orgId,
    ledger().accountId,
    ledger().poolId,
    sender?.id,
    sender?.e164,
  );
  return id;
}

async function setSender(state: string, heldFor: string | null = null): Promise<void> {
  await ledger().database.query(
    `update sender set state = $2::sender_state, state_reason = 'a test', held_until = now() + $3::interval where id = $1::uuid returning 1 as done`,
    ledger().senders[0]?.id,
    state,
    heldFor,
  );
}

describe('a pool that falls asleep while somebody plans a text for it', () => {
  /** A text that the pool does not see before `handToPool`. */
  async function addText(): Promise<string> {
    const campaign = await ledger().addCampaign({ driver: 'conversation' });
    return campaign.people[0]?.messageId ?? '';
  }

  async function withOther(work: (other: Client) => Promise<void>): Promise<void> {
    const other = new Client({ connectionString: ledger().urls.engineUrl });
    await other.connect();
    try {
      await other.query('begin');
      await work(other);
    } finally {
      await other.end();
    }
  }

  /** Until the promise waits for a row lock, or is over without. */
  async function untilBlocked(other: Client, promise: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    promise.then(over, over);
    await waitUntil(
      async () => {
        const waiting = await other.query(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
        return isOver || waiting.rowCount === 1;
      },
      { what: 'the statement to wait for a row lock' },
    );
  }

  test('stays awake when the planner was first', async () => {
    const id = await addText();
    await setAwake(true);
    await withOther(async (other) => {
      await other.query(
        `with m as (update message set driver = 'pool' where id = $1 returning pool_id),
         ${wakePools('select pool_id from m')}
         select id from woken`,
        [id],
      );
      const sleeping = letPoolSleep(ledger().database, ledger().poolId);
      await untilBlocked(other, sleeping);
      await other.query('commit');
      // The planner saw it awake and rang nobody: it must see the text itself.
      expect(await sleeping).toBe(0);
      expect(await isAwake()).toBe(true);
    });
  });

  test('is rung when the pool was first', async () => {
    const id = await addText();
    await setAwake(true);
    await withOther(async (other) => {
      await other.query('update sender_pool set awake = false where id = $1', [ledger().poolId]);
      const planning = handToPool(ledger().database, id);
      await untilBlocked(other, planning);
      await other.query('commit');
      expect(await planning).toBe(true);
      expect(await rings()).toBe(1);
      expect(await isAwake()).toBe(true);
    });
  });
});

describe('the sweep over pools', () => {
  async function setDue(ago: string): Promise<void> {
    await ledger().database.query(
      `update message set due_at = now() - $1::interval returning 1 as done`,
      ago,
    );
  }

  test.each([
    ['asleep', false],
    ['awake, but without a workflow', true],
  ])('rings one that is %s over a campaign’s overdue text', async (_name, awake) => {
    await ledger().addCampaign();
    await setDue('61 s');
    await setAwake(awake);
    expect(await ringOverduePools(ledger().database)).toBe(1);
    expect(await rings()).toBe(1);
    expect(await isAwake()).toBe(true);
  });

  test('rings one over an overdue text of one of its senders, and again', async () => {
    await addConfirmation();
    await setDue('61 s');
    await ringOverduePools(ledger().database);
    await ledger().database.query(
      `update outbox set available_at = now() + interval '1 hour' returning 1 as done`,
    );
    expect(await ringOverduePools(ledger().database)).toBe(1);
    expect(await rings()).toBe(1);
  });

  test.each([
    ['whose text is not late yet', async () => setDue('30 s')],
    [
      'whose campaign is paused',
      async () => {
        await ledger().database.query(
          `update campaign set state = 'paused' where state = 'running' returning 1 as done`,
        );
      },
    ],
    [
      'whose account is stopped',
      async () => {
        await ledger().database.query(
          `update provider_account set state = 'stopped' returning 1 as done`,
        );
      },
    ],
  ])('leaves one alone %s', async (_name, arrange) => {
    await ledger().addCampaign();
    await setDue('61 s');
    await arrange();
    expect(await ringOverduePools(ledger().database)).toBe(0);
    expect(await rings()).toBe(0);
    expect(await isAwake()).toBe(false);
  });

  test('leaves one alone whose only text belongs to a stopped sender', async () => {
    await addConfirmation();
    await setDue('61 s');
    await setSender('stopped');
    expect(await ringOverduePools(ledger().database)).toBe(0);
  });
});

describe('a text that only one sender may send', () => {
  function slice(): Promise<{ asleep: boolean; waitMs: number }> {
    const { sendPlanned } = createSendingActivities(
      createActivityDeps(ledger(), createScriptedProvider()),
    );
    return new MockActivityEnvironment().run(() => sendPlanned({ poolId: ledger().poolId }));
  }

  test('lets its pool sleep when the sender is stopped', async () => {
    await addConfirmation();
    await setSender('stopped');
    await setAwake(true);
    expect(await letPoolSleep(ledger().database, ledger().poolId)).toBeNull();
    expect(await isAwake()).toBe(false);
    expect(await slice()).toEqual({ asleep: true, waitMs: 0 });
  });

  test('lets its pool wait until the sender’s hold is over', async () => {
    await addConfirmation();
    await setSender('held', '40 seconds');
    const { asleep, waitMs } = await slice();
    expect(asleep).toBe(false);
    expect(waitMs).toBeGreaterThan(20_000);
    expect(waitMs).toBeLessThanOrEqual(40_000);
  });

  test('lets its pool sleep while the hold is longer than a minute', async () => {
    await addConfirmation();
    await setSender('held', '10 minutes');
    expect(await slice()).toEqual({ asleep: true, waitMs: 0 });
  });
});

describe('a planned text past its time', () => {
  async function states(): Promise<{ address: string; state: string; reason: string | null }[]> {
    return ledger().database.query(
      'select address, state::text as state, reason from message order by address',
    );
  }

  test('is skipped and counted, though nobody may send it; one in time or on the wire is not', async () => {
    const late = await ledger().addCampaign({ people: 2, state: 'paused', notAfterMs: -1_000 });
    const inTime = await ledger().addCampaign({ notAfterMs: 60_000 });
    const onTheWire = await ledger().addCampaign({ notAfterMs: -1_000 });
    await ledger().database.query(
      `update message set state = 'sending', sender = '+12125550101', lease_until = now() + interval '1 min' where campaign_id = $1::uuid returning 1 as done`,
      onTheWire.id,
    );
    expect(await expirePlanned(ledger().database)).toBe(2);
    const expected = [
      ...late.people.map(({ address }) => ({
        address,
        state: 'skipped',
        reason: 'window_closing',
      })),
      ...inTime.people.map(({ address }) => ({ address, state: 'planned', reason: null })),
      ...onTheWire.people.map(({ address }) => ({ address, state: 'sending', reason: null })),
    ];
    expect(await states()).toEqual(
      expected.toSorted((a, b) => a.address.localeCompare(b.address, 'en')),
    );
    const counted = await ledger().database.query(
      'select campaign_id, kind, value, sum(n)::int as n from counter_delta group by 1, 2, 3 order by 2, 3',
    );
    expect(counted).toEqual([
      { campaign_id: late.id, kind: 'skip', value: 'window_closing', n: 2 },
      { campaign_id: late.id, kind: 'state', value: 'planned', n: -2 },
      { campaign_id: late.id, kind: 'state', value: 'skipped', n: 2 },
    ]);
    expect(await expirePlanned(ledger().database)).toBe(0);
  });

  test('of a stopped sender is skipped without a campaign to count it for', async () => {
    const id = await addConfirmation();
    await setSender('stopped');
    await ledger().database.query(
      `update message set not_after = now() - interval '1 s' where id = $1::uuid returning 1 as done`,
      id,
    );
    expect(await expirePlanned(ledger().database)).toBe(1);
    expect(await states()).toMatchObject([{ state: 'skipped', reason: 'window_closing' }]);
    expect(await ledger().count('counter_delta')).toBe(0);
  });
});

describe('a hold', () => {
  async function sender(): Promise<object | undefined> {
    const [row] = await ledger().database.query<object>(
      'select state::text as state, state_reason, held_until is not null as held from sender where id = $1::uuid',
      ledger().senders[0]?.id,
    );
    return row;
  }

  test('that is over makes the sender active, for its pool’s rate too', async () => {
    const campaign = await ledger().addCampaign();
    await setSender('held', '-1 s');
    expect(await findPlanningCampaign(ledger().database, campaign.id)).toMatchObject({
      pool_rate: 100,
    });
    await expirePlanned(ledger().database);
    expect(await sender()).toEqual({ state: 'active', state_reason: null, held: false });
    expect(await findPlanningCampaign(ledger().database, campaign.id)).toMatchObject({
      pool_rate: 200,
    });
    expect((await workOf(ledger().database, ledger().poolId))?.senders).toHaveLength(2);
  });

  test.each([
    ['held', '1 hour'],
    ['stopped', null],
    ['stopped', '-1 s'],
  ])('leaves a sender that is %s for %s as it is', async (state, heldFor) => {
    await setSender(state, heldFor);
    await expirePlanned(ledger().database);
    expect(await sender()).toMatchObject({ state, state_reason: 'a test' });
  });
});
