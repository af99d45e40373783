import type { DueQueue } from './due-queue.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import type { Inbox } from './inbox.ts';
import type { OptOuts } from './keywords.ts';
import type { Messages, SimulatedText, TextStatus } from './messages.ts';
import type { People } from './people.ts';
import { chance, within } from './random.ts';
import type { Reports } from './reports.ts';
import type { Accounts, Settings } from './settings.ts';
import type { Webhooks } from './callbacks.ts';

/** The parts that everything in the simulator works on. */
export interface SimulatorParts {
  readonly seed: number;
  readonly settings: () => Settings;
  readonly due: DueQueue;
  readonly journal: Journal;
  readonly messages: Messages;
  readonly accounts: Accounts;
  readonly people: People;
  readonly optOuts: OptOuts;
  readonly faults: Faults;
  readonly webhooks: Webhooks;
  readonly makeSid: (prefix: string) => string;
}

const FINAL_STATUSES: ReadonlySet<TextStatus> = new Set([
  'delivered',
  'undelivered',
  'failed',
  'canceled',
  'received',
]);
/** Unreachable, unknown number, landline, filtered. */
const FAILURE_CODES = [30003, 30005, 30006, 30007] as const;
/** Failures that are of this text, not of the number: a later one may arrive. */
const PASSING_CODES: ReadonlySet<number> = new Set([30003, 30007]);
const VALIDITY_EXPIRED = 30036;

/** Creates what happens to a text after it was accepted: delivery, reports, and people's answers. */
export function createCarrier(deps: SimulatorParts, inbox: Inbox, reports: Reports) {
  const { settings, due, journal, messages, accounts, people, faults } = deps;

  /** Takes a text on, or takes it up again where an earlier run left it. */
  function carry(text: SimulatedText): void {
    if (FINAL_STATUSES.has(text.status)) return;
    const fault = faults.take('delivery', text);
    const failure = fault === null ? failureOf(text) : (fault.code ?? 30003);
    const { sentDelayMs, deliveredDelayMs } = settings();
    const sentAt = text.leavesAt + within(sentDelayMs, draw('sent', text));
    const finalAt = sentAt + within(deliveredDelayMs, draw('delivered', text));
    if (text.status !== 'sent') step(text, sentAt, () => advance(text, 'sent', null));
    step(text, Math.max(finalAt, sentAt + 10), () => {
      if (failure === null) advance(text, 'delivered', null);
      else advance(text, 'undelivered', failure);
    });
  }

  /** Takes a text one step on, or drops it when its validity ends before that. */
  function step(text: SimulatedText, at: number, run: () => void): void {
    const expiresAt = text.createdAt + text.validityPeriodS * 1_000;
    due.at(Math.min(at, expiresAt), () => {
      const isGone = messages.get(text.sid) !== text || FINAL_STATUSES.has(text.status);
      if (isGone) return;
      // A simulator that was down meanwhile must not deliver late either.
      if (at > expiresAt || Date.now() > expiresAt) advance(text, 'failed', VALIDITY_EXPIRED);
      else run();
    });
  }

  function advance(text: SimulatedText, status: TextStatus, errorCode: number | null): void {
    text.status = status;
    text.errorCode = errorCode;
    text.updatedAt = Date.now();
    if (status === 'sent') text.sentAt = text.updatedAt;
    journal.append('status', { sid: text.sid, status, errorCode });
    reports.send(text);
    if (status === 'delivered') handOver(text);
  }

  /** The person reads a delivered text and may answer. */
  function handOver(text: SimulatedText): void {
    const reply = people.receive(text.to, text.body);
    if (reply !== null) answer(text, reply.body, Date.now() + reply.delayMs);
  }

  function answer(text: SimulatedText, body: string, at: number): void {
    due.at(at, () => {
      const account = accounts.get(text.accountSid);
      if (account === undefined || text.from === null) return;
      inbox.receive({
        account,
        from: text.to,
        to: text.from,
        body,
        mediaUrls: [],
        inReplyTo: text.sid,
        optOutType: null,
        isListOnly: false,
      });
    });
  }

  function failureOf(text: SimulatedText): number | null {
    const share = chance(deps.seed, 'failure', text.to);
    const { failureShare } = settings();
    if (share >= failureShare) return null;
    const code = FAILURE_CODES[Math.floor((share / failureShare) * FAILURE_CODES.length)] ?? 30003;
    return PASSING_CODES.has(code) && draw('passing', text) < 0.4 ? null : code;
  }

  function draw(what: string, text: SimulatedText): number {
    return chance(deps.seed, what, text.to, text.ordinal);
  }

  return { carry, answer };
}
export type Carrier = ReturnType<typeof createCarrier>;
