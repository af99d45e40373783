import { countRows } from './counting.ts';

/**
 * CTEs that skip the planned rows picked (and locked, in id order) by the CTE `picked`, for a reason given
 * as an SQL expression, and count them: `skipped` holds the org and campaign of each.
 */
export function skipRows({ picked, reason }: { picked: string; reason: string }): string {
  return `skipped as (
  update message m set state = 'skipped', reason = ${reason}, final_at = now() from ${picked} l where m.id = l.id
  returning m.org_id, m.campaign_id),
skips as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  ${countRows('skipped', [
    ['state', `'planned'`, -1],
    ['state', `'skipped'`, 1],
    ['skip', reason, 1],
  ])})`;
}
