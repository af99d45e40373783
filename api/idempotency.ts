import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { beginIdempotent, dropIdempotent, finishIdempotent } from '../db/idempotency.ts';
import { tenantOf, type ApiDeps, type ApiEnv } from './context.ts';
import { ApiError } from './errors.ts';

const KEY = /^[\x20-\x7e]{1,255}$/;
/** A file is the same import by its content, and is never read whole; a check changes nothing. */
const WITHOUT_KEY = /^\/v1\/(?:contact-lists\/[^/]+\/imports|suppressions\/import|scripts\/check)$/;
/** The secret of a new key is not kept, so that a replay cannot show it. */
const SECRET_PATH = '/v1/keys';

/** Documents the header on a route. */
export const IdempotencyHeaders = z.object({
  'Idempotency-Key': z
    .string()
    .regex(KEY, 'must be 1 to 255 printable ASCII characters')
    .optional()
    .describe(
      'Any text that names this request: 1 to 255 printable ASCII characters. The same key with the same body gives the first answer again, for three days.',
    ),
});

/**
 * Does a POST with an Idempotency-Key once: the key's row is written before the work, the answer
 * after it. An answer that a later try may better (5xx) is not kept.
 */
export function idempotent(deps: Pick<ApiDeps, 'apiDatabase'>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = c.req.header('Idempotency-Key');
    if (key === undefined || c.req.method !== 'POST' || WITHOUT_KEY.test(c.req.path)) return next();
    if (!KEY.test(key)) {
      throw new ApiError(
        'invalid-idempotency-key',
        'An Idempotency-Key is 1 to 255 printable ASCII characters.',
      );
    }
    const tenant = tenantOf(deps, c);
    const { pathname, search } = new URL(c.req.url);
    const sha256 = createHash('sha256')
      .update(`${c.req.method} ${pathname}${search}\n`)
      .update(Buffer.from(await c.req.arrayBuffer()))
      .digest('hex');
    const begin = await beginIdempotent(tenant, { key, sha256 });
    if (begin.kind === 'answered') {
      const { status, body } = begin.answer;
      return c.body(JSON.stringify(body), status as ContentfulStatusCode, {
        'Content-Type': status < 400 ? 'application/json' : 'application/problem+json',
        'Idempotency-Replayed': 'true',
      });
    }
    if (begin.kind === 'reused') {
      throw new ApiError(
        'idempotency-key-reused',
        'This key was sent with another request. Use a new key.',
      );
    }
    if (begin.kind === 'in-flight') {
      throw new ApiError(
        'idempotency-in-flight',
        'The first request with this key has no answer yet. Try again soon.',
      );
    }
    await next();
    if (c.res.status >= 500) {
      await dropIdempotent(tenant, key);
      return undefined;
    }
    const body: unknown = await c.res.clone().json();
    const kept = c.req.path === SECRET_PATH && c.res.status === 201 ? withoutKey(body) : body;
    await finishIdempotent(tenant, key, { status: c.res.status, body: kept });
    return undefined;
  };
}

function withoutKey(body: unknown): unknown {
  return typeof body === 'object' && body !== null ? { ...body, key: null } : body;
}
