import type { Facts, MessageFact, ReportsFact } from '../facts/facts.ts';
import { rankOf } from '../facts/own-rules.ts';
import { createFindings, type Verdict } from '../verdict.ts';

const FAILURES: ReadonlySet<string> = new Set(['undelivered', 'failed']);

/** I6: the delivery is what any order of the acknowledged reports leads to. */
export function judgeDelivery(facts: Facts): Verdict {
  const findings = createFindings('I6', 'delivery only rises, and no error number is lost');
  for (const message of facts.ledger.messages.values()) {
    if (message.direction === 'inbound' || message.providerMessageId === null) continue;
    const reports = facts.journal.reports.get(message.providerMessageId);
    if (reports === undefined) continue;
    const problem = problemOf(message, reports);
    if (problem !== null) findings.violation(`${message.id} ${problem}`);
    findings.count(message.delivery);
  }
  return findings.verdict();
}

function problemOf(message: MessageFact, { ever, acked }: ReportsFact): string | null {
  const rank = rankOf(message.delivery);
  const top = [...acked].reduce(
    (best, status) => (rankOf(status) > rankOf(best) ? status : best),
    'none',
  );
  if (rank < rankOf(top)) return `is ${message.delivery}, although ${top} was acknowledged`;
  // What was applied although our answer was lost, or was read from the provider's list, may be higher.
  const isKnown = rank === 0 || [...ever.keys()].some((status) => rankOf(status) === rank);
  if (!isKnown) return `is ${message.delivery}, which the provider never said`;
  const code = ever.get(top) ?? null;
  if (FAILURES.has(top) && code !== null && message.errorCode !== code) {
    return `has lost the error ${code}`;
  }
  return null;
}
