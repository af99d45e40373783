import { describe, expect, test } from 'vitest';
import { claimCampaignLane, claimRow, claimSenderLane } from '../support/claims.ts';
import { claimCampaignLanes, type ClaimResult } from '../../db/claims.ts';
import { newId } from '../../db/ids.ts';
import { recordOutcomes, type SendRecord } from '../../db/records.ts';
import { createLedger } from '../support/ledger-rows.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();

function claim(
  campaign: Pick<TestCampaign, 'id'>,
  overrides: { readonly fence?: number; readonly limit?: number; readonly segments?: number } = {},
): Promise<ClaimResult> {
  const { fence = 1, limit = 100, segments = 100 } = overrides;
  return claimCampaignLane(ledger().database, {
    seats: ledger().senders.map((sender) => ({
      senderId: sender.id,
      sender: sender.e164,
      segments,
    })),
    limit,
    leaseMs: 20_000,
    knownBeat: new Date(0),
    campaignId: campaign.id,
    fence,
    watermark: null,
  });
}

async function stateOf(messageId: string): Promise<Record<string, unknown>> {
  const [row] = await ledger().database.query<Record<string, unknown>>(
    `select state::text as state, reason, attempt, sender_id, provider_message_id, driver::text as driver from message where id = $1::uuid`,
    messageId,
  );
  return row ?? {};
}

function record(claimed: ClaimResult, overrides: Partial<SendRecord> = {}): Promise<unknown> {
  return recordOutcomes(
    ledger().database,
    claimed.claimed.map((message) => ({
      id: message.id,
      attempt: message.attempt,
      outcome: 'accepted',
      providerMessageId: `SM${message.id.replaceAll('-', '')}`,
      errorCode: null,
      reason: null,
      delayMs: 0,
      ...overrides,
    })),
  );
}

