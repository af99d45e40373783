/** What is old enough to leave the ledger, and what keeps it there. */

const DAY_MS = 86_400_000;

/** How long things are kept, in days. */
export interface RetentionRules {
  /** After the end of a month, and of its campaigns, until its texts are archived; 0: never. */
  readonly archiveAfterDays: number;
  /** Between the detaching of a month and the drop of its rows. */
  readonly graceDays: number;
  /** How long files are kept, from when a campaign or month was archived; 0: for ever. */
  readonly archivesKeptDays: number;
  /** How long delivery reports are kept as they came, from the end of their month; 0: for ever. */
  readonly eventsKeptDays: number;
}

/** Names how far a month is; attached: nothing was done about it. */
export type MonthState =
  | 'attached'
  | 'writing'
  | 'written'
  | 'detached'
  | 'verified'
  | 'dropping'
  | 'dropped'
  | 'kept';

/** A monthly partition as the rules see it. */
export interface MonthFacts {
  readonly parent: 'message' | 'provider_event';
  /** When its last instant is over. */
  readonly endsAt: Date;
  readonly state: MonthState;
  readonly detachedAt: Date | null;
  /** Campaigns launched before its end that are not over, or not for long enough. */
  readonly openCampaigns: number;
  /** Texts that may still be sent or settled. */
  readonly hasOpenTexts: boolean;
  /** For events: months of texts, of then or before, that were not dropped. */
  readonly undroppedMonths: number;
  /** For events: whether texts of then or before are between the ledger and their files. */
  readonly textsUnderWay: boolean;
}

/** Names what keeps an old month in the ledger. */
export type HoldReason =
  | 'campaigns-not-over'
  | 'open-texts'
  | 'texts-not-archived'
  | 'kept-by-operator'
  | 'lock-busy';

/** A partition that stays though it is old. */
export interface HeldMonth {
  readonly parent: 'message' | 'provider_event';
  /** Its first day, `YYYY-MM-DD`, UTC. */
  readonly month: string;
  readonly reason: HoldReason;
  /** Campaigns that keep it. */
  readonly campaigns: number;
  /** Some of them. */
  readonly campaignIds: readonly string[];
}

/** What is to be done about a month now. */
export type MonthDecision =
  | { readonly action: 'write' | 'detach' | 'verify' | 'drop' }
  | { readonly action: 'wait' }
  | { readonly action: 'hold'; readonly reason: HoldReason };

const WAIT = { action: 'wait' } as const;

/** Decides about one month. Ids of texts bear the launch of their campaign, so a campaign holds every month from its launch on. */
export function decideMonth(facts: MonthFacts, rules: RetentionRules, now: Date): MonthDecision {
  const { parent, state, detachedAt } = facts;
  if (state === 'dropped') return WAIT;
  if (state === 'kept') return hold('kept-by-operator');
  if (state === 'detached' && parent === 'message') return { action: 'verify' };
  if (state === 'dropping') return { action: 'drop' };
  if (state === 'detached' || state === 'verified')
    return isPast(detachedAt, rules.graceDays, now) ? { action: 'drop' } : WAIT;
  return parent === 'message' ? decideTexts(facts, rules, now) : decideEvents(facts, rules, now);
}

function decideTexts(facts: MonthFacts, rules: RetentionRules, now: Date): MonthDecision {
  if (rules.archiveAfterDays === 0 || !isPast(facts.endsAt, rules.archiveAfterDays, now))
    return WAIT;
  if (facts.openCampaigns > 0) return hold('campaigns-not-over');
  if (facts.hasOpenTexts) return hold('open-texts');
  return { action: facts.state === 'written' ? 'detach' : 'write' };
}

/** Archived texts carry their events with them, and are compared until they are dropped: events stay for as long, if ever that is. */
function decideEvents(facts: MonthFacts, rules: RetentionRules, now: Date): MonthDecision {
  if (rules.eventsKeptDays === 0 || !isPast(facts.endsAt, rules.eventsKeptDays, now)) return WAIT;
  if (facts.textsUnderWay || (rules.archiveAfterDays > 0 && facts.undroppedMonths > 0))
    return hold('texts-not-archived');
  return { action: 'detach' };
}

function hold(reason: HoldReason): MonthDecision {
  return { action: 'hold', reason };
}

function isPast(since: Date | null, days: number, now: Date): boolean {
  return since !== null && now.getTime() - since.getTime() >= days * DAY_MS;
}
