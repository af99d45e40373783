import { refusal, renderText, type Answer } from './answers.ts';
import type { Carrier, SimulatorParts } from './carrier.ts';
import type { SimulatedText } from './messages.ts';
import { chance } from './random.ts';
import { countSegments } from './segments.ts';
import type { Account } from './settings.ts';
import type { createSenderQueues } from './throttle.ts';

const PHONE_NUMBER = /^\+[1-9]\d{6,14}$/;
const SENDER = /^(?:\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/;
const SERVICE_SID = /^MG[0-9a-fA-F]{32}$/;
const MAX_VALIDITY_S = 36_000;

/** Numbers that Twilio's test credentials treat specially. */
const MAGIC_SENDERS: Readonly<Record<string, readonly [number, string]>> = {
  '+15005550001': [21212, "The 'From' number is not a valid phone number."],
  '+15005550007': [21606, "The 'From' phone number is not a valid, SMS-capable number."],
  '+15005550008': [21611, "This 'From' number has exceeded the maximum number of queued messages."],
};
const MAGIC_RECIPIENTS: Readonly<Record<string, readonly [number, string]>> = {
  '+15005550001': [21211, "The 'To' number is not a valid phone number."],
  '+15005550002': [21612, "The 'To' phone number is not currently reachable."],
  '+15005550003': [21408, 'Permission to send an SMS has not been enabled for the region.'],
  '+15005550004': [21610, 'Attempt to send to unsubscribed recipient.'],
  '+15005550009': [21614, "The 'To' number is not a valid mobile number."],
};

/** What a create asks for, not yet checked. */
export interface CreateForm {
  readonly to: string;
  readonly from: string;
  readonly serviceSid: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  readonly statusCallback: string;
  readonly validityPeriod: string;
  readonly scheduleType: string;
  readonly sendAt: string;
}

export interface Creation {
  readonly answer: Answer;
  readonly text: SimulatedText | null;
}

/** Reads the form of a create. */
export function readCreateForm(form: URLSearchParams): CreateForm {
  const read = (name: string): string => form.get(name) ?? '';
  return {
    to: read('To'),
    from: read('From'),
    serviceSid: read('MessagingServiceSid'),
    body: read('Body'),
    mediaUrls: form.getAll('MediaUrl').filter((url) => url !== ''),
    statusCallback: read('StatusCallback'),
    validityPeriod: read('ValidityPeriod'),
    scheduleType: read('ScheduleType'),
    sendAt: read('SendAt'),
  };
}

/** Creates the function behind `POST …/Messages.json`. */
export function createCreate(
  deps: SimulatorParts & {
    readonly carrier: Carrier;
    readonly queues: ReturnType<typeof createSenderQueues>;
    readonly nextOrdinal: (to: string) => number;
  },
) {
  return function create(account: Account, form: CreateForm): Creation {
    const problem = checkForm(form) ?? checkParties(account, form);
    if (problem !== null) return { answer: problem, text: null };
    const now = Date.now();
    const from = form.from === '' ? pickSender(account, form.to) : form.from;
    const segments = countSegments(form.body);
    const isScheduled = form.scheduleType === 'fixed';
    const leavesAt = isScheduled
      ? Date.parse(form.sendAt)
      : deps.queues.enter({
          sender: `${account.accountSid}|${from}`,
          segments,
          perSecond: account.segmentsPerSecond,
          limitSegments: account.queueLimitSegments,
          now,
        });
    if (leavesAt === null) return { answer: refuse(MAGIC_SENDERS['+15005550008']), text: null };
    const text: SimulatedText = {
      sid: deps.makeSid(form.mediaUrls.length > 0 ? 'MM' : 'SM'),
      accountSid: account.accountSid,
      direction: 'outbound-api',
      from,
      to: form.to,
      body: form.body,
      segments,
      mediaUrls: [...form.mediaUrls],
      status: initialStatus(form),
      errorCode: null,
      createdAt: now,
      updatedAt: now,
      sentAt: null,
      leavesAt,
      messagingServiceSid: form.serviceSid === '' ? null : form.serviceSid,
      statusCallback: form.statusCallback === '' ? null : form.statusCallback,
      validityPeriodS: readValidity(form),
      ordinal: deps.nextOrdinal(form.to),
      inReplyTo: null,
    };
    deps.messages.insert(text);
    deps.carrier.carry(text);
    return { answer: { status: 201, body: JSON.stringify(renderText(text)) }, text };
  };

  function checkParties(account: Account, form: CreateForm): Answer | null {
    const { numbers, accountSid } = account;
    if (form.from === '') {
      return numbers.length === 0 ? refusal(400, 21703, 'The service has no numbers.') : null;
    }
    const isOwn = numbers.some(({ phoneNumber }) => phoneNumber === form.from);
    if (account.onlyOwnNumbers && !isOwn) return refuse(MAGIC_SENDERS['+15005550007']);
    const isBlocking = account.blockOptedOut ?? account.defaultKeywords;
    if (isBlocking && deps.optOuts.has(accountSid, form.from, form.to)) {
      return refuse(MAGIC_RECIPIENTS['+15005550004']);
    }
    return null;
  }

  function pickSender(account: Account, to: string): string {
    const index = Math.floor(chance(deps.seed, 'sender', to) * account.numbers.length);
    return account.numbers[index]?.phoneNumber ?? '';
  }
}

function checkForm(form: CreateForm): Answer | null {
  const { to, from, body } = form;
  if (to === '') return refusal(400, 21604, "A 'To' phone number is required.");
  if (from === '' && form.serviceSid === '') {
    return refusal(400, 21603, "A 'From' phone number is required.");
  }
  if (body === '' && form.mediaUrls.length === 0) {
    return refusal(400, 21602, 'Message body is required.');
  }
  if (body.length > 1_600) {
    return refusal(400, 21617, 'The concatenated message body exceeds the 1600 character limit.');
  }
  if (!PHONE_NUMBER.test(to)) return refuse(MAGIC_RECIPIENTS['+15005550001']);
  if (from !== '' && !SENDER.test(from)) return refuse(MAGIC_SENDERS['+15005550001']);
  if (form.serviceSid !== '' && !SERVICE_SID.test(form.serviceSid)) {
    return refusal(400, 21705, 'The Messaging Service Sid is invalid.');
  }
  const magic = MAGIC_SENDERS[from] ?? MAGIC_RECIPIENTS[to];
  if (magic !== undefined) return refuse(magic);
  return checkOptions(form);
}

function checkOptions(form: CreateForm): Answer | null {
  if (form.statusCallback !== '' && !isCallbackUrl(form.statusCallback)) {
    return refusal(400, 21609, "The 'StatusCallback' URL is not a valid URL.");
  }
  if (form.validityPeriod !== '' && !isValidity(Number(form.validityPeriod))) {
    return refusal(400, 20001, 'ValidityPeriod must be from 1 to 36000.');
  }
  const isScheduled = form.scheduleType !== '';
  if (isScheduled && (form.serviceSid === '' || Number.isNaN(Date.parse(form.sendAt)))) {
    return refusal(400, 35118, 'Scheduling needs a MessagingServiceSid and SendAt.');
  }
  return null;
}

function isCallbackUrl(url: string): boolean {
  if (url.length > 4_000 || !URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return (protocol === 'http:' || protocol === 'https:') && !hostname.includes('_');
}

function isValidity(seconds: number): boolean {
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_VALIDITY_S;
}

function readValidity(form: CreateForm): number {
  // The period of a scheduled text begins when it is due, which lies within 35 days.
  if (form.scheduleType === 'fixed') return 35 * 86_400 + MAX_VALIDITY_S;
  return form.validityPeriod === '' ? MAX_VALIDITY_S : Number(form.validityPeriod);
}

function initialStatus(form: CreateForm): SimulatedText['status'] {
  if (form.scheduleType === 'fixed') return 'scheduled';
  return form.serviceSid === '' ? 'queued' : 'accepted';
}

function refuse(entry: readonly [number, string] | undefined): Answer {
  const [code, message] = entry ?? [20001, 'Invalid parameter.'];
  return refusal(400, code, message);
}
