import type { Context } from 'hono';
import type { ApiDeps, ApiEnv } from './context.ts';

/** Rows read at once for a streamed file. */
export const ROWS_A_PAGE = 2_000;

/** Streams a CSV file page by page as the client takes it. */
export function streamCsv(
  deps: Pick<ApiDeps, 'log'>,
  c: Context<ApiEnv>,
  file: { readonly name: string; readonly lines: AsyncGenerator<string> },
): Response {
  const { name, lines } = file;
  return streamFile(deps, c, { name, contentType: 'text/csv; charset=utf-8', pieces: lines });
}

/**
 * Streams a file piece by piece as the client takes it. An error in the middle cuts the
 * connection, so that half a file is never taken for a whole one.
 */
export function streamFile(
  deps: Pick<ApiDeps, 'log'>,
  c: Context<ApiEnv>,
  file: {
    readonly name: string;
    readonly contentType: string;
    readonly pieces: AsyncGenerator<string | Uint8Array>;
    /** Where it is known before. */
    readonly bytes?: string;
  },
): Response {
  const encoder = new TextEncoder();
  const requestId = c.get('requestId');
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await file.pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value);
      } catch (error) {
        deps.log.error({ err: error, requestId, file: file.name }, 'a streamed file broke off');
        controller.error(error);
      }
    },
    cancel: async () => {
      await file.pieces.return(undefined);
    },
  });
  return c.body(stream, 200, {
    'Content-Type': file.contentType,
    'Content-Disposition': `attachment; filename="${file.name}"`,
    'Cache-Control': 'no-store',
    ...(file.bytes === undefined ? {} : { 'Content-Length': file.bytes }),
  });
}
