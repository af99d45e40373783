import type { ClaimResult, Watermark } from '../db/claims.ts';
import type { CampaignLane } from '../db/pools.ts';
import { NIL_ID } from '../domain/derived-id.ts';

/**
 * Rows may appear below a watermark (a lock that was skipped, a retry, a transaction that took longer than
 * the lag below while the lane was never empty): start over this often. It bounds how long such a row
 * waits: with ten seconds, 110 of 1,000 waited more than three.
 */
const WATERMARK_RESET_MS = 1_500;
/** Below the largest row returned, but never nearer to now than this. */
const WATERMARK_LAG_MS = 2_000;

/** Where a campaign's lane goes on, under one fence, until it is looked through from the start again. */
export interface LaneMark {
  readonly fence: number;
  readonly watermark: Watermark | null;
  readonly resetAt: number;
}

export function currentMark(marks: Map<string, LaneMark>, lane: CampaignLane): LaneMark {
  const known = marks.get(lane.id);
  if (known !== undefined && known.fence === lane.fence && known.resetAt > performance.now())
    return known;
  if (marks.size > 10_000) marks.clear();
  return { fence: lane.fence, watermark: null, resetAt: performance.now() + WATERMARK_RESET_MS };
}

export function nextWatermark(last: ClaimResult['last']): Watermark | null {
  if (last === null) return null;
  const latest = Date.now() - WATERMARK_LAG_MS;
  return last.dueAt.getTime() <= latest ? last : { dueAt: new Date(latest), id: NIL_ID };
}
