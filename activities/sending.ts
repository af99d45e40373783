import { cancellationSignal, sleep } from '@temporalio/activity';
import type { LoadedAccount } from '../db/accounts.ts';
import { changeCampaign } from '../db/campaigns.ts';
import type { ClaimedMessage, ClaimResult, LaneClaim, Seat } from '../db/claims.ts';
import { errorKind } from '../db/client.ts';
import {
  findSendable,
  handToPool,
  letPoolSleep,
  type CampaignLane,
  type PoolSender,
  type PoolWork,
  type SendableMessage,
} from '../db/pools.ts';
import { allotSeats, senderBuckets, sharedBuckets, spendOn, type Bucket } from './buckets.ts';
import { stretchSlice, type ActivityDeps } from './deps.ts';
import { currentMark, nextWatermark, type LaneMark } from './lane-marks.ts';
import { bucketKey, createPermitBook, createTextLength, type PermitBook } from './permit-book.ts';
import { leaseMs, postClaimed } from './post.ts';
import { AHEAD_MS } from './sender-pace.ts';
import {
  createSharedStatements,
  type SharedStatements,
  type TimedClaim,
} from './shared-statements.ts';
import type { SocketShare } from './sockets.ts';

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

/** The pause after a cycle in which nothing could be claimed, for want of permits or sockets … */
const PACE_MS = 100;
/** … longer by this for each pool of the process, so that many do not keep Postgres busy with asking, but not above two seconds. */
const PACE_EACH_POOL_MS = 5;
const LONGEST_PACE_MS = 2_000;
/** A cycle begins this long after the one before: half of what is claimed ahead, so that batches are large. */
const CYCLE_MS = AHEAD_MS / 2;
/** Pools that rest wake together at such moments, so that they share their statements; shorter than what is claimed ahead. */
const WAKE_EVERY_MS = 100;
/** A slow sender's next turn may be far; its pool looks about now and then all the same. */
const LONGEST_REST_MS = 5_000;
const CLOSED_WAIT_MS = 1_000;
const IDLE_WAIT_MS = 250;
/** While every sender of a pool rests, because its work waits inside the provider. */
const RESTING_WAIT_MS = 2_000;
/** While a sender's urgent texts are due, bulk gets this part of its permits. */
const BULK_SHARE = 0.8;
const MAX_ROWS_A_CLAIM = 200;
/** Texts of conversations that may be on the wire by themselves: each holds a workflow task, and a slow provider must not take all. */
const MOST_ONE_BY_ONE = 32;

interface Slice {
  readonly statements: SharedStatements;
  readonly length: ReturnType<typeof createTextLength>;
  readonly work: PoolWork;
  readonly loaded: LoadedAccount;
  readonly permits: PermitBook;
  readonly inFlight: Set<Promise<unknown>>;
  readonly marks: Map<string, LaneMark>;
  readonly sockets: SocketShare;
}

