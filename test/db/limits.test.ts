import { beforeEach, describe, expect, test } from 'vitest';
import { claimCampaignLane, claimSenderLane, workOf } from '../support/claims.ts';
import type { ClaimResult } from '../../db/claims.ts';
import { newId } from '../../db/ids.ts';
import { expireLeases, noteAbsent } from '../../db/reconcile.ts';
import { recordOutcomes, type SendRecord } from '../../db/records.ts';
import { storeReports } from '../../db/reports.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();
/** What a segment costs where the contact's country is not known. */
const PRICE = 80_000n;

function run(sql: string, ...parameters: unknown[]): Promise<unknown> {
  return ledger().database.query(`${sql} returning 1 as done`, ...parameters);
}

function claim(campaign: Pick<TestCampaign, 'id'>, limit = 100): Promise<ClaimResult> {
  return claimCampaignLane(ledger().database, {
    seats: ledger().senders.map(({ id, e164 }) => ({ senderId: id, sender: e164, segments: 100 })),
    limit,
    leaseMs: 20_000,
    knownBeat: new Date(0),
    campaignId: campaign.id,
    fence: 1,
    watermark: null,
  });
}

function record(claimed: ClaimResult, overrides: Partial<SendRecord> = {}): Promise<unknown> {
  return recordOutcomes(
    ledger().database,
    claimed.claimed.map((message) => ({
      id: message.id,
      attempt: message.attempt,
      outcome: 'accepted',
      providerMessageId:
        (overrides.outcome ?? 'accepted') === 'accepted'
          ? `SM${newId().replaceAll('-', '')}`
          : null,
      errorCode: null,
      reason: null,
      delayMs: 0,
      ...overrides,
    })),
  );
}

async function read<Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> {
  return ledger().database.query<Row>(sql, ...parameters);
}

/** How many texts of these campaigns are in each state, by state and reason. */
async function tally(campaigns: readonly TestCampaign[]): Promise<Record<string, number>> {
  const rows = await read<{ word: string; n: number }>(
    `select state::text || coalesce(' ' || reason, '') as word, count(*)::int as n from message where campaign_id = any($1::uuid[]) group by 1`,
    campaigns.map((campaign) => campaign.id),
  );
  return Object.fromEntries(rows.map(({ word, n }) => [word, n]));
}

/** Campaigns that all text the same one person. */
async function campaignsForOne(count: number, address: string): Promise<TestCampaign[]> {
  const campaigns: TestCampaign[] = [];
  for (let n = 0; n < count; n += 1) campaigns.push(await ledger().addCampaign());
  await run(
    `update message set address = $2 where campaign_id = any($1::uuid[])`,
    campaigns.map((campaign) => campaign.id),
    address,
  );
  return campaigns;
}

beforeEach(async () => {
  await run(
    `update org set texts_per_day = null, texts_per_week = null, sending_stopped_at = null`,
  );
  await run('update deployment set stopped_at = null, safe_mode_at = null');
  await run(`update sender set state = 'active'`);
  await run('delete from budget');
  await run('delete from sender_load');
});

describe('a frequency cap', () => {
  const cap = (day: number | null, week: number | null = null): Promise<unknown> =>
    run('update org set texts_per_day = $1::int, texts_per_week = $2::int', day, week);

  test('holds for a person whom fifty campaigns text at once', async () => {
    await cap(2);
    const campaigns = await campaignsForOne(50, '+12125559001');
    const results = await Promise.all(campaigns.map((campaign) => claim(campaign)));
    expect(results.flatMap((result) => result.claimed)).toHaveLength(2);
    expect(await tally(campaigns)).toEqual({ sending: 2, 'skipped frequency_cap': 48 });
  });

  test('counts the texts of the last 24 hours, and of the last seven days', async () => {
    await cap(1, 2);
    const address = '+12125559002';
    const campaigns = await campaignsForOne(4, address);
    const age = (days: string): Promise<unknown> =>
      run(
        `update contact_pace set recent = array(select t - $2::interval from unnest(recent) t) where address = $1`,
        address,
        days,
      );
    const claims: number[] = [];
    for (const campaign of campaigns) {
      claims.push((await claim(campaign)).claimed.length);
      await age(claims.length === 1 ? '25 hours' : claims.length === 3 ? '6 days' : '1 hour');
    }
    expect(claims).toEqual([1, 1, 0, 1]);
  });

  test('lets one of two texts to one person in the same claim go, and then the next only if it may', async () => {
    await cap(1);
    const campaign = await ledger().addCampaign({ people: 2 });
    await run(
      `update message set address = '+12125559003' where campaign_id = $1::uuid`,
      campaign.id,
    );
    expect((await claim(campaign)).claimed).toHaveLength(1);
    expect((await claim(campaign)).claimed).toHaveLength(0);
    expect(await tally([campaign])).toEqual({ sending: 1, 'skipped frequency_cap': 1 });
  });

  test('counts a text once, however often it is claimed', async () => {
    await cap(1);
    const campaign = await ledger().addCampaign();
    await record(await claim(campaign), { outcome: 'planned', reason: 'too late' });
    expect((await claim(campaign)).claimed).toHaveLength(1);
  });

  test('keeps no answer back', async () => {
    await cap(1);
    const campaign = await ledger().addCampaign({ people: 2 });
    await run(
      `update message set address = '+12125559004', purpose = 'auto_reply', priority = 1 where campaign_id = $1::uuid`,
      campaign.id,
    );
    expect((await claim(campaign)).claimed).toHaveLength(2);
  });
});

