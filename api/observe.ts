import type { ErrorHandler, MiddlewareHandler } from 'hono';
import type { ApiDeps, ApiEnv } from './context.ts';
import { ERRORS, toApiError, writeProblem } from './errors.ts';

/** Asked for every few seconds by machines; they would drown the rest. */
const QUIET = new Set(['/healthz', '/readyz', '/metrics']);

/** One line a request: never a body, a query or a header. */
export function logAccess({ log }: Pick<ApiDeps, 'log'>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const from = performance.now();
    await next();
    const { caller } = c.var as Partial<ApiEnv['Variables']>;
    const line = {
      requestId: c.get('requestId'),
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(performance.now() - from),
      ...(caller === undefined ? {} : { orgId: caller.orgId, keyId: caller.keyId }),
    };
    if (QUIET.has(c.req.path)) log.debug(line, 'request');
    else log.info(line, 'request');
  };
}

/** Answers every error in the one form; what is ours is logged with its cause. */
export function handleErrors({ log }: Pick<ApiDeps, 'log'>): ErrorHandler<ApiEnv> {
  return (thrown, c) => {
    const error = toApiError(thrown);
    if (ERRORS[error.code].status >= 500) {
      const requestId = c.get('requestId');
      log.error({ err: error.cause ?? error, requestId, code: error.code }, 'a request failed');
    }
    return writeProblem(c, error);
  };
}
