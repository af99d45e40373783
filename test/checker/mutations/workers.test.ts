import { expect, test } from 'vitest';
import { runWorkers } from './workers-run.ts';
import { WORKER_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, rows, UNBROKEN } from './outcome.ts';

test('unbroken workers keep every promise, frozen and killed', async () => {
  expect(await outcomeOf(UNBROKEN, runWorkers)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(rows(WORKER_MUTATIONS))(
  'where %s, the checker turns red for %s',
  async (_what, _breaks, mutation) => {
    expect(await outcomeOf(mutation, runWorkers)).toEqual(expected(mutation));
  },
  120_000,
);
