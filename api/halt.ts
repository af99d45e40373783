import { setTimeout as sleep } from 'node:timers/promises';
import { POST_WITHIN_MS } from '../db/claims.ts';
import type { Database } from '../db/client.ts';
import { settleStop } from '../db/inbound.ts';

/** Clocks and commits take a moment too. */
const PAD_MS = 100;

/** Waits until no claim made before a stop can start its request to the provider any more. */
export async function untilHalted(): Promise<void> {
  await sleep(POST_WITHIN_MS + PAD_MS);
}

/** Finishes a person's stop after its commit, and waits until no text to them can start any more. */
export async function untilStopped(
  database: Database,
  person: { readonly orgId: string; readonly address: string },
): Promise<void> {
  const waitMs = await settleStop(database, person);
  if (waitMs > 0) await sleep(waitMs);
}
