import { dropAbandonedUploads } from '../db/blobs.ts';
import { expireExports } from '../db/exports.ts';
import { foldCounters } from '../db/campaigns.ts';
import {
  expirePlanned,
  handOverStranded,
  housekeep,
  ringOverduePools,
} from '../db/housekeeping.ts';
import { insertReport, type HousekeepingReport } from '../db/housekeeping-reports.ts';
import { causeId, newId } from '../db/ids.ts';
import { climb } from '../db/permits.ts';
import {
  closeGap,
  countTwins,
  expireLeases,
  findKnownProviderIds,
  noteAbsent,
  takeUnknown,
  type UnknownText,
} from '../db/reconcile.ts';
import { listAccountIds, type LoadedAccount } from '../db/accounts.ts';
import { sealAuditLog } from '../db/audit-seals.ts';
import { errorKind } from '../db/client.ts';
import { isInSafeMode, readClock } from '../db/deployment.ts';
import { idTimeMs } from '../domain/derived-id.ts';
import type { RemoteText } from '../providers/messaging-provider.ts';
import { faultPoint } from '../faults/points.ts';
import type { ActivityDeps } from './deps.ts';
import { readInboundLists, storeOldestFirst } from './inbound-lists.ts';
import { adoptListed, listedStatus, readSentList } from './sent-lists.ts';

const UNKNOWN_A_ROUND = 100;
const MAX_PAGES = 20;
/** A text may stand in the provider's list this much before our clock says we claimed it (ms). */
const CLOCK_SKEW_MS = 5_000;
/** A text of ours that we do not know, this near (ms), forbids to call this one absent. */
const NEAR_MS = 900_000;
const INBOUND_PAGES = 40;
/** Reads of a complete list without the text before it counts as lost. */
const ABSENT_READS = 2;

export function createMaintenanceActivities(deps: ActivityDeps) {
  const { database } = deps;
  return {
    /**
     * Settles texts whose outcome nobody recorded: by the provider's list, one to one, else by the
     * campaign's policy. Key: the row's state; nothing here ever POSTs.
     */
    reconcile: async (): Promise<{ expired: number; looked: number; stranded: number }> => {
      // A restored database ends nothing: recovery has to see the rows as they were.
      if (await isInSafeMode(database)) return { expired: 0, looked: 0, stranded: 0 };
      await climb(database);
      const stranded = (await handOverStranded(database)) + (await ringOverduePools(database));
      await expirePlanned(database);
      const expired = await expireLeases(database);
      const unknown = await takeUnknown(database, {
        limit: UNKNOWN_A_ROUND,
        backoffMs: deps.settings.reconcileBackoffMs,
      });
      for (const text of unknown) {
        await reconcileText(deps, text).catch((error: unknown) => {
          // One account's trouble must not keep the others' texts unknown; it is looked at again.
          deps.log.error(
            { messageId: text.id, error: errorKind(error) },
            'could not look for a text',
          );
        });
      }
      return { expired, looked: unknown.length, stranded };
    },

    /** The accounts whose inbound lists are to be read, by id. */
    listInboundAccounts: (): Promise<string[]> => listAccountIds(database),

    /**
     * Reads the inbound list of each of an account's numbers back to where it was read before, and
     * stores what no webhook brought. Only a whole reading closes a gap. Key: the provider's id.
     */
    fillInboundGap: async (input: {
      readonly accountId: string;
    }): Promise<{ found: number; complete: boolean }> => {
      // Not from the cache: the gap may have been noticed a moment ago.
      const loaded = await deps.accounts.findFresh(input.accountId);
      if (loaded === null) return { found: 0, complete: true };
      const startedAt = await readClock(database);
      const { found, complete } = await readInboundLists(deps, loaded, {
        startedAt,
        maxPages: INBOUND_PAGES,
        store: (arrivals) => storeOldestFirst(deps, arrivals),
      });
      faultPoint('gap.stored');
      if (complete) await closeGap(database, loaded.account.id, startedAt);
      else
        deps.log.error(
          { account: loaded.account.id },
          'an inbound list was too long to be read whole; its gap stays open',
        );
      return { found, complete };
    },

    /** Folds counter deltas. Key: each delta is deleted by the statement that adds it up. */
    foldCounters: async (): Promise<{ folded: number }> => ({
      folded: await foldCounters(database),
    }),

    /**
     * Makes the coming months' partitions, removes what has outlived its use, seals the audit log, and keeps a report of it.
     * Key: what is old or missing; a try that is repeated finds less.
     */
    housekeeping: async (): Promise<HousekeepingReport> => {
      const startedAt = (await readClock(database)).toISOString();
      await sealAuditLog(database);
      const done = await housekeep(database);
      await dropAbandonedUploads(database);
      const exportsExpired = await expireExports(database);
      const report: HousekeepingReport = {
        job: 'housekeeping',
        startedAt,
        done: { ...done, exportsExpired },
        held: [],
        problem: null,
      };
      await insertReport(database, report);
      return report;
    },
  };
}

