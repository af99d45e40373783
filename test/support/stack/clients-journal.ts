import { appendFileSync } from 'node:fs';

const CAMPAIGN_ACTION = /^\/v1\/campaigns\/([0-9a-f-]{36})\/(\w+)$/;

/**
 * A fetch that writes one line for each request that changes something: when it was sent, when its answer
 * came and what that was (null where none came). With the simulator's journal it is the only witness that
 * the engine has no hand in.
 */
export function createJournaledFetch(file: string): typeof fetch {
  return async (input, init) => {
    const method = init?.method ?? 'GET';
    const path = new URL(input instanceof Request ? input.url : input).pathname;
    const sentAt = new Date().toISOString();
    const write = (status: number | null): void => {
      if (method === 'GET') return;
      const key = new Headers(init?.headers).get('idempotency-key');
      const line = {
        at: new Date().toISOString(),
        sentAt,
        kind: 'api',
        method,
        path,
        status,
        ...(key === null ? {} : { idempotencyKey: key }),
      };
      appendFileSync(file, `${JSON.stringify({ ...line, ...describe(path, init?.body) })}\n`);
    };
    try {
      const answer = await fetch(input, init);
      write(answer.status);
      return answer;
    } catch (error) {
      write(null);
      throw error;
    }
  };
}

function describe(path: string, body: unknown): object {
  const [, campaignId, action] = CAMPAIGN_ACTION.exec(path) ?? [];
  if (campaignId !== undefined) return { campaignId, action };
  if (path !== '/v1/suppressions' || typeof body !== 'string') return {};
  const { address } = JSON.parse(body) as { address?: string };
  return { action: 'suppress', address };
}
