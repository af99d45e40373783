/** Carries the Twilio SDK's requests over undici, and keeps what the SDK's exceptions would drop. */
import { AsyncLocalStorage } from 'node:async_hooks';
import twilio from 'twilio';
import { Pool, type Dispatcher } from 'undici';
import { exchange, type ExchangeOutcome } from './http-exchange.ts';
import type { ProviderAccount } from './messaging-provider.ts';
import { remember } from './remember.ts';

type SdkClient = twilio.Twilio;
type Purpose = 'send' | 'list';
type SdkRequestOptions = Parameters<twilio.RequestClient['request']>[0];

export interface TransportOptions {
  readonly maxConcurrentSends: number;
  readonly connectTimeoutMs: number;
}

export interface CallOptions {
  /** Lists have sockets of their own, so that a slow list never holds up a send. */
  readonly purpose: Purpose;
  readonly deadlineMs: number;
  readonly mayStart: () => boolean;
}

interface Call extends CallOptions {
  /** Null until a request passed through the transport: nothing was written before that. */
  outcome: ExchangeOutcome | null;
}

/** A list holds up to 500 texts at 1,600 characters each, as JSON. */
const MAX_ANSWER_BYTES = { send: 1_000_000, list: 8_000_000 } as const;
const LIST_CONNECTIONS = 4;
const MAX_CLIENTS = 500;
const MAX_POOLS = 64;

/** Creates the connections to Twilio (or to a server that speaks its API) and the SDK clients over them. */
export function createTwilioTransport(options: TransportOptions) {
  const calls = new AsyncLocalStorage<Call>();
  const clients = new Map<string, SdkClient>();
  const pools = createPools(options);

  /** Runs SDK code whose one request obeys `call`; returns what happened on the wire, null for nothing. */
  async function capture(
    call: CallOptions,
    run: () => Promise<unknown>,
  ): Promise<ExchangeOutcome | null> {
    const record: Call = { ...call, outcome: null };
    try {
      await calls.run(record, run);
    } catch (error) {
      // The SDK throws for every answer but 2xx; the recorded outcome says more than its exception.
      if (record.outcome === null && error instanceof Error) {
        return { kind: 'failed', started: false, statusCode: null, detail: error.message };
      }
    }
    return record.outcome;
  }

  function clientFor(account: ProviderAccount): SdkClient {
    const token = account.authTokens[0];
    const key = JSON.stringify([account.accountSid, token, account.baseUrl]);
    return remember({
      cache: clients,
      key,
      limit: MAX_CLIENTS,
      create: () =>
        twilio(account.accountSid, token, {
          httpClient: createHttpClient(parseBaseUrl(account.baseUrl)),
          autoRetry: false,
        }),
      evict: () => undefined,
    });
  }

  function createHttpClient(base: URL | null): twilio.RequestClient {
    const client = new twilio.RequestClient();
    client.request = async <TData>(sdkOptions: SdkRequestOptions) => {
      const call = calls.getStore();
      if (call === undefined) throw new Error('a request outside of capture()');
      const outcome = await exchangeFor(sdkOptions, base, call);
      call.outcome = outcome;
      if (outcome.kind === 'failed') throw new Error(outcome.detail);
      // The SDK parses the body itself when it is a string, whatever its type parameter says.
      const body = outcome.text as TData;
      return { statusCode: outcome.statusCode, body, headers: outcome.headers };
    };
    return client;
  }

  async function exchangeFor(
    sdkOptions: SdkRequestOptions,
    base: URL | null,
    call: CallOptions,
  ): Promise<ExchangeOutcome> {
    const url = resolveUrl(sdkOptions.uri, base);
    appendParams(url.searchParams, sdkOptions.params);
    return exchange(pools.get(url.origin, call.purpose), {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: readMethod(sdkOptions.method),
      headers: readHeaders(sdkOptions),
      body: sdkOptions.data === undefined ? null : encodeForm(sdkOptions.data),
      deadlineMs: call.deadlineMs,
      maxAnswerBytes: MAX_ANSWER_BYTES[call.purpose],
      mayStart: call.mayStart,
    });
  }

  async function close(): Promise<void> {
    clients.clear();
    await pools.close();
  }

  return { capture, clientFor, close };
}

/** Sockets per origin and purpose; one request on a socket at a time. */
function createPools(options: TransportOptions) {
  const pools = new Map<string, Pool>();
  let isClosed = false;

  function get(origin: string, purpose: Purpose): Pool {
    if (isClosed) throw new Error('the provider is closed');
    return remember({
      cache: pools,
      key: `${purpose} ${origin}`,
      limit: MAX_POOLS,
      create: () =>
        new Pool(origin, {
          connections: purpose === 'send' ? options.maxConcurrentSends : LIST_CONNECTIONS,
          pipelining: 1,
          allowH2: false,
          connect: { timeout: options.connectTimeoutMs },
        }),
      evict: (pool) => void pool.close(),
    });
  }

  async function close(): Promise<void> {
    isClosed = true;
    const open = [...pools.values()];
    pools.clear();
    await Promise.all(open.map((pool) => pool.destroy()));
  }

  return { get, close };
}

/** Parses another server's base URL; throws unless its traffic is encrypted or stays on this machine. */
function parseBaseUrl(baseUrl: string | null): URL | null {
  if (baseUrl === null) return null;
  if (!URL.canParse(baseUrl)) throw new Error(`the Twilio base URL is not a URL: ${baseUrl}`);
  const url = new URL(baseUrl);
  const isLoopback =
    url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.');
  const isAllowed = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback);
  if (!isAllowed) {
    throw new Error(`the Twilio base URL must be https or loopback: ${url.origin}`);
  }
  return url;
}

/** Keeps the SDK's path and moves it to the base URL, or makes sure that it stays at Twilio. */
function resolveUrl(uri: string, base: URL | null): URL {
  const url = new URL(uri);
  if (base === null) {
    // The token must not follow anything to another host.
    const isTwilio = url.protocol === 'https:' && url.hostname.endsWith('.twilio.com');
    if (!isTwilio) throw new Error(`not a Twilio URL: ${url.origin}`);
    return url;
  }
  const prefix = base.pathname.replace(/\/+$/, '');
  const hasPrefix = prefix !== '' && url.pathname.startsWith(`${prefix}/`);
  return new URL(`${hasPrefix ? '' : prefix}${url.pathname}${url.search}`, base.origin);
}

function readMethod(method: string): Dispatcher.HttpMethod {
  return method.toUpperCase() === 'POST' ? 'POST' : 'GET';
}

function readHeaders(sdkOptions: SdkRequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(sdkOptions.headers ?? {})) {
    if (typeof value === 'string') headers[name] = value;
  }
  const credentials = `${sdkOptions.username ?? ''}:${sdkOptions.password ?? ''}`;
  headers['Authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return headers;
}

function encodeForm(data: unknown): string {
  const form = new URLSearchParams();
  appendParams(form, data);
  return form.toString();
}

function appendParams(target: URLSearchParams, values: unknown): void {
  if (typeof values !== 'object' || values === null) return;
  for (const [name, value] of Object.entries(values)) {
    const entries: unknown[] = Array.isArray(value) ? value : [value];
    for (const entry of entries) {
      if (typeof entry === 'string') target.append(name, entry);
      if (typeof entry === 'number') target.append(name, String(entry));
    }
  }
}
