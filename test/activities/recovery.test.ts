import { beforeEach, describe, expect, test } from 'vitest';
import { recoverDeployment, type RecoveryReport } from '../../activities/recovery.ts';
import { causeId, newId } from '../../db/ids.ts';
import { planTexts } from '../../db/planning.ts';
import { storeReports } from '../../db/reports.ts';
import type { InboundText, RemoteText } from '../../providers/messaging-provider.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { workOf } from '../support/claims.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();
const SENDER = '+12125550101';
const BODY = 'Hi Ada, will you vote? Reply STOP to opt out.';

type Person = TestCampaign['people'][number];

function run(sql: string, ...parameters: unknown[]): Promise<unknown> {
  return ledger().database.query(`${sql} returning 1 as done`, ...parameters);
}

/** The backup is a minute old; its last beat was then, and the mirror's half a minute ago. */
async function restore(): Promise<void> {
  await run(
    `update deployment set safe_mode_at = now(), safe_mode_reason = 'older', safe_mode_beat_at = now() - interval '60 s',
            safe_mode_last_beat_at = now() - interval '30 s'`,
  );
}

function sent(to: string, body: string, agoS = 40): RemoteText {
  return {
    providerMessageId: `SM${newId().replaceAll('-', '')}`,
    from: SENDER,
    to,
    body,
    createdAt: new Date(Date.now() - agoS * 1_000),
    status: 'delivered',
    errorCode: null,
  };
}

function said(from: string, body: string, agoS = 35): InboundText {
  return {
    providerMessageId: `SM${newId().replaceAll('-', '')}`,
    accountSid: ledger().accountSid,
    from,
    to: SENDER,
    body,
    media: [],
    providerOptOut: null,
    receivedAt: new Date(Date.now() - agoS * 1_000),
  };
}

async function recover(
  listed: readonly RemoteText[],
  inbound: readonly InboundText[] = [],
): Promise<RecoveryReport> {
  const newest = <Item>(items: readonly Item[], at: (item: Item) => Date | null): Item[] =>
    items.toSorted((a, b) => (at(b)?.getTime() ?? 0) - (at(a)?.getTime() ?? 0));
  const provider = createScriptedProvider({
    listSent: async () => ({ items: newest(listed, (text) => text.createdAt), nextPage: null }),
    listInbound: async (_account, { to }) => ({
      items: newest(inbound, (text) => text.receivedAt).filter((text) => text.to === to),
      nextPage: null,
    }),
  });
  const report = await recoverDeployment(createActivityDeps(ledger(), provider), () => {});
  expect(provider.sent).toEqual([]);
  if (report === null) throw new Error('was not in safe mode');
  return report;
}

async function textsTo(person: Person): Promise<{ state: string; purpose: string; id: string }[]> {
  return ledger().database.query(
    `select id, state::text as state, purpose::text as purpose from message where address = $1 and direction = 'outbound' order by id`,
    person.address,
  );
}

async function suppressionOf(person: Person): Promise<string | null> {
  const [row] = await ledger().database.query<{ reason: string }>(
    'select reason from suppression where address = $1 and lifted_at is null',
    person.address,
  );
  return row?.reason ?? null;
}

async function onePerson(): Promise<{ campaign: TestCampaign; person: Person }> {
  const campaign = await ledger().addCampaign();
  const [person] = campaign.people;
  if (person === undefined) throw new Error('nobody');
  // Launched before the backup was made.
  await run(
    `update campaign set launched_at = launched_at - interval '1 hour' where id = $1::uuid`,
    campaign.id,
  );
  return { campaign, person };
}

beforeEach(restore);

