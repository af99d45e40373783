/** Every way in which a request can go wrong: one code, one status, one form (RFC 9457). */
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { CampaignView } from '../db/campaign-drafts.ts';
import { isDataError, sqlState } from '../db/client.ts';

export const ERROR_CODES = [
  'invalid-request',
  'malformed-json',
  'invalid-cursor',
  'invalid-idempotency-key',
  'file-empty',
  'file-not-csv',
  'unauthorized',
  'forbidden',
  'not-found',
  'name-taken',
  'account-exists',
  'sender-exists',
  'campaign-state',
  'import-state',
  'export-state',
  'suppression-lifted',
  'idempotency-in-flight',
  'conflict',
  'export-expired',
  'texts-purged',
  'too-large',
  'unsupported-media-type',
  'script-problems',
  'campaign-not-ready',
  'rate-refused',
  'idempotency-key-reused',
  'internal',
  'unavailable',
] as const;

/** Names what went wrong; stable, for programs to branch on. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** The status and the title of every code. */
export const ERRORS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'invalid-cursor': { status: 400, title: 'The cursor is not one that a list gave' },
  'invalid-idempotency-key': { status: 400, title: 'The Idempotency-Key is not valid' },
  'file-empty': { status: 400, title: 'The file is empty' },
  'file-not-csv': { status: 400, title: 'The file is not CSV' },
  unauthorized: { status: 401, title: 'A valid API key is needed' },
  forbidden: { status: 403, title: 'The API key may not do this' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'name-taken': { status: 409, title: 'The name is taken' },
  'account-exists': { status: 409, title: 'The provider account exists already' },
  'sender-exists': { status: 409, title: 'The sender exists already' },
  'campaign-state': { status: 409, title: 'The campaign’s state does not allow this' },
  'import-state': { status: 409, title: 'The import’s state does not allow this' },
  'export-state': { status: 409, title: 'The export’s state does not allow this' },
  'suppression-lifted': { status: 409, title: 'The suppression was lifted before' },
  'idempotency-in-flight': { status: 409, title: 'The first request with this key is running' },
  conflict: { status: 409, title: 'Another request was faster' },
  'export-expired': { status: 410, title: 'The export’s file was removed' },
  'texts-purged': { status: 410, title: 'The texts were purged' },
  'too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body’s media type is not supported' },
  'script-problems': { status: 422, title: 'The script has problems' },
  'campaign-not-ready': { status: 422, title: 'The campaign is not ready' },
  'rate-refused': { status: 422, title: 'The rate was refused' },
  'idempotency-key-reused': { status: 422, title: 'The key belongs to another request' },
  internal: { status: 500, title: 'Something went wrong here' },
  unavailable: { status: 503, title: 'Not available now' },
} as const satisfies Record<ErrorCode, { status: ContentfulStatusCode; title: string }>;

export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** A request that ends with a problem; the one error that handlers throw. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  constructor(
    code: ErrorCode,
    detail: string,
    options: { readonly errors?: readonly FieldError[]; readonly cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause });
    this.code = code;
    this.errors = options.errors ?? [];
  }
}

/** Returns the row, or throws that it does not exist; another org's row does not exist. */
export function orNotFound<Row>(row: Row | null | undefined, what: string): Row {
  if (row === null || row === undefined) throw notFound(what);
  return row;
}

export function notFound(what: string): ApiError {
  return new ApiError('not-found', `There is no such ${what}.`);
}

export function textsPurged(detail: string): ApiError {
  return new ApiError('texts-purged', detail);
}

/** Refuses to show the texts of a campaign whose archive was purged: what is left would pass for all of them. */
export function refusePurged(campaign: Pick<CampaignView, 'archive'>): void {
  const state = campaign.archive?.state;
  if (state === 'purging' || state === 'purged')
    throw textsPurged('The texts of the campaign were purged; its report stays.');
}

/** Names each field that a schema refuses. */
export function invalidRequest(error: z.core.$ZodError): ApiError {
  const errors = error.issues.map((issue) => ({
    field: issue.path.map(String).join('.') || '(body)',
    message: issue.message,
  }));
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new ApiError('invalid-request', detail, { errors });
}

