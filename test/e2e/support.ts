/** The stack that the end-to-end tests share servers for. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { createTestDatabase } from '../support/database.ts';
import type { LaunchedCampaign } from '../support/stack/campaigns.ts';
import { startStack as start, type Stack, type StackOptions } from '../support/stack/stack.ts';
import { testTemporalAddress } from '../support/temporal.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Between the engine's last byte and the simulator's clock, on a machine that is busy. */
export const HOP_MS = 250;

/** A stack over a database of its own; where nothing else is said, over a namespace of the tests' Temporal. */
export async function startStack(
  options: Partial<Omit<StackOptions, 'postgres'>> = {},
): Promise<Stack> {
  const urls = await createTestDatabase();
  const stack = await start({
    temporal: { address: testTemporalAddress(), namespace: newNamespace() },
    ...options,
    postgres: urls,
  });
  return {
    ...stack,
    close: async () => {
      try {
        await stack.close();
      } finally {
        await urls.drop();
      }
    },
  };
}

export function newNamespace(): string {
  return `e2e-${randomBytes(6).toString('hex')}`;
}

/** Pauses over the API; tells when it answered, and when the last create of these people came in. */
export async function pauseAndWatch(
  stack: Stack,
  campaign: LaunchedCampaign,
  area: string,
): Promise<{ readonly lastAtMs: number; readonly answeredAtMs: number; readonly sending: number }> {
  const haltSchema = z.object({ sending: z.number() });
  const { sending } = await stack.api.post(`${campaign.path}/pause`, haltSchema);
  const answeredAtMs = Date.now();
  await waitUntil(() => Date.now() > answeredAtMs + 1_500, { what: 'texts that would be late' });
  const creates = (await stack.creates()).filter(({ to }) => to.startsWith(`+1${area}`));
  const lastAtMs = Math.max(...creates.map(({ receivedAtMs }) => receivedAtMs));
  return { lastAtMs, answeredAtMs, sending };
}
