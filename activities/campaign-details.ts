import type { CounterRow } from '../db/campaigns.ts';
import type { PlanningCampaign } from '../db/planning.ts';

/** What operators see of a campaign in the Temporal UI: counts only, as a Markdown table. */
export function describeCampaign(
  campaign: PlanningCampaign,
  counters: readonly CounterRow[],
  state: string,
): string {
  const lines = counters
    .toSorted((a, b) => a.kind.localeCompare(b.kind) || a.value.localeCompare(b.value))
    .map((row) => `| ${row.kind} | ${row.value} | ${row.n} |`);
  return [
    `**${state}**, ${campaign.resolved_start_mode ?? campaign.start_mode}`,
    '',
    '| counter | value | n |',
    '|---|---|---|',
    ...lines,
  ].join('\n');
}
