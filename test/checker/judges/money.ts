import type { Facts } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';

/** I10: the provider bills the segments that the ledger predicted, for each text. */
export function judgeMoney(facts: Facts): Verdict {
  const findings = createFindings('I10', 'segments billed are segments predicted');
  for (const create of facts.journal.creates) {
    if (create.sid === null || create.billed === null) continue;
    const message = facts.ledger.messages.get(create.messageId ?? '');
    findings.count('billed', create.billed);
    if (create.billed !== create.counted) findings.count('texts that the checker counts otherwise');
    if (message === undefined) continue;
    findings.count('predicted', message.segments ?? 0);
    if (message.segments === create.billed) continue;
    findings.violation(
      `${message.id}: ${message.segments} predicted, ${create.billed} billed, ${create.counted} counted`,
    );
  }
  return findings.verdict();
}
