import { changeCampaign, type CounterRow } from '../db/campaigns.ts';
import { setBrakeMark } from '../db/campaign-pace.ts';
import type { PlanningCampaign } from '../db/planning.ts';
import { judgeBrakes, type BrakeCounts } from '../domain/brakes.ts';
import { twilioErrorRule } from '../providers/twilio-errors.ts';
import type { ActivityDeps } from './deps.ts';

/** Pauses a campaign whose texts fail, are refused or make people opt out more than its limits allow; returns whether it did. */
export async function brake(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  counters: readonly CounterRow[],
): Promise<boolean> {
  const now = countForBrakes(counters);
  const mark = readMark(campaign.brake_mark);
  if (mark === null) {
    // The launch, or a resume: what happened before is known and accepted.
    await setBrakeMark(deps.database, campaign.id, now);
    return false;
  }
  const verdict = judgeBrakes(mark, now, {
    minTexts: campaign.brake_min_texts,
    failures: campaign.brake_failures,
    violations: campaign.brake_violations,
    optOuts: campaign.brake_opt_outs,
  });
  if (verdict.kind === 'calm') await setBrakeMark(deps.database, campaign.id, now);
  if (verdict.kind !== 'trip') return false;
  const { changed } = await changeCampaign(deps.database, {
    campaignId: campaign.id,
    action: 'pause',
    actor: 'engine',
    reason: verdict.reason,
  });
  if (changed)
    deps.log.error({ campaignId: campaign.id }, `a campaign paused itself. ${verdict.reason}`);
  return changed;
}

function countForBrakes(counters: readonly CounterRow[]): BrakeCounts {
  const sum = (kind: string, matches: (value: string) => boolean): number =>
    counters
      .filter((row) => row.kind === kind && matches(row.value))
      .reduce((total, row) => total + row.n, 0);
  const rejected = sum('state', (value) => value === 'rejected');
  return {
    texts: sum('state', (value) => value === 'accepted') + rejected,
    failures: rejected + sum('delivery', (value) => value === 'undelivered' || value === 'failed'),
    violations: sum('error', (code) => twilioErrorRule(Number(code)).isViolation),
    optOuts: sum('optout', () => true),
  };
}

function readMark(mark: unknown): BrakeCounts | null {
  return typeof mark === 'object' && mark !== null ? (mark as BrakeCounts) : null;
}
