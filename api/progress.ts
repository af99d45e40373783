import type { CounterRow } from '../db/campaigns.ts';
import type { ProgressRow, ReportRow } from '../db/campaign-views.ts';
import { START_MODES, type StartMode } from '../db/campaign-drafts.ts';
import { CAMPAIGN_STATES, type CampaignState } from '../domain/campaign-state.ts';

const TEXT_STATES = [
  'planned',
  'sending',
  'accepted',
  'rejected',
  'skipped',
  'unknown',
  'lost',
] as const;
const DELIVERIES = [
  'queued',
  'sending',
  'sent',
  'delivered',
  'undelivered',
  'failed',
  'canceled',
  'read',
] as const;

/** A campaign's progress as the API shows it, from counters only. */
export function toProgress(row: ProgressRow) {
  const byKind = groupCounters(row.counters);
  const replies = byKind('reply');
  return {
    state: oneOf(CAMPAIGN_STATES, row.state) satisfies CampaignState,
    startMode: oneOf(START_MODES, row.resolvedStartMode ?? row.startMode) satisfies StartMode,
    audience: row.audience,
    leftOut: row.leftOut,
    texts: withTotal(pick(TEXT_STATES, byKind('state'))),
    delivery: pick(DELIVERIES, byKind('delivery')),
    replies: { total: sum(replies), byKind: replies },
    answers: groupAnswers(byKind('answer')),
    optOuts: sum(byKind('optout')),
    skips: byKind('skip'),
    errors: byKind('error'),
    openReplies: row.openReplies,
    projectedFinishAt: row.state === 'running' ? row.projectedFinishAt : null,
    launchedAt: row.launchedAt,
    finishedAt: row.finishedAt,
  };
}

/** Progress beside the ledger counted row by row, and whether they say the same. */
export function toReport(row: ReportRow) {
  const progress = toProgress(row);
  const ledger = withTotal(pick(TEXT_STATES, row.ledger));
  const sameSums = TEXT_STATES.every((state) => ledger[state] === progress.texts[state]);
  const allDone = ledger.planned === 0 && ledger.sending === 0;
  return {
    ...progress,
    ledger,
    conversations: {
      automatic: row.conversations['automatic'] ?? 0,
      needsReply: row.conversations['needs_reply'] ?? 0,
      closed: row.conversations['closed'] ?? 0,
    },
    rejects: row.rejects,
    segmentsSent: row.segmentsSent,
    cost: toCost(row.costs),
    unknownTexts: [...row.unknownTexts],
    sumsAgree: sameSums && allDone && row.firstTexts === row.audience,
  };
}

/** Amounts of several currencies have no sum. */
function toCost(costs: ReportRow['costs']) {
  const [cost] = costs;
  return cost === undefined || costs.length > 1 ? null : cost;
}

function groupCounters(counters: readonly CounterRow[]): (kind: string) => Record<string, number> {
  return (kind) =>
    Object.fromEntries(
      counters.filter((row) => row.kind === kind && row.n !== 0).map(({ value, n }) => [value, n]),
    );
}

/** Counted as `step=answer`; a step key has no `=`. */
function groupAnswers(counted: Record<string, number>): Record<string, Record<string, number>> {
  const answers: Record<string, Record<string, number>> = {};
  for (const [name, n] of Object.entries(counted)) {
    const at = name.indexOf('=');
    const step = name.slice(0, at);
    answers[step] = { ...answers[step], [name.slice(at + 1)]: n };
  }
  return answers;
}

function pick<Name extends string>(
  names: readonly Name[],
  counted: Readonly<Record<string, number>>,
): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, counted[name] ?? 0])) as Record<
    Name,
    number
  >;
}

function withTotal<Name extends string>(counted: Record<Name, number>) {
  return { ...counted, total: sum(counted) };
}

function sum(counted: Readonly<Record<string, number>>): number {
  return Object.values(counted).reduce((total, n) => total + n, 0);
}

/** Reads a word of the ledger as one of those that it can be. */
function oneOf<Word extends string>(words: readonly Word[], value: string): Word {
  const word = words.find((each) => each === value);
  if (word === undefined) throw new Error(`the ledger holds the unknown word ${value}`);
  return word;
}
