/**
 * The port that every carrier adapter implements. Nothing outside `providers/` knows a vendor's
 * words: sids, statuses and error numbers are translated here.
 */
import type { ErrorRule } from './error-rule.ts';
import type { DeliveryStatus } from '../domain/delivery-status.ts';

/** One account at a provider, with its secrets already decrypted. */
export interface ProviderAccount {
  /** Our id of the account: it stands in webhook paths. */
  readonly id: string;
  /** The provider's own id of the account (Twilio: the account SID). */
  readonly accountSid: string;
  /** Accepted tokens, primary first: two during a rotation. The first signs our requests. */
  readonly authTokens: readonly [string, ...string[]];
  /** Base URL of the provider's API, when it is not the vendor's own (a simulator, a proxy). */
  readonly baseUrl: string | null;
}

/** A text about to be created at the provider. */
export interface OutboundText {
  readonly to: string;
  readonly from: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  /** Absolute URL for delivery reports; its path names our account and message. */
  readonly statusCallbackUrl: string;
  /** Seconds after which the carrier must drop the text, 1 to 36,000; null leaves its default. */
  readonly validityPeriodS: number | null;
}

export interface SendOptions {
  /** The whole call, from the first byte to the last, in milliseconds. */
  readonly deadlineMs: number;
  /**
   * Asked once, on a connected socket, directly before the first byte is written. When it answers
   * false nothing is written and the outcome is `not-started`.
   */
  readonly mayStart: () => boolean;
}

/** What is certain after one attempt to create a text. Adapters never throw for a send. */
export type SendOutcome =
  | { readonly kind: 'accepted'; readonly providerMessageId: string; readonly from: string | null }
  /** The provider answered that it did not create the text. */
  | {
      readonly kind: 'refused';
      readonly rule: ErrorRule;
      readonly detail: string;
      readonly retryAfterMs: number | null;
    }
  /** Bytes may have left and no trustworthy answer came: the text may exist. */
  | { readonly kind: 'unknown'; readonly detail: string; readonly httpStatus: number | null }
  /** No byte was written: a definite no that says nothing about the text. */
  | { readonly kind: 'not-started'; readonly detail: string };

/** A delivery report, parsed. */
export interface StatusReport {
  readonly providerMessageId: string;
  readonly accountSid: string;
  readonly status: DeliveryStatus;
  /** The provider's error number, null when there is none. */
  readonly errorCode: number | null;
  readonly from: string | null;
  readonly to: string | null;
}

/** A text from a person, parsed. */
export interface InboundText {
  readonly providerMessageId: string;
  readonly accountSid: string;
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly media: readonly { readonly url: string; readonly contentType: string }[];
  /** Set when the provider already handled a keyword and answered the person itself. */
  readonly providerOptOut: 'stop' | 'start' | 'help' | null;
  /** When the provider received it; null in webhooks, which carry no time. */
  readonly receivedAt: Date | null;
}

/** A text as it stands in the provider's own list. */
export interface RemoteText {
  readonly providerMessageId: string;
  readonly from: string | null;
  readonly to: string;
  readonly body: string;
  readonly createdAt: Date;
  readonly status: DeliveryStatus;
  readonly errorCode: number | null;
}

export interface RemotePage<T> {
  readonly items: readonly T[];
  /** Opaque; pass it back for the next (older) page. Null: there is none. */
  readonly nextPage: string | null;
}

export interface WebhookRequest {
  /** The public URL as the provider called it: configured origin + raw path + raw query. */
  readonly url: string;
  readonly signature: string | null;
  readonly contentType: string | null;
  readonly rawBody: string;
}

export interface ProviderCapabilities {
  readonly listsSentTexts: boolean;
  readonly listsInboundTexts: boolean;
  readonly carriesReferenceInCallbacks: boolean;
  readonly signsCallbacks: boolean;
  readonly media: boolean;
  readonly validityPeriod: boolean;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

export interface MessagingProvider {
  readonly name: string;
  readonly capabilities: ProviderCapabilities;
  /** POSTs exactly once; never retries; never throws. */
  send(account: ProviderAccount, text: OutboundText, options: SendOptions): Promise<SendOutcome>;
  /** Texts that we created, for one recipient or (null) for all, newest first. */
  listSent(
    account: ProviderAccount,
    query: { to: string | null; page: string | null },
  ): Promise<RemotePage<RemoteText>>;
  /** Texts that people sent to one of the account's numbers, newest first. */
  listInbound(
    account: ProviderAccount,
    query: { to: string; page: string | null },
  ): Promise<RemotePage<InboundText>>;
  /** False for a missing or wrong signature, and for anything malformed; never throws. */
  verifyWebhook(account: ProviderAccount, request: WebhookRequest): boolean;
  parseInbound(rawBody: string): Parsed<InboundText>;
  parseStatus(rawBody: string): Parsed<StatusReport>;
  /** Sockets that can carry a POST at once: the send loop never claims more. */
  readonly maxConcurrentSends: number;
  close(): Promise<void>;
}
