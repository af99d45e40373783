import { describe, expect, test } from 'vitest';
import { newId } from '../../db/ids.ts';
import { settleStop, storeInbound, type InboundArrival } from '../../db/inbound.ts';
import { storeReports } from '../../db/reports.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();
let nextSid = 0;

function sid(): string {
  nextSid += 1;
  return `SM${String(nextSid).padStart(32, '0')}`;
}

function arrival(
  address: string,
  body: string,
  overrides: Partial<InboundArrival> = {},
): InboundArrival {
  return {
    accountId: ledger().accountId,
    orgId: ledger().orgId,
    orgName: 'Test Org',
    providerMessageId: sid(),
    address,
    sender: ledger().senders[0]?.e164 ?? '',
    body,
    media: [],
    providerKeyword: null,
    receivedAt: new Date(),
    timed: true,
    ...overrides,
  };
}

/** A campaign whose one person was texted by the first sender, so that replies find the conversation. */
async function textedPerson(): Promise<{
  campaign: TestCampaign;
  address: string;
  conversationId: string;
}> {
  const campaign = await ledger().addCampaign();
  const [person = { address: '', conversationId: '', messageId: '' }] = campaign.people;
  await ledger().database.query(
    `insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
     values ($1::uuid, $2, $3, $4::uuid, $5::uuid, now()) returning 1 as done`,
    ledger().accountId,
    ledger().senders[0]?.e164,
    person.address,
    ledger().orgId,
    person.conversationId,
  );
  return { campaign, address: person.address, conversationId: person.conversationId };
}

function confirmations(address: string): Promise<number> {
  return ledger().count(`message where address = $1 and purpose = 'stop_confirmation'`, address);
}

describe('an inbound text', () => {
  test('is stored exactly once, however often and concurrently it is delivered', async () => {
    const { address } = await textedPerson();
    const same = arrival(address, 'yes');
    const results = await Promise.all(
      Array.from({ length: 50 }, () => storeInbound(ledger().database, [same])),
    );
    expect(results.filter(([stored]) => stored?.fresh)).toHaveLength(1);
    expect(
      await ledger().count(`message where direction = 'inbound' and address = $1`, address),
    ).toBe(1);
  });

  test('reaches the conversation that texted last, with the next number, and rings it', async () => {
    const { address, conversationId } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'one'), arrival(address, 'two')]);
    await storeInbound(ledger().database, [arrival(address, 'three')]);
    const rows = await ledger().database.query(
      `select body, arrival_seq from message where conversation_id = $1::uuid and direction = 'inbound' order by arrival_seq`,
      conversationId,
    );
    expect(rows).toEqual([
      { body: 'one', arrival_seq: 1 },
      { body: 'two', arrival_seq: 2 },
      { body: 'three', arrival_seq: 3 },
    ]);
    expect(
      await ledger().count(
        `outbox where kind = 'ring_conversation' and ref_id = $1::uuid and seq = 2`,
        conversationId,
      ),
    ).toBe(1);
  });

  test('from a stranger waits for a person in the org’s catch-all', async () => {
    await storeInbound(ledger().database, [
      arrival('+13105550000', 'hello?'),
      arrival('+13105550000', 'anybody?'),
    ]);
    expect(
      await ledger().count(
        `conversation where address = '+13105550000' and kind = 'catch_all' and state = 'needs_reply' and arrival_seq = 2`,
      ),
    ).toBe(1);
  });

  test('keeps what Postgres cannot store as a replacement character', async () => {
    await storeInbound(ledger().database, [arrival('+13105550001', 'a\u0000b\uD800c')]);
    expect(
      await ledger().count(
        `message where address = '+13105550001' and body = $1`,
        'a\uFFFDb\uFFFDc',
      ),
    ).toBe(1);
  });
});

