import { createServer, type AddressInfo } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSendingActivities, type SendPlannedResult } from '../../activities/sending.ts';
import { claimCampaignLane, claimRow, claimSenderLane, workOf } from '../support/claims.ts';
import type { ClaimResult } from '../../db/claims.ts';
import { createDatabase } from '../../db/client.ts';
import { beat } from '../../db/deployment.ts';
import { newId } from '../../db/ids.ts';
import { ringEverything } from '../../db/outbox.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger, type TestCampaign } from '../support/ledger.ts';

const ledger = withLedger();

async function setBeat(ago: string): Promise<void> {
  await ledger().database.query(
    'update deployment set beat_at = now() - $1::interval where id = 1 returning 1 as done',
    ago,
  );
}

async function closeGaps(): Promise<void> {
  await ledger().database.query(
    'update provider_account set gap_since = null, gap_noticed_at = null, inbound_seen_at = null returning 1 as done',
  );
}

async function account(): Promise<{ gap: boolean; sinceBeat: boolean; noticedNow: boolean }> {
  const [row] = await ledger().database.query<{
    gap: boolean;
    sinceBeat: boolean;
    noticedNow: boolean;
  }>(
    `select gap_since is not null as gap,
            coalesce(gap_since between now() - interval '660 s' and now() - interval '599 s', false) as "sinceBeat",
            coalesce(gap_noticed_at > now() - interval '1 min', false) as "noticedNow"
       from provider_account where id = $1::uuid`,
    ledger().accountId,
  );
  return row ?? { gap: false, sinceBeat: false, noticedNow: false };
}

describe('the heart', () => {
  beforeEach(closeGaps);

  afterEach(async () => {
    await closeGaps();
    await setBeat('-1 day');
  });

  const CLAIMS: readonly [
    string,
    (campaign: TestCampaign, seat: { senderId: string; sender: string }) => Promise<ClaimResult>,
  ][] = [
    [
      'campaign lane',
      (campaign, seat) =>
        claimCampaignLane(ledger().database, {
          seats: [{ ...seat, segments: 10 }],
          limit: 10,
          leaseMs: 20_000,
          knownBeat: new Date(0),
          campaignId: campaign.id,
          fence: 1,
          watermark: null,
        }),
    ],
    [
      'sender lane',
      async (campaign, seat) => {
        await ledger().database.query(
          `update message set sender_id = $2::uuid, sender = $3 where campaign_id = $1::uuid returning 1 as done`,
          campaign.id,
          seat.senderId,
          seat.sender,
        );
        return claimSenderLane(ledger().database, {
          seats: [{ ...seat, segments: 10 }],
          limit: 10,
          leaseMs: 20_000,
          knownBeat: new Date(0),
          senderId: seat.senderId,
        });
      },
    ],
    [
      'single text',
      (campaign, seat) =>
        claimRow(ledger().database, {
          messageId: campaign.people[0]?.messageId ?? '',
          seats: [{ ...seat, segments: 10 }],
          leaseMs: 20_000,
          knownBeat: new Date(0),
        }),
    ],
  ];

  test.each(CLAIMS)(
    'whose last beat is old closes the claim of a %s before anybody noticed the outage',
    async (_name, claim) => {
      const campaign = await ledger().addCampaign();
      const [first = { id: '', e164: '' }] = ledger().senders;
      const seat = { senderId: first.id, sender: first.e164 };
      await setBeat('11 s');
      expect(await claim(campaign, seat)).toMatchObject({ claimed: [], skipped: 0, held: 0 });
      expect(
        await ledger().count(
          `message where campaign_id = $1::uuid and state = 'planned'`,
          campaign.id,
        ),
      ).toBe(1);
      await setBeat('1 s');
      expect((await claim(campaign, seat)).claimed).toHaveLength(1);
    },
  );

  test('whose last beat is old leaves a pool without work but awake', async () => {
    await ledger().addCampaign();
    await ledger().database.query('update sender_pool set awake = true returning 1 as done');
    await setBeat('11 s');
    expect(await workOf(ledger().database, ledger().poolId)).toBeNull();
    const provider = createScriptedProvider();
    const { sendPlanned } = createSendingActivities(createActivityDeps(ledger(), provider));
    const { poolId } = ledger();
    const result: SendPlannedResult = await new MockActivityEnvironment().run(() =>
      sendPlanned({ poolId }),
    );
    expect(result.asleep).toBe(false);
    expect(result.waitMs).toBeGreaterThan(0);
    expect(provider.sent).toEqual([]);
    await setBeat('1 s');
    expect(await workOf(ledger().database, poolId)).not.toBeNull();
  });

  test.each([
    ['that was never read', null],
    ['that was read before', '20 minutes'],
  ])('that beats again after an outage closes an account %s', async (_name, seen) => {
    await ledger().database.query(
      'update provider_account set inbound_seen_at = now() - $1::interval returning 1 as done',
      seen,
    );
    await setBeat('600 s');
    expect((await beat(ledger().database, null)).gapNoticed).toBe(true);
    expect(await account()).toEqual({ gap: true, sinceBeat: true, noticedNow: true });
    // The heart beats, and the gap alone keeps the account closed now.
    expect(await workOf(ledger().database, ledger().poolId)).toBeNull();
  });

  test('that beats in time notices nothing', async () => {
    await setBeat('2 s');
    expect((await beat(ledger().database, null)).gapNoticed).toBe(false);
    expect(await account()).toEqual({ gap: false, sinceBeat: false, noticedNow: false });
  });

  test('that beats after a second outage keeps the beginning of the first gap', async () => {
    await setBeat('600 s');
    await beat(ledger().database, null);
    await setBeat('30 s');
    expect((await beat(ledger().database, null)).gapNoticed).toBe(true);
    expect(await account()).toEqual({ gap: true, sinceBeat: true, noticedNow: true });
  });
});

