import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launchEngine, untilServing } from '../../test/support/engine-process.ts';
import { ACCOUNT_SID, AUTH_TOKEN } from '../../test/support/stack/campaigns.ts';
import { freePort } from '../../test/support/ports.ts';
import { drained, readState } from '../journal.ts';
import { SIMULATED } from '../machine.ts';
import { startRaw, startRawServer } from './run.ts';

const SOCKETS = 128;
const WARM_UP_MS = 3_000;
const DRAIN_WITHIN_MS = 120_000;

/**
 * Texts a second of a bare loop of POSTs with the same client library, whose two signed receipts a bare server
 * checks: the lower of what leaves and of what comes back. Nothing that keeps a ledger can be faster.
 */
export async function rawLoop(folder: string, seconds: number): Promise<number> {
  const [port, simulatorPort] = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${port}`;
  const simulatorUrl = `http://127.0.0.1:${simulatorPort}`;
  const who = { accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN };
  // One of its own, which the judge of the engine does not read; it writes a journal all the same.
  const simulator = await launchEngine({
    command: 'simulator',
    env: {
      ...SIMULATED,
      SIMULATOR_PORT: String(simulatorPort),
      SIMULATOR_JOURNAL: join(folder, 'raw.ndjson'),
      SIMULATOR_ACCOUNTS: JSON.stringify([who]),
    },
  });
  await untilServing(simulator, 'simulator');
  const server = await startRawServer('hono', { mode: 'signed', origin, port, ...who });
  let output = '';
  const posts = await startRaw(
    'posts',
    {
      ...who,
      baseUrl: simulatorUrl,
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
  const before = await readState(simulatorUrl);
  const from = performance.now();
  await sleep(seconds * 1_000 * 0.8);
  const after = await readState(simulatorUrl);
  const took = (performance.now() - from) / 1_000;
  const ended = await posts.exited;
  if (ended !== 'exit code 0') throw new Error(`the bare loop ended (${ended}):\n${output}`);
  await drained(simulatorUrl, DRAIN_WITHIN_MS);
  await server.stop();
  simulator.kill('SIGTERM');
  await simulator.exited;
  return Math.min(after.texts - before.texts, (after.sent - before.sent) / 2) / took;
}