describe('a stop', () => {
  test.each(['STOP', 'stop.', 'Stop texting me please', 'unsubscribe'])(
    'worded "%s" suppresses, skips what is planned, and is confirmed once',
    async (body) => {
      const { address } = await textedPerson();
      await storeInbound(ledger().database, [arrival(address, body)]);
      await storeInbound(ledger().database, [arrival(address, body)]);
      expect(
        await ledger().count(`suppression where address = $1 and lifted_at is null`, address),
      ).toBe(1);
      expect(
        await ledger().count(
          `message where address = $1 and state = 'skipped' and reason = 'opted_out'`,
          address,
        ),
      ).toBe(1);
      expect(await confirmations(address)).toBe(1);
    },
  );

  test('that the provider has answered itself is not confirmed again', async () => {
    const { address } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'STOP', { providerKeyword: 'stop' })]);
    expect(await ledger().count(`suppression where address = $1`, address)).toBe(1);
    expect(await confirmations(address)).toBe(0);
  });

  test('wins over a start of the same batch', async () => {
    const { address } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'STOP'), arrival(address, 'START')]);
    expect(
      await ledger().count(`suppression where address = $1 and lifted_at is null`, address),
    ).toBe(1);
  });

  test('is lifted by a later start, which is confirmed', async () => {
    const { address } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'STOP')]);
    await storeInbound(ledger().database, [
      arrival(address, 'START', { receivedAt: new Date(Date.now() + 1_000) }),
    ]);
    expect(
      await ledger().count(`suppression where address = $1 and lifted_at is null`, address),
    ).toBe(0);
    expect(
      await ledger().count(
        `message where address = $1 and purpose = 'start_confirmation'`,
        address,
      ),
    ).toBe(1);
  });

  test('is not lifted by a start that is older than it', async () => {
    const { address } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'STOP')]);
    await storeInbound(ledger().database, [
      arrival(address, 'START', { receivedAt: new Date(Date.now() - 60_000) }),
    ]);
    expect(
      await ledger().count(`suppression where address = $1 and lifted_at is null`, address),
    ).toBe(1);
  });

  test('says how long a claim made before it may still start its POST', async () => {
    const { address } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'hello')]);
    await ledger().database.query(
      `update message set state = 'sending', claimed_at = clock_timestamp(), lease_until = now() + interval '20 s', sender = '+12125550101'
        where address = $1 and direction = 'outbound' returning 1 as done`,
      address,
    );
    await storeInbound(ledger().database, [arrival(address, 'STOP')]);
    const waitMs = await settleStop(ledger().database, { orgId: ledger().orgId, address });
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(500);
  });

  test('skips a text that was planned while it was being stored', async () => {
    const { address } = await textedPerson();
    await storeInbound(ledger().database, [arrival(address, 'STOP')]);
    await ledger().database.query(
      `update message set state = 'planned', reason = null where address = $1 and purpose = 'campaign' returning 1 as done`,
      address,
    );
    expect(await settleStop(ledger().database, { orgId: ledger().orgId, address })).toBe(0);
    expect(
      await ledger().count(
        `message where address = $1 and state = 'skipped' and reason = 'opted_out'`,
        address,
      ),
    ).toBe(1);
  });
});

describe('delivery reports', () => {
  const STEPS = ['queued', 'sending', 'sent', 'delivered'] as const;

  function permutations<Item>(items: readonly Item[]): Item[][] {
    if (items.length <= 1) return [[...items]];
    return items.flatMap((item, index) =>
      permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
    );
  }

  async function acceptedText(): Promise<{ id: string; pid: string }> {
    const campaign = await ledger().addCampaign();
    const id = campaign.people[0]?.messageId ?? '';
    const pid = sid();
    await ledger().database.query(
      `update message set state = 'accepted', provider_message_id = $2, sender = '+12125550101' where id = $1::uuid returning 1 as done`,
      id,
      pid,
    );
    return { id, pid };
  }

  function report(
    id: string,
    pid: string,
    status: string,
    overrides: { accountId?: string; code?: number } = {},
  ): Promise<unknown> {
    return storeReports(ledger().database, [
      {
        accountId: overrides.accountId ?? ledger().accountId,
        orgId: ledger().orgId,
        messageId: id,
        providerMessageId: pid,
        status,
        errorCode: overrides.code ?? null,
      },
    ]);
  }

  async function view(id: string): Promise<object> {
    const [row] = await ledger().database.query<object>(
      `select state::text as state, delivery::text as delivery, error_code, provider_message_id from message where id = $1::uuid`,
      id,
    );
    return row ?? {};
  }

  test('give the same result in every order, doubled and in one batch or many', async () => {
    for (const order of permutations(STEPS)) {
      const { id, pid } = await acceptedText();
      for (const status of [...order, ...order]) await report(id, pid, status);
      expect({ order, ...(await view(id)) }).toMatchObject({
        state: 'accepted',
        delivery: 'delivered',
      });
    }
  });

  test.each(['planned', 'sending', 'unknown', 'lost'])(
    'prove that a %s text was created',
    async (state) => {
      const campaign = await ledger().addCampaign();
      const id = campaign.people[0]?.messageId ?? '';
      const pid = sid();
      await ledger().database.query(
        `update message set state = $2::message_state, sender = '+12125550101', lease_until = now(), reason = 'x' where id = $1::uuid returning 1 as done`,
        id,
        state,
      );
      await report(id, pid, 'sent');
      expect(await view(id)).toMatchObject({
        state: 'accepted',
        delivery: 'sent',
        provider_message_id: pid,
      });
      expect(
        await ledger().count(
          'provider_key where provider_message_id = $1 and message_id = $2::uuid',
          pid,
          id,
        ),
      ).toBe(1);
    },
  );

  test('of another account change nothing, and their event is kept apart from the text', async () => {
    const { id, pid } = await acceptedText();
    await report(id, pid, 'delivered', { accountId: newId() });
    expect(await view(id)).toMatchObject({ delivery: 'none' });
    expect(await ledger().count('provider_event where message_id = $1::uuid', id)).toBe(0);
    expect(await ledger().count(`provider_event where detail->>'named' = $1`, id)).toBe(1);
  });

  test.each([
    ['another account', { accountId: newId() }],
    ['another text of the provider', { providerMessageId: sid() }],
  ])('of %s do not hide the right one that came with them', async (_title, strange) => {
    const { id, pid } = await acceptedText();
    const { accountId, orgId } = ledger();
    const right = { accountId, orgId, messageId: id, providerMessageId: pid, errorCode: null };
    await storeReports(ledger().database, [
      { ...right, status: 'sent' },
      { ...right, status: 'read', ...strange },
    ]);
    expect(await view(id)).toMatchObject({ delivery: 'sent' });
  });

  test('of a text known by another provider id change nothing', async () => {
    const { id } = await acceptedText();
    await report(id, sid(), 'failed', { code: 30008 });
    expect(await view(id)).toMatchObject({ delivery: 'none', error_code: null });
  });

  test('never replace an error number by none', async () => {
    const { id, pid } = await acceptedText();
    await report(id, pid, 'undelivered', { code: 30005 });
    await report(id, pid, 'failed');
    expect(await view(id)).toMatchObject({ delivery: 'failed', error_code: 30005 });
  });
});

