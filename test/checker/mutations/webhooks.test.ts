import { expect, test } from 'vitest';
import { runWebhooks } from './webhooks-run.ts';
import { WEBHOOK_MUTATIONS } from './mutations.ts';
import { expected, outcomeOf, rows, UNBROKEN } from './outcome.ts';

test('the unbroken webhooks keep every promise', async () => {
  expect(await outcomeOf(UNBROKEN, runWebhooks)).toEqual(expected(UNBROKEN));
}, 120_000);

test.each(rows(WEBHOOK_MUTATIONS))(
  'where %s, the checker turns red for %s',
  async (_what, _breaks, mutation) => {
    expect(await outcomeOf(mutation, runWebhooks)).toEqual(expected(mutation));
  },
  120_000,
);
