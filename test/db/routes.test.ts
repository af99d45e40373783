import { describe, expect, test } from 'vitest';
import { newId } from '../../db/ids.ts';
import { storeInbound, type InboundArrival } from '../../db/inbound.ts';
import { recordOutcomes } from '../../db/records.ts';
import { applyReportedErrors, storeReports, type ReportedError } from '../../db/reports.ts';
import { twilioErrorRule } from '../../providers/twilio-errors.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();
const SENDER = '+12125550101';
const SECOND_MS = 1_000;

function sid(): string {
  return `SM${newId().replaceAll('-', '')}`;
}

interface TextOnTheWire {
  readonly id: string;
  readonly pid: string;
  readonly address: string;
  readonly contactId: string;
  readonly conversationId: string;
}

/** A text whose POST was claimed that long ago and of which nothing is recorded yet. */
async function onTheWire(claimedAgo = '1 s'): Promise<TextOnTheWire> {
  const campaign = await ledger().addCampaign();
  const [row] = await ledger().database.query<{
    id: string;
    address: string;
    contact_id: string;
    conversation_id: string;
  }>(
    `update message set state = 'sending', attempt = 1, sender_id = $2::uuid, sender = $3, claimed_at = now() - $4::interval, lease_until = now() + interval '1 min'
      where campaign_id = $1::uuid returning id, address, contact_id, conversation_id`,
    campaign.id,
    ledger().senders[0]?.id,
    SENDER,
    claimedAgo,
  );
  if (row === undefined) throw new Error('the campaign has no text');
  return {
    id: row.id,
    pid: sid(),
    address: row.address,
    contactId: row.contact_id,
    conversationId: row.conversation_id,
  };
}

function report(
  text: TextOnTheWire,
  status: string,
  errorCode: number | null = null,
): Promise<ReportedError[]> {
  return storeReports(ledger().database, [
    {
      accountId: ledger().accountId,
      orgId: ledger().orgId,
      messageId: text.id,
      providerMessageId: text.pid,
      status,
      errorCode,
    },
  ]);
}

async function record(text: TextOnTheWire): Promise<void> {
  await recordOutcomes(ledger().database, [
    {
      id: text.id,
      attempt: 1,
      outcome: 'accepted',
      providerMessageId: text.pid,
      errorCode: null,
      reason: null,
      delayMs: 0,
    },
  ]);
}

function isSuppressed(address: string): Promise<number> {
  return ledger().count('suppression where address = $1 and lifted_at is null', address);
}

describe('the reply route', () => {
  /** Another campaign texted the same person from the same sender, that long ago. */
  async function routeToOther(address: string, textedAgo: string): Promise<string> {
    const conversationId = newId();
    await ledger().database.query(
      `insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
       values ($1::uuid, $2, $3, $4::uuid, $5::uuid, now() - $6::interval) returning 1 as done`,
      ledger().accountId,
      SENDER,
      address,
      ledger().orgId,
      conversationId,
      textedAgo,
    );
    return conversationId;
  }

  async function routeOf(address: string): Promise<string | undefined> {
    const [row] = await ledger().database.query<{ conversation_id: string }>(
      'select conversation_id from conversation_route where account_id = $1::uuid and sender = $2 and address = $3',
      ledger().accountId,
      SENDER,
      address,
    );
    return row?.conversation_id;
  }

  const WAYS: readonly [string, (text: TextOnTheWire) => Promise<unknown>][] = [
    ['a record', (text) => record(text)],
    ['a report that comes before the record', (text) => report(text, 'sent')],
    [
      'a report and then the record',
      async (text) => {
        await report(text, 'sent');
        await record(text);
      },
    ],
  ];

  test.each(WAYS)('is moved to the later text by %s', async (_name, learn) => {
    const text = await onTheWire();
    await routeToOther(text.address, '1 hour');
    await learn(text);
    expect(await routeOf(text.address)).toBe(text.conversationId);
  });

  test.each(WAYS)('is not moved back to an earlier claim by %s', async (_name, learn) => {
    const text = await onTheWire('5 minutes');
    const later = await routeToOther(text.address, '1 minute');
    await learn(text);
    expect(await routeOf(text.address)).toBe(later);
  });

  test('leads a reply to the text that was reported before it was recorded', async () => {
    const text = await onTheWire();
    await routeToOther(text.address, '1 hour');
    await report(text, 'sent');
    await storeInbound(ledger().database, [arrival(text.address, 'yes', { agoMs: 0 })]);
    expect(
      await ledger().count(
        `message where direction = 'inbound' and conversation_id = $1::uuid`,
        text.conversationId,
      ),
    ).toBe(1);
  });
});

