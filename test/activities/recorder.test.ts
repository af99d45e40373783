import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createRecorder } from '../../activities/recorder.ts';
import { createSendingActivities } from '../../activities/sending.ts';
import type { Database } from '../../db/client.ts';
import type { SendRecord } from '../../db/records.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();
const AWAY = 'Connection terminated unexpectedly';

beforeEach(async () => {
  await ledger().database.query('delete from message returning 1 as done');
});

/** Tells nobody of an activity that fails as it should. */
function environment(): MockActivityEnvironment {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
}

/** The ledger's database, failing every statement that `fails` names. */
function failing(fails: (sql: string) => boolean): Database {
  const { database } = ledger();
  return {
    ...database,
    query: async <Row>(sql: string, ...parameters: readonly unknown[]): Promise<Row[]> => {
      if (fails(sql)) throw new Error(AWAY);
      return database.query<Row>(sql, ...parameters);
    },
  };
}

/** A database that is away for the first statements. */
function awayFor(statements: number): Database {
  let left = statements;
  return failing(() => {
    left -= 1;
    return left >= 0;
  });
}

/** Texts on the wire, with the record of each one's 201. */
async function onTheWire(people: number): Promise<SendRecord[]> {
  const campaign = await ledger().addCampaign({ people });
  const [sender] = ledger().senders;
  const rows = await ledger().database.query<{ id: string }>(
    `update message set state = 'sending', attempt = 1, sender_id = $2::uuid, sender = $3, claimed_at = now(), lease_until = now() + interval '1 hour'
      where campaign_id = $1::uuid returning id`,
    campaign.id,
    sender?.id,
    sender?.e164,
  );
  return rows.map(({ id }) => ({
    id,
    attempt: 1,
    outcome: 'accepted',
    providerMessageId: `SM${id.replaceAll('-', '')}`,
    errorCode: null,
    reason: null,
    delayMs: 0,
  }));
}

async function statesOf(records: readonly SendRecord[]): Promise<(string | undefined)[]> {
  const rows = await ledger().database.query<{ id: string; state: string }>(
    'select id, state::text as state from message where id = any($1::uuid[])',
    records.map(({ id }) => id),
  );
  return records.map(({ id }) => rows.find((row) => row.id === id)?.state);
}

describe('a batch of records', () => {
  test.each([
    ['a provider’s id with a NUL', { providerMessageId: 'SM\u0000' }],
    ['an error number larger than its column', { errorCode: 2 ** 40 }],
  ])('is written but for the one with %s', async (_name, bad) => {
    const records = await onTheWire(9);
    const recorder = createRecorder(ledger().database);
    const results = await Promise.allSettled(
      records.map((record, n) => recorder.add(n === 4 ? { ...record, ...bad } : record)),
    );
    expect(results.map(({ status }) => status)).toEqual(
      records.map((_, n) => (n === 4 ? 'rejected' : 'fulfilled')),
    );
    expect(await statesOf(records)).toEqual(
      records.map((_, n) => (n === 4 ? 'sending' : 'accepted')),
    );
  });

  test('keeps a provider’s words that Postgres cannot store as replacement characters', async () => {
    const records = await onTheWire(3);
    const recorder = createRecorder(ledger().database);
    await Promise.all(
      records.map((record) =>
        recorder.add({
          ...record,
          outcome: 'unknown',
          providerMessageId: null,
          reason: 'a\u0000b\uD800c',
        }),
      ),
    );
    expect(
      await ledger().count(
        `message where id = any($1::uuid[]) and state = 'unknown' and reason = $2`,
        records.map(({ id }) => id),
        'a\uFFFDb\uFFFDc',
      ),
    ).toBe(3);
  });

  test('survives a database that is away for a moment', async () => {
    const records = await onTheWire(5);
    const recorder = createRecorder(awayFor(2));
    await Promise.all(records.map((record) => recorder.add(record)));
    expect(await statesOf(records)).toEqual(records.map(() => 'accepted'));
  });

  test('is waited for at the end though the database is away for a moment', async () => {
    const records = await onTheWire(2);
    const recorder = createRecorder(awayFor(1));
    const added = records.map((record) => recorder.add(record));
    await recorder.close();
    expect(await statesOf(records)).toEqual(records.map(() => 'accepted'));
    await Promise.all(added);
  });
});

