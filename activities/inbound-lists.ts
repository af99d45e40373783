/** The provider's own lists of what people texted: read for what no webhook brought. */
import { listNumbers, type LoadedAccount } from '../db/accounts.ts';
import { isStop, settleStop, storeInbound, type InboundArrival } from '../db/inbound.ts';
import type { InboundText, RemotePage } from '../providers/messaging-provider.ts';
import type { ActivityDeps } from './deps.ts';

/** Lists lag and clocks differ: they are read this far behind the newest text that is known (ms). */
const OVERLAP_MS = 300_000;
const NUMBERS_AT_ONCE = 4;
const TEXTS_A_BATCH = 100;

export interface InboundReading {
  /** Texts that were not stored before. */
  readonly found: number;
  /** False when a list was longer than `maxPages`. */
  readonly complete: boolean;
}

export interface InboundQuery {
  readonly startedAt: Date;
  /** Of one number's list, at most. */
  readonly maxPages: number;
  /** Takes what was read of one number; returns how many texts were new. */
  readonly store: (arrivals: readonly InboundArrival[]) => Promise<number>;
}

/** Reads the list of each of an account's numbers back to where it was read before, a few numbers at a time. */
export async function readInboundLists(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  query: InboundQuery,
): Promise<InboundReading> {
  const numbers = await listNumbers(deps.database, loaded.account.id);
  const readings: InboundReading[] = [];
  for (let start = 0; start < numbers.length; start += NUMBERS_AT_ONCE) {
    const some = numbers.slice(start, start + NUMBERS_AT_ONCE);
    readings.push(
      ...(await Promise.all(some.map((number) => readNumber(deps, loaded, { ...query, number })))),
    );
  }
  return {
    found: readings.reduce((sum, reading) => sum + reading.found, 0),
    complete: readings.every((reading) => reading.complete),
  };
}

async function readNumber(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  { number, startedAt, maxPages, store }: InboundQuery & { readonly number: string },
): Promise<InboundReading> {
  const provider = deps.providers.get(loaded.provider);
  const since =
    Math.min(
      (loaded.inboundSeenAt ?? startedAt).getTime(),
      (loaded.gapSince ?? startedAt).getTime(),
    ) - OVERLAP_MS;
  const arrivals: InboundArrival[] = [];
  let complete = false;
  let page: string | null = null;
  for (let pages = 0; pages < maxPages && !complete; pages += 1) {
    const listed: RemotePage<InboundText> = await provider.listInbound(loaded.account, {
      to: number,
      page,
    });
    const recent = listed.items.filter((item) => (item.receivedAt ?? startedAt).getTime() >= since);
    arrivals.push(...recent.map((item) => toArrival(loaded, item, startedAt)));
    page = listed.nextPage;
    complete = page === null || recent.length < listed.items.length;
  }
  return { found: await store(arrivals), complete };
}

function toArrival(loaded: LoadedAccount, item: InboundText, startedAt: Date): InboundArrival {
  return {
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
    timed: item.receivedAt !== null,
  };
}

/** Stops first, so that no planned text slips out between; then in the order they were sent. Returns how many were new. */
export async function storeOldestFirst(
  deps: ActivityDeps,
  arrivals: readonly InboundArrival[],
): Promise<number> {
  const byAge = arrivals.toSorted((a, b) => a.receivedAt.getTime() - b.receivedAt.getTime());
  const ordered = [...byAge.filter(isStop), ...byAge.filter((arrival) => !isStop(arrival))];
  let found = 0;
  for (let start = 0; start < ordered.length; start += TEXTS_A_BATCH) {
    const batch = ordered.slice(start, start + TEXTS_A_BATCH);
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
