import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer } from './answers.ts';
import { createApi } from './api.ts';
import { createWebhooks } from './callbacks.ts';
import { createCarrier } from './carrier.ts';
import { createControl } from './control.ts';
import { createCreate } from './create.ts';
import { createDueQueue } from './due-queue.ts';
import { createFaults } from './faults.ts';
import { createInbox } from './inbox.ts';
import { createJournal } from './journal.ts';
import { createOptOuts } from './keywords.ts';
import { createMessages } from './messages.ts';
import { createPeople } from './people.ts';
import { createSidMaker } from './random.ts';
import { createReports } from './reports.ts';
import { createRestore } from './restore.ts';
import { createAccounts, settingsSchema, type AccountInput, type Settings } from './settings.ts';
import { createSenderQueues, createThrottle } from './throttle.ts';

export interface SimulatorOptions {
  /** The same seed makes the same people give the same answers. */
  readonly seed?: number;
  readonly accounts?: readonly AccountInput[];
  readonly settings?: Partial<Settings>;
  /** Append-only NDJSON file; state is rebuilt from it. Without one nothing outlives the process. */
  readonly journalFile?: string | null;
  readonly host?: string;
}

export interface RunningSimulator {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const MAX_REQUEST_BYTES = 1_000_000;
const DRIP_MS = 50;

/** Creates a simulator; it holds nothing open until it is started. */
export function createSimulator(options: SimulatorOptions = {}) {
  const parts = createParts(options);
  const { api, control, due, journal, settings } = parts;
  const host = options.host ?? '127.0.0.1';

  function listener(request: IncomingMessage, response: ServerResponse): void {
    const receivedAt = Date.now();
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_REQUEST_BYTES) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => {
      route({ request, response, receivedAt, body: Buffer.concat(chunks).toString('utf8') });
    });
  }

  function route(entry: {
    request: IncomingMessage;
    response: ServerResponse;
    receivedAt: number;
    body: string;
  }): void {
    const { request, response, receivedAt, body } = entry;
    const method = request.method ?? 'GET';
    const [path = '', query = ''] = (request.url ?? '/').split('?', 2);
    if (path.startsWith('/simulator/')) {
      const answer: Answer = isFromHere(request)
        ? control.handle({ method, path, query: new URLSearchParams(query), body })
        : { status: 403, body: '{"error":"the simulator is steered from its own machine only"}' };
      write(response, answer);
      return;
    }
    const authorization = request.headers.authorization ?? '';
    const answer = api.handle({ method, path, query, authorization, body, receivedAt });
    const { latencyMs } = settings();
    if (latencyMs === 0) write(response, answer);
    else due.at(receivedAt + latencyMs, () => write(response, answer));
  }

  /** Rebuilds the state, then listens; port 0 lets the system choose. */
  async function start(port = 0): Promise<RunningSimulator> {
    await parts.restore();
    const server = createServer(listener);
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host, backlog: 2_048 }, resolve);
    });
    const address = server.address() as AddressInfo;
    return {
      url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
      port: address.port,
      close: async () => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
        due.clear();
        await parts.webhooks.close();
        await journal.close();
      },
    };
  }

  return { start };
}

function createParts(options: SimulatorOptions) {
  const seed = options.seed ?? 1;
  let current = settingsSchema.parse(options.settings ?? {});
  const settings = (): Settings => current;
  const ordinals = new Map<string, number>();
  const due = createDueQueue();
  const journal = createJournal(options.journalFile ?? null);
  const accounts = createAccounts();
  for (const account of options.accounts ?? []) accounts.put(account);
  const base = {
    seed,
    settings,
    due,
    journal,
    accounts,
    messages: createMessages(),
    people: createPeople(seed, settings),
    optOuts: createOptOuts(),
    faults: createFaults(seed),
    webhooks: createWebhooks({ settings, due, journal }),
    makeSid: createSidMaker(seed, Date.now()),
  };
  const throttle = createThrottle();
  const queues = createSenderQueues();
  const reports = createReports(base);
  const inbox = createInbox(base);
  const carrier = createCarrier(base, inbox, reports);

  function nextOrdinal(to: string): number {
    const ordinal = ordinals.get(to) ?? 0;
    ordinals.set(to, ordinal + 1);
    return ordinal;
  }

  function clear(): void {
    due.clear();
    ordinals.clear();
    base.webhooks.clear();
    for (const part of [base.messages, base.people, base.optOuts, base.faults, throttle, queues]) {
      part.clear();
    }
  }

  const create = createCreate({ ...base, carrier, queues, nextOrdinal });
  return {
    ...base,
    api: createApi({ ...base, create, throttle }),
    control: createControl({
      ...base,
      inbox,
      changeSettings: (next) => {
        current = next;
      },
      reset: () => {
        clear();
        journal.append('reset', {});
      },
    }),
    restore: async () => {
      const restore = createRestore({
        ...base,
        carrier,
        inbox,
        reports,
        countText: nextOrdinal,
        clear,
      });
      await journal.load(restore.replay);
      restore.resume();
    },
  };
}

function write(response: ServerResponse, answer: Answer): void {
  if (answer.delivery === 'hang') return;
  if (answer.delivery === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  const bytes = Buffer.from(answer.body);
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'application/json',
    ...(answer.status === 204 ? {} : { 'content-length': bytes.length }),
    server: 'groundswell-simulator',
    ...answer.headers,
  });
  if (answer.delivery === 'drip') drip(response, bytes);
  else response.end(bytes);
}

function drip(response: ServerResponse, bytes: Buffer): void {
  let offset = 0;
  const timer = setInterval(() => {
    if (response.destroyed || offset === bytes.length) {
      clearInterval(timer);
      response.end();
      return;
    }
    response.write(bytes.subarray(offset, offset + 1));
    offset += 1;
  }, DRIP_MS);
}

/** A web page must not steer it either: its requests carry the name of another host. */
function isFromHere(request: IncomingMessage): boolean {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const name = (request.headers.host ?? '').replace(/:\d+$/, '');
  const isLoopback = address === '::1' || address.startsWith('127.');
  return isLoopback && (name === 'localhost' || name === '[::1]' || name.startsWith('127.'));
}
