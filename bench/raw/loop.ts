import { setTimeout as sleep } from 'node:timers/promises';
import { ACCOUNT_SID, AUTH_TOKEN } from '../../test/support/stack/campaigns.ts';
import { freePort } from '../../test/support/ports.ts';
import { drained, readState } from '../journal.ts';
import type { Machine } from '../machine.ts';
import { startRaw, startRawServer } from './run.ts';

const SOCKETS = 128;
const WARM_UP_MS = 3_000;
const DRAIN_WITHIN_MS = 120_000;

/**
 * Texts a second of a bare loop of POSTs with the same client library, whose two signed receipts a bare server
 * checks: the lower of what leaves and of what comes back. Nothing that keeps a ledger can be faster.
 */
export async function rawLoop(machine: Machine, seconds: number): Promise<number> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const who = { accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN };
  const server = await startRawServer('hono', { mode: 'signed', origin, port, ...who });
  let output = '';
  const posts = await startRaw(
    'posts',
    {
      ...who,
      baseUrl: machine.stack.urls.simulator,
      callbackOrigin: origin,
      sockets: SOCKETS,
      seconds: seconds + WARM_UP_MS / 1_000,
    },
    (text) => {
      output += text;
    },
  );
  // Also for the start of the process.
  await sleep(WARM_UP_MS);
  const before = await readState(machine);
  const from = performance.now();
  await sleep(seconds * 1_000 * 0.8);
  const after = await readState(machine);
  const took = (performance.now() - from) / 1_000;
  const ended = await posts.exited;
  if (ended !== 'exit code 0') throw new Error(`the bare loop ended (${ended}):\n${output}`);
  await drained(machine, DRAIN_WITHIN_MS);
  await server.stop();
  return Math.min(after.texts - before.texts, (after.sent - before.sent) / 2) / took;
}