describe('a budget', () => {
  const setBudget = (cap: bigint): Promise<unknown> =>
    run(
      `insert into budget (org_id, cap_micros, currency) values ($1::uuid, $2::bigint, 'USD')`,
      ledger().orgId,
      cap.toString(),
    );
  const budget = async (): Promise<{ reserved: string; spent: string }> => {
    const [row] = await read<{ reserved: string; spent: string }>(
      'select (reserved_micros / 80000)::text as reserved, (spent_micros / 80000)::text as spent from budget',
    );
    return row ?? { reserved: '', spent: '' };
  };

  test('is not passed by one segment, however many claim at once', async () => {
    await setBudget(PRICE * 37n + 1n);
    const campaigns: TestCampaign[] = [];
    for (let n = 0; n < 4; n += 1) campaigns.push(await ledger().addCampaign({ people: 40 }));
    for (let round = 0; round < 3; round += 1)
      await Promise.all(campaigns.flatMap((campaign) => [claim(campaign, 7), claim(campaign, 5)]));
    expect(await tally(campaigns)).toEqual({ sending: 37, planned: 123 });
    expect(await budget()).toEqual({ reserved: '37', spent: '0' });
  });

  test('counts segments, not texts', async () => {
    await setBudget(PRICE * 5n);
    const campaign = await ledger().addCampaign({ people: 3 });
    await run('update message set segments = 2 where campaign_id = $1::uuid', campaign.id);
    const result = await claim(campaign);
    expect(result).toMatchObject({ held: 1, overBudget: true });
    expect(await budget()).toEqual({ reserved: '4', spent: '0' });
  });

  test('is spent by what was accepted and given back by a definite no', async () => {
    await setBudget(PRICE * 10n);
    const campaign = await ledger().addCampaign({ people: 3 });
    const [accepted, refused, late] = [
      await claim(campaign, 1),
      await claim(campaign, 1),
      await claim(campaign, 1),
    ];
    expect(await budget()).toEqual({ reserved: '3', spent: '0' });
    await record(accepted);
    await record(refused, { outcome: 'rejected', errorCode: 21211, reason: 'no' });
    await record(late, { outcome: 'planned', reason: 'too late' });
    expect(await budget()).toEqual({ reserved: '0', spent: '1' });
    await claim(campaign, 1);
    expect(await budget()).toEqual({ reserved: '1', spent: '1' });
  });

  test('keeps an unknown text reserved until it is proven lost, and spends it when a report proves it after all', async () => {
    await setBudget(PRICE * 10n);
    const campaign = await ledger().addCampaign();
    const [message] = (await claim(campaign)).claimed;
    const id = message?.id ?? '';
    await run(`update message set lease_until = now() - interval '1 s' where id = $1::uuid`, id);
    await expireLeases(ledger().database);
    expect(await budget()).toEqual({ reserved: '1', spent: '0' });
    await noteAbsent(ledger().database, {
      messageId: id,
      readsNeeded: 1,
      retry: false,
      retryId: newId(),
      eventId: newId(),
    });
    expect(await budget()).toEqual({ reserved: '0', spent: '0' });
    const report = {
      accountId: ledger().accountId,
      orgId: ledger().orgId,
      messageId: id,
      providerMessageId: 'SMlate',
      status: 'delivered',
      errorCode: null,
    };
    await storeReports(ledger().database, [report]);
    await storeReports(ledger().database, [report]);
    expect(await budget()).toEqual({ reserved: '0', spent: '1' });
  });

  test('skips an automatic answer that it does not cover, and pays for the answer to a stop anyway', async () => {
    await setBudget(0n);
    const campaign = await ledger().addCampaign({ people: 2 });
    const [answer, confirmation] = campaign.people;
    await run(`update message set purpose = 'auto_reply' where id = $1::uuid`, answer?.messageId);
    await run(
      `update message set purpose = 'stop_confirmation' where id = $1::uuid`,
      confirmation?.messageId,
    );
    await claim(campaign);
    expect(await tally([campaign])).toEqual({ 'skipped over_budget': 1, sending: 1 });
    expect(await budget()).toEqual({ reserved: '1', spent: '0' });
  });

  test('is asked for the price of the contact’s own country', async () => {
    await setBudget(PRICE * 10n);
    const campaign = await ledger().addCampaign();
    await run(
      `update contact set country = 'US' where id in (select contact_id from message where campaign_id = $1::uuid)`,
      campaign.id,
    );
    await claim(campaign);
    const [row] = await read<{ price: string; currency: string }>(
      'select price_micros::text as price, currency from message where campaign_id = $1::uuid',
      campaign.id,
    );
    expect(row).toEqual({ price: '8300', currency: 'USD' });
  });
});

