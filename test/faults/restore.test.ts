import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  FIRST_TEXT_WORDS,
  peopleCsv,
  peopleNumbers,
  type LaunchedCampaign,
} from '../support/stack/campaigns.ts';
import { startStack, type Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createdFor, repeated, textsTo } from './support.ts';

const PEOPLE = 500;
const AREA = '505';

let stack: Stack;
let campaign: LaunchedCampaign;
beforeAll(async () => {
  stack = await startStack({
    postgres: 'own',
    temporal: 'file',
    settings: { SIMULATOR_REPLY_SHARE: '0.4', SIMULATOR_LATENCY_MS: '20' },
  });
  campaign = await stack.launch({
    name: 'restored',
    csv: peopleCsv(AREA, PEOPLE),
    senders: 4,
    segmentsPerSecond: 8,
    replyWindowSeconds: 2,
    startMode: 'first_reply',
  });
}, 240_000);
afterAll(async () => stack?.close(), 60_000);

async function untilCreated(n: number): Promise<void> {
  await waitUntil(async () => (await createdFor(stack, AREA)).size >= n, {
    what: `${n} people to be texted`,
    timeoutMs: 90_000,
    everyMs: 100,
  });
}

test('A database that is restored from a backup sends nothing until it has recovered, and then nobody a second text', async () => {
  await untilCreated(100);
  await stack.postgresServer?.backUp();
  await untilCreated(280);
  // Somebody whom the backup may not even have planned yet says stop after it was made.
  const stopper = [...(await createdFor(stack, AREA)).keys()].at(-1) ?? '';
  const [sender = ''] = await stack.sendersOf(campaign);
  await stack.inject({ from: stopper, to: sender, body: 'STOP' });
  await waitUntil(
    async () =>
      (await stack.database.query('select 1 from suppression where address = $1', stopper))
        .length === 1,
    { what: 'the stop to be stored', timeoutMs: 90_000 },
  );
  await stack.part('worker-1').kill();
  await stack.part('api').kill();
  await stack.postgresServer?.restore();
  const before = await stack.creates();
  await stack.part('api').start();
  await stack.part('worker-1').start();
  await waitUntil(() => stack.part('worker-1').logs().includes('SAFE MODE'), {
    what: 'the worker to say that it is in safe mode',
    timeoutMs: 90_000,
  });
  const recovery = await stack.command('recover');
  expect(recovery).toMatchObject({ ended: 'exit code 0' });
  expect(recovery.output).toContain('Workers claim again');
  // Nothing left between the restore and the recovery: the backup planned it, and nobody claimed.
  const during = await stack.creates();
  const recoveredAt = during.filter(({ sid }) => sid !== null).length;
  expect(recoveredAt - before.filter(({ sid }) => sid !== null).length).toBeLessThanOrEqual(1);

  const report = await stack.finished(campaign, 150_000);
  expect(report.sumsAgree).toBe(true);
  const created = await createdFor(stack, AREA);
  expect(repeated(created)).toEqual([]);
  // Everybody got the first text, and the ledger knows of each.
  const missed = peopleNumbers(AREA, PEOPLE).filter(
    (person) => !created.get(person)?.some(({ body }) => body.includes(FIRST_TEXT_WORDS)),
  );
  const fates = await Promise.all(missed.map((person) => textsTo(stack, campaign, person)));
  expect(fates.map((texts) => texts.at(-1)?.state).filter((state) => state !== 'skipped')).toEqual(
    [],
  );
  const stopped = created.get(stopper) ?? [];
  expect(stopped.filter(({ body }) => body.includes(FIRST_TEXT_WORDS))).toHaveLength(1);
}, 240_000);
