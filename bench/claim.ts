/** What a claim costs with few and with many texts planned, from the first to the last, and beside a forgotten transaction. */
import { Client } from 'pg';
import type { Database } from '../db/client.ts';
import type { Watermark } from '../db/claims.ts';
import type { Ledger, TestCampaign } from '../test/support/ledger-rows.ts';
import { median, type Reporter } from './figure.ts';
import { claimBatch, withLedger } from './ledger.ts';
import { updateFloor } from './raw/update.ts';
import type { Scenario } from './scenario.ts';

const SIZE = 300_000;
const SMALL = 10_000;
const BATCH = 100;

export const claim: Scenario = {
  about:
    'milliseconds of a claim of 100 texts, by how many are planned and how many were claimed before',
  run: async (reporter, options) => {
    const size = options.size ?? SIZE;
    await withLedger('claim', async ({ database, ledger, ownerUrl }) => {
      const few = await claimAll(database, ledger, Math.min(SMALL, size));
      const many = await claimAll(database, ledger, size);
      const [start, end] = [tenth(many, 0), tenth(many, 9)];
      reporter.add({
        name: 'claim.few',
        value: median(few),
        unit: 'ms',
        with: { planned: Math.min(SMALL, size), batch: BATCH },
      });
      const floor = await updateFloor(ownerUrl, BATCH);
      reporter.add({
        name: 'claim.raw.update',
        value: floor,
        unit: 'ms',
        ratio: floor / median(few),
      });
      reporter.add({
        name: 'claim.many',
        value: start,
        unit: 'ms',
        ratio: start / median(few),
        with: { planned: size, ratioTo: 'claim.few' },
      });
      reporter.add({
        name: 'claim.drift',
        value: end / start,
        unit: 'last tenth / first',
        with: { claims: many.length },
      });
      await besideSnapshot(reporter, { database, ledger, ownerUrl }, Math.ceil(size / 3));
    });
  },
};

/** A transaction that somebody forgot keeps every dead index entry alive. */
async function besideSnapshot(
  reporter: Reporter,
  { database, ledger, ownerUrl }: { database: Database; ledger: Ledger; ownerUrl: string },
  size: number,
): Promise<void> {
  const forgotten = new Client({ connectionString: ownerUrl });
  await forgotten.connect();
  await forgotten.query('begin isolation level repeatable read; select count(*) from deployment');
  try {
    const held = await claimAll(database, ledger, size);
    reporter.add({
      name: 'claim.drift.snapshot',
      value: tenth(held, 9) / tenth(held, 0),
      unit: 'last tenth / first',
      with: { claims: held.length },
    });
  } finally {
    await forgotten.end();
  }
}

/** Milliseconds of each claim until nothing is left. */
async function claimAll(database: Database, ledger: Ledger, people: number): Promise<number[]> {
  const campaign: TestCampaign = await ledger.addCampaign({ people });
  const took: number[] = [];
  let watermark: Watermark | null = null;
  for (;;) {
    const from = performance.now();
    const { claimed, last } = await claimBatch(database, ledger, {
      campaign,
      watermark,
      limit: BATCH,
    });
    if (claimed.length === 0) return took;
    took.push(performance.now() - from);
    watermark = last;
  }
}

function tenth(values: readonly number[], n: number): number {
  const size = Math.max(1, Math.floor(values.length / 10));
  return median(values.slice(n * size, (n + 1) * size));
}
