/** The Twilio adapter: the official SDK over our own transport. */
import type twilio from 'twilio';
import type {
  InboundText,
  MessagingProvider,
  OutboundText,
  ProviderAccount,
  RemotePage,
  RemoteText,
  SendOptions,
  SendOutcome,
} from './messaging-provider.ts';
import {
  readMessagePage,
  toInboundText,
  toRemoteText,
  type ListedMessage,
} from './twilio-lists.ts';
import { readSendOutcome } from './twilio-outcome.ts';
import { createTwilioTransport } from './twilio-transport.ts';
import { parseTwilioInbound, parseTwilioStatus, verifyTwilioWebhook } from './twilio-webhooks.ts';

type MessageList = twilio.Twilio['messages'];

const TWILIO_ORIGIN = 'https://api.twilio.com';
const LIST_CALL = { purpose: 'list', deadlineMs: 30_000, mayStart: () => true } as const;

const SENT_PAGE_SIZE = 50;
/** All of an account's texts are read in the largest pages that Twilio has. */
const ALL_PAGE_SIZE = 1_000;
/** Incoming texts stand between all the outgoing ones, so their pages are larger. */
const INBOUND_PAGE_SIZE = 500;

export interface TwilioProviderOptions {
  /** Sockets for sends: rate x latency (100 texts/s at 200 ms need 20). */
  readonly maxConcurrentSends: number;
  readonly connectTimeoutMs?: number;
}

/** Creates the adapter for Twilio, or for any server that speaks its API. */
export function createTwilioProvider(options: TwilioProviderOptions): MessagingProvider {
  const transport = createTwilioTransport({
    maxConcurrentSends: options.maxConcurrentSends,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
  });

  async function send(
    account: ProviderAccount,
    text: OutboundText,
    sendOptions: SendOptions,
  ): Promise<SendOutcome> {
    const outcome = await transport.capture({ purpose: 'send', ...sendOptions }, async () =>
      transport.clientFor(account).messages.create(createParams(text)),
    );
    return readSendOutcome(outcome);
  }

  async function readPage(
    account: ProviderAccount,
    first: { to?: string; pageSize: number },
    page: string | null,
  ): Promise<RemotePage<ListedMessage>> {
    try {
      const outcome = await transport.capture(LIST_CALL, async () => {
        const { messages } = transport.clientFor(account);
        return page === null ? messages.page(first) : messages.getPage(`${TWILIO_ORIGIN}${page}`);
      });
      return readMessagePage(outcome);
    } catch (error) {
      throw new Error(`could not list texts of account ${account.id}`, { cause: error });
    }
  }

  async function listSent(
    account: ProviderAccount,
    query: { to: string | null; page: string | null },
  ): Promise<RemotePage<RemoteText>> {
    const first =
      query.to === null ? { pageSize: ALL_PAGE_SIZE } : { to: query.to, pageSize: SENT_PAGE_SIZE };
    const { items, nextPage } = await readPage(account, first, query.page);
    return { items: items.filter((message) => !isInbound(message)).map(toRemoteText), nextPage };
  }

  async function listInbound(
    account: ProviderAccount,
    query: { to: string; page: string | null },
  ): Promise<RemotePage<InboundText>> {
    const first = { to: query.to, pageSize: INBOUND_PAGE_SIZE };
    const { items, nextPage } = await readPage(account, first, query.page);
    return { items: items.filter(isInbound).map(toInboundText), nextPage };
  }

  return {
    name: 'twilio',
    capabilities: {
      listsSentTexts: true,
      listsInboundTexts: true,
      carriesReferenceInCallbacks: true,
      signsCallbacks: true,
      media: true,
      validityPeriod: true,
    },
    maxConcurrentSends: options.maxConcurrentSends,
    send,
    listSent,
    listInbound,
    verifyWebhook: verifyTwilioWebhook,
    parseInbound: parseTwilioInbound,
    parseStatus: parseTwilioStatus,
    close: () => transport.close(),
  };
}

function createParams(text: OutboundText): Parameters<MessageList['create']>[0] {
  return {
    to: text.to,
    from: text.from,
    body: text.body,
    statusCallback: text.statusCallbackUrl,
    ...(text.mediaUrls.length > 0 ? { mediaUrl: [...text.mediaUrls] } : {}),
    ...(text.validityPeriodS === null ? {} : { validityPeriod: text.validityPeriodS }),
  };
}

function isInbound(message: ListedMessage): boolean {
  return message.direction === 'inbound';
}
