import { expect, test } from 'vitest';
import { createSharedStatements } from '../../activities/shared-statements.ts';
import type { Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { SET_BUCKET } from '../../db/permits.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();

/** Statements over a database that counts them. */
function open() {
  const counted = { statements: 0 };
  const database: Database = {
    ...ledger().database,
    query: (sql, ...parameters) => {
      counted.statements += 1;
      return ledger().database.query(sql, ...parameters);
    },
  };
  const terms = () => ({ leaseMs: 20_000, knownBeat: new Date(0) });
  return { counted, ...createSharedStatements(database, terms) };
}

/** A bucket that grants so much now, and fills so slowly that no more comes while a test looks. */
async function addBucket(tokens: number): Promise<string> {
  const id = newId();
  await ledger().database.query(SET_BUCKET, 'campaign', id, 0.001);
  await ledger().database.query(
    'update permit_bucket set tokens = $2::float8, burst = 100 where ref_id = $1::uuid returning 1 as done',
    id,
    // It grants while there is anything: half a token is one segment.
    tokens - 0.5,
  );
  return id;
}

async function tokensOf(id: string): Promise<number> {
  const [row] = await ledger().database.query<{ tokens: number }>(
    'select round(tokens + 0.5)::int as tokens from permit_bucket where ref_id = $1::uuid',
    id,
  );
  return row?.tokens ?? Number.NaN;
}

const wish = (refId: string, want: number, { giveBack = 0, least = 1 } = {}) =>
  ({ kind: 'campaign', refId, want, least, giveBack }) as const;

test('pools that ask at the same moment share a statement, and each gets its own answer', async () => {
  const { counted, findPoolWork } = open();
  const { poolId, orgId } = ledger();
  const answers = await Promise.all([
    findPoolWork(poolId),
    findPoolWork(newId()),
    findPoolWork(poolId),
  ]);
  expect(counted.statements).toBe(1);
  expect(answers.map((work) => work?.org_id ?? null)).toEqual([orgId, null, orgId]);
});

test.each([
  [{ holds: 12, wants: [4, 4, 4], together: 12 }],
  [{ holds: 6, wants: [4, 4, 4], together: 6 }],
  [{ holds: 1, wants: [5, 5, 5], together: 1 }],
  [{ holds: 10, wants: [1, 100], together: 10 }],
  [{ holds: 0, wants: [3, 3], together: 0 }],
])(
  'a bucket that several want is parted, and never grants more than it holds: %j',
  async ({ holds, wants, together }) => {
    const { counted, takePermits } = open();
    const id = await addBucket(holds);
    const parts = await Promise.all(wants.map((want) => takePermits([wish(id, want)])));
    const granted = parts.map(([grant]) => grant?.granted ?? Number.NaN);
    expect(counted.statements).toBe(1);
    expect(granted.reduce((sum, n) => sum + n, 0)).toBe(together);
    for (const [n, want] of wants.entries()) expect(granted[n]).toBeLessThanOrEqual(want);
    expect(await tokensOf(id)).toBe(holds - together);
  },
);

test.each([
  [{ holds: 9, wants: [30, 30, 30, 30], granted: [3, 3, 3] }],
  [{ holds: 4, wants: [3, 3, 3], granted: [3, 1] }],
])(
  'who needs three for a text gets three, or nothing, but for the last of it: %j',
  async ({ holds, wants, granted }) => {
    const { takePermits } = open();
    const id = await addBucket(holds);
    const parts = await Promise.all(
      wants.map((want) => takePermits([wish(id, want, { least: 3 })])),
    );
    const some = parts.map(([grant]) => grant?.granted ?? Number.NaN).filter((n) => n > 0);
    expect(some.toSorted((a, b) => b - a)).toEqual(granted);
  },
);

test('who wants little of a bucket that others want much of is not left out for ever', async () => {
  const { takePermits } = open();
  const got = [0, 0, 0];
  for (let round = 0; round < 3; round += 1) {
    const id = await addBucket(1);
    const parts = await Promise.all(got.map(() => takePermits([wish(id, 5)])));
    for (const [n, [grant]] of parts.entries()) got[n] = (got[n] ?? 0) + (grant?.granted ?? 0);
  }
  expect(got).toEqual([1, 1, 1]);
});

test('what one gives back another may take in the same statement', async () => {
  const { takePermits } = open();
  const id = await addBucket(0);
  const [given, taken] = await Promise.all([
    takePermits([wish(id, 0, { giveBack: 3 })]),
    takePermits([wish(id, 5)]),
  ]);
  expect([given[0]?.granted, taken[0]?.granted]).toEqual([0, 3]);
});

test('a bucket without a row limits nobody', async () => {
  expect(await open().takePermits([wish(newId(), 5)])).toEqual([]);
});