describe('after Temporal’s store was lost', () => {
  beforeEach(async () => {
    await ledger().database.query('delete from outbox returning 1 as done');
  });

  async function rung(kind: string, id: string): Promise<boolean> {
    return (
      (await ledger().count(
        'outbox where kind = $1::outbox_kind and ref_id = $2::uuid',
        kind,
        id,
      )) === 1
    );
  }

  test.each([
    ['automatic', 0, 0, true],
    ['closed', 1, 0, true],
    ['needs_reply', 2, 1, true],
    ['closed', 1, 1, false],
    ['needs_reply', 1, 1, false],
  ])(
    'a conversation that is %s with %i texts, %i of them read, is rung: %s',
    async (state, arrived, handled, expected) => {
      const id = newId();
      await ledger().database.query(
        `insert into conversation (id, org_id, kind, state, account_id, address, arrival_seq, handled_seq)
         values ($1::uuid, $2::uuid, 'campaign', $3::conversation_state, $4::uuid, '+13105550100', $5::int, $6::int) returning 1 as done`,
        id,
        ledger().orgId,
        state,
        ledger().accountId,
        arrived,
        handled,
      );
      await ringEverything(ledger().database);
      expect(await rung('ring_conversation', id)).toBe(expected);
    },
  );

  test.each([
    ['cancelled', 'planned', true],
    ['cancelled', 'skipped', false],
    ['running', 'skipped', true],
    ['paused', 'planned', true],
    ['finished', 'skipped', false],
  ])('a %s campaign with a text that is %s is rung: %s', async (state, textState, expected) => {
    const campaign = await ledger().addCampaign({ state });
    await ledger().database.query(
      `update message set state = $2::message_state, reason = 'a test' where campaign_id = $1::uuid returning 1 as done`,
      campaign.id,
      textState,
    );
    await ringEverything(ledger().database);
    expect(await rung('wake_campaign', campaign.id)).toBe(expected);
  });

  test('ringing twice rings nobody twice', async () => {
    await ledger().addCampaign();
    await ringEverything(ledger().database);
    expect(await ringEverything(ledger().database)).toBe(0);
  });
});

test('a connection that is lost while it is being made fails its caller, not the process', async () => {
  // Says that everybody may enter, and hangs up at the first statement.
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.from('5200000008000000005a0000000549', 'hex'));
      socket.once('data', () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `postgres://nobody:x@127.0.0.1:${port}/none`;
  const database = createDatabase({ url, applicationName: 'hung-up', poolSize: 1 });
  try {
    await expect(database.query('select 1 as one')).rejects.toThrow('Connection terminated');
  } finally {
    await database.close();
    server.close();
  }
});
