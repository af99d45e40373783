import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { recordOutcomes } from '../../db/records.ts';
import { storeReports } from '../../db/reports.ts';
import { withLedger } from '../support/ledger.ts';
import { waitUntil } from '../support/wait-until.ts';

const ledger = withLedger();

/** A provider id that another statement may have given the same row. */
function sidOf(messageId: string): string {
  return `SM${messageId.replaceAll('-', '')}`;
}

/** What holds the rows meanwhile, the statement that waits for them, and what each row is in the end. */
const BATCHES: readonly (readonly [
  name: string,
  holds: string,
  run: (database: Database, ids: readonly string[]) => Promise<unknown>,
  becomes: string,
])[] = [
  [
    'reports',
    `state = 'accepted', provider_message_id = 'SM' || replace(id::text, '-', ''), accepted_at = now()`,
    (database, ids) =>
      storeReports(
        database,
        ids.map((messageId) => ({
          accountId: ledger().accountId,
          orgId: ledger().orgId,
          messageId,
          providerMessageId: sidOf(messageId),
          status: 'delivered',
          errorCode: null,
        })),
      ),
    `delivery = 'delivered'`,
  ],
  [
    'outcomes',
    `delivery = 'queued'`,
    (database, ids) =>
      recordOutcomes(
        database,
        ids.map((id) => ({
          id,
          attempt: 1,
          outcome: 'accepted',
          providerMessageId: sidOf(id),
          errorCode: null,
          reason: null,
          delayMs: 0,
        })),
      ),
    `state = 'accepted'`,
  ],
];

test('no connection of ours lets a statement prune partitions while it runs', async () => {
  // See docs/decisions/0003: what follows crashes the server only now and then.
  for (const url of [ledger().urls.engineUrl, ledger().urls.apiUrl]) {
    const database = createDatabase({ url, applicationName: 'prunes', poolSize: 2 });
    try {
      const show = 'show enable_partition_pruning';
      const seen = await Promise.all([1, 2, 3].map(() => database.query(show)));
      expect(seen).toEqual(Array.from({ length: 3 }, () => [{ enable_partition_pruning: 'off' }]));
    } finally {
      await database.close();
    }
  }
});

describe('a batch that waited for another statement’s row locks is applied to every row', () => {
  // With a generic plan, as after a few runs: one that prunes partitions while it runs loses these rows, or the server.
  test.each(BATCHES)('%s', async (_, holds, run, becomes) => {
    const url = new URL(ledger().urls.engineUrl);
    url.searchParams.set('options', '-c plan_cache_mode=force_generic_plan');
    const applicationName = `waits-${newId()}`;
    const database = createDatabase({ url: url.href, applicationName, poolSize: 1 });
    const other = new Client({ connectionString: ledger().urls.engineUrl });
    await other.connect();
    try {
      const campaign = await ledger().addCampaign({ people: 9 });
      const [sender] = ledger().senders;
      const ids = campaign.people.map((person) => person.messageId);
      await database.query(
        `update message set state = 'sending', attempt = 1, sender_id = $2::uuid, sender = $3, claimed_at = now(), lease_until = now() + interval '1 min'
          where campaign_id = $1::uuid returning 1 as done`,
        campaign.id,
        sender?.id,
        sender?.e164,
      );
      await other.query('begin');
      await other.query(`update message set ${holds} where campaign_id = $1`, [campaign.id]);
      const ran = run(database, ids);
      await waitUntil(
        async () =>
          (
            await other.query(
              `select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = $1`,
              [applicationName],
            )
          ).rowCount,
        { what: `the ${applicationName} to wait for a row lock` },
      );
      await other.query('commit');
      await ran;
      expect(
        await ledger().count(`message where campaign_id = $1::uuid and ${becomes}`, campaign.id),
      ).toBe(9);
    } finally {
      await other.end();
      await database.close();
    }
  });
});
