/** Rows for benchmarks that need no Temporal: texts claimed and accepted by the engine's own statements. */
import { claimCampaignLane, type ClaimResult, type Watermark } from '../db/claims.ts';
import type { Database } from '../db/client.ts';
import { recordOutcomes } from '../db/records.ts';
import type { Ledger, TestCampaign } from '../test/support/ledger-rows.ts';

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
    idRange: {
      min: '00000000-0000-0000-0000-000000000000',
      max: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    },
  });
}

/** A message SID that is the row's own id. */
export function providerId(messageId: string): string {
  return `SM${messageId.replaceAll('-', '')}`;
}
