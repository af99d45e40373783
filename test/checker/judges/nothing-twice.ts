import type { CreateFact, Facts, MessageFact } from '../facts/facts.ts';
import { createFindings, mask, type Verdict } from '../verdict.ts';
import { acceptedByMessage, groupBy } from './creates.ts';
import { KEYWORD_ANSWERS } from '../facts/own-rules.ts';

type Findings = ReturnType<typeof createFindings>;

/** Carrier errors after which the same text may be sent again, as a try of its own. */
const SENT_AGAIN = new Set([30001, 30003, 30008, 30017, 30022, 30036]);

/** I2: a cause has one create, unless a named rule allows a second try. */
export function judgeNothingTwice(facts: Facts): Verdict {
  const findings = createFindings('I2', 'nothing is sent twice: one create for each cause');
  const { journal, ledger } = facts;
  const byMessage = groupBy(journal.creates, (create) => create.messageId);
  for (const [messageId, creates] of byMessage) judgeRequests(findings, messageId, creates);
  for (const create of journal.creates) {
    if (create.sid === null || create.messageId !== null) continue;
    findings.violation(`create ${create.sid} to ${mask(create.to)} names no message of ours`);
  }
  const accepted = acceptedByMessage(journal);
  const sent = [...ledger.messages.values()].filter(({ id }) => accepted.has(id));
  findings.count('causes with a create', accepted.size);
  for (const [cause, tries] of groupBy(sent, causeOf)) {
    if (tries.length > 1) judgeTries(facts, findings, { cause, tries });
  }
  judgeAnswers(facts, findings, sent);
  return findings.verdict();
}

/** One row: nothing may follow a request that created a text, or whose outcome could not be known. */
function judgeRequests(
  findings: Findings,
  messageId: string,
  creates: readonly CreateFact[],
): void {
  const [first, ...others] = creates;
  let earlier = first;
  for (const create of others) {
    if (earlier !== undefined && earlier.sid !== null) {
      findings.violation(
        `${messageId} was created as ${earlier.sid}, then requested again (line ${create.n})`,
      );
    } else if (
      earlier !== undefined &&
      (earlier.answer === null || earlier.answer >= 500 || earlier.answer < 400)
    ) {
      findings.violation(`${messageId} was requested again after an unknown outcome`);
    } else findings.count('requested again after a definite no');
    earlier = create;
  }
}

/** The business key of a campaign text. */
function causeOf(message: MessageFact): string | null {
  const { purpose, conversationId, step, wave } = message;
  return purpose === 'campaign' ? `${conversationId} ${step} ${wave}` : null;
}

function judgeTries(
  facts: Facts,
  findings: Findings,
  { cause, tries }: { cause: string; tries: readonly MessageFact[] },
): void {
  const byId = new Map(tries.map((message) => [message.id, message]));
  const firsts = tries.filter(({ retryOf }) => retryOf === null);
  if (firsts.length > 1) {
    findings.violation(`${cause} was created ${firsts.length} times without a rule`);
  }
  for (const again of tries) {
    const earlier = again.retryOf === null ? undefined : byId.get(again.retryOf);
    if (earlier === undefined) continue;
    const rule = ruleFor(facts, earlier, again);
    if (rule === null) findings.violation(`${again.id} was created although ${earlier.id} was`);
    else findings.count(rule);
  }
}

/** The rule that allows a second create after the first one; null: there is none. */
function ruleFor({ ledger }: Facts, earlier: MessageFact, again: MessageFact): string | null {
  if (earlier.errorCode !== null && SENT_AGAIN.has(earlier.errorCode)) {
    return 'sent again after the carrier failed';
  }
  const policy = ledger.campaigns.get(again.campaignId ?? '')?.policy;
  return policy === 'at_least_once' ? 'sent again under at_least_once' : null;
}

/** Automatic answers are caused by texts that came in: no more of one step than there were texts. */
function judgeAnswers(facts: Facts, findings: Findings, sent: readonly MessageFact[]): void {
  const inbound = [...facts.ledger.messages.values()].filter(
    ({ direction }) => direction === 'inbound',
  );
  const heardIn = groupBy(inbound, ({ conversationId }) => conversationId);
  const heardFrom = groupBy(inbound, personOf);
  const firsts = sent.filter(({ retryOf }) => retryOf === null);
  const replies = firsts.filter(({ purpose }) => purpose === 'auto_reply');
  for (const [key, answers] of groupBy(replies, (row) => `${row.conversationId} ${row.step}`)) {
    const conversationId = answers[0]?.conversationId ?? '';
    // A first text that needs no reply is followed by one text that no reply caused.
    const most = (heardIn.get(conversationId)?.length ?? 0) + 1;
    if (answers.length > most) {
      findings.violation(`${key}: ${answers.length} answers to ${most - 1} texts`);
    }
  }
  const confirmations = firsts.filter(({ purpose }) => KEYWORD_ANSWERS.has(purpose));
  for (const [key, answers] of groupBy(confirmations, personOf)) {
    const most = heardFrom.get(key)?.length ?? 0;
    if (answers.length <= most) continue;
    const address = mask(answers[0]?.address ?? '');
    findings.violation(`${address}: ${answers.length} keyword answers to ${most} texts`);
  }
}

function personOf({ orgId, address }: MessageFact): string {
  return `${orgId} ${address}`;
}
