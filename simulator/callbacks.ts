import { createHmac } from 'node:crypto';
import { Agent } from 'undici';
import type { DueQueue } from './due-queue.ts';
import type { Journal } from './journal.ts';
import type { Settings } from './settings.ts';

export type WebhookParams = readonly (readonly [name: string, value: string])[];

export interface Webhook {
  readonly kind: 'callback' | 'inbound-webhook';
  /** May carry retry settings in its fragment: `#rc=5&rp=all`. */
  readonly url: string;
  readonly fallbackUrl: string | null;
  readonly authToken: string;
  readonly params: WebhookParams;
  readonly sid: string;
  readonly status: string;
}

interface Target {
  /** What is signed and called: the URL without its fragment. */
  readonly url: string;
  readonly retries: number;
  readonly policies: ReadonlySet<string>;
  readonly totalMs: number;
  readonly readMs: number;
}

interface Job {
  readonly webhook: Webhook;
  readonly target: Target;
  readonly params: WebhookParams;
  readonly attempt: number;
  readonly startedAt: number;
  readonly isFallback: boolean;
}

interface Result {
  readonly answer: number | null;
  /** Null is success; else in the words of Twilio's retry policies. */
  readonly failure: 'ct' | 'rt' | '4xx' | '5xx' | 'other' | null;
  readonly detail: string | null;
}

const CONNECT_FAILURES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Creates the sender of signed webhooks: bounded in flight, bounded in waiting, retried as Twilio does. */
export function createWebhooks(deps: {
  readonly settings: () => Settings;
  readonly due: DueQueue;
  readonly journal: Journal;
}) {
  const { settings, due, journal } = deps;
  const agent = new Agent({ connections: 256, pipelining: 1, connect: { timeout: 5_000 } });
  const counts = { sent: 0, failed: 0, lost: 0 };
  const queue = createJobQueue();
  let inFlight = 0;
  let isClosed = false;

  function send(webhook: Webhook): void {
    const target = parseTarget(webhook.url);
    const { params } = webhook;
    const startedAt = Date.now();
    enqueue({ webhook, target, params, attempt: 1, startedAt, isFallback: false });
  }

  function enqueue(job: Job): void {
    if (queue.size() >= settings().webhookQueueLimit) {
      counts.lost += 1;
      record(job, { answer: null, failure: 'other', detail: 'the queue is full' }, true);
      return;
    }
    queue.push(job);
    pump();
  }

  function pump(): void {
    while (inFlight < settings().webhookConcurrency) {
      const job = queue.shift();
      if (job === null) return;
      inFlight += 1;
      void run(job);
    }
  }

  async function run(job: Job): Promise<void> {
    const result = await post(agent, job);
    inFlight -= 1;
    if (isClosed) return;
    settle(job, result);
    pump();
  }

  function settle(job: Job, result: Result): void {
    const retry =
      result.failure === null ? null : nextAttempt(job, result, settings().webhookRetryMs);
    record(job, result, retry === null);
    if (result.failure === null) counts.sent += 1;
    else counts.failed += 1;
    if (retry !== null) due.at(retry.at, () => enqueue(retry.job));
  }

  function record(job: Job, result: Result, isDone: boolean): void {
    const { kind, sid, status } = job.webhook;
    journal.append(kind, {
      sid,
      status,
      url: job.target.url,
      attempt: job.attempt,
      answer: result.answer,
      ...(result.detail === null ? {} : { detail: result.detail }),
      isDone,
    });
  }

  async function close(): Promise<void> {
    isClosed = true;
    queue.clear();
    await agent.destroy();
  }

  return {
    send,
    /** Forgets what waits; what is on the wire still arrives. */
    clear: () => queue.clear(),
    close,
    counts: () => ({ ...counts, inFlight, waiting: queue.size() }),
  };
}
export type Webhooks = ReturnType<typeof createWebhooks>;

function nextAttempt(job: Job, result: Result, retryMs: number): { job: Job; at: number } | null {
  const { target, attempt } = job;
  const now = Date.now();
  const at = now + retryMs * 2 ** (attempt - 1);
  const isRetried = target.policies.has('all') || target.policies.has(result.failure ?? '');
  if (isRetried && attempt <= target.retries && at - job.startedAt <= target.totalMs) {
    return { job: { ...job, attempt: attempt + 1 }, at };
  }
  const { fallbackUrl, params } = job.webhook;
  if (fallbackUrl === null || job.isFallback) return null;
  const errors = [
    ['ErrorCode', '11200'],
    ['ErrorUrl', target.url],
  ] as const;
  const fallback = {
    ...job,
    target: parseTarget(fallbackUrl),
    params: [...params, ...errors],
    attempt: 1,
    startedAt: now,
    isFallback: true,
  };
  return { job: fallback, at: now };
}

/** First in, first out, without the cost of `Array.shift` on a long queue. */
function createJobQueue() {
  let jobs: Job[] = [];
  let head = 0;

  function shift(): Job | null {
    const job = jobs[head];
    if (job === undefined) return null;
    head += 1;
    if (head > 1_024 && head * 2 > jobs.length) {
      jobs = jobs.slice(head);
      head = 0;
    }
    return job;
  }

  function clear(): void {
    jobs = [];
    head = 0;
  }

  return { push: (job: Job) => jobs.push(job), shift, clear, size: () => jobs.length - head };
}

/** Signs as Twilio does: the URL, then every name and value, sorted by name. */
export function signWebhook(authToken: string, url: string, params: WebhookParams): string {
  const sorted = params.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
  const text = sorted.reduce((signed, [name, value]) => signed + name + value, url);
  return createHmac('sha1', authToken).update(text, 'utf8').digest('base64');
}

/** Reads retry settings as Twilio does; the fragment is never sent. */
export function parseTarget(url: string): Target {
  const [address = '', fragment = ''] = url.split('#', 2);
  const settings = new URLSearchParams(fragment);
  return {
    url: address,
    retries: readNumber(settings.get('rc'), [0, 5], 1),
    policies: new Set((settings.get('rp') ?? 'ct').split(',')),
    totalMs: readNumber(settings.get('tt'), [100, 15_000], 15_000),
    readMs: readNumber(settings.get('rt'), [100, 15_000], 15_000),
  };
}

async function post(agent: Agent, job: Job): Promise<Result> {
  const { target, webhook, params } = job;
  try {
    const { origin, pathname, search } = new URL(target.url);
    const answer = await agent.request({
      origin,
      path: pathname + search,
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'user-agent': 'TwilioProxy/1.1 (simulator)',
        'i-twilio-idempotency-token': `${webhook.sid}-${webhook.status}`,
        'x-twilio-signature': signWebhook(webhook.authToken, target.url, params),
      },
      body: encode(params),
      headersTimeout: target.readMs,
      bodyTimeout: target.readMs,
    });
    await answer.body.dump({ limit: 65_536 });
    return { answer: answer.statusCode, failure: failureOf(answer.statusCode), detail: null };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const detail = code === '' ? String(error) : code;
    return { answer: null, failure: CONNECT_FAILURES.has(code) ? 'ct' : 'rt', detail };
  }
}

function encode(params: WebhookParams): string {
  return params.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

function failureOf(statusCode: number): Result['failure'] {
  if (statusCode >= 200 && statusCode < 300) return null;
  if (statusCode >= 500) return '5xx';
  return statusCode >= 400 ? '4xx' : 'other';
}

function readNumber(value: string | null, range: [number, number], fallback: number): number {
  const number = Number(value ?? Number.NaN);
  return Number.isInteger(number) && number >= range[0] && number <= range[1] ? number : fallback;
}
