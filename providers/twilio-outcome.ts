/** Decides what is certain after one attempt to create a text at Twilio. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorRule } from './error-rule.ts';
import type { ExchangeOutcome } from './http-exchange.ts';
import type { SendOutcome } from './messaging-provider.ts';
import { twilioErrorRule } from './twilio-errors.ts';

const MESSAGE_SID = /^(?:SM|MM)[0-9a-fA-F]{32}$/;
const MAX_DETAIL_LENGTH = 300;

/** Rules for answers that carry a telling status but no error number. */
const CODE_BY_STATUS: Readonly<Record<number, number>> = { 401: 20003, 404: 20404, 429: 20429 };
/** A proxy between us and Twilio may answer these after it passed the request on. */
const UNCERTAIN_STATUSES: ReadonlySet<number> = new Set([408, 499]);

/** Reads the answer to a create; only a whole, plausible answer is more than `unknown`. */
export function readSendOutcome(outcome: ExchangeOutcome | null): SendOutcome {
  if (outcome === null) return { kind: 'not-started', detail: 'no request was made' };
  if (outcome.kind === 'failed') {
    if (!outcome.started) return { kind: 'not-started', detail: outcome.detail };
    return { kind: 'unknown', detail: outcome.detail, httpStatus: outcome.statusCode };
  }
  const answer = parseAnswer(outcome.text);
  const { statusCode } = outcome;
  if (statusCode >= 200 && statusCode < 300) return readAccepted(statusCode, answer);
  if (statusCode >= 400 && statusCode < 500) return readRefused(outcome, answer);
  return unknown(statusCode, `Twilio answered ${statusCode}`);
}

function readAccepted(statusCode: number, answer: Record<string, unknown> | null): SendOutcome {
  const sid = answer?.['sid'];
  if (typeof sid !== 'string' || !MESSAGE_SID.test(sid)) {
    return unknown(statusCode, `Twilio answered ${statusCode} without a message SID`);
  }
  const from = answer?.['from'];
  return {
    kind: 'accepted',
    providerMessageId: sid,
    from: typeof from === 'string' && from !== '' ? from : null,
  };
}

function readRefused(
  outcome: { readonly statusCode: number; readonly headers: IncomingHttpHeaders },
  answer: Record<string, unknown> | null,
): SendOutcome {
  const { statusCode, headers } = outcome;
  const code = readCode(answer);
  if (code === null && UNCERTAIN_STATUSES.has(statusCode)) {
    return unknown(statusCode, `something before Twilio answered ${statusCode}`);
  }
  const rule = ruleFor(statusCode, code);
  const message = answer?.['message'];
  const detail = typeof message === 'string' && message !== '' ? message : rule.meaning;
  if (rule.message === 'reconcile') return unknown(statusCode, detail);
  return {
    kind: 'refused',
    rule,
    detail: detail.slice(0, MAX_DETAIL_LENGTH),
    retryAfterMs: readRetryAfter(headers['retry-after']),
  };
}

function ruleFor(statusCode: number, code: number | null): ErrorRule {
  // Whatever number comes with it, 429 says that the text was not looked at.
  if (statusCode === 429 && (code === null || twilioErrorRule(code).message === 'reject')) {
    return twilioErrorRule(20429);
  }
  return twilioErrorRule(code ?? CODE_BY_STATUS[statusCode] ?? null);
}

/** Reads `Retry-After` in either of its forms, as milliseconds from now. */
function readRetryAfter(header: string | string[] | undefined): number | null {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined || value.trim() === '') return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds * 1_000));
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

function readCode(answer: Record<string, unknown> | null): number | null {
  const code = answer?.['code'];
  return typeof code === 'number' && Number.isSafeInteger(code) && code > 0 ? code : null;
}

function parseAnswer(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function unknown(httpStatus: number, detail: string): SendOutcome {
  return { kind: 'unknown', detail: detail.slice(0, MAX_DETAIL_LENGTH), httpStatus };
}
