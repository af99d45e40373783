import type { CampaignFact, CreateFact, Facts, MessageFact } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';
import { acceptedByMessage } from './creates.ts';

type Findings = ReturnType<typeof createFindings>;

/** I1: everything planned ends, or is pending where something will take it up, and every state agrees with the journal. */
export function judgeNothingLost(facts: Facts): Verdict {
  const findings = createFindings('I1', 'nothing is lost: every planned text is accounted for');
  const accepted = acceptedByMessage(facts.journal);
  for (const message of facts.ledger.messages.values()) {
    if (message.direction === 'inbound') continue;
    findings.count(message.state);
    judgeState(facts, findings, { message, creates: accepted.get(message.id) ?? [] });
    if (message.state === 'planned' || message.state === 'sending') {
      judgePending(facts, findings, message);
    }
  }
  for (const [messageId, creates] of accepted) {
    if (facts.ledger.messages.has(messageId)) continue;
    findings.violation(`create ${creates[0]?.sid} names message ${messageId}, which has no row`);
  }
  for (const campaign of facts.ledger.campaigns.values()) judgeSums(facts, findings, campaign);
  if (facts.expectations.healed) {
    for (const id of facts.ledger.unheardConversations) {
      findings.violation(`conversation ${id} has replies that no turn dealt with`);
    }
  }
  return findings.verdict();
}

/** What the ledger says about a text against what the provider did. */
function judgeState(
  { expectations }: Facts,
  findings: Findings,
  { message, creates }: { message: MessageFact; creates: readonly CreateFact[] },
): void {
  const { id, state, providerMessageId } = message;
  const isCreated = creates.length > 0;
  switch (state) {
    case 'accepted':
      if (!creates.some(({ sid }) => sid === providerMessageId)) {
        findings.violation(`${id} is accepted as ${providerMessageId}, which was never created`);
      }
      return;
    case 'unknown':
    case 'lost':
      findings.count(`${state} ${isCreated ? 'with' : 'without'} a create`);
      // An unknown text is listed for people; one called lost was texted all the same.
      if (state === 'lost' && isCreated && expectations.healed) {
        findings.violation(`${id} is called lost, but ${creates[0]?.sid} was created`);
      }
      return;
    case 'planned':
    case 'rejected':
    case 'skipped':
      if (isCreated)
        findings.violation(`${id} is ${state}, but ${creates[0]?.sid} was created for it`);
      return;
    default:
      return;
  }
}

function judgePending(facts: Facts, findings: Findings, message: MessageFact): void {
  const { expectations, ledger } = facts;
  const campaign =
    message.campaignId === null ? undefined : ledger.campaigns.get(message.campaignId);
  if (campaign?.state === 'paused' && message.state === 'planned') {
    findings.count('held by a pause');
    return;
  }
  if (expectations.healed) findings.violation(`${message.id} is still ${message.state}`);
  else if (message.state === 'planned' && !hasTaker(facts, message)) {
    findings.violation(`${message.id} is planned, and nothing will take it up`);
  }
}

/** A workflow that will send it, or a doorbell that will start one. */
function hasTaker({ ledger, expectations }: Facts, message: MessageFact): boolean {
  const { liveWorkflows } = expectations;
  if (liveWorkflows === null) return true;
  const { poolId, conversationId, campaignId, driver } = message;
  return (
    liveWorkflows.has(`sender-pool/${poolId}`) ||
    ledger.doorbells.has(`wake_pool ${poolId}`) ||
    (campaignId !== null && liveWorkflows.has(`campaign/${campaignId}`)) ||
    (driver === 'conversation' &&
      (liveWorkflows.has(`conversation/${conversationId}`) ||
        ledger.doorbells.has(`ring_conversation ${conversationId}`)))
  );
}

function judgeSums({ expectations }: Facts, findings: Findings, campaign: CampaignFact): void {
  const { id, audience, contacts, cursorSum, passedOver, waiting, waitingOpen, state } = campaign;
  if (audience === null) return;
  if (cursorSum > 0 && (audience !== contacts || cursorSum !== contacts)) {
    findings.violation(
      `campaign ${id}: ${contacts} contacts, but ${audience} counted and ${cursorSum} to plan`,
    );
  }
  if (passedOver > 0) {
    findings.violation(`campaign ${id}: ${passedOver} contacts were passed over`, passedOver);
  }
  if (state === 'cancelled') findings.count('never planned, cancelled', waiting);
  else if (state === 'finished' && waiting > 0) {
    findings.violation(`campaign ${id} is finished, but ${waiting} contacts have no text`, waiting);
  } else if (expectations.healed && state === 'running' && waitingOpen > 0) {
    findings.violation(`campaign ${id}: ${waitingOpen} contacts still wait`, waitingOpen);
  } else findings.count('not planned yet', waiting);
}
