/** Twilio's webhooks: signatures first, then the fields. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import twilio from 'twilio';
import { z } from 'zod';
import type {
  InboundText,
  Parsed,
  ProviderAccount,
  StatusReport,
  WebhookRequest,
} from './messaging-provider.ts';
import type { DeliveryStatus } from '../domain/delivery-status.ts';

/** Twilio's words for a text on its way out; the words for incoming texts are not among them. */
export const DELIVERY_STATUS_BY_WORD: ReadonlyMap<string, DeliveryStatus> = new Map([
  ['accepted', 'queued'],
  ['scheduled', 'queued'],
  ['queued', 'queued'],
  ['sending', 'sending'],
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['undelivered', 'undelivered'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
  ['read', 'read'],
]);

const OPT_OUT_BY_WORD: ReadonlyMap<string, 'stop' | 'start' | 'help'> = new Map([
  ['STOP', 'stop'],
  ['START', 'start'],
  ['HELP', 'help'],
]);
const MAX_MEDIA = 10;

const addressSchema = z.string().min(1).max(128);
const sidFields = {
  MessageSid: z.string().regex(/^(?:SM|MM)[0-9a-fA-F]{32}$/),
  AccountSid: z.string().regex(/^AC[0-9a-fA-F]{32}$/),
};
const inboundSchema = z.object({
  ...sidFields,
  From: addressSchema,
  To: addressSchema,
  // Required: a copy whose Body was shifted into another name carries a valid signature too.
  Body: z.string().max(65_536),
  NumMedia: z
    .string()
    .regex(/^\d{1,3}$/)
    .or(z.literal(''))
    .default('0'),
  OptOutType: z.string().max(32).default(''),
});
const statusSchema = z.object({
  ...sidFields,
  From: addressSchema.optional(),
  To: addressSchema,
  MessageStatus: z.string().max(32),
  ErrorCode: z
    .string()
    .regex(/^\d{0,9}$/)
    .default(''),
});
const mediaUrlSchema = z.url().max(4_000);

/** Checks X-Twilio-Signature over the URL as Twilio called it; false for anything malformed. */
export function verifyTwilioWebhook(account: ProviderAccount, request: WebhookRequest): boolean {
  const { signature, rawBody } = request;
  if (signature === null || signature === '') return false;
  // A fragment holds Twilio's retry settings and is not signed.
  const url = request.url.split('#', 1)[0] ?? '';
  const contentType = (request.contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  try {
    if (contentType === 'application/x-www-form-urlencoded') {
      const form = readForm(rawBody);
      return account.authTokens.some(
        (token) =>
          isSignedAsIs({ token, signature, url, form }) ||
          // The SDK also tries the address with and without its port, and older ways to encode it.
          twilio.validateRequest(token, signature, url, readSignedParams(form)),
      );
    }
    if (contentType === 'application/json' && new URL(url).searchParams.has('bodySHA256')) {
      return account.authTokens.some((token) =>
        twilio.validateRequestWithBody(token, signature, url, rawBody),
      );
    }
    return false;
  } catch {
    return false;
  }
}

/** Reads an incoming text. */
export function parseTwilioInbound(rawBody: string): Parsed<InboundText> {
  const form = readForm(rawBody);
  const fields = readFields(form, inboundSchema);
  if (!fields.ok) return fields;
  const { value } = fields;
  return {
    ok: true,
    value: {
      providerMessageId: value.MessageSid,
      accountSid: value.AccountSid,
      from: value.From,
      to: value.To,
      body: value.Body,
      media: readMedia(form, Number(value.NumMedia)),
      providerOptOut: OPT_OUT_BY_WORD.get(value.OptOutType.toUpperCase()) ?? null,
      receivedAt: null,
    },
  };
}

/** Reads a delivery report. */
export function parseTwilioStatus(rawBody: string): Parsed<StatusReport> {
  const fields = readFields(readForm(rawBody), statusSchema);
  if (!fields.ok) return fields;
  const { value } = fields;
  const status = DELIVERY_STATUS_BY_WORD.get(value.MessageStatus);
  if (status === undefined) return { ok: false, problem: 'MessageStatus is not a delivery status' };
  return {
    ok: true,
    value: {
      providerMessageId: value.MessageSid,
      accountSid: value.AccountSid,
      status,
      errorCode: Number(value.ErrorCode) || null,
      from: value.From ?? null,
      to: value.To,
    },
  };
}

let lastForm = { rawBody: '', form: new URLSearchParams() };

/** A body is checked and then read, one right after the other: it is parsed once. */
function readForm(rawBody: string): URLSearchParams {
  if (lastForm.rawBody !== rawBody) lastForm = { rawBody, form: new URLSearchParams(rawBody) };
  return lastForm.form;
}

/**
 * The signature over the address as it stands, half the cost of the SDK's check: the address, then every name
 * and value, by name; of a name that stands there again, each value once, by value.
 */
export function isSignedAsIs(request: {
  readonly token: string;
  readonly signature: string;
  readonly url: string;
  readonly form: URLSearchParams;
}): boolean {
  const pairs = [...request.form].sort(byNameThenValue);
  let text = request.url;
  for (const [index, [name, value]] of pairs.entries()) {
    const before = pairs[index - 1];
    if (before?.[0] !== name || before[1] !== value) text += name + value;
  }
  const expected = createHmac('sha1', request.token).update(text, 'utf8').digest('base64');
  const { signature } = request;
  return (
    signature.length === expected.length &&
    timingSafeEqual(Buffer.from(signature), Buffer.from(expected))
  );
}

function byNameThenValue([a, x]: [string, string], [b, y]: [string, string]): number {
  if (a !== b) return a < b ? -1 : 1;
  return x < y ? -1 : Number(x > y);
}

/** Blank values stay, and repeated names become arrays: both are part of what was signed. */
function readSignedParams(form: URLSearchParams): Record<string, string | string[]> {
  const values = new Map<string, string | string[]>();
  for (const [name, value] of form) {
    const earlier = values.get(name);
    values.set(name, earlier === undefined ? value : [earlier, value].flat());
  }
  return Object.fromEntries(values);
}

function readFields<Shape extends z.ZodRawShape>(
  form: URLSearchParams,
  schema: z.ZodObject<Shape>,
): Parsed<z.output<z.ZodObject<Shape>>> {
  const values = new Map<string, string>();
  for (const [name, value] of form) {
    const earlier = values.get(name);
    // The signature covers a set of values, not which of them counts.
    if (earlier !== undefined && earlier !== value && name in schema.shape) {
      return { ok: false, problem: `${name.slice(0, 64)} stands there twice` };
    }
    values.set(name, value);
  }
  const result = schema.safeParse(Object.fromEntries(values));
  if (result.success) return { ok: true, value: result.data };
  const issue = result.error.issues[0];
  const problem = `${issue?.path.join('.') ?? 'form'}: ${issue?.message ?? 'not readable'}`;
  return { ok: false, problem };
}

function readMedia(form: URLSearchParams, count: number): InboundText['media'] {
  const media: { url: string; contentType: string }[] = [];
  for (let index = 0; index < Math.min(count, MAX_MEDIA); index += 1) {
    const url = mediaUrlSchema.safeParse(form.get(`MediaUrl${index}`));
    if (!url.success) continue;
    const contentType = form.get(`MediaContentType${index}`) ?? 'application/octet-stream';
    media.push({ url: url.data, contentType: contentType.slice(0, 128) });
  }
  return media;
}
