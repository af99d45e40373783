import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import twilio from 'twilio';
import { createSimulator, type SimulatorOptions } from '../../simulator/server.ts';

export const ACCOUNT_SID = `AC${'a'.repeat(32)}`;
export const AUTH_TOKEN = 'simulated-token';
export const SENDER = '+15005550006';
export const PERSON = '+12025550123';

/** Delivers at once and nobody answers, unless a test says otherwise. */
const QUICK = {
  sentDelayMs: [0, 0],
  deliveredDelayMs: [0, 0],
  failureShare: 0,
  replyShare: 0,
  replyDelayMs: [0, 0],
  webhookRetryMs: 5,
} satisfies SimulatorOptions['settings'];

export async function startSimulator(options: SimulatorOptions = {}) {
  const simulator = createSimulator({
    accounts: [{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }],
    ...options,
    settings: { ...QUICK, ...options.settings },
  });
  const running = await simulator.start();

  async function control(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${running.url}/simulator/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async function journal(kind: string): Promise<Record<string, unknown>[]> {
    const answer = await control('GET', 'journal');
    const { entries } = answer as { entries: Record<string, unknown>[] };
    return entries.filter((entry) => entry['kind'] === kind);
  }

  return { ...running, control, journal, client: sdkClient(running.url) };
}

/** The real SDK, pointed at the simulator. */
export function sdkClient(url: string, authToken = AUTH_TOKEN): twilio.Twilio {
  const client = twilio(ACCOUNT_SID, authToken);
  client.api.baseUrl = url;
  return client;
}

interface ReceivedWebhook {
  readonly path: string;
  readonly signature: string;
  readonly token: string;
  readonly rawBody: string;
  readonly params: Record<string, string>;
  readonly at: number;
}

/** A receiver of webhooks that answers with the given statuses, then with 204. */
export async function startReceiver(statuses: number[] = []) {
  const received: ReceivedWebhook[] = [];
  const server = createServer((request, response) => {
    let rawBody = '';
    request.on('data', (chunk: Buffer) => {
      rawBody += chunk.toString('utf8');
    });
    request.on('end', () => {
      received.push({
        path: request.url ?? '',
        signature: String(request.headers['x-twilio-signature']),
        token: String(request.headers['i-twilio-idempotency-token']),
        rawBody,
        params: Object.fromEntries(new URLSearchParams(rawBody)),
        at: performance.now(),
      });
      response.writeHead(statuses.shift() ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const receiver = await startReceiver();
  await receiver.close();
  return Number(new URL(receiver.url).port);
}

/** Collects what must be closed, and closes it last in, first out. */
export function createCleanup() {
  const tasks: (() => Promise<unknown>)[] = [];
  return {
    add<T extends { close(): Promise<unknown> }>(resource: T): T {
      tasks.push(() => resource.close());
      return resource;
    },
    async run(): Promise<void> {
      while (tasks.length > 0) await tasks.pop()?.();
    },
  };
}
