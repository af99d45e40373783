import {
  listCursors,
  setCursorWindows,
  type Cursor,
  type PlanningCampaign,
} from '../db/planning.ts';
import { campaignWindow, type CampaignHours } from '../domain/campaign-hours.ts';
import type { OpenWindow } from '../domain/texting-hours.ts';
import type { ActivityDeps } from './deps.ts';

/** Between the last text and the close of the hours, in milliseconds. */
export const CLOSING_PAD_MS = 60_000;
/**
 * A window with less left than this is planned for no more: what is planned ahead must leave before the
 * claim begins to skip (pad and two minutes before the close).
 */
const LEAST_WINDOW_MS = 300_000;
const WEEK_MS = 7 * 86_400_000;
const WEEKS_A_YEAR = 53;

/** Works out the texting hours anew for every zone set whose window is over or not known yet. */
export async function refreshWindows(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  cursors: readonly Cursor[],
): Promise<Cursor[]> {
  const nowMs = campaign.now.getTime();
  const stale = cursors.filter(
    (cursor) =>
      !cursor.no_legal_hour &&
      (cursor.closes_at === null || cursor.closes_at.getTime() - nowMs < LEAST_WINDOW_MS),
  );
  if (stale.length === 0) return [...cursors];
  const windows = stale.map((cursor) => {
    // A window that is about to close counts as over: look just behind it.
    const from = Math.max(nowMs, (cursor.closes_at?.getTime() ?? 0) + 60_000);
    const window = findWithinAYear(
      windowFinder(campaign, cursor),
      cursor.closes_at === null ? nowMs : from,
    );
    return {
      zoneSetId: cursor.zone_set_id,
      opensAt: window === null ? null : new Date(window.opensAtMs),
      closesAt: window === null ? null : new Date(window.closesAtMs),
      notAfter: window === null ? null : new Date(window.closesAtMs - CLOSING_PAD_MS),
    };
  });
  await setCursorWindows(deps.database, campaign, windows);
  return listCursors(deps.database, campaign.id);
}

/** Blackout days may last for weeks: only who may not be texted within a year never may. */
function findWithinAYear(
  find: (nowMs: number) => OpenWindow | null,
  fromMs: number,
): OpenWindow | null {
  for (let week = 0; week <= WEEKS_A_YEAR; week += 1) {
    const window = find(fromMs + week * WEEK_MS);
    if (window !== null) return window;
  }
  return null;
}

/** Finds when this zone set may be texted, as `campaignWindow` does. */
export function windowFinder(
  campaign: PlanningCampaign,
  cursor: Cursor,
): (nowMs: number) => OpenWindow | null {
  const hours: CampaignHours = {
    campaign: {
      startMinute: campaign.hours_start_minute,
      endMinute: campaign.hours_end_minute,
      days: campaign.hours_days,
      blackoutDates: campaign.hours_blackout.map((date) => date.toISOString().slice(0, 10)),
    },
    org: campaign.org_hours,
    startsAtLocal: campaign.starts_at_local,
  };
  return (nowMs) => campaignWindow(cursor, hours, nowMs);
}

/** Whether texts may be planned for this zone set now. */
export function isOpen(cursor: Cursor, nowMs: number): boolean {
  return (
    cursor.opens_at !== null &&
    cursor.closes_at !== null &&
    cursor.opens_at.getTime() <= nowMs &&
    nowMs < cursor.closes_at.getTime() - LEAST_WINDOW_MS
  );
}
