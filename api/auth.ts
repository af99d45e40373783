import type { MiddlewareHandler } from 'hono';
import type { KeyLookup, Scope } from '../db/api-keys.ts';
import { hasScope, type ApiEnv } from './context.ts';
import { ApiError } from './errors.ts';

/** Resources that decide who can do what, or hold credentials. */
const ADMIN_PATHS = /^\/v1\/(?:keys|members|provider-accounts|system)(?:\/|$)/;
/** Limits, money, and what cannot be undone: everybody may look, an admin decides. But whoever may change anything may stop everything. */
const ADMIN_CHANGES =
  /^\/v1\/(?:(?:org|budget|rates|registrations)(?:\/(?!stop-sending$)|$)|campaigns\/[^/]+\/purge$)/;

/** Finds whose key the request carries. */
export function authenticate(keys: KeyLookup, now: () => Date): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const [, key] = /^Bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '') ?? [];
    if (key === undefined) {
      throw new ApiError('unauthorized', 'Send "Authorization: Bearer <key>".');
    }
    const caller = await keys.find(key, now());
    if (caller === null) {
      throw new ApiError('unauthorized', 'The key is unknown, revoked or expired.');
    }
    c.set('caller', caller);
    await next();
  };
}

/** Lets reading need read, changing need write; keys, provider accounts, limits and money admin. */
export function authorize(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const needed = neededScope(c.req.method, c.req.path);
    if (!hasScope(c.var.caller, needed)) {
      throw new ApiError('forbidden', `This needs a key with the scope "${needed}".`);
    }
    await next();
  };
}

function neededScope(method: string, path: string): Scope {
  if (ADMIN_PATHS.test(path)) return 'admin';
  if (method === 'GET' || method === 'HEAD') return 'read';
  return ADMIN_CHANGES.test(path) ? 'admin' : 'write';
}