/** The form of every error. */
export const ProblemSchema = z
  .object({
    type: z.string().describe('A URI that names the kind of problem.'),
    title: z.string().describe('The kind of problem in words; the same for every request.'),
    status: z.int().describe('The HTTP status.'),
    code: z.enum(ERROR_CODES).describe('The kind of problem, for programs. Codes do not change.'),
    detail: z.string().describe('What is wrong with this request.'),
    errors: z
      .array(
        z.object({
          field: z.string().describe('The path to the field at fault.'),
          message: z.string().describe('What is wrong with it.'),
        }),
      )
      .optional()
      .describe('The fields at fault, where fields are.'),
    requestId: z.string().describe('Stands in the log beside the cause.'),
  })
  .openapi('Problem');

export type Problem = z.infer<typeof ProblemSchema>;

const ALWAYS = ['invalid-request', 'unauthorized', 'forbidden', 'internal', 'unavailable'] as const;

/** Documents the problems of a route; those that every route has are added. */
export function problems(...codes: readonly ErrorCode[]): object {
  return describeProblems([...ALWAYS, ...codes]);
}

/** Documents only these problems, for routes without a key. */
export function describeProblems(codes: readonly ErrorCode[]): object {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      {
        description: names.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' '),
        content: { 'application/problem+json': { schema: ProblemSchema } },
      },
    ]),
  );
}

/** Turns whatever a handler threw into the error that is answered. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof HTTPException) return fromHttpException(error);
  if (isUnreachable(error)) {
    return new ApiError('unavailable', 'The database cannot be reached; try again soon.', {
      cause: error,
    });
  }
  if (sqlState(error) === '23505') {
    return new ApiError('conflict', 'The same thing was being made by another request.', {
      cause: error,
    });
  }
  if (isDataError(error) && sqlState(error)?.startsWith('22') === true) {
    return new ApiError('invalid-request', 'A value of the request cannot be stored.', {
      cause: error,
    });
  }
  return new ApiError('internal', 'The request could not be done. Its id stands in the log.', {
    cause: error,
  });
}

/** Writes an error as application/problem+json. */
export function writeProblem(c: Context, error: ApiError): Response {
  const { status, title } = ERRORS[error.code];
  const problem: Problem = {
    type: `urn:groundswell:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    ...(error.errors.length > 0 ? { errors: [...error.errors] } : {}),
    requestId: requestIdOf(c),
  };
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' };
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer realm="groundswell"';
  if (status === 403) {
    headers['WWW-Authenticate'] = 'Bearer realm="groundswell", error="insufficient_scope"';
  }
  if (status === 503) headers['Retry-After'] = '5';
  return c.body(JSON.stringify(problem), status, headers);
}

function requestIdOf(c: Context): string {
  const id: unknown = c.get('requestId');
  return typeof id === 'string' ? id : '';
}

function fromHttpException(error: HTTPException): ApiError {
  if (error.status === 400) return new ApiError('malformed-json', 'The body is not valid JSON.');
  if (error.status === 413) return new ApiError('too-large', 'The body is too large.');
  if (error.status === 415) {
    return new ApiError('unsupported-media-type', 'Send the body as application/json.');
  }
  return new ApiError('internal', 'The request could not be done.', { cause: error });
}

/** Class 08 and 57P are lost connections, 53300 too many; the rest is what sockets and Prisma say. */
const UNREACHABLE =
  /^(?:08\w{3}|57P0[123]|53300|ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EPIPE|P100[0128]|P1017|P2024|P2037)$|DatabaseNotReachable|ConnectionClosed|TooManyConnections|SocketTimeout/;
const UNREACHABLE_WORDS =
  /timeout exceeded when trying to connect|Unable to start a transaction in the given time|Connection terminated|Can't reach database server/;

function isUnreachable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 6) return false;
  const { code, kind, originalCode, message, cause, meta, driverAdapterError } = error as Record<
    string,
    unknown
  >;
  const names = [code, kind, originalCode].filter((name) => typeof name === 'string');
  if (names.some((name) => UNREACHABLE.test(name))) return true;
  if (typeof message === 'string' && UNREACHABLE_WORDS.test(message)) return true;
  return [cause, meta, driverAdapterError].some((inner) => isUnreachable(inner, depth + 1));
}
