/**
 * Recovery after the database was restored from a backup: what was sent and said since is missing from it, and
 * sending on would text people twice, and people who have said stop. The provider's lists know.
 */
import type { LoadedAccount } from '../db/accounts.ts';
import {
  findLostSpan,
  leaveSafeMode,
  listLostAccounts,
  markAccountRecovered,
  markAccountsLost,
  type LostSpan,
} from '../db/deployment.ts';
import { causeId } from '../db/ids.ts';
import { isStop, type InboundArrival } from '../db/inbound.ts';
import { ringEverything } from '../db/outbox.ts';
import { findKnownProviderIds } from '../db/reconcile.ts';
import {
  doubtWhatWasPlanned,
  findAudienceOf,
  findReportedIds,
  handToPeople,
  insertSentRows,
  listUnhandled,
  matchListedTexts,
  type AudienceCandidate,
  type ListedText,
  type SentRow,
} from '../db/recovery.ts';
import { REVIEW_REASON, suppress } from '../db/suppressions.ts';
import { NIL_ID } from '../domain/derived-id.ts';
import { measure } from '../domain/segments.ts';
import type { RemoteText } from '../providers/messaging-provider.ts';
import { createConversationActivities } from './conversations.ts';
import type { ActivityDeps } from './deps.ts';
import { firstText, writeFirstText } from './first-texts.ts';
import { readInboundLists, storeOldestFirst } from './inbound-lists.ts';
import { adoptListed, listedStatus, readSentList } from './sent-lists.ts';

/** The provider's clock and ours may differ by this much (ms). */
const SKEW_MS = 5_000;
/** A list longer than this is refused, not read in part: pages of one number, and of one account. */
const MAX_INBOUND_PAGES = 10_000;
const MAX_SENT_PAGES = 100_000;
const TEXTS_A_BATCH = 500;
const TURNS_AT_ONCE = 8;

export interface RecoveryReport {
  readonly accounts: number;
  /** Accounts that could not be read: they stay closed until a recovery reads them. */
  readonly failed: readonly string[];
  /** Texts from people that the backup did not have. */
  readonly inbound: number;
  /** Listed texts that are rows of the backup, or rows that it would have planned. */
  readonly adopted: number;
  /** Listed texts of which nobody can say what they were; their people are kept back until reviewed. */
  readonly unexplained: number;
  readonly peopleToReview: number;
  /** Rows of the backup whose fate is unknown now. */
  readonly doubted: number;
  /** Of the deployment from now on; null when it was not in safe mode. */
  readonly epoch: number | null;
}

/**
 * Learns from the provider what this database lost, and ends safe mode. Every step may run again: a recovery
 * that dies is started anew. Returns null when nothing is to be recovered.
 *
 * The order matters. Stops come first. Then what was sent is matched with rows and with the people of running
 * campaigns, so that replies find their conversation; then the other replies; then their turns, whose answers
 * may have been sent too; and last whoever got a text that nothing explains is kept back.
 */
export async function recoverDeployment(
  deps: ActivityDeps,
  say: (line: string) => void,
): Promise<RecoveryReport | null> {
  const { database } = deps;
  const lost = await findLostSpan(database);
  if (lost !== null) await markAccountsLost(database, lost);
  const accounts = await listLostAccounts(database);
  if (lost === null && accounts.length === 0) return null;
  const begunAt = new Date();
  const totals = { accounts: 0, inbound: 0, adopted: 0, unexplained: 0, peopleToReview: 0 };
  const failed: string[] = [];
  for (const { id, ...span } of accounts) {
    say(`Account ${id}: lost ${span.since.toISOString()} to ${span.until.toISOString()}.`);
    try {
      await untilListed(deps, span, say);
      const account = await recoverAccount(deps, id, span);
      await markAccountRecovered(database, id);
      totals.accounts += 1;
      totals.inbound += account.inbound;
      totals.adopted += account.adopted;
      totals.unexplained += account.unexplained;
      totals.peopleToReview += account.peopleToReview;
      say(
        `Account ${id}: ${account.inbound} texts from people, ${account.adopted} sent texts recognised, ${account.unexplained} not.`,
      );
    } catch (error) {
      // One tenant's revoked token must not keep the others from sending; this account stays closed.
      failed.push(id);
      say(`Account ${id}: NOT recovered, it stays closed. ${String(error)}`);
    }
  }
  const doubted =
    lost === null
      ? 0
      : await doubtWhatWasPlanned(database, {
          plannedBefore: begunAt,
          lostSince: new Date(lost.since.getTime() - SKEW_MS),
        });
  const epoch = lost === null ? null : await leaveSafeMode(database);
  await ringEverything(database);
  return { ...totals, failed, doubted, epoch };
}

