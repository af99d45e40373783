import {
  claimCampaignLanes,
  claimRows,
  claimSenderLanes,
  type CampaignLaneClaim,
  type ClaimResult,
  type ClaimTerms,
  type LaneClaim,
  type RowClaim,
  type SenderLaneClaim,
} from '../db/claims.ts';
import type { Database } from '../db/client.ts';
import { createGroupCommit } from '../db/group-commit.ts';
import { takePermits, type PermitGrant, type PermitRequest } from '../db/permits.ts';
import { findPoolWork, type PoolWork } from '../db/pools.ts';
import { bucketKey } from './permit-book.ts';
import { postBefore } from './post.ts';

/** Askers that share a statement, and rows that it may claim for all of them. */
const MOST_ASKERS = 100;
const MOST_ROWS = 400;
/** One that waits for a lock must not keep all others waiting. */
const AT_ONCE = 4;
const MOST_QUEUED = 100_000;

/** A claim shares a statement with others of its org alone: it may wait for the row of a budget, and orgs must not wait for each other. */
export type OrgClaim<Claim> = Claim & { readonly orgId: string };

/** What was claimed, and until when (ms, by this process's clock) its POSTs may start. */
export type TimedClaim = ClaimResult & { readonly postBefore: number };

/**
 * The statements that every pool and every sending conversation needs. Those of a process that ask at the same moment
 * share one, since beginning it costs more than what it does for one of them; a single asker waits for nobody.
 */
export function createSharedStatements(database: Database, terms: () => ClaimTerms) {
  const findWork = shared<string, PoolWork | null>({
    run: (poolIds) => findPoolWork(database, poolIds),
  });
  let turn = 0;
  const permits = shared<readonly PermitRequest[], PermitGrant[]>({
    groupOf: (requests) => requests.find(({ kind }) => kind === 'org')?.refId ?? '',
    run: (asked) => takeTogether(database, asked, (turn += 1)),
  });
  const claims = <Claim extends { readonly orgId: string }>(
    run: (
      database: Database,
      terms: ClaimTerms,
      lanes: readonly Claim[],
    ) => Promise<readonly ClaimResult[]>,
    rowsOf: (claim: Claim) => number,
  ) =>
    shared<Claim, TimedClaim>({
      groupOf: ({ orgId }) => orgId,
      rowsOf,
      run: async (lanes) => {
        // Before the statement: the right to post must be over before anybody else may count on it.
        const before = postBefore();
        const results = await run(database, terms(), lanes);
        return results.map((result) => ({ ...result, postBefore: before }));
      },
    });
  const limitOf = ({ limit }: LaneClaim): number => limit;
  return {
    findPoolWork: findWork,
    takePermits: permits,
    claimCampaignLane: claims<OrgClaim<CampaignLaneClaim>>(claimCampaignLanes, limitOf),
    claimSenderLane: claims<OrgClaim<SenderLaneClaim>>(claimSenderLanes, limitOf),
    claimRow: claims<OrgClaim<RowClaim>>(claimRows, () => 1),
  };
}

export type SharedStatements = ReturnType<typeof createSharedStatements>;

function shared<Ask, Answer>({
  run,
  rowsOf = () => 1,
  groupOf = () => '',
}: {
  /** One answer for each, in order. */
  readonly run: (asks: readonly Ask[]) => Promise<readonly Answer[]>;
  readonly rowsOf?: (ask: Ask) => number;
  /** Who may share with whom. */
  readonly groupOf?: (ask: Ask) => string;
}): (ask: Ask) => Promise<Answer> {
  const open = () =>
    createGroupCommit<Ask, Answer>({
      maxItems: MOST_ASKERS,
      maxBytes: MOST_ROWS,
      sizeOf: rowsOf,
      maxQueued: MOST_QUEUED,
      batchesAtOnce: AT_ONCE,
      write: run,
      refuse: (_ask, error) => Promise.reject(error),
    });
  const groups = new Map<string, ReturnType<typeof open>>();
  return (ask) => {
    const name = groupOf(ask);
    const group = groups.get(name) ?? open();
    groups.set(name, group);
    return group.add(ask);
  };
}

/** Where askers want the same bucket, what it grants is parted by what they want, never more than it granted; each time another one comes first. */
async function takeTogether(
  database: Database,
  asked: readonly (readonly PermitRequest[])[],
  turn: number,
): Promise<PermitGrant[][]> {
  const totals = new Map<string, PermitRequest>();
  for (const request of asked.flat()) {
    const key = bucketKey(request.kind, request.refId);
    const { want = 0, giveBack = 0 } = totals.get(key) ?? {};
    totals.set(key, {
      ...request,
      want: want + request.want,
      giveBack: giveBack + request.giveBack,
    });
  }
  const grants = new Map(
    (await takePermits(database, [...totals.values()])).map((grant) => [
      bucketKey(grant.kind, grant.ref_id),
      {
        grant,
        left: grant.granted,
        wanted: totals.get(bucketKey(grant.kind, grant.ref_id))?.want ?? 0,
      },
    ]),
  );
  const partOf = (request: PermitRequest): PermitGrant[] => {
    const bucket = grants.get(bucketKey(request.kind, request.refId));
    if (bucket === undefined) return [];
    // Of what is left, by the part of those that still wait, but for one text at least: whoever got less would overdraw the
    // bucket by the rest of it, and each of them. Only the one who takes the last of it may.
    const part = bucket.wanted === 0 ? 0 : Math.ceil((bucket.left * request.want) / bucket.wanted);
    const granted = Math.min(request.want, Math.max(part, request.least), bucket.left);
    bucket.left -= granted;
    bucket.wanted -= request.want;
    return [{ ...bucket.grant, granted }];
  };
  const parts: PermitGrant[][] = asked.map(() => []);
  for (let n = 0; n < asked.length; n += 1) {
    const at = (n + turn) % asked.length;
    parts[at] = asked[at]?.flatMap(partOf) ?? [];
  }
  return parts;
}
