/** Twilio's error numbers as data: what each one means for the row, the person, the sender and the campaign. */
import type { ErrorRule } from './error-rule.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** An account or its set-up is at fault: the row waits until a person has repaired it. */
const ACCOUNT_STOPPED = {
  message: 'retry-later',
  sender: 'stop-account',
  campaign: 'pause',
  retryAfterMs: 5 * MINUTE_MS,
} as const;
const MISCONFIGURED = {
  message: 'retry-later',
  campaign: 'pause',
  retryAfterMs: 5 * MINUTE_MS,
} as const;
/** The text may go out through another sender. */
const SENDER_UNUSABLE = {
  message: 'retry-later',
  sender: 'stop-sender',
  retryAfterMs: SECOND_MS,
} as const;
const WEBHOOK_FAILED = { message: 'reconcile' } as const;

/** Blocked, filtered, not registered or not wanted: carriers fine, and cut off, who goes on. */
const VIOLATIONS = new Set([30004, 30007, 30024, 30032, 30034, 30035, 30450, 30640]);

function later(
  retryAfterMs: number,
  sender: ErrorRule['sender'] = 'slow-down',
): Pick<ErrorRule, 'message' | 'sender' | 'retryAfterMs'> {
  return { message: 'retry-later', sender, retryAfterMs };
}