describe('a person in another conversation', () => {
  /** Another campaign of the org texted this person a moment ago and waits for the answer. */
  async function busyPerson(policy: string): Promise<TestCampaign> {
    const [first, second] = [await ledger().addCampaign(), await ledger().addCampaign()];
    const address = first.people[0]?.address ?? '';
    await record(await claim(first));
    await run(`update message set address = $2 where campaign_id = $1::uuid`, second.id, address);
    await run('update campaign set busy_policy = $2 where id = $1::uuid', second.id, policy);
    return second;
  }

  test.each([
    ['delay', { claimed: 0, held: 1, skipped: 0 }],
    ['skip', { claimed: 0, held: 0, skipped: 1 }],
    ['send', { claimed: 1, held: 0, skipped: 0 }],
  ] as const)('with the policy %s', async (policy, expected) => {
    const result = await claim(await busyPerson(policy));
    expect({ ...result, claimed: result.claimed.length }).toMatchObject(expected);
  });

  test('is skipped when the hours would close before the delay is over', async () => {
    const campaign = await busyPerson('delay');
    await run(
      `update message set not_after = now() + interval '5 minutes' where campaign_id = $1::uuid`,
      campaign.id,
    );
    await claim(campaign);
    expect(await tally([campaign])).toEqual({ 'skipped busy': 1 });
  });

  test('is free again when the other campaign is over, or an hour has passed', async () => {
    const campaign = await busyPerson('delay');
    await run(
      `update conversation_route set last_out_at = now() - interval '61 minutes' where address in (select address from message where campaign_id = $1::uuid)`,
      campaign.id,
    );
    expect((await claim(campaign)).claimed).toHaveLength(1);
  });
});

describe('a kill switch', () => {
  const switches: readonly [name: string, on: string, off: string][] = [
    [
      'of an org',
      'update org set sending_stopped_at = now()',
      'update org set sending_stopped_at = null',
    ],
    [
      'of the deployment',
      'update deployment set stopped_at = now()',
      'update deployment set stopped_at = null',
    ],
    [
      'of safe mode',
      'update deployment set safe_mode_at = now()',
      'update deployment set safe_mode_at = null',
    ],
    [
      'of every sender',
      `update sender set state = 'stopped'`,
      `update sender set state = 'active'`,
    ],
  ];

  test.each(switches)('%s keeps every lane from being claimed', async (_name, on, off) => {
    const campaign = await ledger().addCampaign({ people: 2 });
    const [urgent] = campaign.people;
    const [sender] = ledger().senders;
    await run(
      `update message set sender_id = $2::uuid, sender = $3, purpose = 'auto_reply', priority = 1 where id = $1::uuid`,
      urgent?.messageId,
      sender?.id,
      sender?.e164,
    );
    const both = async (): Promise<number> => {
      const lane = await claim(campaign);
      const own = await claimSenderLane(ledger().database, {
        seats: [{ senderId: sender?.id ?? '', sender: sender?.e164 ?? '', segments: 10 }],
        limit: 10,
        leaseMs: 20_000,
        knownBeat: new Date(0),
        senderId: sender?.id ?? '',
      });
      return lane.claimed.length + own.claimed.length;
    };
    await run(on);
    expect(await both()).toBe(0);
    await run(off);
    expect(await both()).toBe(2);
  });
});

describe('a sender', () => {
  const senders = async (): Promise<string[]> =>
    ((await workOf(ledger().database, ledger().poolId))?.senders ?? [])
      .filter(({ crowded }) => !crowded)
      .map(({ id }) => id);

  test('rests while two minutes of its work wait inside the provider, and goes on when the carrier has them', async () => {
    const [sender] = ledger().senders;
    const id = sender?.id ?? '';
    await ledger().addCampaign();
    const campaign = await ledger().addCampaign({ people: 1 });
    await run('update message set segments = 10 where campaign_id = $1::uuid', campaign.id);
    const result = await claim(campaign, 1);
    await record(result);
    const [first] = result.claimed;
    await run(
      'update sender set segments_per_second = 10 / 120.0 where id = $1::uuid',
      first?.sender_id,
    );
    expect(await senders()).not.toContain(first?.sender_id);
    const [row] = await read<{ pid: string }>(
      'select provider_message_id as pid from message where id = $1::uuid',
      first?.id,
    );
    await storeReports(ledger().database, [
      {
        accountId: ledger().accountId,
        orgId: ledger().orgId,
        messageId: first?.id ?? '',
        providerMessageId: row?.pid ?? '',
        status: 'sent',
        errorCode: null,
      },
    ]);
    expect(await senders()).toContain(first?.sender_id);
    await run('update sender set segments_per_second = 100 where id = $1::uuid', id);
  });

  test('does not rest for ever because reports are lost', async () => {
    const [sender] = ledger().senders;
    await run(
      `insert into sender_load (sender_id, minute, taken) values ($1::uuid, now() - interval '11 minutes', 1000000)`,
      sender?.id,
    );
    expect(await senders()).toContain(sender?.id);
  });
});
