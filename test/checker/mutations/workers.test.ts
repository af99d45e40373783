import { expect, test } from 'vitest';
import { runWorkers } from './workers-run.ts';
import { WORKER_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, UNBROKEN } from './outcome.ts';

test('unbroken workers keep every promise, frozen and killed', async () => {
  expect(await outcomeOf(UNBROKEN, runWorkers)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(WORKER_MUTATIONS)(
  'where $what, the checker turns red for $breaks',
  async (mutation) => {
    expect(await outcomeOf(mutation, runWorkers)).toEqual(expected(mutation));
  },
  120_000,
);
