import { z } from 'zod';
import type { Answer } from './answers.ts';
import type { SimulatorParts } from './carrier.ts';
import { faultSchema } from './faults.ts';
import type { Inbox } from './inbox.ts';
import { accountSchema, settingsPatchSchema, settingsSchema, type Settings } from './settings.ts';

const inboundSchema = z.object({
  /** An account SID. */
  account: z.string(),
  from: z.string().min(1).max(128),
  to: z.string().min(1).max(128),
  // Lone surrogates cannot be form-encoded; they become U+FFFD as on the wire.
  body: z.string().transform((body) => Buffer.from(body, 'utf8').toString('utf8')),
  mediaUrls: z.array(z.url()).max(10).default([]),
  optOutType: z.enum(['STOP', 'START', 'HELP']).nullable().default(null),
  deliver: z.enum(['webhook', 'list-only']).default('webhook'),
});
const faultsSchema = z.union([
  z.array(faultSchema),
  z.object({ faults: z.array(faultSchema) }).transform(({ faults }) => faults),
  faultSchema.transform((fault) => [fault]),
]);

export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** Creates the endpoints under `/simulator/`, by which tests and demos steer the simulator. */
export function createControl(
  deps: SimulatorParts & {
    readonly inbox: Inbox;
    readonly changeSettings: (settings: Settings) => void;
    readonly reset: () => void;
  },
) {
  const { accounts, faults, journal, inbox, settings } = deps;

  const routes: Readonly<Record<string, (request: ControlRequest) => unknown>> = {
    'GET /simulator/state': () => readState(deps),
    'GET /simulator/journal': ({ query }) => readJournal(journal, query),
    'GET /simulator/faults': () => ({ faults: faults.list() }),
    'POST /simulator/faults': ({ body }) => {
      faults.add(faultsSchema.parse(JSON.parse(body)));
      return { faults: faults.list() };
    },
    'DELETE /simulator/faults': () => {
      faults.clear();
      return { faults: [] };
    },
    'PUT /simulator/settings': ({ body }) => {
      const patch = settingsPatchSchema.parse(JSON.parse(body));
      deps.changeSettings(settingsSchema.parse({ ...settings(), ...patch }));
      return settings();
    },
    'POST /simulator/inbound': ({ body }) => injectInbound(body),
    'POST /simulator/reset': () => {
      deps.reset();
      return {};
    },
  };

  /** Answers one control request. */
  function handle(request: ControlRequest): Answer {
    const route = routes[`${request.method} ${request.path}`];
    const accountSid = /^\/simulator\/accounts\/([^/]+)$/.exec(request.path)?.[1];
    try {
      if (route !== undefined) return json(200, route(request));
      if (accountSid !== undefined && request.method === 'PUT') {
        return json(200, putAccount(accountSid, request.body));
      }
      return json(404, { error: 'the simulator has no such endpoint' });
    } catch (error) {
      const detail = error instanceof z.ZodError ? error.issues : String(error);
      return json(400, { error: 'the simulator cannot read this request', detail });
    }
  }

  /** What is not given keeps its value. */
  function putAccount(accountSid: string, body: string): object {
    const patch = z.record(z.string(), z.unknown()).parse(JSON.parse(body));
    const merged = { ...accounts.get(accountSid), ...patch, accountSid };
    const { authToken: _secret, ...shown } = accounts.put(accountSchema.parse(merged));
    journal.append('account', accounts.get(accountSid) ?? {});
    return shown;
  }

  function injectInbound(body: string): object {
    const input = inboundSchema.parse(JSON.parse(body));
    const account = accounts.get(input.account);
    if (account === undefined) throw new Error(`no account ${input.account}`);
    const text = inbox.receive({
      account,
      from: input.from,
      to: input.to,
      body: input.body,
      mediaUrls: input.mediaUrls,
      inReplyTo: null,
      optOutType: input.optOutType,
      isListOnly: input.deliver === 'list-only',
    });
    return { sid: text.sid };
  }

  return { handle };
}

function readJournal(journal: SimulatorParts['journal'], query: URLSearchParams): object {
  const after = Number(query.get('after') ?? 0) || 0;
  const limit = Math.min(Number(query.get('limit') ?? 10_000) || 10_000, 100_000);
  const { lines, isTruncated } = journal.read(after, limit);
  return { entries: lines.map((line): unknown => JSON.parse(line)), isTruncated };
}

function readState(deps: SimulatorParts): object {
  return {
    texts: deps.messages.size(),
    byStatus: deps.messages.countByStatus(),
    optOuts: deps.optOuts.size(),
    due: deps.due.size(),
    webhooks: deps.webhooks.counts(),
    journal: deps.journal.lastNumber(),
    faults: deps.faults.list(),
    settings: deps.settings(),
    accounts: deps.accounts.all().map(({ authToken: _secret, ...shown }) => shown),
  };
}

function json(status: number, body: unknown): Answer {
  return { status, body: JSON.stringify(body) };
}
