import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { OutboundText, ProviderAccount } from '../../providers/messaging-provider.ts';
import { createProviders } from '../../providers/registry.ts';
import { createTwilioProvider } from '../../providers/twilio.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  closedPort,
  createCleanup,
  PERSON,
  SENDER,
  startSimulator,
} from '../simulator/support.ts';
import { describeProviderContract, NOW } from './contract.ts';

const cleanup = createCleanup();
afterEach(() => cleanup.run());

const FAULTS = {
  throttled: 'throttle',
  'answer-lost': 'reset-after',
  'server-error': 'http-500-after',
} as const;
const SID = `SM${'0123456789abcdef'.repeat(2)}`;

function anAccount(baseUrl: string | null): ProviderAccount {
  return { id: 'acc-1', accountSid: ACCOUNT_SID, authTokens: [AUTH_TOKEN], baseUrl };
}

const TEXT: OutboundText = {
  to: PERSON,
  from: SENDER,
  body: 'Hello & goodbye, Zoë 👍',
  mediaUrls: [],
  statusCallbackUrl: 'https://a.example/s?m=1',
  validityPeriodS: null,
};

describeProviderContract({
  name: 'twilio',
  create: async () => {
    const simulator = await startSimulator();
    const provider = createTwilioProvider({ maxConcurrentSends: 4 });
    return {
      provider,
      account: anAccount(simulator.url),
      recipients: [PERSON, '+12025550124'],
      optedOut: '+15005550004',
      sender: SENDER,
      countTexts: async () => {
        const { texts } = (await simulator.control('GET', 'state')) as { texts: number };
        return texts;
      },
      failNext: async (how) => {
        await simulator.control('POST', 'faults', [{ fault: FAULTS[how] }]);
      },
      receive: async (from, body) => {
        const inbound = { account: ACCOUNT_SID, from, to: SENDER, body };
        await simulator.control('POST', 'inbound', inbound);
      },
      close: async () => {
        await provider.close();
        await simulator.close();
      },
    };
  },
});

async function startServer(listener: RequestListener, onConnection?: (socket: Socket) => void) {
  const server = createServer(listener);
  if (onConnection !== undefined) server.on('connection', onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  cleanup.add({
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return `http://127.0.0.1:${port}`;
}

function aProvider(maxConcurrentSends = 2) {
  const options = { maxConcurrentSends, connectTimeoutMs: 500 };
  return cleanup.add(createTwilioProvider(options));
}

function answer(status: number, body: string, headers = {}): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  };
}

const created = (fields: object): string => JSON.stringify({ sid: SID, from: SENDER, ...fields });

describe('an answer of Twilio', () => {
  const refused = (code: unknown): string => JSON.stringify({ code, message: 'No.', status: 400 });
  it.each<[string, RequestListener, object]>([
    ['201', answer(201, created({})), { kind: 'accepted', providerMessageId: SID, from: SENDER }],
    ['200', answer(200, created({ from: null })), { kind: 'accepted', from: null }],
    ['2xx without a sid', answer(201, '{}'), { kind: 'unknown', httpStatus: 201 }],
    ['2xx with a foreign sid', answer(201, '{"sid":"CA1"}'), { kind: 'unknown', httpStatus: 201 }],
    ['2xx with half its JSON', answer(201, '{"sid":"SM'), { kind: 'unknown', httpStatus: 201 }],
    ['2xx with null', answer(201, 'null'), { kind: 'unknown', httpStatus: 201 }],
    ['2xx with HTML', answer(200, '<html>'), { kind: 'unknown', httpStatus: 200 }],
    ['204', answer(204, ''), { kind: 'unknown', httpStatus: 204 }],
    ['10 MB', answer(201, 'x'.repeat(1e7)), { kind: 'unknown', httpStatus: 201 }],
    [
      'a redirect',
      answer(307, '', { location: 'http://127.0.0.1:1/' }),
      { kind: 'unknown', httpStatus: 307 },
    ],
    ['500 with JSON', answer(500, refused(20500)), { kind: 'unknown', httpStatus: 500 }],
    ['503 with HTML', answer(503, '<h1>503</h1>'), { kind: 'unknown', httpStatus: 503 }],
    ['a code', answer(400, refused(21211)), { kind: 'refused', rule: { code: 21211 } }],
    ['a new code', answer(400, refused(29999)), { kind: 'refused', rule: { message: 'reject' } }],
    ['400 without a code', answer(400, 'no'), { kind: 'refused', rule: { code: 0 } }],
    ['400 with a wrong code', answer(400, refused('x')), { kind: 'refused', rule: { code: 0 } }],
    ['401 without a code', answer(401, ''), { kind: 'refused', rule: { code: 20003 } }],
    ['404 without a code', answer(404, ''), { kind: 'refused', rule: { campaign: 'pause' } }],
    ['408 of a proxy', answer(408, ''), { kind: 'unknown', httpStatus: 408 }],
    [
      '429 in seconds',
      answer(429, refused(20429), { 'retry-after': '2' }),
      { kind: 'refused', rule: { code: 20429 }, retryAfterMs: 2_000 },
    ],
    [
      '429 with a date in the past',
      answer(429, '', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }),
      { kind: 'refused', rule: { code: 20429 }, retryAfterMs: 0 },
    ],
    ['429 alone', answer(429, ''), { kind: 'refused', rule: { code: 20429 }, retryAfterMs: null }],
  ])('reads %s', async (_what, listener, expected) => {
    const baseUrl = await startServer(listener);
    expect(await aProvider().send(anAccount(baseUrl), TEXT, NOW)).toMatchObject(expected);
  });
});

