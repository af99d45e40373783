import { setTimeout as sleep } from 'node:timers/promises';

/** Looks again and again until the condition gives something truthy, and returns that; the error says what was waited for. */
export async function waitUntil<Result>(
  condition: () => Result | Promise<Result>,
  options: { readonly what: string; readonly timeoutMs?: number; readonly everyMs?: number },
): Promise<NonNullable<Result>> {
  const { what, timeoutMs = 20_000, everyMs = 50 } = options;
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const result = await condition();
      lastError = undefined;
      if (result) return result;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`, { cause: lastError });
    }
    await sleep(everyMs);
  }
}
