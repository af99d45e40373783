import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { campaignSchema } from '../../cli/demo-client.ts';
import { binaryCacheFolder, findTemporalBinary } from '../../runtime/temporal-binary.ts';
import { startTemporalServer, type TemporalServer } from '../../runtime/temporal-server.ts';
import { freePort } from '../support/ports.ts';
import { waitUntil } from '../support/wait-until.ts';
import { pauseAndWatch, peopleCsv, peopleNumbers, startStack, type Stack } from './support.ts';

/** Between the engine's last byte and the simulator's clock, on a machine that is busy. */
const HOP_MS = 250;
const PEOPLE = 300;

let folder = '';
let temporal: TemporalServer;
let startTemporal: () => Promise<TemporalServer>;
let stack: Stack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-temporal-'));
  const binary = await findTemporalBinary({
    cacheDir: binaryCacheFolder(process.env),
    environment: process.env,
    log: (text) => void process.stderr.write(text),
  });
  const [port, uiPort] = [await freePort(), await freePort()];
  // In memory: a server that was killed comes back knowing nothing.
  startTemporal = () =>
    startTemporalServer({
      binary,
      port,
      uiPort,
      dbFile: null,
      pidFile: join(folder, 'temporal.pid'),
      log: () => {},
    });
  temporal = await startTemporal();
  stack = await startStack({ temporalAddress: temporal.address, namespace: 'default' });
});
afterAll(async () => {
  await stack?.close();
  temporal?.kill();
  await temporal?.exited;
  await rm(folder, { recursive: true, force: true });
});

test('a pause holds within 600 ms while Temporal is away, and all goes on when it is back with an empty store', async () => {
  const campaign = await stack.launch({
    name: 'away',
    csv: peopleCsv('702', PEOPLE),
    senders: 4,
    segmentsPerSecond: 15,
    replyWindowSeconds: 1,
  });
  await waitUntil(async () => (await stack.creates()).length >= 40, { what: '40 texts' });
  temporal.kill();
  await temporal.exited;
  // The slice under way goes on without Temporal: that is what the pause must stop.
  const before = (await stack.creates()).length;
  await waitUntil(async () => (await stack.creates()).length > before + 5, {
    what: 'texts without Temporal',
  });
  const { lastAtMs, answeredAtMs } = await pauseAndWatch(stack, campaign, '702');
  expect(lastAtMs).toBeLessThanOrEqual(answeredAtMs + HOP_MS);
  const sent = (await stack.creates()).length;
  expect(sent).toBeGreaterThan(before);
  expect(sent).toBeLessThan(PEOPLE);

  temporal = await startTemporal();
  await stack.api.post(`${campaign.path}/resume`, campaignSchema);
  const report = await stack.finished(campaign, 60_000);
  expect(report.sumsAgree).toBe(true);
  const texted = (await stack.creates()).map(({ to }) => to);
  expect(texted.toSorted()).toEqual(peopleNumbers('702', PEOPLE));
}, 120_000);
