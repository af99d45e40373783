import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FaultPoint } from '../../faults/points.ts';
import { ARCHIVE_SCHEDULE_ID } from '../../workflows/contract.ts';
import { startStack } from '../e2e/support.ts';
import { addOldTexts, monthsAgo } from '../support/old-campaign.ts';
import { peopleCsv, type LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { struck } from './support.ts';

const POINTS: readonly (readonly [FaultPoint, number])[] = [
  ['archive.stored', 2],
  ['archive.noted', 1],
  ['archive.detached', 1],
  ['archive.verified', 1],
];

let stack: Stack;
let folder: string;
let campaign: LaunchedCampaign;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-archives-'));
  stack = await startStack({ workers: 1, settings: { ARCHIVE_FOLDER: folder } });
  campaign = await stack.prepare({
    name: 'old',
    csv: peopleCsv('702', 3),
    senders: 1,
    segmentsPerSecond: 1,
    replyWindowSeconds: 1,
  });
  const [row] = await stack.database.query<{ org_id: string; account_id: string }>(
    'select org_id, account_id from campaign where id = $1::uuid',
    campaign.id,
  );
  const launchedAt = new Date(monthsAgo(7).getTime() + 86_400_000);
  await addOldTexts(stack.database, {
    orgId: row?.org_id ?? '',
    accountId: row?.account_id ?? '',
    campaignId: campaign.id,
    launchedAt,
    finishedAt: new Date(launchedAt.getTime() + 3 * 86_400_000),
    people: 2_100,
  });
});
afterAll(async () => {
  await stack?.close();
  await rm(folder, { recursive: true, force: true });
});

async function read(): Promise<unknown[]> {
  const paths = ['report', 'messages?limit=200', 'messages?state=unknown'];
  return Promise.all(
    paths.map(async (path) => stack.api.get(`${campaign.path}/${path}`, z.unknown())),
  );
}

async function count(sql: string): Promise<number> {
  const [row] = await stack.database.query<{ n: number }>(`select count(*)::int as n from ${sql}`);
  return row?.n ?? -1;
}

test('a worker that is killed while it archives is followed by one that goes on, and nothing is answered otherwise', async () => {
  const before = await read();
  const worker = stack.part('worker-1');
  const trigger = () => stack.temporal.schedule.getHandle(ARCHIVE_SCHEDULE_ID).trigger();
  // The run of the start has found nothing yet.
  await waitUntil(async () => (await count(`housekeeping_report where job = 'archive'`)) > 0, {
    what: 'the first report',
  });
  await worker.kill();
  let isTriggered = false;
  for (const [point, passage] of POINTS) {
    await worker.start(`${point}:kill@${passage}`);
    if (!isTriggered) await trigger();
    isTriggered = true;
    await worker.ended();
    expect(await read(), `after ${point}`).toEqual(before);
  }
  expect(struck(stack)).toEqual(POINTS.map(([point]) => `${point} kill`));
  await worker.start();
  await waitUntil(async () => (await count(`housekeeping_report where job = 'archive'`)) > 1, {
    what: 'the report',
    timeoutMs: 60_000,
  });
  expect(await count(`archived_month where parent = 'message' and state = 'verified'`)).toBe(3);
  expect(await count('campaign_archive')).toBe(1);
  expect(await count('message where campaign_id is not null')).toBe(0);
  expect(await read()).toEqual(before);
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.gz'));
  expect(files).toHaveLength(await count('archive_chunk'));
}, 240_000);
