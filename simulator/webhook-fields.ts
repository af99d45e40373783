import type { WebhookParams } from './callbacks.ts';
import type { SimulatedText } from './messages.ts';

const API_VERSION = '2010-04-01';

/** The fields of a delivery report. */
export function statusParams(text: SimulatedText): WebhookParams {
  const { sid, status, errorCode, messagingServiceSid } = text;
  return [
    ['AccountSid', text.accountSid],
    ['ApiVersion', API_VERSION],
    ...optional('ErrorCode', errorCode),
    ['From', text.from ?? ''],
    ['MessageSid', sid],
    ['MessageStatus', status],
    ...optional('MessagingServiceSid', messagingServiceSid),
    ...optional('RawDlrDoneDate', status === 'delivered' ? dlrDate(text.updatedAt) : null),
    ['SmsSid', sid],
    ['SmsStatus', status],
    ['To', text.to],
  ];
}

/** The fields of an incoming text; the blank ones are part of what is signed. */
export function inboundParams(text: SimulatedText, optOutType: string | null): WebhookParams {
  const { sid, mediaUrls } = text;
  return [
    ['AccountSid', text.accountSid],
    ['ApiVersion', API_VERSION],
    ['Body', text.body],
    ['From', text.from ?? ''],
    ['FromCity', ''],
    ['FromCountry', 'US'],
    ['FromState', ''],
    ['FromZip', ''],
    ...mediaUrls.map((_url, index) => [`MediaContentType${index}`, 'image/jpeg'] as const),
    ...mediaUrls.map((url, index) => [`MediaUrl${index}`, url] as const),
    ['MessageSid', sid],
    ['NumMedia', String(mediaUrls.length)],
    ['NumSegments', String(text.segments)],
    ...optional('OptOutType', optOutType),
    ['SmsMessageSid', sid],
    ['SmsSid', sid],
    ['SmsStatus', 'received'],
    ['To', text.to],
    ['ToCity', ''],
    ['ToCountry', 'US'],
    ['ToState', ''],
    ['ToZip', ''],
  ];
}

function optional(name: string, value: string | number | null): [string, string][] {
  return value === null ? [] : [[name, String(value)]];
}

/** YYMMDDhhmm. */
function dlrDate(time: number): string {
  return new Date(time).toISOString().replaceAll(/\D/g, '').slice(2, 12);
}
