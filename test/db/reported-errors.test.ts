import { describe, expect, test } from 'vitest';
import { newId } from '../../db/ids.ts';
import { applyReportedErrors, storeReports } from '../../db/reports.ts';
import { twilioErrorRule } from '../../providers/twilio-errors.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();

/** An accepted text of a sender, and the carrier's report on it. */
async function reported(errorCode: number): Promise<{ again: () => Promise<void> }> {
  const { database, accountId, orgId, senders } = ledger();
  const campaign = await ledger().addCampaign();
  const messageId = campaign.people[0]?.messageId ?? '';
  const providerMessageId = `SM${newId().replaceAll('-', '')}`;
  await database.query(
    `update message set state = 'accepted', sender_id = $2::uuid, sender = $3, provider_message_id = $4 where id = $1::uuid returning 1 as done`,
    messageId,
    senders[0]?.id,
    senders[0]?.e164,
    providerMessageId,
  );
  const report = {
    accountId,
    orgId,
    messageId,
    providerMessageId,
    status: 'undelivered',
    errorCode,
  };
  const again = async (): Promise<void> =>
    applyReportedErrors(database, await storeReports(database, [report]), twilioErrorRule);
  await again();
  return { again };
}

const senderState = async (): Promise<string | undefined> => {
  const [row] = await ledger().database.query<{ state: string }>(
    'select state::text as state from sender where id = $1::uuid',
    ledger().senders[0]?.id,
  );
  return row?.state;
};

describe('an error number in a delivery report', () => {
  test('takes a sender out of use that is not registered, once', async () => {
    const { again } = await reported(30034);
    expect(await senderState()).toBe('stopped');
    await ledger().database.query(`update sender set state = 'active' returning 1 as done`);
    // Whoever repaired the registration does not lose the sender to the same report again.
    await again();
    expect(await senderState()).toBe('active');
  });

  test('holds a sender whose daily cap is reached', async () => {
    await reported(30023);
    expect(await senderState()).toBe('held');
    await ledger().database.query(`update sender set state = 'active' returning 1 as done`);
  });

  test('stops an account that was suspended, and pauses the campaign', async () => {
    await reported(30002);
    expect(await ledger().count(`provider_account where state = 'stopped'`)).toBe(1);
    expect(await ledger().count(`campaign where state = 'paused'`)).toBe(1);
    await ledger().database.query(
      `update provider_account set state = 'active' returning 1 as done`,
    );
  });

  test('that says something about one text only changes nothing else', async () => {
    await reported(30008);
    expect(await senderState()).toBe('active');
  });
});
