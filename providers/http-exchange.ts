/** One HTTP request and its whole answer, with a sharp line between "nothing was written" and "it may have been". */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { faultPoint } from '../faults/points.ts';

export interface ExchangeRequest {
  readonly origin: string;
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  readonly deadlineMs: number;
  readonly maxAnswerBytes: number;
  /** Asked once, on a connected socket, in the tick that writes the first byte. */
  readonly mayStart: () => boolean;
}

export type ExchangeOutcome =
  | {
      readonly kind: 'answered';
      readonly statusCode: number;
      readonly headers: IncomingHttpHeaders;
      readonly text: string;
    }
  | {
      readonly kind: 'failed';
      readonly started: boolean;
      readonly statusCode: number | null;
      readonly detail: string;
    };

/** Sends one request and never sends it again; resolves with what is certain, never rejects. */
export function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
): Promise<ExchangeOutcome> {
  return new Promise((resolve) => {
    let started = false;
    let settled = false;
    let active: Dispatcher.DispatchController | null = null;
    let statusCode: number | null = null;
    let headers: IncomingHttpHeaders = {};
    let size = 0;
    const chunks: Buffer[] = [];

    // Undici's own timeouts measure inactivity: a dripping answer outlives them.
    const timer = setTimeout(() => {
      fail(`no complete answer within ${request.deadlineMs} ms`);
      active?.abort(new Error('deadline'));
    }, request.deadlineMs);

    function settle(outcome: ExchangeOutcome): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      resolve(outcome);
    }

    function fail(detail: string): void {
      settle({ kind: 'failed', started, statusCode, detail });
    }

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        // The second case is a client that wants to write the same request again.
        if (settled || started) {
          fail('the request was about to be written twice');
          controller.abort(new Error('not wanted any more'));
          return;
        }
        if (!isAllowed(request.mayStart)) {
          fail('the right to start had expired');
          controller.abort(new Error('may not start'));
          return;
        }
        started = true;
        active = controller;
      },
      onResponseStart(_controller, status, answerHeaders) {
        if (request.method === 'POST') faultPoint('send.posted');
        statusCode = status;
        headers = answerHeaders;
      },
      onResponseData(controller, chunk) {
        size += chunk.length;
        if (size > request.maxAnswerBytes) {
          fail(`the answer is larger than ${request.maxAnswerBytes} bytes`);
          controller.abort(new Error('answer too large'));
          return;
        }
        chunks.push(chunk);
      },
      onResponseEnd() {
        const text = Buffer.concat(chunks).toString('utf8');
        settle({ kind: 'answered', statusCode: statusCode ?? 0, headers, text });
      },
      onResponseError(_controller, error) {
        fail(describeError(error));
      },
    };

    try {
      dispatcher.dispatch(
        {
          origin: request.origin,
          path: request.path,
          method: request.method,
          headers: request.headers,
          body: request.body,
          headersTimeout: 0,
          bodyTimeout: 0,
        },
        handler,
      );
    } catch (error) {
      fail(describeError(error));
    }
  });
}

function isAllowed(mayStart: () => boolean): boolean {
  try {
    return mayStart();
  } catch {
    return false;
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  return `${code}${error.message}`;
}
