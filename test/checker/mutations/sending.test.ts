import { expect, test } from 'vitest';
import { runCampaigns } from './campaigns-run.ts';
import { SENDING_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, UNBROKEN } from './outcome.ts';

test('the unbroken stack keeps every promise', async () => {
  expect(await outcomeOf(UNBROKEN, runCampaigns)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(SENDING_MUTATIONS)(
  'where $what, the checker turns red for $breaks',
  async (mutation) => {
    expect(await outcomeOf(mutation, runCampaigns)).toEqual(expected(mutation));
  },
  120_000,
);