describe('a connection that fails', () => {
  it.each<[string, RequestListener]>([
    ['is reset after the request', (request) => void request.socket.resetAndDestroy()],
    ['is closed after the request', (request) => void request.socket.destroy()],
    [
      'is cut within the answer',
      (_request, response) => {
        response.writeHead(201, { 'content-length': '500' });
        response.write('{"sid":', () => response.destroy());
      },
    ],
    ['hangs', () => undefined],
    [
      'drips',
      (_request, response) => {
        response.writeHead(201);
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
    ],
  ])('may have sent the text when it %s', async (_what, listener) => {
    const baseUrl = await startServer(listener);
    const options = { ...NOW, deadlineMs: 200 };
    const startedAt = performance.now();
    const outcome = await aProvider().send(anAccount(baseUrl), TEXT, options);
    expect(outcome.kind).toBe('unknown');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('has sent nothing when nothing listens', async () => {
    const baseUrl = `http://127.0.0.1:${await closedPort()}`;
    const outcome = await aProvider().send(anAccount(baseUrl), TEXT, NOW);
    expect(outcome).toMatchObject({ kind: 'not-started' });
  });

  it('has sent nothing when the name does not resolve', async () => {
    const account = anAccount('https://nowhere.invalid');
    const outcome = await aProvider().send(account, TEXT, NOW);
    expect(outcome.kind).toBe('not-started');
  });

  it('has sent nothing when the TLS handshake fails', async () => {
    const baseUrl = await startServer(answer(201, created({})));
    const account = anAccount(baseUrl.replace('http:', 'https:'));
    expect((await aProvider().send(account, TEXT, NOW)).kind).toBe('not-started');
  });

  it('has sent nothing while it waits for a socket, and never does so later', async () => {
    let requests = 0;
    const baseUrl = await startServer((_request, response) => {
      requests += 1;
      if (requests > 1) response.writeHead(201).end(created({}));
    });
    const provider = aProvider(1);
    const holding = provider.send(anAccount(baseUrl), TEXT, { ...NOW, deadlineMs: 400 });
    const waiting = provider.send(anAccount(baseUrl), TEXT, { ...NOW, deadlineMs: 100 });
    expect((await waiting).kind).toBe('not-started');
    expect((await holding).kind).toBe('unknown');
    expect((await provider.send(anAccount(baseUrl), TEXT, NOW)).kind).toBe('accepted');
    expect(requests).toBe(2);
  });

  it('is asked for its right to start when it is connected, not before', async () => {
    let connections = 0;
    const seen: number[] = [];
    const baseUrl = await startServer(answer(201, created({})), () => {
      connections += 1;
    });
    const mayStart = (): boolean => seen.push(connections) > 0;
    await aProvider().send(anAccount(baseUrl), TEXT, { ...NOW, mayStart });
    expect(seen).toEqual([1]);
  });

  it('uses no more sockets than it says, and keeps them', async () => {
    let connections = 0;
    const baseUrl = await startServer(answer(201, created({})), () => {
      connections += 1;
    });
    const provider = aProvider(3);
    const sends = Array.from({ length: 30 }, () => provider.send(anAccount(baseUrl), TEXT, NOW));
    const outcomes = await Promise.all(sends);
    expect(outcomes.every(({ kind }) => kind === 'accepted')).toBe(true);
    expect(connections).toBe(3);
    expect(provider.maxConcurrentSends).toBe(3);
  });
});

describe('a create', () => {
  async function capture(text: OutboundText, prefix = '') {
    let seen = { path: '', authorization: '', form: new URLSearchParams() };
    const baseUrl = await startServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString('utf8');
      });
      request.on('end', () => {
        const { authorization = '' } = request.headers;
        seen = { path: request.url ?? '', authorization, form: new URLSearchParams(body) };
        response.writeHead(201).end(created({}));
      });
    });
    await aProvider().send(anAccount(`${baseUrl}${prefix}`), text, NOW);
    return seen;
  }

  it('says exactly what was asked for', async () => {
    const mediaUrls = ['https://m.example/1', 'https://m.example/2'];
    const { form, authorization } = await capture({ ...TEXT, mediaUrls, validityPeriodS: 900 });
    expect([...form].sort(([a], [b]) => a.localeCompare(b))).toEqual([
      ['Body', TEXT.body],
      ['From', SENDER],
      ['MediaUrl', 'https://m.example/1'],
      ['MediaUrl', 'https://m.example/2'],
      ['StatusCallback', TEXT.statusCallbackUrl],
      ['To', PERSON],
      ['ValidityPeriod', '900'],
    ]);
    expect(authorization).toBe(`Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}`);
  });

  it.each(['/twilio', '/twilio/'])('keeps the path prefix %s of the base URL', async (prefix) => {
    const { path } = await capture(TEXT, prefix);
    expect(path).toBe(`/twilio/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`);
  });

  it.each([
    ['http elsewhere', { baseUrl: 'http://10.0.0.1:8080' }],
    ['http under a name that looks local', { baseUrl: 'http://localhost.example' }],
    ['another protocol', { baseUrl: 'ftp://127.0.0.1' }],
    ['no URL', { baseUrl: 'simulator' }],
    ['no account SID', { accountSid: 'SK123' }],
  ])('is not started with %s', async (_what, wrong) => {
    const account = { ...anAccount('http://127.0.0.1:1'), ...wrong };
    const outcome = await aProvider().send(account, TEXT, NOW);
    expect(outcome).toMatchObject({ kind: 'not-started', detail: expect.stringMatching(/URL|AC/) });
    await expect(aProvider().listInbound(account, { to: PERSON, page: null })).rejects.toThrow(
      'could not list texts',
    );
  });
});

