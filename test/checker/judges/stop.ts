import type { ApiCallFact, CreateFact, Facts, InboundFact, MessageFact } from '../facts/facts.ts';
import { KEYWORD_ANSWERS } from '../facts/own-rules.ts';
import { createFindings, mask, type Verdict } from '../verdict.ts';
import { groupBy } from './creates.ts';

type Findings = ReturnType<typeof createFindings>;

/** A time in which no create may begin. */
interface Silence {
  readonly what: string;
  /** When it was asked for: creates from here to `fromMs` are in flight. */
  readonly askedAtMs: number;
  /** Our 2xx. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Texts that may go all the same. */
  readonly spares: (message: MessageFact | undefined) => boolean;
}

/** I4: no create begins after our 2xx to a stop, a suppression, a pause or a cancel. */
export function judgeStop(facts: Facts): Verdict {
  const findings = createFindings('I4', 'no text starts after an acknowledged stop or pause');
  const { journal, ledger } = facts;
  const orgOf = (accountId: string | null): string =>
    ledger.accounts.get(accountId ?? '')?.orgId ?? '';
  const byPerson = groupBy(journal.creates, (create) =>
    create.accountId === null ? null : `${orgOf(create.accountId)} ${create.to}`,
  );
  for (const [person, silences] of personalSilences(facts)) {
    for (const silence of silences) judge(facts, findings, [silence, byPerson.get(person) ?? []]);
  }
  const byCampaign = groupBy(journal.creates, ({ messageId }) =>
    messageId === null ? null : (ledger.messages.get(messageId)?.campaignId ?? null),
  );
  for (const [campaignId, silences] of campaignSilences(facts)) {
    for (const silence of silences) {
      judge(facts, findings, [silence, byCampaign.get(campaignId) ?? []]);
    }
  }
  return findings.verdict();
}

function judge(
  { ledger, expectations }: Facts,
  findings: Findings,
  [silence, creates]: readonly [Silence, readonly CreateFact[]],
): void {
  findings.count('acknowledged');
  for (const create of creates) {
    const { receivedAtMs } = create;
    if (receivedAtMs <= silence.askedAtMs || receivedAtMs >= silence.untilMs) continue;
    if (silence.spares(ledger.messages.get(create.messageId ?? ''))) continue;
    const lateMs = receivedAtMs - silence.fromMs;
    if (lateMs <= 0) findings.count('in flight at that moment');
    else if (lateMs <= expectations.clockToleranceMs)
      findings.count('within the tolerance of clocks');
    else {
      findings.violation(`${create.messageId} started ${lateMs} ms after ${silence.what}`);
      findings.peak('latest start after it (ms)', lateMs);
    }
  }
}

/** Stops by text and suppressions by request, by `org address`. */
function personalSilences(facts: Facts): Map<string, Silence[]> {
  const silences = new Map<string, Silence[]>();
  const add = (person: string, silence: Silence): void => {
    silences.set(person, [...(silences.get(person) ?? []), silence]);
  };
  const keywords = [...facts.journal.inbound.values()].filter(({ keyword }) => keyword !== null);
  const rows = new Map(
    [...facts.ledger.messages.values()]
      .filter(({ direction }) => direction === 'inbound')
      .map((row) => [row.providerMessageId, row]),
  );
  for (const texts of groupBy(keywords, ({ from }) => from).values()) {
    for (const stop of texts) {
      if (stop.keyword !== 'stop' || stop.ackedAtMs === null) continue;
      // Without its row nobody knows whose org it was; that it is missing is another verdict.
      const orgId = rows.get(stop.sid)?.orgId;
      if (orgId === undefined) continue;
      const back = texts.filter(
        (text) => text.keyword === 'start' && text.atMs > stop.atMs && isOf(rows, text, orgId),
      );
      add(`${orgId} ${stop.from}`, {
        what: `our 2xx to the stop of ${mask(stop.from)}`,
        askedAtMs: stop.atMs,
        fromMs: stop.ackedAtMs,
        untilMs: Math.min(...back.map(({ atMs }) => atMs), endBySite(facts, stop)),
        spares: isKeywordAnswer,
      });
    }
  }
  for (const call of facts.clients.calls) {
    if (call.action !== 'suppress' || !isTaken(call) || call.address === null) continue;
    const { address } = call;
    for (const orgId of orgsOf(facts, call, address)) {
      add(`${orgId} ${address}`, {
        what: `the suppression of ${mask(address)}`,
        askedAtMs: call.sentAtMs,
        fromMs: call.atMs,
        untilMs: firstAfter(facts, call, (other) => isLift(other, address)),
        spares: isKeywordAnswer,
      });
    }
  }
  return silences;
}

function campaignSilences(facts: Facts): Map<string, Silence[]> {
  const halts = facts.clients.calls.filter(
    (call) => (call.action === 'pause' || call.action === 'cancel') && isTaken(call),
  );
  return new Map(
    [...groupBy(halts, ({ campaignId }) => campaignId)].map(([campaignId, calls]) => [
      campaignId,
      calls.map((call): Silence => {
        const isPause = call.action === 'pause';
        return {
          what: `the ${call.action} of campaign ${campaignId}`,
          askedAtMs: call.sentAtMs,
          fromMs: call.atMs,
          untilMs: isPause
            ? firstAfter(
                facts,
                call,
                (other) => other.action === 'resume' && other.campaignId === campaignId,
              )
            : Number.POSITIVE_INFINITY,
          spares: (message) =>
            isKeywordAnswer(message) || (isPause && message?.purpose === 'human_reply'),
        };
      }),
    ]),
  );
}

function isTaken({ status }: ApiCallFact): boolean {
  return status !== null && status >= 200 && status < 300;
}

function isKeywordAnswer(message: MessageFact | undefined): boolean {
  return message !== undefined && KEYWORD_ANSWERS.has(message.purpose);
}

function isLift(call: ApiCallFact, address: string): boolean {
  return call.action === 'lift' && call.address === address;
}

/** When the first such call may have worked that was not over before this one began; an unanswered one may have, too. */
function firstAfter(
  { clients }: Facts,
  call: ApiCallFact,
  matches: (other: ApiCallFact) => boolean,
): number {
  const others = clients.calls.filter(
    (other) =>
      other.atMs > call.sentAtMs &&
      matches(other) &&
      (isTaken(other) || other.status === null || other.status >= 500),
  );
  return Math.min(Number.POSITIVE_INFINITY, ...others.map(({ sentAtMs }) => sentAtMs));
}

/** A stop by text can be lifted by request, too. */
function endBySite({ clients }: Facts, stop: InboundFact): number {
  const lifts = clients.calls.filter(
    (call) => isLift(call, stop.from) && call.atMs > stop.atMs && call.status !== 409,
  );
  return Math.min(Number.POSITIVE_INFINITY, ...lifts.map(({ sentAtMs }) => sentAtMs));
}

function isOf(
  rows: ReadonlyMap<string | null, MessageFact>,
  text: InboundFact,
  orgId: string,
): boolean {
  const row = rows.get(text.sid);
  return row === undefined || row.orgId === orgId;
}

/** The org that asked, or every org that has suppressed this person. */
function orgsOf({ ledger }: Facts, call: ApiCallFact, address: string): string[] {
  if (call.orgId !== null) return [call.orgId];
  const orgs = new Set([...ledger.accounts.values()].map(({ orgId }) => orgId));
  return orgs.size === 1
    ? [...orgs]
    : [...orgs].filter((orgId) => ledger.suppressed.has(`${orgId} ${address}`));
}
