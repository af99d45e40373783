import { setTimeout as sleep } from 'node:timers/promises';
import { POST_WITHIN_MS } from '../db/claims.ts';

/** Clocks and commits take a moment too. */
const PAD_MS = 100;

/** Waits until no claim made before a stop can start its request to the provider any more. */
export async function untilHalted(): Promise<void> {
  await sleep(POST_WITHIN_MS + PAD_MS);
}
