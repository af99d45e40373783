import { changeCampaign } from './campaigns.ts';
import type { Database } from './client.ts';
import { slowDown } from './permits.ts';
import { setSenderState, stopAccount } from './records.ts';

/** What an error number says about whoever sent the text. */
export interface SendingRule {
  readonly code: number;
  readonly meaning: string;
  readonly sender: 'none' | 'slow-down' | 'hold' | 'stop-sender' | 'stop-account';
  readonly campaign: 'none' | 'pause';
  readonly retryAfterMs: number | null;
}

/** Carries out what an error number means for the sender, the account and the campaign of a text. */
export async function applyToSending(
  database: Database,
  text: {
    readonly account_id: string;
    readonly sender_id: string | null;
    readonly campaign_id: string | null;
  },
  rule: SendingRule,
): Promise<void> {
  const reason = `${rule.code}: ${rule.meaning}`;
  const { account_id: accountId, sender_id: senderId, campaign_id: campaignId } = text;
  if (rule.sender === 'slow-down' && senderId !== null)
    await slowDown(database, 'sender', senderId);
  if ((rule.sender === 'hold' || rule.sender === 'stop-sender') && senderId !== null) {
    await setSenderState(database, {
      senderId,
      state: rule.sender === 'hold' ? 'held' : 'stopped',
      reason,
      heldMs: rule.retryAfterMs,
    });
  }
  if (rule.sender === 'stop-account') await stopAccount(database, accountId, reason);
  if (rule.campaign === 'pause' && campaignId !== null)
    await changeCampaign(database, { campaignId, action: 'pause', actor: 'engine', reason });
}