export function createSendingActivities(deps: ActivityDeps) {
  /** Kept over slices: where each campaign's lane goes on. Lost with the process, which costs one scan. */
  const marks = new Map<string, LaneMark>();
  const statements = createSharedStatements(deps.database, () => ({
    leaseMs: leaseMs(deps),
    knownBeat: deps.knownBeat(),
  }));
  const length = createTextLength();
  let sendingOne = 0;
  /** The pools that this process runs, with what ends their rest. */
  const running = new Map<string, { wake: () => void }>();

  /** Hands a text to its pool, which looks at once where this process runs it. */
  const queue = async (message: SendableMessage): Promise<SendMessageOutcome> => {
    const isQueued = await handToPool(deps.database, message.id);
    if (message.pool_id !== null) running.get(message.pool_id)?.wake();
    return isQueued ? 'queued' : 'settled';
  };

  return {
    /**
     * Sends what is planned for a pool: urgent texts first, then its campaigns in turn, within its
     * permits. Key: every row by (id, attempt); a repeat of this activity claims other rows.
     */
    sendPlanned: async (input: { readonly poolId: string }): Promise<SendPlannedResult> => {
      const permits = createPermitBook({ ...statements, pace: deps.pace, length });
      const inFlight = new Set<Promise<unknown>>();
      const sockets = deps.sockets.share();
      const end = performance.now() + stretchSlice(deps.settings.sliceMs.pool, running.size);
      let isIdle = false;
      let idleMs = IDLE_WAIT_MS;
      const bell: Bell = { isRung: false, wake: () => void (bell.isRung = true) };
      running.set(input.poolId, bell);
      try {
        while (performance.now() < end && !cancellationSignal().aborted) {
          const work = await statements.findPoolWork(input.poolId);
          const loaded = work === null ? null : await deps.accounts.find(work.account_id);
          if (work === null || loaded === null) {
            // The account is stopped, or closed until its inbound gap is filled.
            const waitMs = await letPoolSleep(deps.database, input.poolId);
            return { asleep: waitMs === null, waitMs: Math.max(waitMs ?? 0, CLOSED_WAIT_MS) };
          }
          const rested = work.senders.some((sender) => !sender.crowded);
          idleMs = work.senders.length > 0 && !rested ? RESTING_WAIT_MS : IDLE_WAIT_MS;
          isIdle =
            (work.campaigns.length === 0 || !rested) &&
            !work.senders.some((sender) => sender.urgent);
          if (isIdle) break;
          const next = performance.now() + CYCLE_MS;
          const claimed = await runCycle(deps, {
            statements,
            length,
            work,
            loaded,
            permits,
            inFlight,
            marks,
            sockets,
          });
          if (sockets.free() === 0) await sockets.whenFree(PACE_MS);
          else if (claimed < MAX_ROWS_A_CLAIM) {
            const restMs = claimed === 0 ? paceMs(running.size) - CYCLE_MS : 0;
            await sleep(Math.max(0, next - performance.now()));
            await restUnlessRung(bell, Math.max(0, restMs, untilRoom(deps, work)));
          }
        }
      } finally {
        // Also when cancelled: a POST that has begun is recorded before the slice ends.
        await Promise.all(inFlight);
        if (running.get(input.poolId) === bell) running.delete(input.poolId);
        sockets.close();
        await permits.settle();
      }
      const waitMs = await letPoolSleep(deps.database, input.poolId);
      // Due work that this slice could not claim (no sender may send it) must not make it spin.
      if (waitMs === null) return { asleep: true, waitMs: 0 };
      return { asleep: false, waitMs: isIdle ? Math.max(waitMs, idleMs) : waitMs };
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
      const isBookedOut = (): boolean =>
        sender !== undefined && deps.pace.room(sender.id, sender.segments_per_second) < 1;
      if (loaded === null || sender === undefined || isBookedOut()) return queue(message);
      if (sendingOne >= MOST_ONE_BY_ONE || !deps.sockets.tryTake()) return queue(message);
      const permits = createPermitBook({ ...statements, pace: deps.pace, length });
      // Until the POST has it, the socket is ours to give back, whatever fails.
      let hasSocket = true;
      sendingOne += 1;
      try {
        const limited = message.campaign_limited ? message.campaign_id : null;
        const buckets = [...senderBuckets(sender), ...sharedBuckets(message, limited)];
        const want = message.segments;
        await permits.take(buckets.map((bucket) => ({ ...bucket, want, least: want })));
        const seat = { senderId: sender.id, sender: sender.e164, segments: message.segments };
        const result =
          isBookedOut() || permits.anyEmpty()
            ? null
            : await statements.claimRow({
                orgId: message.org_id,
                messageId: message.id,
                seats: [seat],
              });
        const [claimed] = result?.claimed ?? [];
        if (result === null || claimed === undefined) {
          if (result !== null && result.skipped > 0) return 'skipped';
          return await queue(message);
        }
        spendOn(permits, buckets, claimed.segments);
        hasSocket = false;
        const outcome = await postClaimed(deps, loaded, {
          message: claimed,
          postBefore: result.postBefore,
          segmentsPerSecond: sender.segments_per_second,
          socket: deps.sockets,
        });
        // Nothing left: its permits go back.
        if (outcome === 'not-started') spendOn(permits, buckets, -claimed.segments);
        return outcome === 'refused' ? 'rejected' : outcome === 'not-started' ? 'queued' : outcome;
      } finally {
        sendingOne -= 1;
        if (hasSocket) deps.sockets.release();
        await permits.settle();
      }
    },
  };
}

