import { dropAbandonedUploads } from '../db/blobs.ts';
import { foldCounters } from '../db/campaigns.ts';
import { handOverStranded, housekeep } from '../db/housekeeping.ts';
import { causeId, newId } from '../db/ids.ts';
import { isStop, settleStop, storeInbound, type InboundArrival } from '../db/inbound.ts';
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
import { storeReports } from '../db/reports.ts';
import type { LoadedAccount } from '../db/accounts.ts';
import { idTimeMs } from '../domain/derived-id.ts';
import type { RemoteText } from '../providers/messaging-provider.ts';
import type { ActivityDeps } from './deps.ts';

const UNKNOWN_A_ROUND = 100;
const MAX_PAGES = 20;
/** A text may stand in the provider's list this much before our clock says we claimed it (ms). */
const CLOCK_SKEW_MS = 5_000;
/** The filler reads this far behind the newest text it knows, because lists lag and clocks differ (ms). */
const OVERLAP_MS = 300_000;
const INBOUND_PAGES = 200;
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
      await climb(database);
      const stranded = await handOverStranded(database);
      const expired = await expireLeases(database);
      const unknown = await takeUnknown(database, {
        limit: UNKNOWN_A_ROUND,
        backoffMs: deps.settings.reconcileBackoffMs,
      });
      for (const text of unknown) {
        await reconcileText(deps, text);
      }
      return { expired, looked: unknown.length, stranded };
    },

    /** Reads every account's inbound list and stores what no webhook brought. Key: the provider's id. */
    fillInboundGaps: async (): Promise<{ accounts: number; found: number }> => {
      const accounts = await deps.accounts.list();
      let found = 0;
      for (const loaded of accounts) {
        found += await fillGap(deps, loaded).catch((error: unknown) => {
          // One account's trouble must not keep the others' stops away; the next round tries again.
          deps.log.error(
            { account: loaded.account.id, error: String(error) },
            'could not read an inbound list',
          );
          return 0;
        });
      }
      return { accounts: accounts.length, found };
    },

    /** Folds counter deltas. Key: each delta is deleted by the statement that adds it up. */
    foldCounters: async (): Promise<{ folded: number }> => ({
      folded: await foldCounters(database),
    }),

    /** Makes the coming months' partitions and removes what has outlived its use. */
    housekeeping: async (): Promise<void> => {
      await housekeep(database);
      await dropAbandonedUploads(database);
    },
  };
}

async function reconcileText(deps: ActivityDeps, text: UnknownText): Promise<void> {
  const loaded = await deps.accounts.find(text.account_id);
  if (loaded === null) return;
  const startedAt = Date.now();
  const candidates = await findCandidates(deps, loaded, text);
  if (candidates === null) return;
  const [match] = candidates;
  const twins = await countTwins(deps.database, text);
  if (match !== undefined && candidates.length === 1 && twins === 1) {
    await storeReports(deps.database, [
      {
        accountId: text.account_id,
        orgId: text.org_id,
        messageId: text.id,
        providerMessageId: match.providerMessageId,
        status: match.status === 'none' ? 'queued' : match.status,
        errorCode: match.errorCode,
      },
    ]);
    return;
  }
  // More texts than rows, or rows than texts: nobody can say which is which, so all stay unknown.
  if (candidates.length > 0) return;
  const settled = startedAt > text.lease_until.getTime() + deps.settings.reconcileLagMs;
  if (!settled && text.policy !== 'at_least_once') return;
  await noteAbsent(deps.database, {
    messageId: text.id,
    readsNeeded: text.policy === 'at_least_once' ? 1 : ABSENT_READS,
    retry: text.policy !== 'at_most_once',
    retryId: causeId(idTimeMs(text.id), 'again', text.id),
    eventId: newId(),
  });
}

/** Texts in the provider's list that could be this row; null when the list could not be read whole. */
async function findCandidates(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  text: UnknownText,
): Promise<RemoteText[] | null> {
  const provider = deps.providers.get(loaded.provider);
  const from = text.claimed_at.getTime() - CLOCK_SKEW_MS;
  const until = text.lease_until.getTime() + CLOCK_SKEW_MS;
  const listed: RemoteText[] = [];
  let page: string | null = null;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const { items, nextPage } = await provider.listSent(loaded.account, { to: text.address, page });
    listed.push(...items);
    const oldest = items.at(-1)?.createdAt.getTime() ?? 0;
    if (nextPage === null || oldest < from) {
      const matching = listed.filter(
        (remote) =>
          remote.from === text.sender &&
          remote.body === text.body &&
          remote.createdAt.getTime() >= from &&
          remote.createdAt.getTime() <= until,
      );
      const known = await findKnownProviderIds(
        deps.database,
        text.account_id,
        matching.map((remote) => remote.providerMessageId),
      );
      return matching.filter((remote) => !known.has(remote.providerMessageId));
    }
    page = nextPage;
  }
  return null;
}

async function fillGap(deps: ActivityDeps, loaded: LoadedAccount): Promise<number> {
  const provider = deps.providers.get(loaded.provider);
  const startedAt = new Date();
  const since = (loaded.inboundSeenAt ?? startedAt).getTime() - OVERLAP_MS;
  const arrivals: InboundArrival[] = [];
  let page: string | null = null;
  for (let pages = 0; pages < INBOUND_PAGES; pages += 1) {
    const { items, nextPage } = await provider.listInbound(loaded.account, { page });
    const recent = items.filter(
      (item) => (item.receivedAt?.getTime() ?? Number.POSITIVE_INFINITY) >= since,
    );
    for (const item of recent) {
      arrivals.push({
        accountId: loaded.account.id,
        orgId: loaded.orgId,
        orgName: loaded.orgName,
        providerMessageId: item.providerMessageId,
        address: item.from,
        sender: item.to,
        body: item.body,
        media: item.media.map((medium) => medium.url),
        providerKeyword: item.providerOptOut,
        receivedAt: item.receivedAt ?? startedAt,
      });
    }
    page = nextPage;
    if (nextPage === null || recent.length < items.length) break;
  }
  const found = await storeOldestFirst(deps, arrivals);
  await closeGap(deps.database, loaded.account.id, { startedAt, newestAt: null });
  return found;
}

/** Stops first, so that no planned text slips out between; then in the order they were sent. */
async function storeOldestFirst(
  deps: ActivityDeps,
  arrivals: readonly InboundArrival[],
): Promise<number> {
  const byAge = arrivals.toSorted((a, b) => a.receivedAt.getTime() - b.receivedAt.getTime());
  const ordered = [...byAge.filter(isStop), ...byAge.filter((arrival) => !isStop(arrival))];
  let found = 0;
  for (let start = 0; start < ordered.length; start += 100) {
    const batch = ordered.slice(start, start + 100);
    const stored = await storeInbound(deps.database, batch);
    found += stored.filter((one) => one.fresh).length;
    for (const [index, one] of stored.entries()) {
      const arrival = batch[index];
      if (one.fresh && arrival !== undefined && isStop(arrival))
        await settleStop(deps.database, arrival);
    }
  }
  return found;
}
