import { expect, test } from 'vitest';
import { runApi } from './api-run.ts';
import { API_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, rows, UNBROKEN } from './outcome.ts';

test('the unbroken API keeps every promise', async () => {
  expect(await outcomeOf(UNBROKEN, runApi)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(rows(API_MUTATIONS))(
  'where %s, the checker turns red for %s',
  async (_what, _breaks, mutation) => {
    expect(await outcomeOf(mutation, runApi)).toEqual(expected(mutation));
  },
  120_000,
);
