import { afterEach, describe, expect, it } from 'vitest';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  createCleanup,
  PERSON,
  SENDER,
  startSimulator,
} from './support.ts';

const cleanup = createCleanup();
afterEach(() => cleanup.run());

/** What a plain HTTP client sees: a status and what its body is, or why there is none. */
async function create(url: string, to = PERSON): Promise<string> {
  try {
    const answer = await fetch(`${url}/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}` },
      body: new URLSearchParams({ To: to, From: SENDER, Body: 'Hi' }),
      signal: AbortSignal.timeout(150),
    });
    return `${answer.status} ${describeBody(await answer.text())}`;
  } catch (error) {
    return error instanceof Error ? error.name : 'thrown';
  }
}

function describeBody(body: string): string {
  try {
    const { sid, code } = JSON.parse(body) as { sid?: string; code?: number };
    return sid === undefined ? `code ${code}` : 'sid';
  } catch {
    return body.startsWith('<') ? 'html' : 'broken';
  }
}

describe('a fault of a create', () => {
  it.each([
    ['http-500-before', '500 code 20500', 0],
    ['http-500-after', '500 code 20500', 1],
    ['http-503-html', '503 html', 0],
    ['reset-before', 'TypeError', 0],
    ['reset-after', 'TypeError', 1],
    ['hang-before', 'TimeoutError', 0],
    ['hang', 'TimeoutError', 1],
    ['drip', 'TimeoutError', 1],
    ['wrong-json', '201 broken', 1],
    ['no-sid', '201 code undefined', 1],
    ['throttle', '429 code 20429', 0],
    ['refuse', '400 code 30022', 0],
  ])('%s shows as %s and leaves %i texts', async (fault, seen, texts) => {
    const { url, control, journal } = cleanup.add(await startSimulator());
    await control('POST', 'faults', [{ fault, code: 30022 }]);
    expect(await create(url)).toBe(seen);
    expect(await control('GET', 'state')).toMatchObject({ texts, faults: [] });
    expect(await journal('create')).toMatchObject([{ fault }]);
    expect(await create(url)).toBe('201 sid');
  });

  it('strikes only what it names, as often as it says', async () => {
    const { url, control } = cleanup.add(await startSimulator());
    await control('POST', 'faults', { fault: 'throttle', times: 2, match: { to: '+12025550199' } });
    expect(await create(url)).toBe('201 sid');
    expect(await create(url, '+12025550199')).toBe('429 code 20429');
    expect(await create(url, '+12025550199')).toBe('429 code 20429');
    expect(await create(url, '+12025550199')).toBe('201 sid');
  });

  it('strikes about the share that it says, the same for the same seed', async () => {
    const runs = await Promise.all(
      [5, 5, 6].map(async (seed) => {
        const { url, control } = cleanup.add(await startSimulator({ seed }));
        const fault = { fault: 'throttle', times: 1_000, match: { share: 0.3 } };
        await control('POST', 'faults', [fault]);
        const seen: boolean[] = [];
        for (let index = 0; index < 100; index += 1) seen.push((await create(url)) === '201 sid');
        return seen;
      }),
    );
    const struck = runs.map((seen) => seen.filter((isFine) => !isFine).length);
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]).not.toEqual(runs[2]);
    expect(Math.min(...struck)).toBeGreaterThan(15);
    expect(Math.max(...struck)).toBeLessThan(45);
  });

  it('can strike reads instead', async () => {
    const { url, client, control } = cleanup.add(await startSimulator());
    await control('POST', 'faults', { fault: 'http-500-before', match: { method: 'GET' } });
    expect(await create(url)).toBe('201 sid');
    await expect(client.messages.list()).rejects.toMatchObject({ status: 500 });
    expect(await client.messages.list()).toHaveLength(1);
  });
});