/** Every number that has a decision of its own; all others fall to `twilioErrorRule`'s default. */
export const TWILIO_ERROR_RULES: readonly ErrorRule[] = [
  rule(11200, 'Twilio could not fetch our webhook.', WEBHOOK_FAILED),
  rule(11205, 'Twilio could not connect to our webhook.', WEBHOOK_FAILED),
  rule(12100, 'Our webhook answered XML that does not parse.', WEBHOOK_FAILED),
  rule(12300, 'Our webhook answered with a wrong content type.', WEBHOOK_FAILED),
  rule(14107, 'The rate of texts is over the limit.', later(SECOND_MS)),
  rule(20003, 'The account SID or its token is not accepted.', ACCOUNT_STOPPED),
  rule(20404, 'The account or service does not exist at Twilio.', MISCONFIGURED),
  rule(20429, 'Too many requests at once.', later(SECOND_MS)),
  rule(20500, 'Twilio failed inside; the text may exist.', { message: 'reconcile' }),
  rule(21211, 'The number is not a valid phone number.', { contact: 'invalid-number' }),
  rule(21212, 'The sender is not a valid phone number.', SENDER_UNUSABLE),
  rule(21408, 'Texting to this country is switched off for the account.'),
  rule(21601, 'The sender cannot send texts.', SENDER_UNUSABLE),
  rule(21602, 'The text is empty.'),
  rule(21603, 'The request names no sender.', MISCONFIGURED),
  rule(21604, 'The request names no recipient.', { contact: 'invalid-number' }),
  rule(21606, 'The sender is not an SMS number of this account.', SENDER_UNUSABLE),
  rule(21608, 'A trial account may only text verified numbers.', { campaign: 'pause' }),
  rule(21609, 'The status callback URL is not acceptable.', MISCONFIGURED),
  rule(21610, 'The person has opted out of texts from this sender.', { contact: 'opted-out' }),
  rule(21611, "The sender's queue is full.", later(10 * MINUTE_MS, 'hold')),
  rule(21612, 'This sender cannot reach this number.'),
  rule(21614, 'The number cannot receive texts.', { contact: 'invalid-number' }),
  rule(21617, 'The text is longer than 1,600 characters.'),
  rule(21635, 'The number is a landline.', { contact: 'landline' }),
  rule(21703, 'The messaging service has no sender.', MISCONFIGURED),
  rule(21704, 'The messaging service has no usable sender.', MISCONFIGURED),
  rule(21705, 'The messaging service does not exist.', MISCONFIGURED),
  rule(21709, 'This sender name is not allowed.', SENDER_UNUSABLE),
  rule(30001, 'The queue overflowed; the text was not sent.', later(5 * MINUTE_MS)),
  rule(30002, 'The account is suspended.', ACCOUNT_STOPPED),
  rule(30003, 'The phone could not be reached.', later(DAY_MS, 'none')),
  rule(30004, 'The text was blocked.'),
  rule(30005, 'The carrier does not know the number.', { contact: 'invalid-number' }),
  rule(30006, 'The number is a landline or its carrier is unreachable.', { contact: 'landline' }),
  rule(30007, 'A carrier or Twilio filtered the text.'),
  rule(30008, 'Unknown failure at the carrier; the text may have arrived.'),
  rule(30010, 'The price is over the limit set for the text (obsolete).'),
  rule(30011, 'Pictures cannot be sent to this number.'),
  rule(30017, 'The carrier is congested.', later(5 * MINUTE_MS)),
  rule(30019, 'The picture is too large for the carrier.'),
  rule(30020, 'Twilio failed inside after accepting the text.', later(10 * MINUTE_MS, 'none')),
  rule(30021, 'Twilio failed inside after accepting the text.', later(10 * MINUTE_MS, 'none')),
  rule(30022, 'The rate of the 10DLC campaign is exceeded.', later(MINUTE_MS)),
  rule(30023, 'The daily cap of the 10DLC brand is reached.', later(6 * HOUR_MS, 'hold')),
  rule(30024, 'The sender is not provisioned at the carrier.', SENDER_UNUSABLE),
  rule(30025, 'Half of the daily cap at T-Mobile is used.', {
    message: 'reconcile',
    sender: 'slow-down',
  }),
  rule(30026, 'Seventy percent of the daily cap at T-Mobile is used.', {
    message: 'reconcile',
    sender: 'slow-down',
  }),
  rule(30027, 'The daily cap at T-Mobile is reached.', later(6 * HOUR_MS, 'hold')),
  rule(30029, 'Redaction was asked for but is not enabled on the account.', MISCONFIGURED),
  rule(30032, 'The toll-free sender is not verified.', SENDER_UNUSABLE),
  rule(30034, 'The sender is not registered for 10DLC.', SENDER_UNUSABLE),
  rule(30035, 'The 10DLC registration of the sender is incomplete.', SENDER_UNUSABLE),
  rule(30036, 'The text waited longer than its validity period.', later(MINUTE_MS)),
  rule(30047, 'The text could not be moved out of quiet hours.', later(HOUR_MS, 'none')),
  rule(30410, 'The carrier did not answer in time; the text may have arrived.'),
  rule(30450, 'The text was blocked as suspected SMS pumping.', { contact: 'invalid-number' }),
  rule(30610, 'The text fell into quiet hours.', later(HOUR_MS, 'none')),
  rule(30640, 'The number belongs to a known litigator.', { contact: 'opted-out' }),
  rule(60728, 'The hourly cap of the account is reached.', later(HOUR_MS, 'stop-account')),
  rule(63017, 'The rate of the channel is exceeded.', later(5 * SECOND_MS)),
  rule(63018, 'The rate of the channel is exceeded.', later(5 * SECOND_MS)),
  rule(63038, 'The daily cap of the account is reached.', later(DAY_MS, 'stop-account')),
];

const RULES_BY_CODE = new Map(TWILIO_ERROR_RULES.map((entry) => [entry.code, entry]));

/** Finds what a Twilio error number means; an unknown number gives up on the row and nothing else. */
export function twilioErrorRule(code: number | null): ErrorRule {
  const known = code === null ? undefined : RULES_BY_CODE.get(code);
  if (known !== undefined) return known;
  if (code === null || code === 0) {
    return {
      ...rule(0, 'Twilio refused the text without an error number.'),
      source: 'https://www.twilio.com/docs/api/errors',
    };
  }
  return rule(code, `Twilio error ${code} is unknown here; the text was not sent.`);
}

function rule(code: number, meaning: string, effect: Partial<ErrorRule> = {}): ErrorRule {
  return {
    code,
    meaning,
    message: 'reject',
    contact: 'none',
    sender: 'none',
    campaign: 'none',
    isViolation: VIOLATIONS.has(code),
    retryAfterMs: null,
    source: `https://www.twilio.com/docs/api/errors/${code}`,
    ...effect,
  };
}
