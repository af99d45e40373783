import { cancellationSignal, sleep } from '@temporalio/activity';
import type { LoadedAccount } from '../db/accounts.ts';
import {
  claimCampaignLane,
  claimOne,
  claimSenderLane,
  type ClaimedMessage,
  type ClaimResult,
  type Seat,
} from '../db/claims.ts';
import { errorKind } from '../db/client.ts';
import type { BucketKind } from '../db/permits.ts';
import {
  findPoolWork,
  findSendable,
  handToPool,
  letPoolSleep,
  type CampaignLane,
  type PoolSender,
  type PoolWork,
} from '../db/pools.ts';
import type { ActivityDeps } from './deps.ts';
import { currentMark, launchIdRange, nextWatermark, type LaneMark } from './lane-marks.ts';
import { createPermitBook, type PermitBook } from './permit-book.ts';
import { leaseMs, postBefore, postClaimed } from './post.ts';

export interface SendPlannedResult {
  readonly asleep: boolean;
  /** Milliseconds until the pool's next text is due; 0 when more is due now. */
  readonly waitMs: number;
}

export type SendMessageOutcome =
  | 'accepted'
  | 'queued'
  | 'skipped'
  | 'rejected'
  | 'unknown'
  | 'settled';

/** One slice of a pool's work; short, so that a new worker takes over soon. */
const SLICE_MS = 10_000;
/** The pause between two cycles when permits, not sockets, are the limit: keeps batches large. */
const PACE_MS = 100;
const CLOSED_WAIT_MS = 1_000;
const IDLE_WAIT_MS = 250;
/** While a sender's urgent texts are due, bulk gets this part of its permits. */
const BULK_SHARE = 0.8;
const MAX_ROWS_A_CLAIM = 200;

interface Slice {
  readonly work: PoolWork;
  readonly loaded: LoadedAccount;
  readonly permits: PermitBook;
  readonly inFlight: Set<Promise<unknown>>;
  readonly marks: Map<string, LaneMark>;
}

export function createSendingActivities(deps: ActivityDeps) {
  /** Kept over slices: where each campaign's lane goes on. Lost with the process, which costs one scan. */
  const marks = new Map<string, LaneMark>();

  return {
    /**
     * Sends what is planned for a pool: urgent texts first, then its campaigns in turn, within its
     * permits. Key: every row by (id, attempt); a repeat of this activity claims other rows.
     */
    sendPlanned: async (input: { readonly poolId: string }): Promise<SendPlannedResult> => {
      const permits = createPermitBook(deps.database);
      const inFlight = new Set<Promise<unknown>>();
      const end = performance.now() + SLICE_MS;
      let isIdle = false;
      try {
        while (performance.now() < end && !cancellationSignal().aborted) {
          const work = await findPoolWork(deps.database, input.poolId);
          const loaded = work === null ? null : await deps.accounts.find(work.account_id);
          if (work === null || loaded === null) {
            // The account is stopped, or closed until its inbound gap is filled.
            const waitMs = await letPoolSleep(deps.database, input.poolId);
            return { asleep: waitMs === null, waitMs: Math.max(waitMs ?? 0, CLOSED_WAIT_MS) };
          }
          isIdle =
            work.senders.length === 0 ||
            (work.campaigns.length === 0 && !work.senders.some((sender) => sender.urgent));
          if (isIdle) break;
          const claimed = await runCycle(deps, { work, loaded, permits, inFlight, marks });
          if (claimed === 0) await sleep(PACE_MS);
          if (deps.sockets.free() === 0) await deps.sockets.whenFree(PACE_MS);
        }
      } finally {
        // Also when cancelled: a POST that has begun is recorded before the slice ends.
        await Promise.all(inFlight);
        await permits.settle();
      }
      const waitMs = await letPoolSleep(deps.database, input.poolId);
      // Due work that this slice could not claim (no sender may send it) must not make it spin.
      if (waitMs === null) return { asleep: true, waitMs: 0 };
      return { asleep: false, waitMs: isIdle ? Math.max(waitMs, IDLE_WAIT_MS) : waitMs };
    },

    /**
     * Sends one text of a conversation now, or hands it to the pool. Key: the message id; a text
     * found in any state but `planned` is never posted, whatever an earlier attempt of this activity did.
     */
    sendMessage: async (input: { readonly messageId: string }): Promise<SendMessageOutcome> => {
      const message = await findSendable(deps.database, input.messageId);
      if (message === null || message.state !== 'planned') return 'settled';
      if (message.driver === 'pool') return 'queued';
      const loaded = await deps.accounts.find(message.account_id);
      const sender = message.senders[spread(message.id, message.senders.length)];
      if (loaded === null || sender === undefined || !deps.sockets.tryTake())
        return queue(deps, message.id);
      const permits = createPermitBook(deps.database);
      // Until the POST has it, the socket is ours to give back, whatever fails.
      let hasSocket = true;
      try {
        await permits.take([
          { kind: 'sender', refId: sender.id, want: message.segments },
          { kind: 'account', refId: message.account_id, want: message.segments },
          ...(message.campaign_limited && message.campaign_id !== null
            ? [{ kind: 'campaign' as const, refId: message.campaign_id, want: message.segments }]
            : []),
        ]);
        const before = postBefore();
        const result = permits.anyEmpty()
          ? null
          : await claimOne(deps.database, {
              messageId: message.id,
              seat: { senderId: sender.id, sender: sender.e164, segments: message.segments },
              leaseMs: leaseMs(deps),
            });
        const [claimed] = result?.claimed ?? [];
        if (claimed === undefined) {
          if (result !== null && result.skipped > 0) return 'skipped';
          return await queue(deps, message.id);
        }
        const spent = {
          senderId: sender.id,
          accountId: message.account_id,
          campaignId: message.campaign_id,
        };
        spend(permits, spent, claimed.segments);
        hasSocket = false;
        const outcome = await postClaimed(deps, loaded, { message: claimed, postBefore: before });
        // Nothing left: its permits go back.
        if (outcome === 'not-started') spend(permits, spent, -claimed.segments);
        return outcome === 'refused' ? 'rejected' : outcome === 'not-started' ? 'queued' : outcome;
      } finally {
        if (hasSocket) deps.sockets.release();
        await permits.settle();
      }
    },
  };
}

