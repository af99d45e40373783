import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createMaintenanceActivities } from '../../activities/maintenance.ts';
import type { Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import type {
  InboundText,
  MessagingProvider,
  RemoteText,
} from '../../providers/messaging-provider.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { createLedger } from '../support/ledger-rows.ts';
import { withLedger, type Ledger } from '../support/ledger.ts';

const ledger = withLedger();
const SENDER = '+12125550101';
const BODY = 'Hi Ada, will you vote? Reply STOP to opt out.';
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

beforeEach(async () => {
  await ledger().database.query('delete from message returning 1 as done');
});

function providerId(): string {
  return `SM${newId().replaceAll('-', '')}`;
}

interface LostText {
  readonly id: string;
  readonly address: string;
  readonly contactId: string;
  readonly claimedAt: Date;
  readonly leaseUntil: Date;
}

/** A text that was claimed 40 seconds ago and whose lease ended 20 seconds ago without a record. */
async function loseAnswer(
  options: { readonly of?: Ledger; readonly policy?: string; readonly state?: string } = {},
): Promise<LostText> {
  const { of = ledger(), ...campaignOptions } = options;
  const campaign = await of.addCampaign(campaignOptions);
  const [row] = await of.database.query<{
    id: string;
    address: string;
    contact_id: string;
    claimed_at: Date;
    lease_until: Date;
  }>(
    `update message set state = 'sending', attempt = 1, sender = $2, claimed_at = now() - interval '40 s', lease_until = now() - interval '20 s'
      where campaign_id = $1::uuid returning id, address, contact_id, claimed_at, lease_until`,
    campaign.id,
    SENDER,
  );
  if (row === undefined) throw new Error('the campaign has no text');
  return {
    id: row.id,
    address: row.address,
    contactId: row.contact_id,
    claimedAt: row.claimed_at,
    leaseUntil: row.lease_until,
  };
}

function remote(text: LostText, overrides: Partial<RemoteText> = {}): RemoteText {
  return {
    providerMessageId: providerId(),
    from: SENDER,
    to: text.address,
    body: BODY,
    createdAt: text.claimedAt,
    status: 'sent',
    errorCode: null,
    ...overrides,
  };
}

function listing(listed: readonly RemoteText[]): MessagingProvider {
  return createScriptedProvider({
    listSent: async (_account, { to }) => ({
      items: listed.filter((text) => text.to === to),
      nextPage: null,
    }),
  });
}

async function reconcile(
  provider: MessagingProvider,
  overrides: Partial<ActivityDeps> = {},
): Promise<unknown> {
  const deps = { ...createActivityDeps(ledger(), provider), ...overrides };
  return new MockActivityEnvironment().run(createMaintenanceActivities(deps).reconcile);
}

async function makeDue(): Promise<void> {
  await ledger().database.query(
    `update message set reconcile_at = now() - interval '1 s' where state = 'unknown' returning 1 as done`,
  );
}

/** As many looks as prove a text absent. */
async function reconcileTwice(provider: MessagingProvider): Promise<void> {
  await reconcile(provider);
  await makeDue();
  await reconcile(provider);
}

async function stateOf(id: string): Promise<string | undefined> {
  const [row] = await ledger().database.query<{ state: string }>(
    'select state::text as state from message where id = $1::uuid',
    id,
  );
  return row?.state;
}

function retriesOf(id: string): Promise<number> {
  return ledger().count('message where retry_of = $1::uuid', id);
}

describe('a text of ours in the provider’s list that no row knows', () => {
  const NEARBY: readonly (readonly [string, number, string])[] = [
    ['made by a clock 7 s behind ours', -7 * SECOND_MS, BODY],
    ['made by a clock 14 minutes behind ours', -14 * MINUTE_MS, BODY],
    ['made by a clock 14 minutes ahead of ours', 14 * MINUTE_MS, BODY],
    ['with a line put before its body', 0, `Sent from a trial account - ${BODY}`],
    ['with white space taken from its body', 0, BODY.replace('vote? ', 'vote?')],
  ];
  const POLICIES = ['at_most_once', 'confirmed_absent', 'at_least_once'];

  test.each(
    NEARBY.flatMap(([name, shiftMs, body]) =>
      POLICIES.map((policy) => ({ name, shiftMs, body, policy })),
    ),
  )('forbids to call a text absent: $name, $policy', async ({ shiftMs, body, policy }) => {
    const text = await loseAnswer({ policy });
    const createdAt = new Date(text.claimedAt.getTime() + shiftMs);
    await reconcileTwice(listing([remote(text, { body, createdAt })]));
    expect(await stateOf(text.id)).toBe('unknown');
    expect(await retriesOf(text.id)).toBe(0);
  });

  test.each([
    ['that is half an hour older', -30 * MINUTE_MS, SENDER],
    ['that another number of ours sent', 0, '+12125550102'],
  ])('does not keep one unknown %s', async (_name, shiftMs, from) => {
    const text = await loseAnswer();
    const createdAt = new Date(text.claimedAt.getTime() + shiftMs);
    await reconcileTwice(listing([remote(text, { from, createdAt })]));
    expect(await stateOf(text.id)).toBe('lost');
    expect(await retriesOf(text.id)).toBe(1);
  });

  test('does not keep one unknown when it turns out to be another row’s', async () => {
    const text = await loseAnswer();
    const other = remote(text);
    await ledger().database.query(
      `insert into provider_key (account_id, provider_message_id, message_id) values ($1::uuid, $2, $3::uuid) returning 1 as done`,
      ledger().accountId,
      other.providerMessageId,
      newId(),
    );
    await reconcileTwice(listing([other]));
    expect(await stateOf(text.id)).toBe('lost');
  });
});

describe('an absent text', () => {
  test('is looked for behind an empty page too', async () => {
    const text = await loseAnswer();
    const pages = new Map([
      [null, { items: [], nextPage: 'older' }],
      ['older', { items: [remote(text)], nextPage: null }],
    ]);
    const provider = createScriptedProvider({
      listSent: async (_account, { page }) => pages.get(page) ?? { items: [], nextPage: null },
    });
    await reconcile(provider);
    expect(await stateOf(text.id)).toBe('accepted');
  });

  test.each([
    ['cancelled', 0],
    ['finished', 0],
    ['paused', 1],
  ])('of a %s campaign gets %i rows to try again', async (state, retries) => {
    const text = await loseAnswer({ state });
    await reconcileTwice(listing([]));
    expect(await stateOf(text.id)).toBe('lost');
    expect(await retriesOf(text.id)).toBe(retries);
  });
});

describe('an adopted text', () => {
  test('whose listed error number is an opt-out suppresses the person', async () => {
    const text = await loseAnswer();
    await reconcile(listing([remote(text, { status: 'undelivered', errorCode: 30640 })]));
    expect(
      await ledger().count(`suppression where address = $1 and lifted_at is null`, text.address),
    ).toBe(1);
  });

  test('whose listed error number is a dead number marks the contact', async () => {
    const text = await loseAnswer();
    await reconcile(listing([remote(text, { status: 'undelivered', errorCode: 30005 })]));
    expect(
      await ledger().count(
        `contact where id = $1::uuid and state = 'invalid_number'`,
        text.contactId,
      ),
    ).toBe(1);
  });
});

test('each look for a text that nobody can tell from another waits twice as long as the one before', async () => {
  const text = await loseAnswer();
  const twins = listing([remote(text), remote(text)]);
  const settings = {
    ...createActivityDeps(ledger(), twins).settings,
    reconcileBackoffMs: MINUTE_MS,
  };
  const waits: number[] = [];
  for (let look = 0; look < 4; look += 1) {
    await makeDue();
    await reconcile(twins, { settings });
    const [row] = await ledger().database.query<{ minutes: number }>(
      `select round(extract(epoch from reconcile_at - now()) / 60)::int as minutes from message where id = $1::uuid`,
      text.id,
    );
    waits.push(row?.minutes ?? 0);
  }
  expect(waits).toEqual([1, 2, 4, 8]);
});

test('one account that throws leaves the other accounts’ texts reconciled', async () => {
  const broken = await createLedger(ledger().database, ledger().urls);
  const stuck = [await loseAnswer({ of: broken }), await loseAnswer({ of: broken })];
  const text = await loseAnswer();
  stuck.push(await loseAnswer({ of: broken }));
  const provider = createScriptedProvider({
    listSent: async (account) => {
      if (account.id === broken.accountId) throw new Error('could not list texts');
      return { items: [remote(text)], nextPage: null };
    },
  });
  const failed: string[] = [];
  const log: ActivityDeps['log'] = {
    info: () => {},
    warn: () => {},
    error: (fields) => failed.push(String(fields['messageId'])),
  };
  await reconcile(provider, { log });
  expect(await stateOf(text.id)).toBe('accepted');
  expect(await Promise.all(stuck.map(({ id }) => stateOf(id)))).toEqual(stuck.map(() => 'unknown'));
  expect(failed.toSorted()).toEqual(stuck.map(({ id }) => id).toSorted());
});

describe('the gap filler', () => {
  const QUIET: ActivityDeps['log'] = { info: () => {}, warn: () => {}, error: () => {} };

  /** Inbound texts may be missing for an hour; the list was last read whole at `seen`. */
  async function openGap(seen: string | null = '2 hours'): Promise<void> {
    await ledger().database.query(
      `update provider_account set gap_since = now() - interval '1 hour', gap_noticed_at = now() - interval '5 s', inbound_seen_at = now() - $2::interval
        where id = $1::uuid returning 1 as done`,
      ledger().accountId,
      seen,
    );
  }

  async function account(): Promise<{ gap: boolean; seen: boolean }> {
    const [row] = await ledger().database.query<{ gap: boolean; seen: boolean }>(
      `select gap_since is not null as gap, coalesce(inbound_seen_at > now() - interval '1 min', false) as seen from provider_account where id = $1::uuid`,
      ledger().accountId,
    );
    return row ?? { gap: false, seen: false };
  }

  function inbound(agoMs: number, overrides: Partial<InboundText> = {}): InboundText {
    return {
      providerMessageId: providerId(),
      accountSid: ledger().accountSid,
      from: '+13105550123',
      to: SENDER,
      body: 'hello',
      media: [],
      providerOptOut: null,
      receivedAt: new Date(Date.now() - agoMs),
      ...overrides,
    };
  }

  function fill(
    listInbound: MessagingProvider['listInbound'],
    database: Database = ledger().database,
  ): Promise<{ found: number; complete: boolean }> {
    const provider = createScriptedProvider({ listInbound });
    const deps = { ...createActivityDeps(ledger(), provider), database, log: QUIET };
    const { fillInboundGap } = createMaintenanceActivities(deps);
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
    return environment.run(() => fillInboundGap({ accountId: ledger().accountId }));
  }

  /** A list that never ends and never becomes old enough. */
  const endless: MessagingProvider['listInbound'] = async (_account, { to, page }) => ({
    items: [inbound(MINUTE_MS, { to })],
    nextPage: String(Number(page ?? 0) + 1),
  });

  test('closes the gap when every number’s list was read back to its beginning', async () => {
    await openGap();
    const asked: string[] = [];
    const result = await fill(async (_account, { to, page }) => {
      asked.push(`${to} ${page}`);
      return page === null
        ? { items: [inbound(MINUTE_MS, { to })], nextPage: 'older' }
        : { items: [inbound(30 * MINUTE_MS, { to }), inbound(150 * MINUTE_MS)], nextPage: 'more' };
    });
    expect(result).toEqual({ found: 4, complete: true });
    expect(asked.toSorted()).toEqual(
      ledger()
        .senders.flatMap(({ e164 }) => [`${e164} null`, `${e164} older`])
        .toSorted(),
    );
    expect(await account()).toEqual({ gap: false, seen: true });
  });

  test('leaves the gap open when the list is longer than it may read, and keeps what it found', async () => {
    await openGap();
    const result = await fill(endless);
    expect(result.complete).toBe(false);
    expect(result.found).toBeGreaterThan(0);
    expect(await account()).toEqual({ gap: true, seen: false });
  });

  test('leaves the gap open when only one number’s list could be read whole', async () => {
    await openGap();
    const result = await fill(async (of, query) =>
      query.to === SENDER ? endless(of, query) : { items: [], nextPage: null },
    );
    expect(result.complete).toBe(false);
    expect(await account()).toEqual({ gap: true, seen: false });
  });

  test('leaves the gap open when a number’s list cannot be read', async () => {
    await openGap();
    const filling = fill(async (_account, { to }) => {
      if (to === SENDER) throw new Error('could not list texts');
      return { items: [], nextPage: null };
    });
    await expect(filling).rejects.toThrow('could not list texts');
    expect(await account()).toEqual({ gap: true, seen: false });
  });

  test.each([
    ['the list was never read', null],
    ['the list was read in the middle of the gap', '1 minute'],
  ])('reads back to the beginning of the gap though %s', async (_name, seen) => {
    await openGap(seen);
    const pages = new Map([
      [null, { items: [inbound(2 * MINUTE_MS)], nextPage: 'older' }],
      ['older', { items: [inbound(59 * MINUTE_MS)], nextPage: 'oldest' }],
      ['oldest', { items: [inbound(150 * MINUTE_MS)], nextPage: 'more' }],
    ]);
    const result = await fill(
      async (_account, { to, page }) =>
        (to === SENDER ? pages.get(page) : null) ?? { items: [], nextPage: null },
    );
    expect(result).toEqual({ found: 2, complete: true });
  });

  test('stores stops before everything else, and they suppress', async () => {
    await openGap();
    const campaign = await ledger().addCampaign();
    const address = campaign.people[0]?.address ?? '';
    const items = [
      inbound(MINUTE_MS, { from: address, body: 'STOP' }),
      ...Array.from({ length: 250 }, (_, n) => inbound((2 + n / 100) * MINUTE_MS)),
    ];
    const batches: string[][] = [];
    const { database } = ledger();
    const result = await fill(
      async (_account, { to }) => ({ items: to === SENDER ? items : [], nextPage: null }),
      {
        ...database,
        query: async <Row>(sql: string, ...parameters: readonly unknown[]): Promise<Row[]> => {
          const [first] = parameters;
          if (sql.includes('insert into inbound_key') && typeof first === 'string') {
            const rows: { body: string }[] = JSON.parse(first);
            batches.push(rows.map((row) => row.body));
          }
          return database.query<Row>(sql, ...parameters);
        },
      },
    );
    expect(result).toEqual({ found: 251, complete: true });
    expect(batches.flat().indexOf('STOP')).toBe(0);
    expect(
      await ledger().count(`suppression where address = $1 and lifted_at is null`, address),
    ).toBe(1);
    expect(
      await ledger().count(
        `message where address = $1 and state = 'skipped' and reason = 'opted_out'`,
        address,
      ),
    ).toBe(1);
  });
});
