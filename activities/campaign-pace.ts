import type { CounterRow } from '../db/campaigns.ts';
import { countOpenReplies, readAverageSegments, setProjection } from '../db/campaign-pace.ts';
import { SET_BUCKET } from '../db/permits.ts';
import { listCursors, type Cursor, type PlanningCampaign } from '../db/planning.ts';
import { projectFinishMs, rateToFinishBy, type ZoneSetWork } from '../domain/projection.ts';
import { windowFinder } from './campaign-windows.ts';
import type { ActivityDeps } from './deps.ts';

/** Segments a second that this campaign can hope for: its own limit and its pool's. */
export function campaignRate(campaign: PlanningCampaign): number {
  return Math.min(campaign.segments_per_second ?? Number.POSITIVE_INFINITY, campaign.pool_rate);
}

/**
 * Segments a second at which a campaign is planned now: within its limits, spread until its finish-by time,
 * and 0 while too many conversations wait for a person. The spread rate becomes the campaign's bucket, or
 * the pool would send what is planned ahead at once.
 */
export async function pace(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  cursors: readonly Cursor[],
): Promise<number> {
  const { database } = deps;
  if (campaign.max_open_replies !== null) {
    const open = await countOpenReplies(database, campaign.id, campaign.max_open_replies);
    if (open >= campaign.max_open_replies) return 0;
  }
  const limit = campaignRate(campaign);
  if (campaign.finish_by === null) return limit;
  const texts = rateToFinishBy(toWork(campaign, cursors), {
    nowMs: campaign.now.getTime(),
    finishByMs: campaign.finish_by.getTime(),
  });
  const spread = texts * (await readAverageSegments(database, campaign.id));
  const rate = Math.min(limit, Math.max(spread, LEAST_RATE));
  await database.query(SET_BUCKET, 'campaign', campaign.id, rate);
  return rate;
}

/** A bucket must fill, however little is left. */
const LEAST_RATE = 0.01;

/** Notes when the last first text will leave as things stand: what is planned and what is still to be. */
export async function noteProjection(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  counters: readonly CounterRow[],
): Promise<void> {
  if (campaign.frozen_at === null) return;
  const cursors = await listCursors(deps.database, campaign.id);
  const planned = counters.find((row) => row.kind === 'state' && row.value === 'planned')?.n ?? 0;
  const segments = await readAverageSegments(deps.database, campaign.id);
  const [first, ...others] = toWork(campaign, cursors);
  if (first === undefined) return;
  const nowMs = campaign.now.getTime();
  const finish = projectFinishMs([{ ...first, left: first.left + planned }, ...others], {
    textsPerSecond: campaignRate(campaign) / segments,
    nowMs,
  });
  // Who is to finish by a time, and can, finishes about then.
  const spreadMs = finish === nowMs ? 0 : (campaign.finish_by?.getTime() ?? 0);
  await setProjection(
    deps.database,
    campaign.id,
    finish === null ? null : new Date(Math.max(finish, spreadMs)),
  );
}

function toWork(campaign: PlanningCampaign, cursors: readonly Cursor[]): ZoneSetWork[] {
  return cursors.map((cursor) => ({
    // Without a legal hour everybody is skipped at once.
    left: cursor.no_legal_hour ? 0 : cursor.size - cursor.next_seq + 1,
    windowAt: windowFinder(campaign, cursor),
  }));
}
