import type { SimulatorParts } from './carrier.ts';
import { readKeyword, type Keyword } from './keywords.ts';
import type { SimulatedText, TextStatus } from './messages.ts';
import { countSegments } from './segments.ts';
import type { Account } from './settings.ts';
import { inboundParams } from './webhook-fields.ts';

export interface IncomingText {
  readonly account: Account;
  /** The person. */
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  readonly inReplyTo: string | null;
  readonly optOutType: string | null;
  /** Keeps it from the webhook: it stands in the list only. */
  readonly isListOnly: boolean;
}

/** Creates the way of texts from people to the account's webhook. */
export function createInbox(deps: SimulatorParts) {
  const { due, journal, messages, accounts, faults, webhooks } = deps;

  /** Takes in a text from a person. */
  function receive(incoming: IncomingText): SimulatedText {
    const { account, from, to } = incoming;
    const keyword = readKeyword(incoming.body);
    const text = createText({
      ...incoming,
      sid: deps.makeSid(incoming.mediaUrls.length > 0 ? 'MM' : 'SM'),
      direction: 'inbound',
      status: 'received',
    });
    const optOutType = incoming.optOutType ?? (account.defaultKeywords ? keyword : null);
    messages.insert(text);
    journal.append('inbound', { ...text, optOutType, isListOnly: incoming.isListOnly });
    deps.optOuts.apply({ accountSid: account.accountSid, number: to, person: from, keyword });
    if (account.defaultKeywords && keyword !== null) answerKeyword(text, keyword);
    if (!incoming.isListOnly) deliver(text, optOutType);
    return text;
  }

  /** Posts a text from a person to the account's webhook. */
  function deliver(text: SimulatedText, optOutType: string | null): void {
    const account = accounts.get(text.accountSid);
    const number = account?.numbers.find(({ phoneNumber }) => phoneNumber === text.to);
    const url = number?.smsUrl ?? account?.smsUrl ?? null;
    if (account === undefined || url === null) return;
    const { sid, status } = text;
    const fault = faults.take('inbound', text);
    if (fault?.fault === 'drop-inbound') {
      const entry = { sid, status, answer: null, fault: fault.fault, isDone: true };
      journal.append('inbound-webhook', entry);
      return;
    }
    const params = inboundParams(text, optOutType);
    const post = (): void =>
      webhooks.send({
        kind: 'inbound-webhook',
        url,
        fallbackUrl: number?.smsFallbackUrl ?? account.smsFallbackUrl,
        authToken: account.authToken,
        params,
        sid,
        status,
      });
    if (fault?.fault === 'duplicate-inbound') post();
    if (fault?.fault === 'delay-inbound') due.at(Date.now() + fault.delayMs, post);
    else post();
  }

  function answerKeyword(text: SimulatedText, keyword: Keyword): void {
    const reply = createText({
      account: { accountSid: text.accountSid },
      sid: deps.makeSid('SM'),
      direction: 'outbound-reply',
      from: text.to,
      to: text.from ?? '',
      body: KEYWORD_ANSWERS[keyword],
      mediaUrls: [],
      inReplyTo: text.sid,
      status: 'delivered',
    });
    messages.insert(reply);
    journal.append('keyword-reply', reply);
  }

  return { receive, deliver };
}
export type Inbox = ReturnType<typeof createInbox>;

const KEYWORD_ANSWERS = {
  STOP: 'You have successfully been unsubscribed. Reply START to resubscribe.',
  START: 'You have successfully been re-subscribed. Reply STOP to unsubscribe.',
  HELP: 'Reply STOP to unsubscribe. Msg&Data Rates May Apply.',
} as const;

function createText(parts: {
  readonly account: { readonly accountSid: string };
  readonly sid: string;
  readonly direction: SimulatedText['direction'];
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  readonly inReplyTo: string | null;
  readonly status: TextStatus;
}): SimulatedText {
  const now = Date.now();
  return {
    sid: parts.sid,
    accountSid: parts.account.accountSid,
    direction: parts.direction,
    from: parts.from,
    to: parts.to,
    body: parts.body,
    segments: countSegments(parts.body),
    mediaUrls: [...parts.mediaUrls],
    status: parts.status,
    errorCode: null,
    createdAt: now,
    updatedAt: now,
    sentAt: now,
    leavesAt: now,
    messagingServiceSid: null,
    statusCallback: null,
    validityPeriodS: 36_000,
    ordinal: 0,
    inReplyTo: parts.inReplyTo,
  };
}
