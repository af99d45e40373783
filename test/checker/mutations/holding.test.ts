import { expect, test } from 'vitest';
import { runCampaigns } from './campaigns-run.ts';
import { HOLDING_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf } from './outcome.ts';

test.each(HOLDING_MUTATIONS)(
  'where $what, the checker turns red for $breaks',
  async (mutation) => {
    expect(await outcomeOf(mutation, runCampaigns)).toEqual(expected(mutation));
  },
  120_000,
);