describe('a recovery', () => {
  test('does nothing, and says so, where nothing was lost', async () => {
    await run('update deployment set safe_mode_at = null');
    const deps = createActivityDeps(ledger(), createScriptedProvider());
    expect(await recoverDeployment(deps, () => {})).toBeNull();
  });

  test('adopts a text that was planned in the backup and sent since', async () => {
    const { person } = await onePerson();
    const report = await recover([sent(person.address, BODY)]);
    expect(report).toMatchObject({ adopted: 1, unexplained: 0 });
    expect(await textsTo(person)).toEqual([
      { id: person.messageId, state: 'accepted', purpose: 'campaign' },
    ]);
  });

  test('leaves what the list does not show to reconcile, never to the next claim', async () => {
    const { person } = await onePerson();
    const report = await recover([]);
    expect(report.doubted).toBeGreaterThan(0);
    expect(await textsTo(person)).toMatchObject([{ state: 'unknown' }]);
  });

  test('writes the row of a text that was planned and sent after the backup, so that planning meets it', async () => {
    const { campaign, person } = await onePerson();
    const [launched] = await ledger().database.query<{ launched_at: Date; zone: number }>(
      'select c.launched_at, k.zone_set_id as zone from campaign c join campaign_contact k on k.campaign_id = c.id where c.id = $1::uuid',
      campaign.id,
    );
    const id = causeId(
      launched?.launched_at.getTime() ?? 0,
      'campaign-text',
      person.conversationId,
      'ask',
      0,
      1,
    );
    await run('delete from message where id = $1::uuid', person.messageId);
    await recover([sent(person.address, BODY)]);
    expect(await textsTo(person)).toEqual([{ id, state: 'accepted', purpose: 'campaign' }]);
    await run(
      `insert into campaign_cursor (campaign_id, zone_set_id, org_id, size, next_seq, closes_at) values ($1::uuid, $2::int, $3::uuid, 1, 1, now() + interval '1 hour')`,
      campaign.id,
      launched?.zone,
      ledger().orgId,
    );
    const moved = await planTexts(ledger().database, {
      campaignId: campaign.id,
      zoneSetId: launched?.zone ?? 0,
      fromSeq: 1,
      nextSeq: 2,
      fence: 1,
      driver: 'pool',
      priority: 3,
      step: 'ask',
      notAfter: new Date(Date.now() + 3_600_000),
      texts: [
        {
          id,
          conversationId: person.conversationId,
          contactId: newId(),
          address: person.address,
          body: BODY,
          encoding: 'gsm7',
          segments: 1,
          skipReason: null,
        },
      ],
    });
    expect(moved).toBe(true);
    expect(await textsTo(person)).toEqual([{ id, state: 'accepted', purpose: 'campaign' }]);
  });

  test('plans nothing before it is done', async () => {
    const { campaign, person } = await onePerson();
    const moved = await planTexts(ledger().database, {
      campaignId: campaign.id,
      zoneSetId: 1,
      fromSeq: 1,
      nextSeq: 2,
      fence: 1,
      driver: 'pool',
      priority: 3,
      step: 'ask',
      notAfter: new Date(Date.now() + 3_600_000),
      texts: [],
    });
    expect([moved, (await textsTo(person)).length]).toEqual([false, 1]);
    await recover([]);
  });

  test('hears a stop that the backup does not know before anything is sent again', async () => {
    const { person } = await onePerson();
    const report = await recover([sent(person.address, BODY)], [said(person.address, 'STOP')]);
    expect(report.inbound).toBe(1);
    expect(await suppressionOf(person)).toBe('stop');
  });

  test('takes the turn of a reply that it lost, and finds the answer that was sent', async () => {
    const { person } = await onePerson();
    const report = await recover(
      [sent(person.address, BODY, 45), sent(person.address, 'Great! Can you help out?', 30)],
      [said(person.address, 'yes', 35)],
    );
    expect(report).toMatchObject({ adopted: 2, unexplained: 0, peopleToReview: 0 });
    expect(
      (await textsTo(person)).toSorted((a, b) => a.purpose.localeCompare(b.purpose)),
    ).toMatchObject([
      { purpose: 'auto_reply', state: 'accepted' },
      { purpose: 'campaign', state: 'accepted' },
    ]);
    expect(await suppressionOf(person)).toBeNull();
  });

  test('keeps back whoever got a text that nothing explains, until somebody looked', async () => {
    const { person } = await onePerson();
    const report = await recover([
      sent(person.address, BODY, 45),
      sent(person.address, 'A text of a campaign that the backup does not have', 40),
    ]);
    expect(report).toMatchObject({ adopted: 1, unexplained: 1, peopleToReview: 1 });
    expect(await suppressionOf(person)).toBe('recovery_review');
    expect(await textsTo(person)).toHaveLength(2);
  });

  test('runs again after it died, and counts nothing twice', async () => {
    const { campaign, person } = await onePerson();
    const listed = [sent(person.address, BODY, 45), sent(person.address, 'Who knows?', 40)];
    const inbound = [said(person.address, 'hello', 35)];
    await recover(listed, inbound);
    const first = await counters(campaign);
    await restore();
    const report = await recover(listed, inbound);
    expect(report).toMatchObject({ inbound: 0, adopted: 0, unexplained: 0 });
    expect(await textsTo(person)).toHaveLength(2);
    expect(await counters(campaign)).toEqual(first);
  });

  test('knows a first text by the id that a delivery report named, whatever became of its body', async () => {
    const { campaign, person } = await onePerson();
    const [launched] = await ledger().database.query<{ at: Date }>(
      'select launched_at as at from campaign where id = $1::uuid',
      campaign.id,
    );
    const id = causeId(
      launched?.at.getTime() ?? 0,
      'campaign-text',
      person.conversationId,
      'ask',
      0,
      1,
    );
    await run('delete from message where id = $1::uuid', person.messageId);
    const text = sent(person.address, 'Hi Ada, will you vote? (shortened)');
    await storeReports(ledger().database, [
      {
        accountId: ledger().accountId,
        orgId: ledger().orgId,
        messageId: id,
        providerMessageId: text.providerMessageId,
        status: 'delivered',
        errorCode: null,
      },
    ]);
    expect(await recover([text])).toMatchObject({ adopted: 1, unexplained: 0 });
    expect(await textsTo(person)).toEqual([{ id, state: 'accepted', purpose: 'campaign' }]);
  });

  test('keeps an account closed that it cannot read, and goes on with the others', async () => {
    await onePerson();
    const broken = createScriptedProvider({
      listInbound: async () => {
        throw new Error('401');
      },
    });
    const deps = createActivityDeps(ledger(), broken);
    const report = await recoverDeployment(deps, () => {});
    expect(report).toMatchObject({ accounts: 0, failed: [ledger().accountId] });
    expect(await workOf(ledger().database, ledger().poolId)).toBeNull();
    // Not in safe mode any more, but this account is still to be recovered.
    expect(await recover([])).toMatchObject({ accounts: 1, failed: [], epoch: null });
    expect(await workOf(ledger().database, ledger().poolId)).not.toBeNull();
  });

  test('raises the epoch and opens claims', async () => {
    const [before] = await ledger().database.query<{ epoch: number }>(
      'select epoch from deployment',
    );
    const report = await recover([]);
    expect(report.epoch).toBe((before?.epoch ?? 0) + 1);
    expect(await ledger().count('deployment where safe_mode_at is null')).toBe(1);
  });
});

async function counters(campaign: TestCampaign): Promise<unknown> {
  return ledger().database.query(
    `select kind, value, sum(n)::int as n from counter_delta where campaign_id = $1::uuid group by 1, 2 having sum(n) <> 0 order by 1, 2`,
    campaign.id,
  );
}
