import type { Facts, MessageFact } from '../facts/facts.ts';
import { mayText } from '../facts/hours.ts';
import { createFindings, mask, type Verdict } from '../verdict.ts';

/** I7: each text is created inside its campaign's hours, its org's and the law's, in every zone its person may be in. */
export function judgeHours(facts: Facts): Verdict {
  const findings = createFindings('I7', 'no text outside the hours, in any zone of its person');
  const { journal, ledger } = facts;
  for (const create of journal.creates) {
    if (create.sid === null || create.messageId === null) continue;
    const message = ledger.messages.get(create.messageId);
    const campaign = ledger.campaigns.get(message?.campaignId ?? '');
    if (message === undefined || campaign === undefined) continue;
    if (!isBound(message, campaign.autoRepliesInHoursOnly)) {
      findings.count('answers, bound to no hours');
      continue;
    }
    const whereabouts = ledger.whereabouts(message.conversationId ?? '');
    if (whereabouts === null || whereabouts.zones.length === 0) {
      findings.violation(`${message.id} went to a person without a zone`);
      continue;
    }
    findings.count('judged');
    if (mayText(create.receivedAtMs, campaign, whereabouts)) continue;
    const at = new Date(create.receivedAtMs).toISOString();
    findings.violation(
      `${message.id} to ${mask(create.to)} at ${at}, in ${whereabouts.zones.join(' and ')}`,
    );
  }
  return findings.verdict();
}

function isBound({ purpose }: MessageFact, autoRepliesToo: boolean): boolean {
  if (purpose === 'campaign' || purpose === 'human_first' || purpose === 'api') return true;
  return purpose === 'auto_reply' && autoRepliesToo;
}
