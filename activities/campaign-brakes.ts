import { changeCampaign, type CounterRow } from '../db/campaigns.ts';
import { setBrakeMark } from '../db/campaign-pace.ts';
import type { PlanningCampaign } from '../db/planning.ts';
import { judgeBrakes, watchBrakes, type BrakeCounts, type BrakeMark } from '../domain/brakes.ts';
import { twilioErrorRule } from '../providers/twilio-errors.ts';
import type { ActivityDeps } from './deps.ts';

/** Pauses a campaign whose texts fail, are refused or make people opt out more than its limits allow; returns whether it did. */
export async function brake(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  counters: readonly CounterRow[],
): Promise<boolean> {
  const now = countForBrakes(counters);
  const known = readMark(campaign.brake_mark);
  const mark = watchBrakes(known, now, campaign.now.getTime());
  // Null is the launch, or a resume: what happened before is known and accepted.
  const verdict =
    known === null
      ? ({ kind: 'wait' } as const)
      : judgeBrakes(mark, now, {
          minTexts: campaign.brake_min_texts,
          failures: campaign.brake_failures,
          violations: campaign.brake_violations,
          optOuts: campaign.brake_opt_outs,
        });
  const next = verdict.kind === 'calm' ? { ...mark, ...now } : mark;
  if (isWorthWriting(known, next)) await setBrakeMark(deps.database, campaign.id, next);
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

/** Texts that go out all the time move the mark's clock at every look: a few seconds more or less are none. */
function isWorthWriting(known: BrakeMark | null, next: BrakeMark): boolean {
  if (known === null || next.seenAtMs - known.seenAtMs >= WRITE_EVERY_MS) return true;
  return (['texts', 'failures', 'violations', 'optOuts'] as const).some(
    (name) => known[name] !== next[name],
  );
}

const WRITE_EVERY_MS = 10_000;

function readMark(mark: unknown): BrakeMark | null {
  return typeof mark === 'object' && mark !== null ? (mark as BrakeMark) : null;
}
