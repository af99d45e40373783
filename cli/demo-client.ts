/** The demo is a client of the HTTP API like any other: everything it does, it does through here. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';

const counts = z.record(z.string(), z.number());

export const accountSchema = z.object({ id: z.string(), accountSid: z.string() });
export const poolSchema = z.object({ id: z.string() });
export const keySchema = z.object({ id: z.string(), key: z.string() });
export const listSchema = z.object({ id: z.string() });
export const meSchema = z.object({ org: z.object({ id: z.string(), name: z.string() }) });
export const scriptSchema = z.object({ version: z.object({ id: z.string() }) });
export const anythingSchema = z.unknown();

export const importSchema = z.object({
  id: z.string(),
  state: z.enum(['queued', 'running', 'finished', 'failed', 'cancelled']),
  problem: z.object({ message: z.string(), row: z.number().nullable() }).nullable(),
  rows: z.object({ decided: z.number(), accepted: z.number(), rejected: z.number() }),
  bytes: z.object({ done: z.coerce.number(), total: z.coerce.number() }),
  rejectsByReason: counts,
});
export type Import = z.infer<typeof importSchema>;

export const campaignSchema = z.object({
  id: z.string(),
  state: z.enum(['draft', 'checked', 'launched', 'running', 'paused', 'finished', 'cancelled']),
  stateReason: z.string().nullish(),
  temporalUrl: z.string().nullish(),
});
export type Campaign = z.infer<typeof campaignSchema>;

export const previewSchema = z.object({
  audience: z.object({ size: z.number(), leftOut: counts }),
  samples: z.array(
    z.object({
      body: z.string().nullable(),
      encoding: z.string().nullish(),
      segments: z.number().nullish(),
    }),
  ),
  segments: z.object({ total: z.number(), average: z.number().nullish(), exact: z.boolean() }),
  estimate: z.object({ amountMicros: z.string(), currency: z.string() }).nullable(),
  rate: z.object({ segmentsPerSecond: z.number() }),
  projectedFinishAt: z.string().nullish(),
  startMode: z.string(),
  problems: z.array(z.object({ code: z.string(), message: z.string() })),
});
export type Preview = z.infer<typeof previewSchema>;

export const progressSchema = z.object({
  state: campaignSchema.shape.state,
  audience: z.number().nullable(),
  leftOut: counts,
  texts: z.object({
    planned: z.number(),
    sending: z.number(),
    accepted: z.number(),
    rejected: z.number(),
    skipped: z.number(),
    unknown: z.number(),
    lost: z.number(),
    total: z.number(),
  }),
  delivery: counts,
  replies: z.object({ total: z.number(), byKind: counts }),
  answers: z.record(z.string(), counts),
  optOuts: z.number(),
  skips: counts,
  launchedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
});
export type Progress = z.infer<typeof progressSchema>;

export const reportSchema = progressSchema.extend({
  ledger: progressSchema.shape.texts,
  conversations: z.object({ automatic: z.number(), needsReply: z.number(), closed: z.number() }),
  rejects: counts,
  segmentsSent: z.number(),
  sumsAgree: z.boolean(),
});
export type Report = z.infer<typeof reportSchema>;

export const messagePageSchema = z.object({
  items: z.array(
    z.object({
      direction: z.enum(['outbound', 'inbound']),
      campaignId: z.string().nullable(),
      providerMessageId: z.string().nullable(),
      step: z.string().nullable(),
      try: z.number(),
      state: z.string(),
      createdAt: z.string(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

export type Message = z.infer<typeof messagePageSchema>['items'][number];

/** What the API answered instead of the thing that was asked for. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const problemSchema = z.object({
  title: z.string(),
  detail: z.string().nullish(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).nullish(),
});

/** Longer than any answer of ours should take. */
const TIMEOUT_MS = 60_000;

/** Creates a client that checks every answer against the shape that is expected of it. */
export function createApiClient({
  baseUrl,
  apiKey,
  request = fetch,
}: {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** What carries the requests, for a client that keeps a journal of them. */
  readonly request?: typeof fetch;
}) {
  async function call(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const response = await request(`${baseUrl}${path}`, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...init,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
    if (!response.ok)
      throw new ApiError(response.status, await describeProblem(response, `${method} ${path}`));
    return response;
  }

  return {
    get: async <Answer>(path: string, schema: z.ZodType<Answer>): Promise<Answer> =>
      schema.parse(await (await call('GET', path)).json()),
    post: async <Answer>(
      path: string,
      schema: z.ZodType<Answer>,
      body: unknown = {},
    ): Promise<Answer> => schema.parse(await (await call('POST', path, asJson(body))).json()),
    patch: async <Answer>(
      path: string,
      schema: z.ZodType<Answer>,
      body: unknown,
    ): Promise<Answer> => schema.parse(await (await call('PATCH', path, asJson(body))).json()),
    upload: async <Answer>(
      path: string,
      schema: z.ZodType<Answer>,
      file: string,
    ): Promise<Answer> => {
      // The size of the file decides how long the upload takes.
      const init = { body: createReadStream(file), duplex: 'half', signal: null } as const;
      const response = await call('POST', path, {
        ...init,
        headers: { 'content-type': 'text/csv' },
      });
      return schema.parse(await response.json());
    },
    download: async (path: string, file: string): Promise<void> => {
      const { body } = await call('GET', path, { signal: null });
      await writeFile(file, body ?? '');
    },
  };
}
export type ApiClient = ReturnType<typeof createApiClient>;

function asJson(body: unknown): RequestInit {
  return { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}

async function describeProblem(response: Response, request: string): Promise<string> {
  const text = await response.text();
  try {
    const problem = problemSchema.parse(JSON.parse(text));
    const errors = (problem.errors ?? []).map(({ field, message }) => `\n  - ${field}: ${message}`);
    return `${request}: ${problem.detail ?? problem.title} (HTTP ${response.status})${errors.join('')}`;
  } catch {
    return `${request}: HTTP ${response.status} ${text.slice(0, 200)}`;
  }
}
