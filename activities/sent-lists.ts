/** The provider's own lists of what an account sent: read to settle what nobody recorded. */
import type { LoadedAccount } from '../db/accounts.ts';
import { applyReportedErrors, storeReports, type ReportArrival } from '../db/reports.ts';
import type { RemotePage, RemoteText } from '../providers/messaging-provider.ts';
import { twilioErrorRule } from '../providers/twilio-errors.ts';
import type { ActivityDeps } from './deps.ts';

export interface SentQuery {
  /** One person's texts; null: everybody's. */
  readonly to: string | null;
  /** Reading ends behind this instant (ms since 1970). */
  readonly since: number;
  readonly maxPages: number;
  /** Takes one page; its last texts may be older than `since`. */
  readonly take: (items: readonly RemoteText[]) => void | Promise<void>;
}

/** Reads an account's list, newest first; returns false when it was longer than `maxPages`. */
export async function readSentList(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  { to, since, maxPages, take }: SentQuery,
): Promise<boolean> {
  const provider = deps.providers.get(loaded.provider);
  let page: string | null = null;
  for (let pages = 0; pages < maxPages; pages += 1) {
    const read: RemotePage<RemoteText> = await provider.listSent(loaded.account, { to, page });
    await take(read.items);
    page = read.nextPage;
    const oldest = read.items.at(-1)?.createdAt.getTime() ?? Number.POSITIVE_INFINITY;
    if (page === null || oldest < since) return true;
  }
  return false;
}

/** Takes listed texts for rows of ours, as their delivery reports would, with what their errors mean. */
export async function adoptListed(
  deps: ActivityDeps,
  texts: readonly ReportArrival[],
): Promise<void> {
  const errors = await storeReports(deps.database, texts);
  await applyReportedErrors(deps.database, errors, twilioErrorRule);
}

/** A text's status as the ledger keeps it; what stands in a list was taken by the provider. */
export function listedStatus(item: RemoteText): Exclude<RemoteText['status'], 'none'> {
  return item.status === 'none' ? 'queued' : item.status;
}
