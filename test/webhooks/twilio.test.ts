import type { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';
import { freePort } from '../support/ports.ts';
import {
  createTestWebhooks,
  encodeFields,
  postWebhook,
  signFields,
  type Fields,
} from './support.ts';

const ledger = withLedger();
let app: Hono;
beforeAll(() => {
  app = createTestWebhooks(ledger().database);
});

let nextSid = 0;
const sid = (): string => `SM${String((nextSid += 1)).padStart(32, '0')}`;
const inboundPath = (accountId = ledger().accountId): string =>
  `/webhooks/twilio/${accountId}/inbound`;

/** The fields of a text as Twilio posts them; blank ones too. */
function inboundFields(overrides: Record<string, string> = {}): [string, string][] {
  return Object.entries({
    ToCountry: 'US',
    MessageSid: sid(),
    NumMedia: '0',
    FromCity: '',
    Body: 'Who is this?',
    From: '+13035550100',
    To: ledger().senders[0]?.e164 ?? '',
    AccountSid: ledger().accountSid,
    ...overrides,
  });
}

const inbound = (overrides: Record<string, string> = {}): { path: string; fields: Fields } => ({
  path: inboundPath(),
  fields: inboundFields(overrides),
});

/** Everything a webhook may write. */
async function countAll(): Promise<number> {
  const tables = [
    'message',
    'provider_event',
    'inbound_key',
    'suppression',
    'conversation',
    'outbox',
    'quarantine',
  ];
  let total = 0;
  for (const table of tables) total += await ledger().count(table);
  return total;
}

async function storedBodies(address: string): Promise<string[]> {
  const rows = await ledger().database.query<{ body: string }>(
    `select body from message where direction = 'inbound' and address = $1 order by created_at, id`,
    address,
  );
  return rows.map(({ body }) => body);
}

describe('a text that comes in', () => {
  test('is stored, then answered with 204', async () => {
    const address = '+13035550101';
    const answer = await postWebhook(app, inbound({ From: address, Body: 'Grüße 👋' }));
    expect(answer.status).toBe(204);
    expect(await storedBodies(address)).toEqual(['Grüße 👋']);
  });

  test('is stored once when fifty copies come at the same time', async () => {
    const address = '+13035550102';
    const same = inbound({ From: address, Body: 'STOP' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => postWebhook(app, same)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 204));
    expect(await storedBodies(address)).toEqual(['STOP']);
    expect(
      await ledger().count(`message where purpose = 'stop_confirmation' and address = $1`, address),
    ).toBe(1);
    expect(await ledger().count('suppression where address = $1', address)).toBe(1);
  });

  test('is stored with a blank body, whose parameter is part of what was signed', async () => {
    const address = '+13035550103';
    const blank = inbound({ From: address, Body: '', MediaUrl0: '' });
    expect((await postWebhook(app, blank)).status).toBe(204);
    expect(await storedBodies(address)).toEqual(['']);
  });

  test('is stored when a parameter stands there twice with one value', async () => {
    const address = '+13035550104';
    const fields: Fields = [
      ...inboundFields({ From: address }),
      ['AddOns', 'a'],
      ['AddOns', 'a'],
      ['To', ledger().senders[0]?.e164 ?? ''],
    ];
    expect((await postWebhook(app, { path: inboundPath(), fields })).status).toBe(204);
    expect(await storedBodies(address)).toHaveLength(1);
    expect(await ledger().count('quarantine')).toBe(0);
  });

  test('goes to quarantine when a field that counts stands there twice with two values', async () => {
    const address = '+13035550105';
    const fields: Fields = [...inboundFields({ From: address }), ['Body', 'another']];
    expect((await postWebhook(app, { path: inboundPath(), fields })).status).toBe(204);
    expect(await storedBodies(address)).toEqual([]);
    expect(await quarantined()).toEqual([
      { kind: 'inbound', raw: encodeFields(fields), problem: expect.stringContaining('Body') },
    ]);
  });

  test('goes to quarantine when it is genuine but cannot be read', async () => {
    const unreadable = inbound({ MessageSid: 'not a sid' });
    expect((await postWebhook(app, unreadable)).status).toBe(204);
    expect(await quarantined()).toEqual([
      {
        kind: 'inbound',
        raw: encodeFields(unreadable.fields),
        problem: expect.stringContaining('MessageSid'),
      },
    ]);
  });

  test('is stored with a NUL replaced, and its raw request is kept', async () => {
    const address = '+13035550106';
    const fields = inboundFields({ From: address, Body: 'a\u0000b' });
    expect((await postWebhook(app, { path: inboundPath(), fields })).status).toBe(204);
    expect(await storedBodies(address)).toEqual(['a\uFFFDb']);
    expect(await quarantined()).toContainEqual({
      kind: 'inbound',
      raw: encodeFields(fields),
      problem: 'stored with replacement characters',
    });
  });
});

describe('a request that is not genuine', () => {
  const genuine = (): { path: string; fields: [string, string][] } => ({
    path: inboundPath(),
    fields: inboundFields({ Body: 'STOP', From: '+13035550110' }),
  });

  test.each([
    ['no signature', () => ({ ...genuine(), signature: null })],
    ['a wrong signature', () => ({ ...genuine(), signature: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' })],
    ['a signature that is no base64', () => ({ ...genuine(), signature: '%%%' })],
    [
      'a signature by another token',
      () => {
        const { path, fields } = genuine();
        return { path, fields, signature: signFields(path, fields, 'the-token-of-another-tenant') };
      },
    ],
    [
      'a body that was changed after it was signed',
      () => {
        const { path, fields } = genuine();
        return { path, fields, body: encodeFields(fields).replace('STOP', 'START') };
      },
    ],
    [
      'a parameter more than was signed',
      () => {
        const { path, fields } = genuine();
        return { path, fields, body: `${encodeFields(fields)}&OptOutType=STOP` };
      },
    ],
    [
      'a signature for another path',
      () => {
        const { path, fields } = genuine();
        return { path, fields, signature: signFields(`${path}x`, fields) };
      },
    ],
    [
      'a query that was not signed',
      () => {
        const { path, fields } = genuine();
        return { path: `${path}?a=1`, fields, signature: signFields(path, fields) };
      },
    ],
    [
      'the AccountSid of another account, though signed',
      () => ({
        path: inboundPath(),
        fields: inboundFields({ AccountSid: `AC${'f'.repeat(32)}`, Body: 'STOP' }),
      }),
    ],
  ])('with %s gets 403 and changes nothing', async (_, make) => {
    const before = await countAll();
    expect((await postWebhook(app, make())).status).toBe(403);
    expect(await countAll()).toBe(before);
  });

  test('whose parameters were cut elsewhere reaches nobody’s conversation', async () => {
    const { path, fields } = genuine();
    // The signature does not say where a name ends: "From" + "+1..." is signed like "From+" + "1...".
    const body = encodeFields(fields).replace('From=%2B', 'From%2B=');
    const messages = await ledger().count('message');
    const { status } = await postWebhook(app, { path, fields, body });
    expect([204, 403]).toContain(status);
    expect(await ledger().count('message')).toBe(messages);
    expect(await ledger().count('suppression where address = $1', '+13035550110')).toBe(0);
  });

  test('for an account that does not exist gets 404', async () => {
    const before = await countAll();
    for (const accountId of [newId(), 'not-an-id', `${newId()}'--`]) {
      const path = inboundPath(encodeURIComponent(accountId));
      expect((await postWebhook(app, { path, fields: inboundFields() })).status).toBe(404);
    }
    expect(await countAll()).toBe(before);
  });

  test('that is too large gets 413, before its signature is computed', async () => {
    const before = await countAll();
    const { status } = await postWebhook(app, inbound({ Body: 'x'.repeat(70_000) }));
    expect(status).toBe(413);
    expect(await countAll()).toBe(before);
  });
});

describe('a delivery report', () => {
  let campaign: TestCampaign;
  let messageId = '';
  beforeEach(async () => {
    campaign = await ledger().addCampaign();
    messageId = campaign.people[0]?.messageId ?? '';
  });

  const report = (status: string, overrides: Record<string, string> = {}) => ({
    path: `/webhooks/twilio/${ledger().accountId}/status/${messageId}`,
    fields: Object.entries({
      MessageSid: `SM${messageId.replaceAll('-', '')}`,
      MessageStatus: status,
      AccountSid: ledger().accountSid,
      From: ledger().senders[0]?.e164 ?? '',
      To: campaign.people[0]?.address ?? '',
      ...overrides,
    }),
  });

  const view = async (): Promise<unknown> => {
    const [row] = await ledger().database.query(
      `select state::text as state, delivery::text as delivery, error_code from message where id = $1::uuid`,
      messageId,
    );
    return row;
  };

  test('raises the delivery of our text, and never lowers it', async () => {
    await ledger().database.query(
      `update message set state = 'sending', attempt = 1, claimed_at = now(), lease_until = now() + interval '1 minute', sender = '+12125550101' where id = $1::uuid returning 1 as done`,
      messageId,
    );
    expect((await postWebhook(app, report('sent'))).status).toBe(204);
    expect(await view()).toMatchObject({ state: 'accepted', delivery: 'sent' });
    expect((await postWebhook(app, report('delivered'))).status).toBe(204);
    expect((await postWebhook(app, report('queued'))).status).toBe(204);
    expect(await view()).toMatchObject({ state: 'accepted', delivery: 'delivered' });
    expect(await ledger().count('provider_event where message_id = $1::uuid', messageId)).toBe(3);
  });

  test('with an error number marks the number it is about', async () => {
    await postWebhook(app, report('undelivered', { ErrorCode: '30005' }));
    expect(await view()).toMatchObject({ delivery: 'undelivered', error_code: 30_005 });
    const contactId = `(select contact_id from message where id = $1::uuid)`;
    expect(
      await ledger().count(
        `contact where id = ${contactId} and state = 'invalid_number'`,
        messageId,
      ),
    ).toBe(1);
  });

  test.each([
    ['a status that is none', () => report('received'), 204],
    [
      'the AccountSid of another account, though signed',
      () => report('sent', { AccountSid: `AC${'f'.repeat(32)}` }),
      403,
    ],
    ['no valid signature', () => ({ ...report('sent'), signature: null }), 403],
  ])('with %s leaves the text alone', async (_, make, status) => {
    expect((await postWebhook(app, make())).status).toBe(status);
    expect(await view()).toMatchObject({ state: 'planned', delivery: 'none' });
  });

  test('signed by one tenant touches no text of another', async () => {
    const [other] = await ledger().database.query<{ id: string }>(
      `with o as (insert into org (id, name) values ($1::uuid, 'Other') returning id)
       insert into provider_account (id, org_id, provider, name, account_sid, auth_tokens_encrypted, key_id)
       select $2::uuid, o.id, 'twilio', 'other', $3, (select auth_tokens_encrypted from provider_account where id = $4::uuid), 'k1' from o returning id`,
      newId(),
      newId(),
      `AC${'e'.repeat(32)}`,
      ledger().accountId,
    );
    const { fields } = report('delivered', { AccountSid: `AC${'e'.repeat(32)}` });
    const path = `/webhooks/twilio/${other?.id}/status/${messageId}`;
    expect((await postWebhook(app, { path, fields })).status).toBe(204);
    expect(await view()).toMatchObject({ state: 'planned', delivery: 'none' });
  });
});

describe('a stop', () => {
  test('is answered only when a text that was claimed before it cannot start any more', async () => {
    const campaign = await ledger().addCampaign({ people: 2 });
    const [claimed, planned] = campaign.people;
    const address = claimed?.address ?? '';
    await ledger().database.query(
      `update message set address = $2 where id = $1::uuid returning 1 as done`,
      planned?.messageId,
      address,
    );
    await ledger().database.query(
      `update message set state = 'sending', attempt = 1, claimed_at = clock_timestamp(), lease_until = now() + interval '1 minute',
              sender = $2, sender_id = $3::uuid where id = $1::uuid returning 1 as done`,
      claimed?.messageId,
      ledger().senders[0]?.e164,
      ledger().senders[0]?.id,
    );
    expect((await postWebhook(app, inbound({ From: address, Body: 'stop' }))).status).toBe(204);
    const [row] = await ledger().database.query<{ ms: number }>(
      `select extract(epoch from clock_timestamp() - claimed_at)::float8 * 1000 as ms from message where id = $1::uuid`,
      claimed?.messageId,
    );
    expect(row?.ms).toBeGreaterThanOrEqual(500);
    const [skipped] = await ledger().database.query(
      `select state::text as state, reason from message where id = $1::uuid`,
      planned?.messageId,
    );
    expect(skipped).toEqual({ state: 'skipped', reason: 'opted_out' });
  });
});

describe('while the database is away', () => {
  let away: Database;
  beforeAll(async () => {
    const url = new URL(ledger().urls.engineUrl);
    url.port = String(await freePort());
    away = createDatabase({ url: url.href, applicationName: 'away', poolSize: 2 });
  });
  afterAll(async () => away.close());

  test.each([
    ['the account cannot be read', () => createTestWebhooks(away)],
    ['the text cannot be stored', () => createTestWebhooks(away, ledger().database)],
  ])('a stop is answered with 503 when %s, and stored when it comes again', async (_, make) => {
    const address = `+1303555${String(2_000 + nextSid)}`;
    const stop = inbound({ From: address, Body: 'STOP' });
    const refused = await postWebhook(make(), stop);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await storedBodies(address)).toEqual([]);
    expect((await postWebhook(app, stop)).status).toBe(204);
    expect(await storedBodies(address)).toEqual(['STOP']);
    expect(await ledger().count('suppression where address = $1', address)).toBe(1);
  });
});

/** What is in quarantine, which is emptied. */
async function quarantined(): Promise<unknown[]> {
  const rows = await ledger().database.query<{ kind: string; raw: Uint8Array; problem: string }>(
    'delete from quarantine returning kind, raw, problem',
  );
  return rows.map(({ kind, raw, problem }) => ({
    kind,
    raw: Buffer.from(raw).toString('utf8'),
    problem,
  }));
}