test('a start that comes too soon after a stop to be trusted is answered, not followed', async () => {
  const { address } = await textedPerson();
  await storeInbound(ledger().database, [arrival(address, 'STOP')]);
  await storeInbound(ledger().database, [
    arrival(address, 'START', { receivedAt: new Date(Date.now() + 1_000), timed: false }),
  ]);
  expect(
    await ledger().count(`suppression where address = $1 and lifted_at is null`, address),
  ).toBe(1);
  expect(
    await ledger().count(
      `message where address = $1 and purpose = 'help' and body like '%still opted out%'`,
      address,
    ),
  ).toBe(1);
});

describe('a stop in an org whose opt-outs reach one programme', () => {
  /** A person whom two programmes of the org text, and who answered the first. */
  async function twoProgrammes(): Promise<{ address: string; news: string; alerts: string }> {
    const { campaign, address } = await textedPerson();
    const other = await ledger().addCampaign();
    await ledger().database.query(
      `update org set opt_out_scope = 'programme' where id = $1::uuid returning 1 as done`,
      ledger().orgId,
    );
    for (const [id, programme] of [
      [campaign.id, 'news'],
      [other.id, 'alerts'],
    ]) {
      await ledger().database.query(
        `with c as (update campaign set programme = $2 where id = $1::uuid)
         update message set programme = $2, address = $3 where campaign_id = $1::uuid returning 1 as done`,
        id,
        programme,
        address,
      );
    }
    return { address, news: campaign.id, alerts: other.id };
  }

  async function states(...campaignIds: string[]): Promise<string[]> {
    const rows = await ledger().database.query<{ state: string }>(
      `select state::text as state from message where campaign_id = any($1::uuid[]) and direction = 'outbound' order by array_position($1::uuid[], campaign_id)`,
      campaignIds,
    );
    return rows.map(({ state }) => state);
  }

  test.each([
    ['STOP', ['skipped', 'planned'], 'news'],
    ['STOP ALL', ['skipped', 'skipped'], null],
    ['stopall', ['skipped', 'skipped'], null],
  ] as const)('%j', async (body, expected, programme) => {
    const { address, news, alerts } = await twoProgrammes();
    await storeInbound(ledger().database, [arrival(address, body)]);
    await settleStop(ledger().database, { orgId: ledger().orgId, address });
    expect(await states(news, alerts)).toEqual(expected);
    const rows = await ledger().database.query(
      'select programme from suppression where address = $1 and lifted_at is null',
      address,
    );
    expect(rows).toEqual([{ programme }]);
    expect(await confirmations(address)).toBe(1);
  });
});

test('A start lifts no review that a recovery asked for', async () => {
  const { address } = await textedPerson();
  await ledger().database.query(
    `insert into suppression (id, org_id, scope, address, reason, source, created_at)
     values ($1::uuid, $2::uuid, 'org', $3, 'recovery_review', 'recovery', now() - interval '1 hour') returning 1 as done`,
    newId(),
    ledger().orgId,
    address,
  );
  await storeInbound(ledger().database, [arrival(address, 'START')]);
  expect(
    await ledger().count('suppression where address = $1 and lifted_at is null', address),
  ).toBe(1);
});
