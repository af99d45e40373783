import type { ChaosCampaign } from './blows.ts';
import type { ApiLine, Evidence, LedgerText } from './evidence.ts';
import type { Create } from '../support/stack/journals.ts';
import type { Tally } from './tally.ts';

/** One line of the table: a figure, and the bound it must keep. */
export interface Finding {
  readonly what: string;
  readonly value: number;
  readonly bound: string;
  readonly holds: boolean;
}

export interface Verdict {
  readonly texts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

export interface Judged {
  readonly evidence: Evidence;
  readonly campaigns: readonly ChaosCampaign[];
  readonly tally: Tally;
  readonly minutes: number;
  readonly socketsAWorker: number;
}

/** The confirmations of a stop, a start and a help pass every rule. */
const ANSWERS_TO_KEYWORDS = new Set(['stop_confirmation', 'start_confirmation', 'help']);
const STOP_WORDS = /^(?:stop\b|unsubscribe$|please remove me$)/i;
const TEXTS_A_MINUTE = 4_000;
const BLOWS_A_MINUTE = 40;
/** Between the last byte of a POST and the clock of a provider whose one thread is busy (ms). */
const HOP_MS = 100;

/** Holds what happened against what was promised. */
export function judge(run: Judged): Verdict {
  const { evidence, tally, minutes } = run;
  const roots = rootsOf(evidence.texts);
  const byRoot = groupBy(evidence.texts, (text) => roots.get(text.id) ?? text.id);
  const planned = byRoot.size;
  const created = evidence.creates.filter((create) => create.sid !== null);
  const texts = countStates(evidence.texts, planned);
  const unknown = texts['unknown'] ?? 0;
  const kills = tally.sum((kind) => kind.startsWith('kill ') || kind.endsWith(' kill'));
  return {
    texts,
    findings: [
      atLeast('texts planned', planned, TEXTS_A_MINUTE * minutes),
      atLeast('kills and faults', countBlows(tally), BLOWS_A_MINUTE * minutes),
      zero('second creates for one cause', countSecond(created, roots)),
      zero('creates that no row of the ledger is for', countStrangers(created, roots)),
      zero(
        'inbound texts lost',
        evidence.inbound.filter(({ sid }) => !evidence.stored.has(sid)).length,
      ),
      zero('inbound texts stored twice', [...evidence.stored.values()].filter((n) => n > 1).length),
      zero('POSTs after an acknowledged stop', countAfterStops(evidence, created)),
      zero('POSTs after an acknowledged pause', countAfterPauses(evidence, created)),
      zero('POSTs outside hours', countEarly(run, created)),
      zero('people without a first text', evidence.unplanned),
      zero('texts still planned or sending', (texts['planned'] ?? 0) + (texts['sending'] ?? 0)),
      atMost('unknown', unknown, Math.min(kills * run.socketsAWorker, planned / 100)),
      atMost(
        'unknown or lost, never created',
        countNeverCreated(evidence.texts, created),
        planned / 100,
      ),
      atLeast('accepted of those who did not stop, %', shareAccepted(evidence, byRoot), 98),
    ],
  };
}

function zero(what: string, value: number): Finding {
  return { what, value, bound: '0', holds: value === 0 };
}

function atLeast(what: string, value: number, least: number): Finding {
  return { what, value, bound: `>= ${least}`, holds: value >= least };
}

function atMost(what: string, value: number, most: number): Finding {
  return { what, value, bound: `<= ${Math.floor(most)}`, holds: value <= most };
}

/** The first try of each text: further tries are for the same cause. */
function rootsOf(texts: readonly LedgerText[]): Map<string, string> {
  const before = new Map(texts.map((text) => [text.id, text.retry_of]));
  const rootOf = (id: string): string => {
    const earlier = before.get(id) ?? null;
    return earlier === null ? id : rootOf(earlier);
  };
  return new Map(texts.map(({ id }) => [id, rootOf(id)]));
}

function countStates(texts: readonly LedgerText[], planned: number): Record<string, number> {
  const counts: Record<string, number> = { 'causes planned': planned };
  for (const { state } of texts) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** Blows as they fell: an order for ten faults of the provider counts once. */
function countBlows(tally: Tally): number {
  return tally.sum((kind) => /^(?:kill|freeze|point|provider fault) /.test(kind));
}

function countSecond(created: readonly Create[], roots: ReadonlyMap<string, string>): number {
  const known = created.filter(({ messageId }) => messageId !== null && roots.has(messageId));
  const perCause = groupBy(known, ({ messageId }) => roots.get(messageId ?? ''));
  return [...perCause.values()].filter((creates) => creates.length > 1).length;
}

function countStrangers(created: readonly Create[], roots: ReadonlyMap<string, string>): number {
  return created.filter(({ messageId }) => messageId === null || !roots.has(messageId)).length;
}

function countNeverCreated(texts: readonly LedgerText[], created: readonly Create[]): number {
  const ids = new Set(created.map(({ messageId }) => messageId));
  return texts.filter(({ id, state }) => (state === 'unknown' || state === 'lost') && !ids.has(id))
    .length;
}

function countAfterStops(
  { texts, inbound, acknowledged, calls }: Evidence,
  created: readonly Create[],
): number {
  const stoppedAt = new Map<string, number>();
  const note = (address: string, at: number | undefined): void => {
    const earlier = stoppedAt.get(address) ?? Number.POSITIVE_INFINITY;
    if (at !== undefined && at < earlier) stoppedAt.set(address, at);
  };
  for (const { sid, from, body } of inbound)
    if (STOP_WORDS.test(body.trim())) note(from, acknowledged.get(sid));
  for (const { action, address, status, at } of calls)
    if (action === 'suppress' && address !== undefined && isDone(status))
      note(address, Date.parse(at));
  const purposes = new Map(texts.map(({ id, purpose }) => [id, purpose]));
  return created.filter(
    ({ to, messageId, receivedAtMs }) =>
      receivedAtMs > (stoppedAt.get(to) ?? Number.POSITIVE_INFINITY) + HOP_MS &&
      !ANSWERS_TO_KEYWORDS.has(purposes.get(messageId ?? '') ?? ''),
  ).length;
}

function countAfterPauses({ texts, calls }: Evidence, created: readonly Create[]): number {
  const campaigns = new Map(
    texts
      .filter(({ purpose }) => !ANSWERS_TO_KEYWORDS.has(purpose))
      .map(({ id, campaign_id }) => [id, campaign_id]),
  );
  const pauses = calls.filter(({ action, status }) => action === 'pause' && isDone(status));
  return pauses.reduce((sum, pause) => {
    const from = Date.parse(pause.at) + HOP_MS;
    const until = Date.parse(resumeAfter(calls, pause)?.sentAt ?? '9999-01-01');
    return (
      sum +
      created.filter(
        ({ messageId, receivedAtMs }) =>
          campaigns.get(messageId ?? '') === pause.campaignId &&
          receivedAtMs > from &&
          receivedAtMs < until,
      ).length
    );
  }, 0);
}

function resumeAfter(calls: readonly ApiLine[], pause: ApiLine): ApiLine | undefined {
  return calls.find(
    ({ action, campaignId, sentAt }) =>
      action === 'resume' && campaignId === pause.campaignId && sentAt >= pause.at,
  );
}

function countEarly({ campaigns, evidence }: Judged, created: readonly Create[]): number {
  const opens = new Map(campaigns.map(({ id, opensAtMs }) => [id, opensAtMs ?? 0]));
  const campaignOf = new Map(evidence.texts.map(({ id, campaign_id }) => [id, campaign_id]));
  return created.filter(
    ({ messageId, receivedAtMs }) =>
      receivedAtMs < (opens.get(campaignOf.get(messageId ?? '') ?? '') ?? 0),
  ).length;
}

function shareAccepted(
  evidence: Evidence,
  byRoot: ReadonlyMap<string, readonly LedgerText[]>,
): number {
  const wanted = [...byRoot.values()].filter(
    ([first]) => first !== undefined && !evidence.suppressed.has(first.address),
  );
  const accepted = wanted.filter((tries) => tries.some(({ state }) => state === 'accepted'));
  return Math.floor((accepted.length / Math.max(1, wanted.length)) * 10_000) / 100;
}

function isDone(status: number | null): boolean {
  return status !== null && status >= 200 && status < 300;
}

function groupBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string | undefined,
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item) ?? '';
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
