import type { Context } from 'hono';
import type { ApiDeps, ApiEnv } from './context.ts';

/** Rows read at once for a streamed file. */
export const ROWS_A_PAGE = 2_000;

/**
 * Streams a CSV file page by page as the client takes it. An error in the middle cuts the
 * connection, so that half a file is never taken for a whole one.
 */
export function streamCsv(
  deps: Pick<ApiDeps, 'log'>,
  c: Context<ApiEnv>,
  file: { readonly name: string; readonly lines: AsyncGenerator<string> },
): Response {
  const encoder = new TextEncoder();
  const requestId = c.get('requestId');
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await file.lines.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      } catch (error) {
        deps.log.error({ err: error, requestId, file: file.name }, 'a streamed file broke off');
        controller.error(error);
      }
    },
    cancel: async () => {
      await file.lines.return(undefined);
    },
  });
  return c.body(stream, 200, {
    'Content-Type': 'text/csv; charset=utf-8',
    'Content-Disposition': `attachment; filename="${file.name}"`,
    'Cache-Control': 'no-store',
  });
}
