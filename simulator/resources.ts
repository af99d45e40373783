import { NOT_FOUND, refusal, renderText, type Answer } from './answers.ts';
import type { SimulatorParts } from './carrier.ts';
import type { SimulatedText } from './messages.ts';
import type { Account } from './settings.ts';

export interface ResourceRequest {
  readonly method: string;
  readonly query: string;
  readonly body: string;
}

/** Creates the reading, changing and deleting of texts that exist. */
export function createResources(deps: SimulatorParts) {
  const { messages, journal, settings } = deps;

  function answer(account: Account, sid: string | undefined, request: ResourceRequest): Answer {
    if (sid === undefined) {
      return request.method === 'GET' ? list(account, request.query) : NOT_FOUND;
    }
    const text = messages.find(account.accountSid, sid);
    if (text === undefined) return NOT_FOUND;
    if (request.method === 'GET') return ok(text);
    if (request.method === 'POST') return update(text, new URLSearchParams(request.body));
    return request.method === 'DELETE' ? remove(text) : NOT_FOUND;
  }

  function list(account: Account, query: string): Answer {
    const params = new URLSearchParams(query);
    if ([...params.keys()].some((name) => name.startsWith('DateSent'))) {
      return refusal(400, 20001, 'The simulator does not filter by DateSent.');
    }
    const pageSize = Math.min(Math.max(Number(params.get('PageSize') ?? 50) || 50, 1), 1_000);
    const page = Number(params.get('Page') ?? 0) || 0;
    const found = messages.list({
      accountSid: account.accountSid,
      to: params.get('To'),
      from: params.get('From'),
      afterSid: params.get('PageToken')?.replace(/^PA/, '') ?? null,
      limit: pageSize,
      createdUntil: Date.now() - settings().listLagMs,
    });
    const path = `/2010-04-01/Accounts/${account.accountSid}/Messages.json`;
    params.set('PageSize', String(pageSize));
    params.set('Page', String(page + 1));
    params.set('PageToken', `PA${found.items.at(-1)?.sid ?? ''}`);
    const body = {
      end: page * pageSize + Math.max(0, found.items.length - 1),
      first_page_uri: `${path}?PageSize=${pageSize}&Page=0`,
      messages: found.items.map(renderText),
      next_page_uri: found.hasMore ? `${path}?${params.toString()}` : null,
      page,
      page_size: pageSize,
      previous_page_uri: null,
      start: page * pageSize,
      uri: `${path}?${query}`,
    };
    return { status: 200, body: JSON.stringify(body) };
  }

  function update(text: SimulatedText, form: URLSearchParams): Answer {
    if (form.get('Status') === 'canceled') {
      if (text.status !== 'scheduled') {
        return refusal(400, 30409, 'Message is not in a cancelable state.');
      }
      text.status = 'canceled';
    }
    if (form.get('Body') === '') text.body = '';
    text.updatedAt = Date.now();
    journal.append('update', { sid: text.sid, status: text.status, body: text.body });
    return ok(text);
  }

  function remove(text: SimulatedText): Answer {
    if (['accepted', 'queued', 'sending'].includes(text.status)) {
      return refusal(409, 20009, 'Resource not complete. Resource cannot be deleted.');
    }
    messages.remove(text.sid);
    journal.append('delete', { sid: text.sid });
    return { status: 204, body: '' };
  }

  return { answer };
}

function ok(text: SimulatedText): Answer {
  return { status: 200, body: JSON.stringify(renderText(text)) };
}
