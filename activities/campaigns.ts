import { sleep } from '@temporalio/activity';
import {
  changeCampaign,
  READ_COUNTERS,
  readActivity,
  skipPlanned,
  type CounterRow,
} from '../db/campaigns.ts';
import {
  countDueSoon,
  findPlanningCampaign,
  freezeAudience,
  listAudience,
  listCursors,
  markPlannedAll,
  planTexts,
  sumStartRates,
  type Cursor,
  type PlanningCampaign,
} from '../db/planning.ts';
import { SET_BUCKET } from '../db/permits.ts';
import { PURPOSE_RULES } from '../domain/purpose.ts';
import { findStep, isQuestion } from '../domain/script.ts';
import { faultPoint } from '../faults/points.ts';
import { brake } from './campaign-brakes.ts';
import { describeCampaign } from './campaign-details.ts';
import { campaignRate, noteProjection, pace } from './campaign-pace.ts';
import { CLOSING_PAD_MS, isOpen, refreshWindows } from './campaign-windows.ts';
import { stretchSlice, type ActivityDeps } from './deps.ts';
import { firstText, writeFirstText } from './first-texts.ts';
import { readScript } from './scripts.ts';

export interface RunCampaignResult {
  readonly state: string;
  /** True when nothing is left to do for ever. */
  readonly done: boolean;
  /** Milliseconds until the campaign should be looked at again, unless somebody rings. */
  readonly waitMs: number;
  /** Markdown for operators: counts only. */
  readonly details: string;
}

/** A running campaign is looked at as often as it sends so many texts, within these bounds (ms). */
const TEXTS_A_LOOK = 500;
const LOOK_MS = { least: 500, most: 3_000 } as const;
/** How much of its pool's capacity a campaign keeps planned ahead, in seconds. */
const AHEAD_S = { pool: 30, conversation: 2 } as const;
/** Of that, the part that may be used up before the next look. */
const LOOK_SHARE = 1 / 4;
/** While this part of it, or so many texts, can go soon, no more is planned: a slow campaign does not plan them one by one. */
const PLAN_SHARE = 1 / 2;
const WORTH_A_PLAN = 50;
const MAX_ROWS_A_PLAN = 1_000;
const IDLE_WAIT_MS = 60_000;
/** While the last texts are under way. */
const QUIET_LOOK_MS = 1_000;
const CANCEL_WAIT_MS = 1_000;
const SAFE_MODE_WAIT_MS = 5_000;
/** Beyond twice the provider's lag an unknown text no longer keeps its campaign open. */
const UNKNOWN_PAD_MS = 120_000;

export function createCampaignActivities(deps: ActivityDeps) {
  const { database } = deps;
  let running = 0;
  return {
    /**
     * Runs one slice of a campaign: starts it when its time has come, freezes the audience once, plans
     * texts a little ahead of the senders, finishes it. Key: the cursor's position; every row's id is
     * derived from its cause, so a repeat meets the same rows.
     */
    runCampaign: async (input: { readonly campaignId: string }): Promise<RunCampaignResult> => {
      running += 1;
      try {
        const end = performance.now() + stretchSlice(deps.settings.sliceMs.campaign, running);
        for (;;) {
          const campaign = await findPlanningCampaign(database, input.campaignId);
          if (campaign === null)
            return { state: 'unknown', done: true, waitMs: 0, details: 'No such campaign.' };
          const next = await stepCampaign(deps, campaign);
          if (next.done || next.waitMs > LOOK_MS.most || performance.now() > end) {
            const counters = await database.query<CounterRow>(READ_COUNTERS, campaign.id);
            if (next.state === 'running') await noteProjection(deps, campaign, counters);
            return { ...next, details: describeCampaign(campaign, counters, next.state) };
          }
          await sleep(next.waitMs);
        }
      } finally {
        running -= 1;
      }
    },

    /** Sets a campaign's own rate. Key: the campaign; the same rate twice is the same rate. */
    setCampaignRate: async (input: {
      readonly campaignId: string;
      readonly segmentsPerSecond: number;
    }): Promise<void> => {
      await database.query(SET_BUCKET, 'campaign', input.campaignId, input.segmentsPerSecond);
      await database.query(
        'update campaign set segments_per_second = $2::float8 where id = $1::uuid returning 1 as done',
        input.campaignId,
        input.segmentsPerSecond,
      );
    },
  };
}

