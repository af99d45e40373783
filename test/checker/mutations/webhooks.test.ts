import { expect, test } from 'vitest';
import { formatVerdicts } from '../check.ts';
import { reds } from './judged.ts';
import { createTree } from './trees.ts';
import { runWebhooks } from './webhooks-run.ts';
test('the unbroken webhooks keep every promise', async () => {
  const tree = await createTree([]);
  try {
    const verdicts = await runWebhooks(tree.root);
    process.stderr.write(formatVerdicts(verdicts));
    expect(reds(verdicts)).toEqual([]);
  } finally {
    await tree.remove();
  }
});
