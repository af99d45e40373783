/** Reads pages of Twilio's message list, checked field by field: the SDK turns a missing date into "now". */
import { z } from 'zod';
import type { ExchangeOutcome } from './http-exchange.ts';
import type { DeliveryStatus } from '../domain/delivery-status.ts';
import type { InboundText, RemotePage, RemoteText } from './messaging-provider.ts';
import { DELIVERY_STATUS_BY_WORD } from './twilio-webhooks.ts';

const messageSchema = z.object({
  sid: z.string(),
  account_sid: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  body: z.string().nullable(),
  direction: z.string(),
  status: z.string(),
  error_code: z.number().nullish(),
  /** RFC 2822, exact to the second. */
  date_created: z
    .string()
    .transform((text) => new Date(text))
    .refine((date) => !Number.isNaN(date.getTime()), 'not a date'),
});
export type ListedMessage = z.infer<typeof messageSchema>;

const pageSchema = z.object({
  messages: z.array(messageSchema),
  /** A path, so that it cannot lead the account's token to another host. */
  next_page_uri: z.string().startsWith('/').nullish(),
});

/** Reads one page; throws for anything that is not a whole and valid one. */
export function readMessagePage(outcome: ExchangeOutcome | null): RemotePage<ListedMessage> {
  if (outcome === null) throw new Error('no request was made');
  if (outcome.kind === 'failed') throw new Error(outcome.detail);
  if (outcome.statusCode !== 200) throw new Error(`Twilio answered ${outcome.statusCode}`);
  const page = pageSchema.parse(JSON.parse(outcome.text));
  return { items: page.messages, nextPage: page.next_page_uri ?? null };
}

/** Translates a text that we created. */
export function toRemoteText(message: ListedMessage): RemoteText {
  return {
    providerMessageId: message.sid,
    from: message.from === '' ? null : message.from,
    to: message.to ?? '',
    body: message.body ?? '',
    createdAt: message.date_created,
    status: readStatus(message.status),
    errorCode: message.error_code ?? null,
  };
}

/** Translates a text from a person. */
export function toInboundText(message: ListedMessage): InboundText {
  return {
    providerMessageId: message.sid,
    accountSid: message.account_sid,
    from: message.from ?? '',
    to: message.to ?? '',
    body: message.body ?? '',
    // The list says only how many there are; their addresses are a resource of their own.
    media: [],
    providerOptOut: null,
    receivedAt: message.date_created,
  };
}

function readStatus(word: string): DeliveryStatus {
  return DELIVERY_STATUS_BY_WORD.get(word) ?? 'none';
}
