import { expect, test } from 'vitest';
import { runApi } from './api-run.ts';
import { API_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, UNBROKEN } from './outcome.ts';

test('the unbroken API keeps every promise', async () => {
  expect(await outcomeOf(UNBROKEN, runApi)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(API_MUTATIONS)(
  'where $what, the checker turns red for $breaks',
  async (mutation) => {
    expect(await outcomeOf(mutation, runApi)).toEqual(expected(mutation));
  },
  120_000,
);
