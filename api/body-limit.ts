import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';

/**
 * Refuses bodies above a size. A request that says its length is judged by that alone: Hono's own limit
 * touches the body's stream, which makes a whole web request of each one and doubles what a webhook costs.
 */
export function limitBody(
  maxSize: number,
  onTooLarge: (c: Context) => Response | Promise<Response>,
): MiddlewareHandler {
  const byStream = bodyLimit({ maxSize, onError: onTooLarge });
  return async (c, next) => {
    const length = c.req.header('content-length');
    if (length === undefined || c.req.header('transfer-encoding') !== undefined)
      return byStream(c, next);
    return Number(length) > maxSize ? onTooLarge(c) : next();
  };
}
