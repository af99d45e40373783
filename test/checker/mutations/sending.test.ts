import { expect, test } from 'vitest';
import { runCampaigns } from './campaigns-run.ts';
import { SENDING_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, rows, UNBROKEN } from './outcome.ts';

test('unbroken campaigns keep every promise', async () => {
  expect(await outcomeOf(UNBROKEN, runCampaigns)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(rows(SENDING_MUTATIONS))(
  'where %s, the checker turns red for %s',
  async (_what, _breaks, mutation) => {
    expect(await outcomeOf(mutation, runCampaigns)).toEqual(expected(mutation));
  },
  120_000,
);