describe('a claim of a campaign lane', () => {
  test('moves due rows to sending and seats them on senders within their permits', async () => {
    const campaign = await ledger().addCampaign({ people: 5 });
    const result = await claim(campaign, { segments: 2 });
    expect(result.claimed).toHaveLength(4);
    const used = ledger().senders.map(
      ({ id }) => result.claimed.filter((message) => message.sender_id === id).length,
    );
    expect(used).toEqual([2, 2]);
  });

  test('never gives one row to two claimers', async () => {
    const campaign = await ledger().addCampaign({ people: 400 });
    const results = await Promise.all(
      Array.from({ length: 8 }, () => claim(campaign, { limit: 50 })),
    );
    const ids = results.flatMap((result) => result.claimed.map((message) => message.id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(0);
  });

  test('claims nothing of a paused campaign', async () => {
    const campaign = await ledger().addCampaign({ state: 'paused' });
    expect((await claim(campaign)).claimed).toEqual([]);
  });

  test('claims nothing under a fence that is over', async () => {
    const campaign = await ledger().addCampaign();
    expect((await claim(campaign, { fence: 0 })).claimed).toEqual([]);
  });

  test('skips a suppressed person and says why', async () => {
    const campaign = await ledger().addCampaign();
    const [person] = campaign.people;
    await ledger().database.query(
      `insert into suppression (id, org_id, scope, address, reason, source) values ($1::uuid, $2::uuid, 'org', $3, 'stop', 'api') returning 1 as done`,
      newId(),
      ledger().orgId,
      person?.address,
    );
    expect(await claim(campaign)).toMatchObject({ claimed: [], skipped: 1 });
    expect(await stateOf(person?.messageId ?? '')).toMatchObject({
      state: 'skipped',
      reason: 'opted_out',
    });
  });

  test('skips a text whose window closes in less than two minutes', async () => {
    const campaign = await ledger().addCampaign({ notAfterMs: 110_000 });
    expect(await claim(campaign)).toMatchObject({ claimed: [], skipped: 1 });
    expect(await stateOf(campaign.people[0]?.messageId ?? '')).toMatchObject({
      state: 'skipped',
      reason: 'window_closing',
    });
  });

  test('claims nothing for an account whose inbound gap is not filled, until five minutes have passed', async () => {
    const campaign = await ledger().addCampaign();
    const set = (noticed: string): Promise<unknown> =>
      ledger().database.query(
        `update provider_account set gap_since = now() - interval '1 hour', gap_noticed_at = now() - $2::interval where id = $1::uuid returning 1 as done`,
        ledger().accountId,
        noticed,
      );
    await set('1 second');
    expect((await claim(campaign)).claimed).toEqual([]);
    await set('6 minutes');
    expect((await claim(campaign)).claimed).toHaveLength(1);
    await ledger().database.query(
      `update provider_account set gap_since = null where id = $1::uuid returning 1 as done`,
      ledger().accountId,
    );
  });

  test('counts every transition once', async () => {
    const campaign = await ledger().addCampaign({ people: 3 });
    await record(await claim(campaign));
    const rows = await ledger().database.query<{ value: string; n: number }>(
      `select value, sum(n)::int as n from counter_delta where campaign_id = $1::uuid and kind = 'state' group by value order by value`,
      campaign.id,
    );
    expect(rows).toEqual([
      { value: 'accepted', n: 3 },
      { value: 'planned', n: -3 },
      { value: 'sending', n: 0 },
    ]);
  });
});

describe('a claim of a sender lane', () => {
  async function addReply(
    campaignId: string | null,
    purpose: string,
    priority: number,
  ): Promise<string> {
    const id = newId();
    const [sender] = ledger().senders;
    await ledger().database.query(
      `insert into message (id, org_id, direction, purpose, state, priority, account_id, pool_id, sender_id, sender, address, campaign_id, body, encoding, segments, due_at, not_after)
       values ($1::uuid, $2::uuid, 'outbound', $3::message_purpose, 'planned', $4::smallint, $5::uuid, $6::uuid, $7::uuid, $8, '+12125559999', $9::uuid, 'x', 'gsm7', 1, now(), now() + interval '5 min') returning 1 as done`,
      id,
      ledger().orgId,
      purpose,
      priority,
      ledger().accountId,
      ledger().poolId,
      sender?.id,
      sender?.e164,
      campaignId,
    );
    return id;
  }
  function claimLane(): Promise<ClaimResult> {
    const [sender = { id: '', e164: '' }] = ledger().senders;
    return claimSenderLane(ledger().database, {
      seats: [{ senderId: sender.id, sender: sender.e164, segments: 10 }],
      limit: 10,
      leaseMs: 20_000,
      knownBeat: new Date(0),
      senderId: sender.id,
    });
  }

  test('takes confirmations before replies, and holds replies of a paused campaign', async () => {
    const paused = await ledger().addCampaign({ state: 'paused' });
    const running = await ledger().addCampaign();
    const held = await addReply(paused.id, 'auto_reply', 1);
    const reply = await addReply(running.id, 'auto_reply', 1);
    const stop = await addReply(null, 'stop_confirmation', 0);
    const result = await claimLane();
    expect(result.claimed.map((message) => message.id)).toEqual([stop, reply]);
    expect(result.held).toBe(1);
    expect(await stateOf(held)).toMatchObject({ state: 'planned' });
    expect(
      await ledger().count(
        `message where id = $1::uuid and due_at > now() + interval '50 s'`,
        held,
      ),
    ).toBe(1);
  });

  test('sends a confirmation to a suppressed person', async () => {
    await ledger().database.query(
      `insert into suppression (id, org_id, scope, address, reason, source) values ($1::uuid, $2::uuid, 'org', '+12125559999', 'stop', 'api') returning 1 as done`,
      newId(),
      ledger().orgId,
    );
    const stop = await addReply(null, 'stop_confirmation', 0);
    const human = await addReply(null, 'human_reply', 1);
    expect((await claimLane()).claimed.map((message) => message.id)).toEqual([stop]);
    expect(await stateOf(human)).toMatchObject({ state: 'skipped', reason: 'opted_out' });
  });
});

describe('a record', () => {
  test('is fenced by the attempt: an older one changes nothing', async () => {
    const campaign = await ledger().addCampaign();
    const first = await claim(campaign);
    await record(first, { outcome: 'planned', providerMessageId: null, reason: 'not started' });
    const second = await claim(campaign);
    expect(second.claimed[0]?.attempt).toBe(2);
    await record(first, { outcome: 'rejected', providerMessageId: null, reason: 'late' });
    expect(await stateOf(campaign.people[0]?.messageId ?? '')).toMatchObject({
      state: 'sending',
      attempt: 2,
    });
  });

  test('frees the sender of a campaign text that was definitely not created', async () => {
    const campaign = await ledger().addCampaign();
    await record(await claim(campaign), {
      outcome: 'planned',
      providerMessageId: null,
      reason: '429',
      delayMs: 60_000,
    });
    expect(await stateOf(campaign.people[0]?.messageId ?? '')).toMatchObject({
      state: 'planned',
      sender_id: null,
    });
    expect((await claim(campaign)).claimed).toEqual([]);
  });

  test.each([
    ['accepted', 'accepted'],
    ['rejected', 'unknown'],
    ['planned', 'unknown'],
  ] as const)('of %s leaves an unknown row %s', async (outcome, expected) => {
    const campaign = await ledger().addCampaign();
    const claimed = await claim(campaign);
    const id = campaign.people[0]?.messageId ?? '';
    await ledger().database.query(
      `update message set state = 'unknown', reason = 'x' where id = $1::uuid returning 1 as done`,
      id,
    );
    await record(claimed, {
      outcome,
      ...(outcome === 'accepted' ? {} : { providerMessageId: null }),
      reason: 'x',
    });
    expect(await stateOf(id)).toMatchObject({ state: expected });
  });

  test('makes the reply route lead to the conversation that texted last', async () => {
    const campaign = await ledger().addCampaign();
    const claimed = await claim(campaign);
    await record(claimed);
    const person = campaign.people[0];
    expect(
      await ledger().count(
        `conversation_route where account_id = $1::uuid and address = $2 and conversation_id = $3::uuid`,
        ledger().accountId,
        person?.address,
        person?.conversationId,
      ),
    ).toBe(1);
  });
});

describe('a claim of several lanes', () => {
  const lane = (
    campaign: Pick<TestCampaign, 'id'>,
    wish: { sender: number; segments: number; fence?: number },
  ) => {
    const sender = ledger().senders[wish.sender];
    return {
      campaignId: campaign.id,
      fence: wish.fence ?? 1,
      watermark: null,
      limit: 10,
      seats: [{ senderId: sender?.id ?? '', sender: sender?.e164 ?? '', segments: wish.segments }],
    };
  };
  const terms = { leaseMs: 20_000, knownBeat: new Date(0) };

  test('gives each the rows of its own campaign, on its own senders, within its own permits', async () => {
    const [first, second] = [
      await ledger().addCampaign({ people: 5 }),
      await ledger().addCampaign({ people: 5 }),
    ];
    const results = await claimCampaignLanes(ledger().database, terms, [
      lane(first, { sender: 0, segments: 2 }),
      lane(second, { sender: 1, segments: 3 }),
    ]);
    expect(results.map(({ claimed }) => claimed.length)).toEqual([2, 3]);
    const places = results.map(({ claimed }) => [
      ...new Set(claimed.map((text) => `${text.campaign_id} ${text.sender_id}`)),
    ]);
    expect(places).toEqual([
      [`${first.id} ${ledger().senders[0]?.id}`],
      [`${second.id} ${ledger().senders[1]?.id}`],
    ]);
    expect(results[0]?.last?.id).toBe(results[0]?.claimed.at(-1)?.id);
  });

  test('moves no row twice, though two of them are the same lane', async () => {
    const campaign = await ledger().addCampaign({ people: 4 });
    const results = await claimCampaignLanes(ledger().database, terms, [
      lane(campaign, { sender: 0, segments: 3 }),
      lane(campaign, { sender: 1, segments: 3 }),
    ]);
    const claimed = results.flatMap((result) => result.claimed);
    expect(new Set(claimed.map(({ id }) => id)).size).toBe(claimed.length);
    expect(claimed.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  test('leaves alone the lane whose campaign changed, and serves the others', async () => {
    const [stale, fresh] = [
      await ledger().addCampaign({ people: 2 }),
      await ledger().addCampaign({ people: 2 }),
    ];
    const results = await claimCampaignLanes(ledger().database, terms, [
      lane(stale, { sender: 0, segments: 5, fence: 7 }),
      lane(fresh, { sender: 1, segments: 5 }),
    ]);
    expect(results.map(({ claimed }) => claimed.length)).toEqual([0, 2]);
  });

  test('keeps budgets, prices and caps of orgs apart', async () => {
    const { database, urls } = ledger();
    const [poor, rich] = [await createLedger(database, urls), await createLedger(database, urls)];
    const price = (orgId: string, micros: number) =>
      database.query(
        `insert into rate_card (id, org_id, provider, direction, price_micros, currency, source, valid_from)
         values ($1::uuid, $2::uuid, 'twilio', 'outbound', $3::bigint, 'USD', 'test', '2020-01-01') returning 1 as done`,
        newId(),
        orgId,
        micros,
      );
    await price(poor.orgId, 100);
    await price(rich.orgId, 7);
    await database.query(
      `insert into budget (org_id, cap_micros, currency) values ($1::uuid, 250, 'USD'), ($2::uuid, 1000, 'USD') returning 1 as done`,
      poor.orgId,
      rich.orgId,
    );
    await database.query(
      'update org set texts_per_day = 1 where id = $1::uuid returning 1 as done',
      rich.orgId,
    );
    const lanes = [poor, rich].map(async (org) => ({
      ...lane(await org.addCampaign({ people: 3 }), { sender: 0, segments: 10 }),
      seats: org.senders.map(({ id, e164 }) => ({ senderId: id, sender: e164, segments: 10 })),
    }));
    const results = await claimCampaignLanes(database, terms, await Promise.all(lanes));
    expect(results.map(({ claimed, overBudget }) => [claimed.length, overBudget])).toEqual([
      [2, true],
      [3, false],
    ]);
    const money = await database.query(
      'select reserved_micros::int as reserved from budget where org_id = any($1::uuid[]) order by reserved_micros desc',
      [poor.orgId, rich.orgId],
    );
    expect(money).toEqual([{ reserved: 200 }, { reserved: 21 }]);
    const paced = await database.query('select distinct org_id from contact_pace');
    expect(paced).toEqual([{ org_id: rich.orgId }]);
  });
});

test('a claim of one row binds a free sender, and a second claim of it finds nothing', async () => {
  const campaign = await ledger().addCampaign({ driver: 'conversation' });
  const messageId = campaign.people[0]?.messageId ?? '';
  const [sender = { id: '', e164: '' }] = ledger().senders;
  const seat = { senderId: sender.id, sender: sender.e164, segments: 1 };
  const first = await claimRow(ledger().database, {
    messageId,
    seats: [seat],
    leaseMs: 20_000,
    knownBeat: new Date(0),
  });
  expect(first.claimed.map((message) => message.sender)).toEqual([sender.e164]);
  const second = await claimRow(ledger().database, {
    messageId,
    seats: [seat],
    leaseMs: 20_000,
    knownBeat: new Date(0),
  });
  expect(second).toMatchObject({ claimed: [], skipped: 0, held: 0 });
});
