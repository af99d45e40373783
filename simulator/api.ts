import { NOT_FOUND, refusal, type Answer } from './answers.ts';
import type { SimulatorParts } from './carrier.ts';
import { readCreateForm, type CreateForm, type createCreate } from './create.ts';
import type { Fault } from './faults.ts';
import { createResources } from './resources.ts';
import type { Account } from './settings.ts';
import type { createThrottle } from './throttle.ts';

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authorization: string;
  readonly body: string;
  /** When the request's headers arrived, epoch milliseconds. */
  readonly receivedAt: number;
}

const ROUTE = /^\/2010-04-01\/Accounts\/([^/]+)\/Messages(?:\/([^/]+?))?\.json$/;
const FAULT_500 = refusal(500, 20500, 'An internal server error has occurred.');
const THROTTLED: Answer = {
  ...refusal(429, 20429, 'Too Many Requests.'),
  headers: { 'retry-after': '1' },
};

/** Creates Twilio's REST API for messages. */
export function createApi(
  deps: SimulatorParts & {
    readonly create: ReturnType<typeof createCreate>;
    readonly throttle: ReturnType<typeof createThrottle>;
  },
) {
  const { accounts, journal, faults } = deps;
  const resources = createResources(deps);

  /** Answers one request; all of it happens in this call. */
  function handle(request: ApiRequest): Answer {
    const [, accountSid = '', sid] = ROUTE.exec(request.path) ?? [];
    const account = accounts.authenticate(request.authorization);
    const isCreate = request.method === 'POST' && sid === undefined && accountSid !== '';
    if (account === undefined) {
      return note(request, refusal(401, 20003, 'Authenticate'));
    }
    if (account.accountSid !== accountSid) return note(request, NOT_FOUND);
    const form = isCreate ? readCreateForm(new URLSearchParams(request.body)) : null;
    const subject = { to: form?.to ?? null, from: form?.from ?? null, method: request.method };
    const fault = faults.take('request', subject);
    const isThrottled = !deps.throttle.allow(accountSid, account.requestsPerSecond);
    const early = isThrottled ? THROTTLED : answerBefore(fault);
    if (form !== null) return createText({ account, request, form, fault, early });
    return note(request, early ?? distort(resources.answer(account, sid, request), fault));
  }

  function createText(entry: {
    account: Account;
    request: ApiRequest;
    form: CreateForm;
    fault: Fault | null;
    early: Answer | null;
  }): Answer {
    const { account, request, form, fault, early } = entry;
    const creation = early === null ? deps.create(account, form) : { answer: early, text: null };
    const answer = distort(creation.answer, early === null ? fault : null);
    const isLost = answer.delivery === 'reset' || answer.delivery === 'hang';
    journal.append('create', {
      receivedAt: new Date(request.receivedAt).toISOString(),
      answer: isLost ? null : answer.status,
      fault: fault?.fault ?? null,
      sid: null,
      accountSid: account.accountSid,
      to: form.to,
      from: form.from,
      body: form.body,
      // Also of what was refused: it says whose text was tried.
      statusCallback: form.statusCallback === '' ? null : form.statusCallback,
      ...creation.text,
    });
    return answer;
  }

  function note(request: ApiRequest, answer: Answer): Answer {
    const { method, path, query } = request;
    journal.append('request', {
      receivedAt: new Date(request.receivedAt).toISOString(),
      method,
      path,
      query,
      answer: answer.status,
    });
    return answer;
  }

  return { handle };
}

/** Faults that keep the request from doing anything. */
function answerBefore(fault: Fault | null): Answer | null {
  if (fault === null) return null;
  if (fault.fault === 'throttle') return THROTTLED;
  if (fault.fault === 'http-500-before') return FAULT_500;
  if (fault.fault === 'reset-before') return { ...FAULT_500, delivery: 'reset' };
  if (fault.fault === 'hang-before') return { ...FAULT_500, delivery: 'hang' };
  if (fault.fault === 'refuse') return refusal(400, fault.code ?? 21612, 'Refused on demand.');
  if (fault.fault === 'http-503-html') {
    const body = '<html><body><h1>503 Service Unavailable</h1></body></html>';
    return { status: 503, body, contentType: 'text/html' };
  }
  return null;
}

/** Faults that spoil the answer after the request did its work. */
function distort(answer: Answer, fault: Fault | null): Answer {
  if (fault === null || answer.status >= 400) return answer;
  if (fault.fault === 'http-500-after') return FAULT_500;
  if (fault.fault === 'reset-after') return { ...answer, delivery: 'reset' };
  if (fault.fault === 'hang') return { ...answer, delivery: 'hang' };
  if (fault.fault === 'drip') return { ...answer, delivery: 'drip' };
  if (fault.fault === 'wrong-json') return { ...answer, body: answer.body.slice(0, -20) };
  if (fault.fault === 'no-sid') return { ...answer, body: '{"status":"queued"}' };
  return answer;
}