describe('the sockets', () => {
  function deps(overrides: Partial<ActivityDeps>): ActivityDeps {
    return { ...createActivityDeps(ledger(), createScriptedProvider()), ...overrides };
  }

  test.each([
    ['taking permits', 'permit_bucket'],
    ['the claim', 'with pick as materialized'],
  ])('are free again when %s fails in a send', async (_name, part) => {
    const campaign = await ledger().addCampaign({ driver: 'conversation', people: 3 });
    const broken = deps({ database: failing((sql) => sql.includes(part)) });
    const { sendMessage } = createSendingActivities(broken);
    for (const { messageId } of campaign.people) {
      const sent = environment().run(() => sendMessage({ messageId }));
      await expect(sent).rejects.toThrow(AWAY);
    }
    expect(broken.sockets.inHand()).toBe(0);
  });

  test('are free again when the claim fails in a slice', async () => {
    await ledger().addCampaign({ people: 30 });
    const broken = deps({
      database: failing((sql) => sql.includes('with pick as materialized')),
    });
    const { sendPlanned } = createSendingActivities(broken);
    const sent = environment().run(() => sendPlanned({ poolId: ledger().poolId }));
    await expect(sent).rejects.toThrow(AWAY);
    expect(broken.sockets.inHand()).toBe(0);
  });

  test('are given back once, not twice, when the record fails', async () => {
    const campaign = await ledger().addCampaign({ driver: 'conversation' });
    const messageId = campaign.people[0]?.messageId ?? '';
    const broken = deps({
      recorder: {
        add: async () => {
          throw new Error(AWAY);
        },
        close: async () => {},
      },
    });
    const { sendMessage } = createSendingActivities(broken);
    const sent = environment().run(() => sendMessage({ messageId }));
    await expect(sent).rejects.toThrow(AWAY);
    expect(broken.sockets.inHand()).toBe(0);
  });
});

describe('a POST that never started', () => {
  const refusing = createScriptedProvider({
    send: async () => ({ kind: 'not-started', detail: 'connect ECONNREFUSED' }),
  });

  test.each([
    [0, 250],
    [3, 2_000],
    [7, 32_000],
    [40, 64_000],
    // More than a smallint holds.
    [40_000, 64_000],
  ])('after %i attempts waits %i ms and leaves no event', async (attempt, delayMs) => {
    const campaign = await ledger().addCampaign({ driver: 'conversation' });
    const messageId = campaign.people[0]?.messageId ?? '';
    await ledger().database.query(
      'update message set attempt = $2::int where id = $1::uuid returning 1 as done',
      messageId,
      attempt,
    );
    const { sendMessage } = createSendingActivities(createActivityDeps(ledger(), refusing));
    const outcome = await environment().run(() => sendMessage({ messageId }));
    expect(outcome).toBe('queued');
    const [row] = await ledger().database.query<{ state: string; attempt: number; wait: number }>(
      `select state::text as state, attempt, (extract(epoch from due_at - claimed_at) * 1000)::int as wait from message where id = $1::uuid`,
      messageId,
    );
    expect(row).toMatchObject({ state: 'planned', attempt: attempt + 1 });
    // Between the claim and the record some milliseconds pass.
    expect(row?.wait).toBeGreaterThanOrEqual(delayMs - 1);
    expect(row?.wait).toBeLessThan(delayMs + 10_000);
    expect(await ledger().count('provider_event where message_id = $1::uuid', messageId)).toBe(0);
  });

  test.each(['pool', 'conversation'] as const)(
    'gives its permits back when a %s sends',
    async (driver) => {
      const campaign = await ledger().addCampaign({ driver });
      const messageId = campaign.people[0]?.messageId ?? '';
      for (const sender of ledger().senders) {
        await ledger().database.query(
          `insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens) values ('sender', $1::uuid, 0.001, 1, 0) returning 1 as done`,
          sender.id,
        );
      }
      const { sendMessage, sendPlanned } = createSendingActivities(
        createActivityDeps(ledger(), refusing),
      );
      await (driver === 'pool'
        ? environment().run(() => sendPlanned({ poolId: ledger().poolId }))
        : environment().run(() => sendMessage({ messageId })));
      const rows = await ledger().database.query<{ tokens: number }>(
        'delete from permit_bucket returning tokens',
      );
      // What was taken and not given back would be missing: minus one.
      expect(rows.map(({ tokens }) => Math.abs(Math.round(tokens)))).toEqual([0, 0]);
    },
  );
});
