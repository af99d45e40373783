import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createCampaignActivities, type RunCampaignResult } from '../../activities/campaigns.ts';
import { createMaintenanceActivities } from '../../activities/maintenance.ts';
import { createSendingActivities } from '../../activities/sending.ts';
import { setCursorWindows } from '../../db/planning.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();
const HOUR_MS = 3_600_000;
const LAG_MS = 600_000;

afterEach(() => {
  vi.useRealTimers();
});

/** The clock on this process's wall; the database and the monotonic clock go on as they were. */
function jump(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
}

function environment(): MockActivityEnvironment {
  return new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') });
}

describe('a worker whose clock is an hour ahead', () => {
  test('plans no text before the hours open', async () => {
    const campaign = await ledger().addCampaign({ people: 3 });
    const { database, orgId } = ledger();
    await database.query(
      'delete from message where campaign_id = $1::uuid returning 1 as done',
      campaign.id,
    );
    const [cursor] = await database.query<{ id: number }>(
      `insert into campaign_cursor (campaign_id, zone_set_id, org_id, size)
       select $1::uuid, id, $2::uuid, 3 from zone_set limit 1 returning zone_set_id as id`,
      campaign.id,
      orgId,
    );
    const [opensAt, closesAt] = [HOUR_MS / 2, 3 * HOUR_MS].map((ms) => new Date(Date.now() + ms));
    await setCursorWindows(database, { id: campaign.id, org_hours: { version: 0 } }, [
      {
        zoneSetId: cursor?.id ?? 0,
        opensAt: opensAt ?? null,
        closesAt: closesAt ?? null,
        notAfter: closesAt ?? null,
      },
    ]);
    jump(HOUR_MS);
    const { runCampaign } = createCampaignActivities(
      createActivityDeps(ledger(), createScriptedProvider()),
    );
    const result: RunCampaignResult = await environment().run(() =>
      runCampaign({ campaignId: campaign.id }),
    );
    expect(await ledger().count('message where campaign_id = $1::uuid', campaign.id)).toBe(0);
    expect(result.waitMs).toBeGreaterThan(HOUR_MS / 4);
  });

  test('starts no campaign before its time', async () => {
    const campaign = await ledger().addCampaign({ people: 1, state: 'launched' });
    await ledger().database.query(
      `update campaign set starts_at = now() + interval '30 minutes' where id = $1::uuid returning 1 as done`,
      campaign.id,
    );
    jump(HOUR_MS);
    const { runCampaign } = createCampaignActivities(
      createActivityDeps(ledger(), createScriptedProvider()),
    );
    expect(await environment().run(() => runCampaign({ campaignId: campaign.id }))).toMatchObject({
      state: 'launched',
    });
  });

  test('calls no text absent, and tries none again, before the provider’s list can show it', async () => {
    const campaign = await ledger().addCampaign();
    await ledger().database.query(
      `update message set state = 'unknown', attempt = 1, sender = '+12125550101', claimed_at = now() - interval '60 s',
              lease_until = now() - interval '40 s', reconcile_at = now() where campaign_id = $1::uuid returning 1 as done`,
      campaign.id,
    );
    jump(HOUR_MS);
    const { reconcile } = createMaintenanceActivities(
      createActivityDeps(ledger(), createScriptedProvider(), { reconcileLagMs: LAG_MS }),
    );
    for (let look = 0; look < 3; look += 1) {
      await ledger().database.query(
        'update message set reconcile_at = now() where campaign_id = $1::uuid returning 1 as done',
        campaign.id,
      );
      await environment().run(reconcile);
    }
    expect(
      await ledger().count(
        `message where campaign_id = $1::uuid and state = 'unknown' and reconcile_reads = 0`,
        campaign.id,
      ),
    ).toBe(1);
    expect(await ledger().count('message where campaign_id = $1::uuid', campaign.id)).toBe(1);
  });

  test('closes no gap that was noticed after it began to read', async () => {
    const { database, accountId } = ledger();
    await database.query(
      `update provider_account set gap_since = now() - interval '60 s', gap_noticed_at = now() - interval '30 s' where id = $1::uuid returning 1 as done`,
      accountId,
    );
    const provider = createScriptedProvider({
      listInbound: async () => {
        await database.query(
          'update provider_account set gap_noticed_at = clock_timestamp() where id = $1::uuid returning 1 as done',
          accountId,
        );
        return { items: [], nextPage: null };
      },
    });
    jump(HOUR_MS);
    const { fillInboundGap } = createMaintenanceActivities(createActivityDeps(ledger(), provider));
    await environment().run(() => fillInboundGap({ accountId }));
    expect(
      await ledger().count(
        'provider_account where id = $1::uuid and gap_since is not null',
        accountId,
      ),
    ).toBe(1);
    await database.query(
      'update provider_account set gap_since = null, gap_noticed_at = null returning 1 as done',
    );
  });
});

test('a worker whose clock is an hour behind gives the carrier no longer than the hours last', async () => {
  await ledger().database.query('delete from message returning 1 as done');
  await ledger().addCampaign({ notAfterMs: HOUR_MS / 2 });
  const provider = createScriptedProvider();
  jump(-HOUR_MS);
  const { sendPlanned } = createSendingActivities(createActivityDeps(ledger(), provider));
  await environment().run(() => sendPlanned({ poolId: ledger().poolId }));
  expect(provider.sent).toHaveLength(1);
  const [validityS = 0] = provider.sent.map(({ validityPeriodS }) => validityPeriodS);
  expect(validityS).toBeLessThanOrEqual(HOUR_MS / 2_000);
  expect(validityS).toBeGreaterThan(HOUR_MS / 2_000 - 60);
});