interface Bell {
  /** Rung since the last rest. */
  isRung: boolean;
  wake: () => void;
}

/** Rests so long (ms) and until the next common moment, unless somebody rings or has rung since the last rest. */
async function restUnlessRung(bell: Bell, leastMs: number): Promise<void> {
  const now = performance.now();
  const ms = Math.ceil((now + leastMs) / WAKE_EVERY_MS) * WAKE_EVERY_MS - now;
  if (leastMs > 0 && !bell.isRung) {
    const rung = new Promise<void>((resolve) => {
      bell.wake = () => {
        bell.isRung = true;
        resolve();
      };
    });
    await Promise.race([sleep(ms), rung]);
  }
  bell.isRung = false;
}

function paceMs(slices: number): number {
  return Math.min(LONGEST_PACE_MS, Math.max(PACE_MS, slices * PACE_EACH_POOL_MS));
}

/** How long (ms) it is until one of the pool's senders may start another text: before that no claim can find a seat. */
function untilRoom({ pace }: ActivityDeps, { senders }: PoolWork): number {
  return Math.min(LONGEST_REST_MS, pace.untilRoom(senders.map(({ id }) => id)));
}

/** One cycle: permits for all senders, urgent lanes, then a share for each campaign. Returns rows claimed. */
async function runCycle(deps: ActivityDeps, slice: Slice): Promise<number> {
  const { work, permits, sockets } = slice;
  const free = Math.min(sockets.free(), MAX_ROWS_A_CLAIM);
  if (free === 0 || work.senders.length === 0) return 0;
  const average = slice.length.average();
  const least = Math.ceil(average);
  const each = Math.max(1, Math.ceil((free * average) / work.senders.length));
  const total = each * work.senders.length;
  const limited = work.campaigns.filter((lane) => lane.limited);
  await permits.take([
    ...sharedBuckets(work, null).map((bucket) => ({ ...bucket, want: total, least })),
    ...limited.map((lane) => ({ kind: 'campaign' as const, refId: lane.id, want: total, least })),
    ...registrationsOf(work).map((bucket) => ({ ...bucket, want: total, least })),
    ...work.senders.map(({ id }) => ({ kind: 'sender' as const, refId: id, want: each, least })),
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
  const shared = sharedBuckets(slice.work, null);
  return claimAndPost(deps, slice, {
    seats: allotSeats({ permits: slice.permits, pace: deps.pace }, [sender], {
      shared,
      share: () => 1,
    }),
    share: 1,
    shared,
    claim: (claim) =>
      slice.statements.claimSenderLane({ ...claim, orgId: slice.work.org_id, senderId: sender.id }),
  });
}

async function sendLane(
  deps: ActivityDeps,
  slice: Slice,
  { lane, share }: { lane: CampaignLane; share: number },
): Promise<number> {
  const mark = currentMark(slice.marks, lane);
  let last: ClaimResult['last'] = null;
  let overBudget = false;
  const shared = sharedBuckets(slice.work, lane.limited ? lane.id : null);
  const claimed = await claimAndPost(deps, slice, {
    seats: allotSeats(
      { permits: slice.permits, pace: deps.pace },
      slice.work.senders.filter((sender) => !sender.crowded),
      { shared, share: (sender) => (sender.urgent ? BULK_SHARE : 1) },
    ),
    share,
    shared,
    claim: async (claim) => {
      const result = await slice.statements.claimCampaignLane({
        ...claim,
        orgId: slice.work.org_id,
        campaignId: lane.id,
        fence: lane.fence,
        watermark: mark.watermark,
      });
      last = result.last;
      overBudget = result.overBudget;
      return result;
    },
  });
  slice.marks.set(lane.id, { ...mark, watermark: nextWatermark(last) });
  // Behind the POSTs, which have begun: what was claimed must not wait for it.
  if (overBudget) await pauseForMoney(deps, lane.id);
  return claimed;
}

/** The carrier registrations of a pool's senders, each once. */
function registrationsOf(work: PoolWork): Bucket[] {
  const all = work.senders.flatMap((sender) => senderBuckets(sender).slice(1));
  const byKey = new Map(all.map((bucket) => [bucketKey(bucket.kind, bucket.refId), bucket]));
  return [...byKey.values()];
}

/** The people who are still to be texted wait for a decision: more money, or the end of the campaign. */
async function pauseForMoney(deps: ActivityDeps, campaignId: string): Promise<void> {
  await changeCampaign(deps.database, {
    campaignId,
    action: 'pause',
    actor: 'engine',
    reason: "The org's budget does not cover the next text. Raise it, then resume the campaign.",
  });
  deps.log.warn({ campaignId }, 'a campaign was paused: the budget of its org is used up');
}

/** Never rejects: a row that could not be recorded stays `sending`, and reconcile takes it over when its lease ends. */
async function postOne(
  deps: ActivityDeps,
  slice: Slice,
  text: {
    readonly message: ClaimedMessage;
    readonly sender: PoolSender | undefined;
    readonly buckets: readonly Bucket[];
    readonly before: number;
  },
): Promise<void> {
  const { message, sender, buckets, before } = text;
  try {
    const outcome = await postClaimed(deps, slice.loaded, {
      message,
      postBefore: before,
      segmentsPerSecond: sender?.segments_per_second ?? 1,
      socket: slice.sockets,
    });
    // Nothing left: its permits go back.
    if (outcome === 'not-started') spendOn(slice.permits, buckets, -message.segments);
  } catch (error) {
    deps.log.error({ messageId: message.id, error: errorKind(error) }, 'could not record a text');
  }
}

interface ClaimPlan {
  readonly seats: readonly Seat[];
  /** The part of the free sockets that this claim may use. */
  readonly share: number;
  /** The buckets that its texts spend beside their sender's. */
  readonly shared: readonly Bucket[];
  readonly claim: (claim: LaneClaim) => Promise<TimedClaim>;
}

/** Reserves sockets, claims at most that many rows, and lets their POSTs run on beside the loop. */
async function claimAndPost(deps: ActivityDeps, slice: Slice, plan: ClaimPlan): Promise<number> {
  if (plan.seats.length === 0) return 0;
  const segments = plan.seats.reduce((sum, seat) => sum + seat.segments, 0);
  const { sockets } = slice;
  const wanted = Math.min(Math.ceil(sockets.free() * plan.share), segments, MAX_ROWS_A_CLAIM);
  let reserved = 0;
  while (reserved < wanted && sockets.tryTake()) reserved += 1;
  if (reserved === 0) return 0;
  let before = 0;
  let rows: ClaimResult['claimed'] = [];
  try {
    const result = await plan.claim({ seats: plan.seats, limit: reserved });
    before = result.postBefore;
    rows = result.claimed;
  } finally {
    for (let unused = rows.length; unused < reserved; unused += 1) sockets.release();
  }
  for (const message of rows) {
    const sender = slice.work.senders.find(({ id }) => id === message.sender_id);
    const buckets = [...(sender === undefined ? [] : senderBuckets(sender)), ...plan.shared];
    spendOn(slice.permits, buckets, message.segments);
    const posting = postOne(deps, slice, { message, sender, buckets, before });
    slice.inFlight.add(posting);
    void posting.finally(() => slice.inFlight.delete(posting));
  }
  return rows.length;
}

function spread(id: string, count: number): number {
  return count === 0 ? 0 : Number.parseInt(id.slice(-6), 16) % count;
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
