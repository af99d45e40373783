import type { Facts, InboundFact, MessageFact } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';
import { groupBy } from './creates.ts';

/** I3: what we acknowledged, and after a heal what the provider holds, is stored exactly once and as it was. */
export function judgeInbound(facts: Facts): Verdict {
  const findings = createFindings('I3', 'every inbound text is stored exactly once');
  const { journal, ledger, expectations } = facts;
  const stored = groupBy(
    [...ledger.messages.values()].filter(({ direction }) => direction === 'inbound'),
    ({ providerMessageId }) => providerMessageId,
  );
  for (const text of journal.inbound.values()) {
    const rows = stored.get(text.sid) ?? [];
    findings.count('held by the provider');
    if (text.ackedAtMs !== null) findings.count('acknowledged');
    if (text.isListOnly) findings.count('in the list only');
    const [row] = rows;
    if (row === undefined) {
      if (ledger.quarantined.has(text.sid)) findings.count('kept raw in quarantine');
      else if (text.ackedAtMs !== null) {
        findings.violation(`${text.sid} was acknowledged and is not stored`);
      } else if (expectations.healed && !text.isDeleted) {
        findings.violation(`${text.sid} is held by the provider and not stored`);
      } else findings.count('not stored yet');
      continue;
    }
    if (rows.length > 1) findings.violation(`${text.sid} is stored ${rows.length} times`);
    else if (!isSame(text, row)) findings.violation(`${text.sid} is not stored as it came`);
  }
  return findings.verdict();
}

function isSame(text: InboundFact, row: MessageFact): boolean {
  return row.address === text.from && row.sender === text.to && row.bodyMd5 === text.bodyMd5;
}