type Step = Omit<RunCampaignResult, 'details'>;

async function stepCampaign(deps: ActivityDeps, campaign: PlanningCampaign): Promise<Step> {
  if (campaign.safe_mode) return { state: campaign.state, done: false, waitMs: SAFE_MODE_WAIT_MS };
  switch (campaign.state) {
    case 'launched':
      return begin(deps, campaign);
    case 'running': {
      const counters = await deps.database.query<CounterRow>(READ_COUNTERS, campaign.id);
      if (await brake(deps, campaign, counters))
        return { state: 'paused', done: false, waitMs: IDLE_WAIT_MS };
      return plan(deps, campaign, counters);
    }
    case 'cancelled': {
      // A text on the wire may still come back as planned: over only when nothing can.
      await skipPlanned(deps.database, campaign.id, 'cancelled');
      const open = countOpen(await deps.database.query(READ_COUNTERS, campaign.id));
      return { state: campaign.state, done: open === 0, waitMs: open === 0 ? 0 : CANCEL_WAIT_MS };
    }
    case 'paused':
      // What was planned before the pause moves on with the hours, so that resuming finds it in time.
      await refreshWindows(deps, campaign, await listCursors(deps.database, campaign.id));
      return { state: campaign.state, done: false, waitMs: IDLE_WAIT_MS };
    default:
      return { state: campaign.state, done: true, waitMs: 0 };
  }
}

/** Launched: waits for the start, then freezes who is texted and how, and starts. */
async function begin(deps: ActivityDeps, campaign: PlanningCampaign): Promise<Step> {
  const waitMs = (campaign.starts_at?.getTime() ?? 0) - campaign.now.getTime();
  if (waitMs > 0) return { state: campaign.state, done: false, waitMs };
  if (campaign.frozen_at === null) {
    const rate = campaignRate(campaign);
    // A first text that is followed by another without a reply needs its conversation from the start.
    const script = readScript(campaign.graph);
    const opening = findStep(script, script.start);
    const mustWait = opening !== null && !isQuestion(opening) && (opening.next ?? null) !== null;
    // The starts are shared by every campaign of the deployment.
    const hasRoom = rate + (await sumStartRates(deps.database)) <= deps.settings.startsPerSecond;
    const automatic = mustWait || hasRoom ? 'first_text' : 'first_reply';
    await freezeAudience(deps.database, {
      campaignId: campaign.id,
      launchedAt: campaign.launched_at,
      startMode: campaign.start_mode === 'auto' ? automatic : campaign.start_mode,
    });
  }
  await changeCampaign(deps.database, {
    campaignId: campaign.id,
    action: 'start',
    actor: 'engine',
  });
  return { state: 'running', done: false, waitMs: 0 };
}

async function plan(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  counters: readonly CounterRow[],
): Promise<Step> {
  const { database } = deps;
  const all = await refreshWindows(deps, campaign, await listCursors(database, campaign.id));
  const cursors = all.filter((cursor) => cursor.next_seq <= cursor.size);
  if (cursors.length === 0) {
    if (campaign.planned_all_at === null) await markPlannedAll(database, campaign.id);
    return finishWhenQuiet(deps, campaign, counters);
  }
  const now = campaign.now.getTime();
  const driver = campaign.resolved_start_mode === 'first_text' ? 'conversation' : 'pool';
  const rate = await pace(deps, campaign, cursors);
  const planned = counters.find((row) => row.kind === 'state' && row.value === 'planned')?.n ?? 0;
  const ahead = Math.ceil(rate * AHEAD_S[driver]);
  const missing = await countMissing(deps, { campaign, ahead, planned });
  let want = Math.min(missing, MAX_ROWS_A_PLAN);
  for (const cursor of cursors) {
    if (want <= 0) break;
    if (!cursor.no_legal_hour && !isOpen(cursor, now)) continue;
    want -= await planSlice(deps, campaign, {
      cursor,
      count: Math.min(want, cursor.size - cursor.next_seq + 1),
      driver,
    });
  }
  // A full plan was made and more is wanted: the launch of a fast campaign.
  const isCut = want <= 0 && missing > MAX_ROWS_A_PLAN;
  const opening = Math.min(
    ...cursors.map((cursor) =>
      isOpen(cursor, now) || cursor.no_legal_hour ? now : (cursor.opens_at?.getTime() ?? now),
    ),
  );
  return {
    state: campaign.state,
    done: false,
    waitMs:
      opening > now ? Math.min(opening - now, 3_600_000) : isCut ? 0 : lookAgainMs(rate, driver),
  };
}