/** Waits until every text sent before the loss stands in the provider's list. */
async function untilListed(
  deps: ActivityDeps,
  lost: LostSpan,
  say: (line: string) => void,
): Promise<void> {
  const listedAt = lost.until.getTime() + deps.settings.reconcileLagMs;
  for (let waitMs = listedAt - Date.now(); waitMs > 0; waitMs = listedAt - Date.now()) {
    say(`The provider's list may lag: waiting ${Math.ceil(waitMs / 1_000)} s ...`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 10_000)));
  }
}

type AccountReport = Pick<RecoveryReport, 'inbound' | 'adopted' | 'unexplained' | 'peopleToReview'>;

async function recoverAccount(
  deps: ActivityDeps,
  accountId: string,
  lost: LostSpan,
): Promise<AccountReport> {
  const loaded = await deps.accounts.findFresh(accountId);
  if (loaded === null) throw new Error('the account is gone');
  const arrivals = await readArrivals(deps, loaded);
  let inbound = await storeOldestFirst(deps, arrivals.filter(isStop));
  const sent = await readUnknownTexts(deps, loaded, lost);
  const first = await explain(deps, loaded, { texts: sent, lost });
  inbound += await storeOldestFirst(deps, arrivals);
  await takeTurns(deps);
  // The answers of those turns are planned now: what was sent is found among them.
  const second = await explain(deps, loaded, { texts: first.unexplained, lost });
  const people = await keepBack(deps, loaded, second);
  return {
    inbound,
    adopted: first.adopted + second.adopted,
    unexplained: second.unexplained.length,
    peopleToReview: people,
  };
}

async function readArrivals(deps: ActivityDeps, loaded: LoadedAccount): Promise<InboundArrival[]> {
  const arrivals: InboundArrival[] = [];
  const { complete } = await readInboundLists(deps, loaded, {
    startedAt: new Date(),
    maxPages: MAX_INBOUND_PAGES,
    store: async (some) => {
      for (const arrival of some) arrivals.push(arrival);
      return 0;
    },
  });
  if (!complete) throw new Error(`the inbound lists of account ${loaded.account.id} are too long`);
  return arrivals;
}

/** Everything sent since the backup that this database does not know. */
async function readUnknownTexts(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  lost: LostSpan,
): Promise<ListedText[]> {
  if (!deps.providers.get(loaded.provider).capabilities.listsSentTexts)
    throw new Error(`${loaded.provider} lists no sent texts: nobody can say what was sent`);
  const since = lost.since.getTime() - SKEW_MS;
  const unknown: ListedText[] = [];
  const isWhole = await readSentList(deps, loaded, {
    to: null,
    since,
    maxPages: MAX_SENT_PAGES,
    take: async (items) => {
      const recent = items.filter((item) => item.createdAt.getTime() >= since);
      const known = await findKnownProviderIds(
        deps.database,
        loaded.account.id,
        recent.map((item) => item.providerMessageId),
      );
      unknown.push(
        ...recent.filter((item) => !known.has(item.providerMessageId)).map(toListedText),
      );
    },
  });
  if (!isWhole)
    throw new Error(`the list of texts that account ${loaded.account.id} sent is too long`);
  return unknown;
}

function toListedText(item: RemoteText): ListedText {
  return {
    pid: item.providerMessageId,
    sender: item.from ?? '',
    address: item.to,
    body: item.body,
    created_at: item.createdAt.toISOString(),
    status: listedStatus(item),
    code: item.errorCode,
  };
}

interface Explained {
  readonly adopted: number;
  readonly unexplained: ListedText[];
  readonly reportedIds: ReadonlyMap<string, string>;
}