/** One cycle: permits for all senders, urgent lanes, then a share for each campaign. Returns rows claimed. */
async function runCycle(deps: ActivityDeps, slice: Slice): Promise<number> {
  const { work, permits } = slice;
  const free = Math.min(deps.sockets.free(), MAX_ROWS_A_CLAIM);
  if (free === 0 || work.senders.length === 0) return 0;
  const each = Math.max(1, Math.ceil((free * permits.averageSegments()) / work.senders.length));
  const total = each * work.senders.length;
  const limited = work.campaigns.filter((lane) => lane.limited);
  await permits.take([
    { kind: 'account', refId: work.account_id, want: total },
    ...limited.map((lane) => ({ kind: 'campaign' as const, refId: lane.id, want: total })),
    ...work.senders.map((sender) => ({ kind: 'sender' as const, refId: sender.id, want: each })),
  ]);
  let claimed = 0;
  for (const sender of work.senders) {
    if (sender.urgent) claimed += await sendUrgent(deps, slice, sender);
  }
  const lanes = rotate(work.campaigns, Math.floor(performance.now() / PACE_MS));
  for (const [index, lane] of lanes.entries()) {
    claimed += await sendLane(deps, slice, { lane, share: 1 / (lanes.length - index) });
  }
  return claimed;
}

async function sendUrgent(deps: ActivityDeps, slice: Slice, sender: PoolSender): Promise<number> {
  const segments = Math.min(
    slice.permits.left('sender', sender.id),
    slice.permits.left('account', slice.work.account_id),
  );
  return claimAndPost(deps, slice, {
    seats: segments > 0 ? [{ senderId: sender.id, sender: sender.e164, segments }] : [],
    share: 1,
    campaignId: null,
    claim: (claim) => claimSenderLane(deps.database, { ...claim, senderId: sender.id }),
  });
}

async function sendLane(
  deps: ActivityDeps,
  slice: Slice,
  { lane, share }: { lane: CampaignLane; share: number },
): Promise<number> {
  const mark = currentMark(slice.marks, lane);
  let last: ClaimResult['last'] = null;
  const claimed = await claimAndPost(deps, slice, {
    seats: bulkSeats(slice, lane),
    share,
    campaignId: lane.limited ? lane.id : null,
    claim: async (claim) => {
      const result = await claimCampaignLane(deps.database, {
        ...claim,
        campaignId: lane.id,
        fence: lane.fence,
        watermark: mark.watermark,
        idRange: launchIdRange(lane.launched_at),
      });
      last = result.last;
      return result;
    },
  });
  slice.marks.set(lane.id, { ...mark, watermark: nextWatermark(last) });
  return claimed;
}