/**
 * How many texts are to be planned. Where few seem to be missing, those count that can go soon: what waits for the next
 * day or for another conversation must not keep the others waiting.
 */
async function countMissing(
  { database }: ActivityDeps,
  {
    campaign,
    ahead,
    planned,
  }: {
    readonly campaign: PlanningCampaign;
    readonly ahead: number;
    readonly planned: number;
  },
): Promise<number> {
  if (ahead - planned >= WORTH_A_PLAN) return ahead - planned;
  const enough = Math.ceil(Math.min(ahead * PLAN_SHARE, WORTH_A_PLAN));
  const soon = await countDueSoon(database, { campaignId: campaign.id, atMost: enough });
  return soon >= enough ? 0 : ahead - soon;
}

function lookAgainMs(rate: number, driver: keyof typeof AHEAD_S): number {
  const most = Math.min(LOOK_MS.most, AHEAD_S[driver] * LOOK_SHARE * 1_000);
  return Math.min(most, Math.max(LOOK_MS.least, (TEXTS_A_LOOK / rate) * 1_000));
}

async function planSlice(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  { cursor, count, driver }: { cursor: Cursor; count: number; driver: 'pool' | 'conversation' },
): Promise<number> {
  const toSeq = cursor.next_seq + count - 1;
  const people = await listAudience(deps.database, {
    campaignId: campaign.id,
    zoneSetId: cursor.zone_set_id,
    fromSeq: cursor.next_seq,
    toSeq,
  });
  const first = firstText(campaign);
  faultPoint('plan.storing');
  const moved = await planTexts(deps.database, {
    campaignId: campaign.id,
    zoneSetId: cursor.zone_set_id,
    fromSeq: cursor.next_seq,
    nextSeq: toSeq + 1,
    fence: campaign.fence,
    driver,
    priority: PURPOSE_RULES.campaign.priority,
    step: first.step,
    notAfter: new Date((cursor.closes_at ?? campaign.now).getTime() - CLOSING_PAD_MS),
    texts: people.map((person) => {
      const text = writeFirstText(campaign, first, person);
      return cursor.no_legal_hour ? { ...text, skipReason: 'no_legal_hour' } : text;
    }),
  });
  faultPoint('plan.stored');
  return moved ? people.length : 0;
}

/**
 * Everything is planned: finished once nothing is planned or sending, no unknown text is still being
 * looked for, and the reply window after the last text is over or an admin closed it.
 */
async function finishWhenQuiet(
  deps: ActivityDeps,
  campaign: PlanningCampaign,
  counters: readonly CounterRow[],
): Promise<Step> {
  const { lastAt, openUnknown } = await readActivity(
    deps.database,
    campaign.id,
    deps.settings.reconcileLagMs * 2 + UNKNOWN_PAD_MS,
  );
  const quietAt = (lastAt ?? campaign.launched_at).getTime() + campaign.reply_window_s * 1_000;
  const waiting = campaign.replies_closed_at === null ? quietAt - campaign.now.getTime() : 0;
  if (countOpen(counters) > 0 || openUnknown > 0)
    return { state: campaign.state, done: false, waitMs: QUIET_LOOK_MS };
  if (waiting > 0)
    return { state: campaign.state, done: false, waitMs: Math.min(waiting, IDLE_WAIT_MS) };
  // Once more, as of now: what was read before the cursors may be older than the last plan.
  if (countOpen(await deps.database.query(READ_COUNTERS, campaign.id)) > 0)
    return { state: campaign.state, done: false, waitMs: QUIET_LOOK_MS };
  const finished = await changeCampaign(deps.database, {
    campaignId: campaign.id,
    action: 'finish',
    actor: 'engine',
  });
  return { state: finished.state ?? campaign.state, done: finished.changed, waitMs: LOOK_MS.least };
}

/** Texts that are planned or on the wire. */
function countOpen(counters: readonly CounterRow[]): number {
  return counters
    .filter((row) => row.kind === 'state' && (row.value === 'planned' || row.value === 'sending'))
    .reduce((sum, row) => sum + row.n, 0);
}
