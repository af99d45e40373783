/** What other systems get wrong, each as a test of ours; docs/faults.md says where the rest of them are proven. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCampaignActivities } from '../../activities/campaigns.ts';
import { createSendingActivities, type SendMessageOutcome } from '../../activities/sending.ts';
import { setCursorWindows } from '../../db/planning.ts';
import { storeReports } from '../../db/reports.ts';
import { armFaultPoints, parseFaultPoints } from '../../faults/points.ts';
import type { SendOutcome } from '../../providers/messaging-provider.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();
const HOUR_MS = 3_600_000;

beforeEach(async () => {
  await ledger().database.query('delete from message returning 1 as done');
});
afterEach(() => armFaultPoints([], () => {}));

function arm(text: string): void {
  const parsed = parseFaultPoints(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  armFaultPoints(parsed.value, () => {});
}

function environment(): MockActivityEnvironment {
  return new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') });
}

async function stateOf(campaign: TestCampaign): Promise<Record<string, number>> {
  const rows = await ledger().database.query<{ state: string; n: number }>(
    'select state::text as state, count(*)::int as n from message where campaign_id = $1::uuid group by 1',
    campaign.id,
  );
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

test('a text that two tabs, a double click and a retry ask for at once is posted once', async () => {
  const campaign = await ledger().addCampaign({ driver: 'conversation' });
  const messageId = campaign.people[0]?.messageId ?? '';
  const provider = createScriptedProvider();
  const deps = createActivityDeps(ledger(), provider);
  const { sendMessage } = createSendingActivities(deps);
  const ask = async (): Promise<SendMessageOutcome> =>
    environment().run(() => sendMessage({ messageId }));
  const outcomes = await Promise.all(Array.from({ length: 8 }, ask));
  expect(provider.sent).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1);
  expect(await stateOf(campaign)).toEqual({ accepted: 1 });
});

test('a text whose request breaks in an unforeseen way keeps nobody else from theirs', async () => {
  const campaign = await ledger().addCampaign({ people: 30 });
  const posted: string[] = [];
  const provider = createScriptedProvider({
    send: async (_account, text): Promise<SendOutcome> => {
      posted.push(text.to);
      if (text.to === campaign.people[4]?.address) throw new TypeError('nobody thought of this');
      const providerMessageId = `SM${text.to.slice(1).padStart(32, '0')}`;
      return { kind: 'accepted', providerMessageId, from: text.from };
    },
  });
  const deps = { ...createActivityDeps(ledger(), provider) };
  const { sendPlanned } = createSendingActivities({
    ...deps,
    log: { ...deps.log, error: () => {} },
  });
  const { poolId } = ledger();
  await environment().run(() => sendPlanned({ poolId }));
  await environment().run(() => sendPlanned({ poolId }));
  // The one is left to reconcile, which asks the provider before anybody tries again.
  expect(await stateOf(campaign)).toEqual({ accepted: 29, sending: 1 });
  expect(posted).toHaveLength(30);
});

test('a text that was accepted but could not be recorded is not posted again, and its report records it', async () => {
  const campaign = await ledger().addCampaign();
  const [person = { messageId: '' }] = campaign.people;
  const { poolId, accountId, orgId } = ledger();
  const provider = createScriptedProvider();
  const deps = createActivityDeps(ledger(), provider);
  const { sendPlanned } = createSendingActivities({
    ...deps,
    log: { ...deps.log, error: () => {} },
  });
  arm('send.accepted:fail');
  await environment().run(() => sendPlanned({ poolId }));
  await environment().run(() => sendPlanned({ poolId }));
  expect(provider.sent).toHaveLength(1);
  expect(await stateOf(campaign)).toEqual({ sending: 1 });
  await storeReports(ledger().database, [
    {
      accountId,
      orgId,
      messageId: person.messageId,
      providerMessageId: `SM${'1'.padStart(32, '0')}`,
      status: 'sent',
      errorCode: null,
    },
  ]);
  expect(await stateOf(campaign)).toEqual({ accepted: 1 });
});

test('a batch of outcomes whose commit was not heard of is recorded once', async () => {
  const campaign = await ledger().addCampaign({ people: 10 });
  const provider = createScriptedProvider();
  const { sendPlanned } = createSendingActivities(createActivityDeps(ledger(), provider));
  const { poolId } = ledger();
  arm('send.recorded:fail');
  await environment().run(() => sendPlanned({ poolId }));
  expect(provider.sent).toHaveLength(10);
  expect(await stateOf(campaign)).toEqual({ accepted: 10 });
  expect(
    await ledger().count(
      `(select sum(n) as n from counter_delta where campaign_id = $1::uuid and value = 'accepted') c where n = 10`,
      campaign.id,
    ),
  ).toBe(1);
});

test.each(['plan.storing', 'plan.stored'])(
  'an audience whose planning breaks at %s in its middle is planned to its end, each person once',
  async (point) => {
    const campaign = await ledger().addCampaign({ people: 90 });
    const { database, orgId } = ledger();
    await database.query('delete from message returning 1 as done');
    await database.query(
      `with c as (update campaign set segments_per_second = 1 where id = $1::uuid)
       delete from campaign_cursor where campaign_id = $1::uuid returning 1 as done`,
      campaign.id,
    );
    const [cursor] = await database.query<{ id: number }>(
      `insert into campaign_cursor (campaign_id, zone_set_id, org_id, size)
       select campaign_id, zone_set_id, $2::uuid, 90 from campaign_contact where campaign_id = $1::uuid limit 1 returning zone_set_id as id`,
      campaign.id,
      orgId,
    );
    const [opensAt, closesAt] = [-HOUR_MS, HOUR_MS].map((ms) => new Date(Date.now() + ms));
    await setCursorWindows(database, { id: campaign.id, org_hours: { version: 0 } }, [
      {
        zoneSetId: cursor?.id ?? 0,
        opensAt: opensAt ?? null,
        closesAt: closesAt ?? null,
        notAfter: closesAt ?? null,
      },
    ]);
    const { runCampaign } = createCampaignActivities(
      createActivityDeps(ledger(), createScriptedProvider()),
    );
    const run = async (): Promise<unknown> =>
      environment().run(() => runCampaign({ campaignId: campaign.id }));
    const abort = async (): Promise<void> => {
      const aborted = new MockActivityEnvironment();
      const running = aborted.run(() => runCampaign({ campaignId: campaign.id }));
      aborted.cancel();
      await running.catch(() => {});
    };
    // Half a minute's worth of texts; then the failure; then all the rest, as they are sent.
    await abort();
    const planned = async (): Promise<number> =>
      ledger().count('message where campaign_id = $1::uuid', campaign.id);
    const first = await planned();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(90);
    arm(`${point}:fail`);
    await database.query(
      `insert into counter_delta (org_id, campaign_id, kind, value, n) values ($2::uuid, $1::uuid, 'state', 'planned', -1000) returning 1 as done`,
      campaign.id,
      orgId,
    );
    await expect(run()).rejects.toThrow('armed');
    await abort();
    expect(await planned()).toBe(90);
    const [distinct] = await database.query<{ n: number }>(
      'select count(distinct conversation_id)::int as n from message where campaign_id = $1::uuid',
      campaign.id,
    );
    expect(distinct?.n).toBe(90);
  },
);
