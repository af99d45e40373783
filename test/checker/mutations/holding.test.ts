import { expect, test } from 'vitest';
import { runCampaigns } from './campaigns-run.ts';
import { HOLDING_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, rows } from './outcome.ts';

test.each(rows(HOLDING_MUTATIONS))(
  'where %s, the checker turns red for %s',
  async (_what, _breaks, mutation) => {
    expect(await outcomeOf(mutation, runCampaigns)).toEqual(expected(mutation));
  },
  120_000,
);
