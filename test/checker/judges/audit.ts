import type { ApiCallFact, Facts } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';
import { groupBy } from './creates.ts';

const ACTIONS: ReadonlySet<string> = new Set(['launch', 'pause', 'resume', 'cancel']);

/**
 * I9: each change of a campaign that we acknowledged has one audit row, and so has each that happened
 * (the fence counts them); and nobody has touched the rows that are sealed.
 */
export function judgeAudit(facts: Facts): Verdict {
  const findings = createFindings('I9', 'every change of a campaign is audited once');
  const { clients, ledger } = facts;
  const audited = new Map<string, number>();
  for (const { action, objectId, byEngine, rows } of ledger.audit) {
    if (byEngine) continue;
    const key = `${objectId} ${action}`;
    audited.set(key, (audited.get(key) ?? 0) + rows);
  }
  for (const [key, calls] of groupBy(clients.calls.filter(isChange), keyOf)) {
    const changes = distinct(calls);
    findings.count('acknowledged changes', changes);
    const rows = audited.get(key) ?? 0;
    if (rows < changes) findings.violation(`${key}: ${changes} acknowledged, ${rows} audited`);
  }
  for (const campaign of ledger.campaigns.values()) {
    if (!campaign.isAudited || campaign.fence === campaign.stateRowsAudited) continue;
    findings.violation(
      `campaign ${campaign.id} changed ${campaign.fence} times, ${campaign.stateRowsAudited} audited`,
    );
  }
  const { sealed, broken } = ledger.seals;
  findings.count('sealed rows', sealed);
  if (broken.rows > 0) {
    findings.violation(`${broken.rule}: ${broken.examples.join(', ')}`, broken.rows);
  }
  return findings.verdict();
}

function isChange({ action, campaignId, status }: ApiCallFact): boolean {
  const isTaken = status !== null && status >= 200 && status < 300;
  return isTaken && campaignId !== null && action !== null && ACTIONS.has(action);
}

function keyOf({ campaignId, action }: ApiCallFact): string {
  return `${campaignId} campaign.${action}`;
}

/** Answers that repeat the first one to the same key are one change. */
function distinct(calls: readonly ApiCallFact[]): number {
  return new Set(calls.map(({ idempotencyKey }, index) => idempotencyKey ?? `call ${index}`)).size;
}
