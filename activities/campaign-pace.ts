import type { CounterRow } from '../db/campaigns.ts';
import { countOpenReplies, readAverageSegments, setProjection } from '../db/campaign-pace.ts';
import { SET_BUCKET } from '../db/permits.ts';
import { listCursors, type Cursor, type PlanningCampaign } from '../db/planning.ts';
import { projectFinishMs, rateToFinishBy, type ZoneSetWork } from '../domain/projection.ts';
import { setImmediate } from 'node:timers/promises';
import type { OpenWindow } from '../domain/texting-hours.ts';
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
  const texts = rateToFinishBy(await toWork(campaign, cursors), {
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
  const [first, ...others] = await toWork(campaign, cursors);
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

/** Zone sets that are looked at one by one; the people of the others count as the largest set's. */
const MAX_SETS = 12;
const CALENDAR_DAYS = 21;
const CALENDAR_FOR_MS = 300_000;
const MAX_CALENDARS = 1_000;

interface Calendar {
  readonly until: number;
  readonly hoursVersion: number;
  readonly windows: ReadonlyMap<number, readonly OpenWindow[]>;
}

/** By campaign. Working out hours costs milliseconds a day and zone set, so it is not done at every look. */
const calendars = new Map<string, Calendar>();

/** The people who are left, with the hours of the next three weeks; waits between zone sets, so that texts go on. */
async function toWork(
  campaign: PlanningCampaign,
  cursors: readonly Cursor[],
): Promise<ZoneSetWork[]> {
  const left = (cursor: Cursor): number =>
    // Without a legal hour everybody is skipped at once.
    cursor.no_legal_hour ? 0 : Math.max(0, cursor.size - cursor.next_seq + 1);
  const sets = cursors.toSorted((a, b) => b.size - a.size || a.zone_set_id - b.zone_set_id);
  const some = sets.slice(0, MAX_SETS);
  const others = sets.slice(MAX_SETS).reduce((sum, cursor) => sum + left(cursor), 0);
  const { windows } = await findCalendar(campaign, some);
  return some.map((cursor, index) => {
    const own = windows.get(cursor.zone_set_id) ?? [];
    return {
      left: left(cursor) + (index === 0 ? others : 0),
      windowAt: (nowMs) => own.find(({ closesAtMs }) => closesAtMs > nowMs) ?? null,
    };
  });
}

async function findCalendar(
  campaign: PlanningCampaign,
  cursors: readonly Cursor[],
): Promise<Calendar> {
  const hoursVersion = campaign.org_hours.version;
  const known = calendars.get(campaign.id);
  if (
    known !== undefined &&
    known.until > performance.now() &&
    known.hoursVersion === hoursVersion &&
    cursors.every((cursor) => known.windows.has(cursor.zone_set_id))
  )
    return known;
  const windows = new Map<number, OpenWindow[]>();
  const nowMs = campaign.now.getTime();
  for (const cursor of cursors) {
    windows.set(cursor.zone_set_id, listWindows(windowFinder(campaign, cursor), nowMs));
    await setImmediate();
  }
  if (calendars.size >= MAX_CALENDARS) calendars.clear();
  const fresh = { until: performance.now() + CALENDAR_FOR_MS, hoursVersion, windows };
  calendars.set(campaign.id, fresh);
  return fresh;
}

function listWindows(find: (nowMs: number) => OpenWindow | null, nowMs: number): OpenWindow[] {
  const windows: OpenWindow[] = [];
  const untilMs = nowMs + CALENDAR_DAYS * 86_400_000;
  for (let at = nowMs; at < untilMs;) {
    const window = find(at);
    if (window === null) break;
    windows.push(window);
    at = window.closesAtMs;
  }
  return windows;
}
