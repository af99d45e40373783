import type { Facts, MessageFact } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';
import { acceptedByMessage, groupBy } from './creates.ts';

/** So that "accounted for" cannot hide people: few unknown, few that nothing shows, most accepted. */
export function judgeBounds(facts: Facts): Verdict | null {
  const { bounds } = facts.expectations;
  if (bounds === null) return null;
  const findings = createFindings(
    'bounds',
    'what is unknown or was never sent stays within bounds',
  );
  const { ledger, journal } = facts;
  const planned = [...ledger.messages.values()].filter(isCampaignText);
  const created = acceptedByMessage(journal);
  const unknown = planned.filter(({ state }) => state === 'unknown').length;
  const withoutCreate = planned.filter(
    ({ id, state }) => (state === 'unknown' || state === 'lost') && !created.has(id),
  ).length;
  const wanted = [...groupBy(planned, chainOf).values()].filter((chain) => isWanted(facts, chain));
  const accepted = wanted.filter((chain) => chain.some(({ state }) => state === 'accepted')).length;
  findings.count('planned', planned.length);
  findings.count('unknown', unknown);
  findings.count('unknown or lost without a create', withoutCreate);
  findings.count('to people who did not stop', wanted.length);
  findings.count('of these accepted', accepted);
  const most = {
    unknown: Math.min(bounds.kills * bounds.sockets, bounds.unknownShare * planned.length),
    withoutCreate: bounds.withoutCreateShare * planned.length,
  };
  if (unknown > most.unknown) findings.violation(`${unknown} unknown, at most ${most.unknown}`);
  if (withoutCreate > most.withoutCreate) {
    findings.violation(`${withoutCreate} without a create, at most ${most.withoutCreate}`);
  }
  if (accepted < bounds.acceptedShare * wanted.length) {
    findings.violation(`${accepted} of ${wanted.length} accepted`);
  }
  return findings.verdict();
}

function isCampaignText(message: MessageFact): boolean {
  return message.direction === 'outbound' && message.campaignId !== null;
}

/** All tries of one text. */
function chainOf(message: MessageFact): string {
  return `${message.conversationId} ${message.step} ${message.wave} ${message.purpose}`;
}

/** Neither the person nor the admin took it back. */
function isWanted({ ledger }: Facts, chain: readonly MessageFact[]): boolean {
  return chain.every(
    ({ orgId, address, reason }) =>
      reason !== 'cancelled' && !ledger.suppressed.has(`${orgId} ${address}`),
  );
}
