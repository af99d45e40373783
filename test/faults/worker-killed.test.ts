import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultPoint } from '../../faults/points.ts';
import {
  FIRST_TEXT_WORDS,
  peopleCsv,
  peopleNumbers,
  type LaunchedCampaign,
} from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import { startStack } from '../e2e/support.ts';
import { createdFor, repeated, struck, textsTo } from './support.ts';

const PEOPLE = 500;
const AREAS = ['702', '303'] as const;
/** Two at a time; each with the passage at which it strikes: early enough to come, late enough to have work around it. */
const POINTS: readonly [FaultPoint, number, FaultPoint, number][] = [
  ['plan.storing', 2, 'plan.stored', 2],
  ['send.claiming', 4, 'send.claimed', 12],
  ['send.posted', 12, 'send.accepted', 12],
  ['send.recorded', 4, 'relay.rung', 2],
  ['turn.storing', 2, 'turn.stored', 2],
];

let stack: Stack;
let campaigns: LaunchedCampaign[];
beforeAll(async () => {
  stack = await startStack({
    workers: 2,
    settings: {
      SIMULATOR_REPLY_SHARE: '0.5',
      SIMULATOR_LATENCY_MS: '30',
      MAX_CONCURRENT_SENDS: '8',
    },
  });
  campaigns = await Promise.all(
    AREAS.map((area) =>
      stack.launch({
        name: `killed ${area}`,
        csv: peopleCsv(area, PEOPLE),
        senders: 3,
        // So slow that planning, which keeps half a minute ahead, is not over at once.
        segmentsPerSecond: 4,
        replyWindowSeconds: 1,
      }),
    ),
  );
});
afterAll(async () => stack?.close());

/** What is left goes out fast. */
async function hurry(): Promise<void> {
  await stack.database.query(
    `with b as (update permit_bucket set segments_per_second = 100, burst = 100)
     update sender set segments_per_second = 100 returning 1 as done`,
  );
}

async function killAt(name: string, point: FaultPoint, passage: number): Promise<void> {
  const worker = stack.part(name);
  if (worker.isRunning()) await worker.kill();
  await worker.start(`${point}:kill@${passage}`);
  await worker.ended();
}

describe('workers that are killed', () => {
  test.each(POINTS)(
    'at %s (passage %i) and at %s (%i) are replaced',
    async (...[one, n, other, m]) => {
      await Promise.all([killAt('worker-1', one, n), killAt('worker-2', other, m)]);
      expect(struck(stack)).toEqual(expect.arrayContaining([`${one} kill`, `${other} kill`]));
    },
  );

  test('at every point leave nobody without a text and nobody with two', async () => {
    await Promise.all(['worker-1', 'worker-2'].map((name) => stack.part(name).start()));
    await hurry();
    for (const [index, campaign] of campaigns.entries()) {
      const area = AREAS[index] ?? '';
      const report = await stack.finished(campaign, 150_000);
      expect(report.sumsAgree).toBe(true);
      const created = await createdFor(stack, area);
      expect(repeated(created)).toEqual([]);
      const missed = peopleNumbers(area, PEOPLE).filter(
        (person) => !created.get(person)?.some(({ body }) => body.includes(FIRST_TEXT_WORDS)),
      );
      // Who stopped before the second try of a lost text gets none.
      const tries = await Promise.all(missed.map((person) => textsTo(stack, campaign, person)));
      expect(tries.map((all) => all.at(-1)?.state).filter((state) => state !== 'skipped')).toEqual(
        [],
      );
    }
  }, 240_000);
});
