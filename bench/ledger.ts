/** Rows for benchmarks that need no Temporal: texts claimed and accepted by the engine's own statements. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClaimResult, Watermark } from '../db/claims.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { recordOutcomes } from '../db/records.ts';
import { asUser } from '../runtime/config.ts';
import { startEmbeddedPostgres } from '../runtime/embedded-postgres.ts';
import { ROOT } from '../test/support/engine-process.ts';
import { claimCampaignLane } from '../test/support/claims.ts';
import { createLedger, type Ledger, type TestCampaign } from '../test/support/ledger-rows.ts';
import { freePort } from '../test/support/ports.ts';

export interface AcceptedText {
  readonly id: string;
  readonly address: string;
  readonly sender: string;
  readonly providerMessageId: string;
}

const BATCH = 500;

/** A campaign of that many people whose first texts all were accepted. */
export async function acceptAll(
  database: Database,
  ledger: Ledger,
  people: number,
): Promise<AcceptedText[]> {
  const campaign = await ledger.addCampaign({ people });
  const texts: AcceptedText[] = [];
  let watermark: Watermark | null = null;
  for (;;) {
    const { claimed, last }: ClaimResult = await claimBatch(database, ledger, {
      campaign,
      watermark,
      limit: BATCH,
    });
    if (claimed.length === 0) return texts;
    watermark = last;
    await recordOutcomes(
      database,
      claimed.map((message) => ({
        id: message.id,
        attempt: message.attempt,
        outcome: 'accepted',
        providerMessageId: providerId(message.id),
        errorCode: null,
        reason: null,
        delayMs: 0,
      })),
    );
    for (const { id, address, sender } of claimed)
      texts.push({ id, address, sender, providerMessageId: providerId(id) });
  }
}

/** One claim of a campaign's lane, as a pool makes it, without permits. */
export function claimBatch(
  database: Database,
  ledger: Ledger,
  claim: {
    readonly campaign: Pick<TestCampaign, 'id'>;
    readonly watermark: Watermark | null;
    readonly limit: number;
  },
): Promise<ClaimResult> {
  return claimCampaignLane(database, {
    seats: ledger.senders.map((sender) => ({
      senderId: sender.id,
      sender: sender.e164,
      segments: claim.limit,
    })),
    limit: claim.limit,
    leaseMs: 60_000,
    knownBeat: new Date(0),
    campaignId: claim.campaign.id,
    fence: 1,
    watermark: claim.watermark,
  });
}

/** A message SID that is the row's own id. */
export function providerId(messageId: string): string {
  return `SM${messageId.replaceAll('-', '')}`;
}

/** Runs on a Postgres of its own, on a real disk, with an org, an account and two senders. */
export async function withLedger(
  name: string,
  work: (parts: {
    readonly database: Database;
    readonly ledger: Ledger;
    readonly ownerUrl: string;
  }) => Promise<void>,
): Promise<void> {
  const folder = join(ROOT, '.data', 'bench', `${name}-${Date.now()}`);
  await mkdir(folder, { recursive: true });
  const server = await startEmbeddedPostgres({
    dataDir: join(folder, 'postgres'),
    port: await freePort(),
    password: randomBytes(16).toString('hex'),
    log: () => {},
  });
  const { ownerUrl } = server;
  const engineUrl = asUser(ownerUrl, 'gw_engine');
  const database = createDatabase({ url: engineUrl, applicationName: 'bench', poolSize: 10 });
  try {
    await migrate(ownerUrl);
    const urls = { ownerUrl, engineUrl, apiUrl: asUser(ownerUrl, 'gw_api') };
    await work({ database, ledger: await createLedger(database, urls), ownerUrl });
  } finally {
    await database.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
