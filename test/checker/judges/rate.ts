import type { CreateFact, Facts } from '../facts/facts.ts';
import { createFindings, mask, type Verdict } from '../verdict.ts';
import { groupBy } from './creates.ts';

/** I8: a sender's segments of any second stay within its limit and one text. */
export function judgeRate(facts: Facts): Verdict {
  const findings = createFindings(
    'I8',
    'no sender exceeds its segments a second by more than one text',
  );
  const { ledger, journal, expectations } = facts;
  const created = journal.creates.filter(({ sid }) => sid !== null);
  for (const [sender, creates] of groupBy(created, (row) => `${row.accountSid} ${row.from}`)) {
    const number = creates[0]?.from ?? '';
    const limit = expectations.senderLimits[number] ?? ledger.senderLimits.get(sender);
    if (limit === undefined) {
      findings.violation(`${mask(number)} is not a sender of ours`);
      continue;
    }
    const strict = busiest(creates, { limit, windowMs: 1_000 });
    findings.peak('most over the limit in any second', strict.over);
    // Requests sent apart may be seen together: the second is shortened by that much.
    const judged = busiest(creates, { limit, windowMs: 1_000 - expectations.jitterMs });
    if (judged.over <= 0) continue;
    const at = new Date(judged.atMs).toISOString();
    findings.violation(
      `${mask(number)} sent ${judged.segments} segments from ${at} on, at ${limit} a second`,
    );
  }
  return findings.verdict();
}

interface Busiest {
  readonly atMs: number;
  readonly segments: number;
  /** Segments beyond the limit and the longest text of that window. */
  readonly over: number;
}

function busiest(
  creates: readonly CreateFact[],
  { limit, windowMs }: { limit: number; windowMs: number },
): Busiest {
  let worst: Busiest = { atMs: 0, segments: 0, over: Number.NEGATIVE_INFINITY };
  let first = 0;
  let segments = 0;
  // In order of time; creates are sorted by it.
  for (const create of creates) {
    segments += create.counted;
    while (create.receivedAtMs - (creates[first]?.receivedAtMs ?? 0) >= windowMs) {
      segments -= creates[first]?.counted ?? 0;
      first += 1;
    }
    if (segments - limit <= worst.over) continue;
    const inside = creates.slice(first, creates.indexOf(create, first) + 1);
    const longest = Math.max(...inside.map(({ counted }) => counted));
    const over = segments - limit - longest;
    if (over > worst.over) {
      worst = { atMs: creates[first]?.receivedAtMs ?? 0, segments, over };
    }
  }
  return worst;
}
