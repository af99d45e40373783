import { expect, test } from 'vitest';
import { runWebhooks } from './webhooks-run.ts';
import { WEBHOOK_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, UNBROKEN } from './outcome.ts';

test('the unbroken webhooks keep every promise', async () => {
  expect(await outcomeOf(UNBROKEN, runWebhooks)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(WEBHOOK_MUTATIONS)(
  'where $what, the checker turns red for $breaks',
  async (mutation) => {
    expect(await outcomeOf(mutation, runWebhooks)).toEqual(expected(mutation));
  },
  120_000,
);