async function reconcileText(deps: ActivityDeps, text: UnknownText): Promise<void> {
  const loaded = await deps.accounts.find(text.account_id);
  if (loaded === null) return;
  const found = await findCandidates(deps, loaded, text);
  if (found === null) return;
  const { candidates, near } = found;
  const [match] = candidates;
  const twins = await countTwins(deps.database, text);
  if (match !== undefined && candidates.length === 1 && twins === 1) {
    return adoptListed(deps, [
      {
        accountId: text.account_id,
        orgId: text.org_id,
        messageId: text.id,
        providerMessageId: match.providerMessageId,
        status: listedStatus(match),
        errorCode: match.errorCode,
      },
    ]);
  }
  // More texts than rows, or rows than texts: nobody can say which is which, so all stay unknown. A text
  // nearby that is not known to us may be this one under another clock or with its body changed.
  if (candidates.length > 0 || near > 0) return;
  const settled =
    text.taken_at.getTime() > text.lease_until.getTime() + deps.settings.reconcileLagMs;
  if (!settled && text.policy !== 'at_least_once') return;
  await noteAbsent(deps.database, {
    messageId: text.id,
    readsNeeded: text.policy === 'at_least_once' ? 1 : ABSENT_READS,
    retry: text.policy !== 'at_most_once',
    retryId: causeId(idTimeMs(text.id), 'again', text.id),
    eventId: newId(),
  });
}

/**
 * Texts in the provider's list that could be this row (a narrow window, to adopt one), and how many lie
 * near it (a wide one, to rule it out); null when the list could not be read whole.
 */
async function findCandidates(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  text: UnknownText,
): Promise<{ candidates: RemoteText[]; near: number } | null> {
  const from = text.claimed_at.getTime();
  const until = text.lease_until.getTime();
  const listed: RemoteText[] = [];
  const isWhole = await readSentList(deps, loaded, {
    to: text.address,
    since: from - NEAR_MS,
    maxPages: MAX_PAGES,
    take: (items) => void listed.push(...items),
  });
  if (!isWhole) return null;
  const near = listed.filter(
    (remote) =>
      (text.sender === null || remote.from === text.sender) &&
      isWithin(remote.createdAt, from - NEAR_MS, until + NEAR_MS),
  );
  const known = await findKnownProviderIds(
    deps.database,
    text.account_id,
    near.map((remote) => remote.providerMessageId),
  );
  const strangers = near.filter((remote) => !known.has(remote.providerMessageId));
  return {
    near: strangers.length,
    candidates: strangers.filter(
      (remote) =>
        remote.body === text.body &&
        isWithin(remote.createdAt, from - CLOCK_SKEW_MS, until + CLOCK_SKEW_MS),
    ),
  };
}

function isWithin(at: Date, from: number, until: number): boolean {
  return at.getTime() >= from && at.getTime() <= until;
}