/** Permits that bulk may use now: a part where urgent texts wait, within the account's and the campaign's. */
function bulkSeats({ work, permits }: Slice, lane: CampaignLane): Seat[] {
  let left = permits.left('account', work.account_id);
  if (lane.limited) left = Math.min(left, permits.left('campaign', lane.id));
  const seats: Seat[] = [];
  for (const sender of work.senders) {
    const own = permits.left('sender', sender.id);
    const segments = Math.min(left, sender.urgent ? Math.floor(own * BULK_SHARE) : own);
    if (segments < 1) continue;
    seats.push({ senderId: sender.id, sender: sender.e164, segments });
    left -= segments;
  }
  return seats;
}

/** Never rejects: a row that could not be recorded stays `sending`, and reconcile takes it over when its lease ends. */
async function postOne(
  deps: ActivityDeps,
  slice: Slice,
  { message, plan, before }: { message: ClaimedMessage; plan: ClaimPlan; before: number },
): Promise<void> {
  try {
    const outcome = await postClaimed(deps, slice.loaded, { message, postBefore: before });
    // Nothing left: its permits go back.
    if (outcome === 'not-started') spend(slice.permits, spentBy(message, plan), -message.segments);
  } catch (error) {
    deps.log.error({ messageId: message.id, error: errorKind(error) }, 'could not record a text');
  }
}

/** Whose buckets a text spends. */
interface Spent {
  readonly senderId: string;
  readonly accountId: string;
  readonly campaignId: string | null;
}

interface ClaimPlan {
  readonly seats: readonly Seat[];
  /** The part of the free sockets that this claim may use. */
  readonly share: number;
  readonly campaignId: string | null;
  readonly claim: (claim: {
    seats: readonly Seat[];
    limit: number;
    leaseMs: number;
  }) => Promise<ClaimResult>;
}

/** Reserves sockets, claims at most that many rows, and lets their POSTs run on beside the loop. */
async function claimAndPost(deps: ActivityDeps, slice: Slice, plan: ClaimPlan): Promise<number> {
  if (plan.seats.length === 0) return 0;
  const segments = plan.seats.reduce((sum, seat) => sum + seat.segments, 0);
  const wanted = Math.min(Math.ceil(deps.sockets.free() * plan.share), segments, MAX_ROWS_A_CLAIM);
  let reserved = 0;
  while (reserved < wanted && deps.sockets.tryTake()) reserved += 1;
  if (reserved === 0) return 0;
  let before = 0;
  let rows: ClaimResult['claimed'] = [];
  try {
    before = postBefore();
    const result = await plan.claim({ seats: plan.seats, limit: reserved, leaseMs: leaseMs(deps) });
    rows = result.claimed;
  } finally {
    for (let unused = rows.length; unused < reserved; unused += 1) deps.sockets.release();
  }
  for (const message of rows) {
    spend(slice.permits, spentBy(message, plan), message.segments);
    const posting = postOne(deps, slice, { message, plan, before });
    slice.inFlight.add(posting);
    void posting.finally(() => slice.inFlight.delete(posting));
  }
  return rows.length;
}

function spentBy(message: ClaimedMessage, plan: ClaimPlan): Spent {
  return {
    senderId: message.sender_id,
    accountId: message.account_id,
    campaignId: plan.campaignId,
  };
}

function spend(permits: PermitBook, ids: Spent, segments: number): void {
  const used: [BucketKind, string][] = [
    ['sender', ids.senderId],
    ['account', ids.accountId],
  ];
  if (ids.campaignId !== null) used.push(['campaign', ids.campaignId]);
  for (const [kind, refId] of used) permits.spend(kind, refId, segments);
}

async function queue(deps: ActivityDeps, messageId: string): Promise<SendMessageOutcome> {
  return (await handToPool(deps.database, messageId)) ? 'queued' : 'settled';
}

function spread(id: string, count: number): number {
  return count === 0 ? 0 : Number.parseInt(id.slice(-6), 16) % count;
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