describe('an error number in a report', () => {
  test.each([
    ['again', 'undelivered'],
    ['once more with a lower rank', 'sent'],
  ])('is returned when the report comes %s', async (_name, status) => {
    const text = await onTheWire();
    const expected = { id: text.id, contact_id: text.contactId, error_code: 30640 };
    const first = await report(text, 'undelivered', 30640);
    expect(first).toEqual([expect.objectContaining({ ...expected, fresh: true })]);
    const again = await report(text, status, 30640);
    expect(again).toEqual([expect.objectContaining({ ...expected, fresh: false })]);
  });

  test('is not returned for another account’s text, nor where there is none', async () => {
    const text = await onTheWire();
    const errors = await storeReports(ledger().database, [
      {
        accountId: newId(),
        orgId: ledger().orgId,
        messageId: text.id,
        providerMessageId: text.pid,
        status: 'undelivered',
        errorCode: 30640,
      },
    ]);
    expect(errors).toEqual([]);
    expect(await report(text, 'undelivered')).toEqual([]);
  });

  test('that a crash left without effect suppresses at the repeat, and twice does nothing more', async () => {
    const text = await onTheWire();
    await report(text, 'undelivered', 30640);
    expect(await isSuppressed(text.address)).toBe(0);
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const errors = await report(text, 'undelivered', 30640);
      await applyReportedErrors(ledger().database, errors, twilioErrorRule);
      expect(await isSuppressed(text.address)).toBe(1);
    }
  });

  test.each([
    [30005, 'invalid_number'],
    [30006, 'landline'],
  ])('%i marks the contact as %s at the repeat', async (code, state) => {
    const text = await onTheWire();
    await report(text, 'undelivered', code);
    const errors = await report(text, 'undelivered', code);
    await applyReportedErrors(ledger().database, errors, twilioErrorRule);
    expect(
      await ledger().count(
        'contact where id = $1::uuid and state = $2::contact_state',
        text.contactId,
        state,
      ),
    ).toBe(1);
  });
});

function arrival(
  address: string,
  body: string,
  { agoMs, timed = true }: { readonly agoMs: number; readonly timed?: boolean },
): InboundArrival {
  return {
    accountId: ledger().accountId,
    orgId: ledger().orgId,
    orgName: 'Test Org',
    providerMessageId: sid(),
    address,
    sender: SENDER,
    body,
    media: [],
    providerKeyword: null,
    receivedAt: new Date(Date.now() - agoMs),
    timed,
  };
}

describe('a start that comes after a stop', () => {
  async function startAfterStop(
    start: { readonly agoMs: number; readonly timed: boolean },
    stoppedAgoMs: number,
  ): Promise<{ address: string; welcomes: number }> {
    const { address } = await onTheWire();
    await storeInbound(ledger().database, [arrival(address, 'STOP', { agoMs: stoppedAgoMs })]);
    expect(await isSuppressed(address)).toBe(1);
    await storeInbound(ledger().database, [arrival(address, 'START', start)]);
    const welcomes = await ledger().count(
      `message where address = $1 and purpose = 'start_confirmation'`,
      address,
    );
    return { address, welcomes };
  }

  test.each([
    ['a webhook may have brought late', { agoMs: 0, timed: false }, 5 * SECOND_MS],
    [
      'a webhook may have brought as late as a webhook can be',
      { agoMs: 0, timed: false },
      80 * SECOND_MS,
    ],
    ['the list says is older', { agoMs: 60 * SECOND_MS, timed: true }, 30 * SECOND_MS],
  ])('and that %s does not lift it', async (_name, start, stoppedAgoMs) => {
    const { address, welcomes } = await startAfterStop(start, stoppedAgoMs);
    expect(await isSuppressed(address)).toBe(1);
    expect(welcomes).toBe(0);
  });

  test.each([
    ['the list says is later', { agoMs: 0, timed: true }, 5 * SECOND_MS],
    ['no webhook can have brought that late', { agoMs: 0, timed: false }, 100 * SECOND_MS],
  ])('and that %s lifts it and is confirmed', async (_name, start, stoppedAgoMs) => {
    const { address, welcomes } = await startAfterStop(start, stoppedAgoMs);
    expect(await isSuppressed(address)).toBe(0);
    expect(welcomes).toBe(1);
  });
});
