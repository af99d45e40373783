import type { BrokenRows, Facts } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';

/** No row points at nothing. */
export function judgeOrphans({ ledger }: Facts): Verdict {
  return judge('orphans', 'no row points at nothing', ledger.orphans);
}

/** Counters and their deltas add up to what is there. */
export function judgeCounters({ ledger }: Facts): Verdict {
  return judge('counters', 'counters equal the rows that they count', ledger.counters);
}

function judge(id: string, title: string, broken: readonly BrokenRows[]): Verdict {
  const findings = createFindings(id, title);
  for (const { rule, rows, examples } of broken) {
    findings.violation(`${rule}: ${examples.slice(0, 3).join(', ')}`, rows);
  }
  return findings.verdict();
}
