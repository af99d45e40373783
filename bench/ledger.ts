/**
 * What one text, one delivery report and one reply cost, without Temporal and without a network,
 * beside the raw limit of the same run: one JSON line a figure. Run: npx tsx bench/ledger.ts
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  claimCampaignLane,
  type ClaimedMessage,
  type ClaimResult,
  type Watermark,
} from '../db/claims.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { storeInbound } from '../db/inbound.ts';
import { migrate } from '../db/migrate.ts';
import { recordOutcomes } from '../db/records.ts';
import { storeReports } from '../db/reports.ts';
import { asUser } from '../runtime/config.ts';
import { startEmbeddedPostgres } from '../runtime/embedded-postgres.ts';
import { createLedger, type Ledger, type TestCampaign } from '../test/support/ledger-rows.ts';
import { freePort } from '../test/support/ports.ts';

const TEXTS = 20_000;
const BATCH = 100;

const DATA = fileURLToPath(new URL('../.data/', import.meta.url));
const folder = await mkdtemp(join(DATA, 'bench-'));
const server = await startEmbeddedPostgres({
  dataDir: join(folder, 'postgres'),
  port: await freePort(),
  password: randomBytes(16).toString('hex'),
  log: () => {},
});
try {
  await migrate(server.ownerUrl);
  const engineUrl = asUser(server.ownerUrl, 'gw_engine');
  const database = createDatabase({ url: engineUrl, applicationName: 'bench', poolSize: 10 });
  const ledger = await createLedger(database, {
    ownerUrl: server.ownerUrl,
    engineUrl,
    apiUrl: asUser(server.ownerUrl, 'gw_api'),
  });
  await measureAll(database, ledger);
  await database.close();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function measureAll(database: Database, ledger: Ledger): Promise<void> {
  await measure('raw: one empty statement', TEXTS / BATCH, async () => {
    for (let n = 0; n < TEXTS / BATCH; n += 1) await database.query('select 1 as one');
  });
  const campaign = await ledger.addCampaign({ people: TEXTS });
  const claimed: ClaimedMessage[] = [];
  await measure('claim, batches of 100', TEXTS, async () => {
    let watermark: Watermark | null = null;
    for (;;) {
      const result: ClaimResult = await claim(database, ledger, { campaign, watermark });
      if (result.claimed.length === 0) break;
      claimed.push(...result.claimed);
      watermark = result.last;
    }
  });
  await measure('record accepted, batches of 100', claimed.length, () =>
    inBatches(claimed, (batch) =>
      recordOutcomes(
        database,
        batch.map((message) => ({
          id: message.id,
          attempt: message.attempt,
          outcome: 'accepted',
          providerMessageId: providerId(message.id),
          errorCode: null,
          reason: null,
          delayMs: 0,
        })),
      ),
    ),
  );
  for (const status of ['sent', 'delivered']) {
    await measure(`delivery report ${status}, batches of 100`, claimed.length, () =>
      inBatches(claimed, (batch) =>
        storeReports(
          database,
          batch.map((message) => ({
            accountId: ledger.accountId,
            orgId: ledger.orgId,
            messageId: message.id,
            providerMessageId: providerId(message.id),
            status,
            errorCode: null,
          })),
        ),
      ),
    );
  }
  await measure('reply stored, batches of 100', claimed.length / 2, () =>
    inBatches(claimed.slice(0, claimed.length / 2), (batch) =>
      storeInbound(
        database,
        batch.map((message) => ({
          accountId: ledger.accountId,
          orgId: ledger.orgId,
          orgName: 'Bench',
          providerMessageId: providerId(message.id).replace('SM', 'IN'),
          address: message.address,
          sender: message.sender,
          body: 'Yes, count me in',
          media: [],
          providerKeyword: null,
          receivedAt: new Date(),
          timed: true,
        })),
      ),
    ),
  );
}

function claim(
  database: Database,
  ledger: Ledger,
  { campaign, watermark }: { campaign: TestCampaign; watermark: Watermark | null },
): Promise<ClaimResult> {
  return claimCampaignLane(database, {
    seats: ledger.senders.map((sender) => ({
      senderId: sender.id,
      sender: sender.e164,
      segments: BATCH,
    })),
    limit: BATCH,
    leaseMs: 60_000,
    knownBeat: new Date(0),
    campaignId: campaign.id,
    fence: 1,
    watermark,
    idRange: {
      min: '00000000-0000-0000-0000-000000000000',
      max: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    },
  });
}

async function inBatches<Item>(
  items: readonly Item[],
  work: (batch: readonly Item[]) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH)
    await work(items.slice(start, start + BATCH));
}

async function measure(what: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const ms = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    JSON.stringify({
      what,
      count,
      perSecond: Math.round((count / ms) * 1_000),
      msEach: Number((ms / count).toFixed(4)),
      nodeCpuMsEach: Number(((user + system) / 1_000 / count).toFixed(4)),
    }),
  );
}

function providerId(messageId: string): string {
  return `SM${messageId.replaceAll('-', '')}`;
}