/** Matches texts with rows, then with the people whose first text they are. */
async function explain(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  { texts, lost }: { readonly texts: readonly ListedText[]; readonly lost: LostSpan },
): Promise<Explained> {
  const unexplained: ListedText[] = [];
  const reportedIds = new Map<string, string>();
  for (let start = 0; start < texts.length; start += TEXTS_A_BATCH) {
    const batch = texts.slice(start, start + TEXTS_A_BATCH);
    const reported = await findReportedIds(deps.database, loaded.account.id, {
      pids: batch.map((text) => text.pid),
      since: lost.since,
    });
    for (const [pid, id] of reported) reportedIds.set(pid, id);
    const rows = await matchListedTexts(deps.database, loaded.account.id, batch);
    await adopt(deps, loaded, { texts: batch, rows });
    const rest = batch.filter((text) => !rows.has(text.pid));
    const people = await findAudienceOf(deps.database, loaded.account.id, rest);
    const found = rest.flatMap((text) => toFirstText(text, people, reported.get(text.pid)));
    await insertSentRows(deps.database, loaded.account.id, found);
    // A row of that id may be there in another state: what was sent is proven now.
    await adopt(deps, loaded, {
      texts: found,
      rows: new Map(found.map((row) => [row.pid, row.id])),
    });
    const explained = new Set(found.map((row) => row.pid));
    unexplained.push(...rest.filter((text) => !explained.has(text.pid)));
  }
  return { adopted: texts.length - unexplained.length, unexplained, reportedIds };
}

async function adopt(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  {
    texts,
    rows,
  }: { readonly texts: readonly ListedText[]; readonly rows: ReadonlyMap<string, string> },
): Promise<void> {
  const reports = texts.flatMap((text) => {
    const messageId = rows.get(text.pid);
    if (messageId === undefined) return [];
    const { account, orgId } = loaded;
    return [
      {
        accountId: account.id,
        orgId,
        messageId,
        providerMessageId: text.pid,
        status: text.status,
        errorCode: text.code,
      },
    ];
  });
  await adoptListed(deps, reports);
}

/** The row that planning would have written, if this text is what it would have said. */
function toFirstText(
  text: ListedText,
  people: readonly AudienceCandidate[],
  reportedId: string | undefined,
): SentRow[] {
  for (const person of people) {
    if (person.pid !== text.pid) continue;
    const first = firstText(person);
    const planned = writeFirstText(person, first, person);
    if (planned.id !== reportedId && planned.body !== text.body) continue;
    return [
      {
        ...text,
        id: planned.id,
        campaign_id: person.campaign_id,
        conversation_id: person.id,
        contact_id: person.contact_id,
        step: first.step,
        encoding: planned.encoding,
        segments: planned.segments,
      },
    ];
  }
  return [];
}

/** Takes the turns of conversations whose texts were read from the list; workflows may not be running now. */
async function takeTurns(deps: ActivityDeps): Promise<void> {
  const { takeTurn } = createConversationActivities(deps);
  for (let afterId = NIL_ID; ;) {
    const ids = await listUnhandled(deps.database, afterId, TURNS_AT_ONCE);
    await Promise.all(ids.map((conversationId) => takeTurn({ conversationId })));
    const last = ids.at(-1);
    if (last === undefined) return;
    afterId = last;
  }
}

/** Writes what was sent as it stands in the list, and keeps its people back until somebody looked. Returns how many. */
async function keepBack(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  { unexplained: texts, reportedIds }: Explained,
): Promise<number> {
  const { account, orgId } = loaded;
  const rows = texts.map((text): SentRow => {
    const { encoding, segments } = measure(text.body);
    const atMs = new Date(text.created_at).getTime();
    return {
      ...text,
      id: reportedIds.get(text.pid) ?? causeId(atMs, 'recovered', account.id, text.pid),
      campaign_id: null,
      conversation_id: null,
      contact_id: null,
      step: null,
      encoding,
      segments: Math.max(1, segments),
    };
  });
  await insertSentRows(deps.database, account.id, rows);
  const evidence = new Map(rows.map((row) => [row.address, row.id]));
  for (const [address, evidenceMessageId] of evidence) {
    await suppress(deps.database, {
      orgId,
      address,
      reason: REVIEW_REASON,
      source: 'recovery',
      evidenceMessageId,
    });
  }
  await handToPeople(deps.database, {
    orgId,
    addresses: [...evidence.keys()],
    reason: REVIEW_REASON,
  });
  return evidence.size;
}