describe('a list', () => {
  it('does not carry the token to another host', async () => {
    const page = { messages: [], next_page_uri: 'https://attacker.example/x' };
    const baseUrl = await startServer(answer(200, JSON.stringify(page)));
    const read = aProvider().listInbound(anAccount(baseUrl), { to: PERSON, page: null });
    await expect(read).rejects.toThrow('could not list texts of account acc-1');
  });

  it.each([
    ['an error', answer(500, '{}')],
    ['HTML', answer(200, '<html>')],
    ['a text without a date', answer(200, JSON.stringify({ messages: [{ sid: SID }] }))],
  ])('throws for %s', async (_what, listener) => {
    const baseUrl = await startServer(listener);
    const read = aProvider().listSent(anAccount(baseUrl), { to: PERSON, page: null });
    await expect(read).rejects.toThrow('could not list texts');
  });

  it('shows how each text ended', async () => {
    const simulator = cleanup.add(await startSimulator());
    const account = anAccount(simulator.url);
    await simulator.control('POST', 'faults', [{ fault: 'undelivered', code: 30006 }]);
    const provider = aProvider();
    await provider.send(account, TEXT, NOW);
    await expect
      .poll(async () => (await provider.listSent(account, { to: PERSON, page: null })).items[0])
      .toMatchObject({ status: 'undelivered', errorCode: 30006, body: TEXT.body });
  });
});

describe('the registry', () => {
  it('knows Twilio and nothing else', () => {
    const providers = cleanup.add(createProviders({ twilio: { maxConcurrentSends: 1 } }));
    expect(providers.get('twilio').name).toBe('twilio');
    expect(() => providers.get('pigeon')).toThrow('pigeon');
  });
});
