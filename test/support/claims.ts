/** Claims of one lane, for tests and benchmarks that look at one at a time. */
import {
  claimCampaignLanes,
  claimRows,
  claimSenderLanes,
  type CampaignLaneClaim,
  type ClaimResult,
  type ClaimTerms,
  type RowClaim,
  type SenderLaneClaim,
} from '../../db/claims.ts';
import type { Database } from '../../db/client.ts';
import { findPoolWork, type PoolWork } from '../../db/pools.ts';

const only =
  <Claim>(
    claim: (
      database: Database,
      terms: ClaimTerms,
      lanes: readonly Claim[],
    ) => Promise<ClaimResult[]>,
  ) =>
  async (
    database: Database,
    { leaseMs, knownBeat, ...lane }: ClaimTerms & Claim,
  ): Promise<ClaimResult> => {
    const [result] = await claim(database, { leaseMs, knownBeat }, [lane as Claim]);
    if (result === undefined) throw new Error('a claim answered for none of its lanes');
    return result;
  };

export const claimCampaignLane = only<CampaignLaneClaim>(claimCampaignLanes);
export const claimSenderLane = only<SenderLaneClaim>(claimSenderLanes);
export const claimRow = only<RowClaim>(claimRows);

/** What is due for one pool. */
export async function workOf(database: Database, poolId: string): Promise<PoolWork | null> {
  const [work] = await findPoolWork(database, [poolId]);
  return work ?? null;
}
