import type { SimulatedText } from './messages.ts';

/** An answer of the REST API, and how it goes out. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `reset` cuts the socket, `hang` never answers, `drip` answers a byte at a time. */
  readonly delivery?: 'reset' | 'hang' | 'drip';
}

/** Answers as Twilio does for something it refuses. */
export function refusal(status: number, code: number, message: string): Answer {
  const moreInfo = `https://www.twilio.com/docs/errors/${code}`;
  return { status, body: JSON.stringify({ code, message, more_info: moreInfo, status }) };
}

export const NOT_FOUND = refusal(404, 20404, 'The requested resource was not found.');

/** The message resource, with all of Twilio's fields. */
export function renderText(text: SimulatedText): object {
  const uri = `/2010-04-01/Accounts/${text.accountSid}/Messages/${text.sid}`;
  return {
    account_sid: text.accountSid,
    api_version: '2010-04-01',
    body: text.body,
    date_created: rfc2822(text.createdAt),
    date_sent: text.sentAt === null ? null : rfc2822(text.sentAt),
    date_updated: rfc2822(text.updatedAt),
    direction: text.direction,
    error_code: text.errorCode,
    error_message: text.errorCode === null ? null : `Simulated error ${text.errorCode}`,
    from: text.from,
    messaging_service_sid: text.messagingServiceSid,
    num_media: String(text.mediaUrls.length),
    num_segments: String(text.segments),
    price: null,
    price_unit: 'USD',
    sid: text.sid,
    status: text.status,
    subresource_uris: { media: `${uri}/Media.json` },
    to: text.to,
    uri: `${uri}.json`,
  };
}

function rfc2822(time: number): string {
  return new Date(time).toUTCString().replace('GMT', '+0000');
}
