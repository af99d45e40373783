import { expect, test } from 'vitest';
import type { Verdict } from '../check.ts';
import { formatVerdicts } from '../check.ts';
import type { Mutation } from './mutations.ts';
import { createTree } from './trees.ts';

/** The unbroken source keeps every promise, and each mutation breaks those that it names and no other. */
export function testMutations(options: {
  readonly control: string;
  readonly mutations: readonly Mutation[];
  readonly run: (root: string) => Promise<Verdict[]>;
}): void {
  const { control, mutations, run } = options;
  const judge = async (mutation: Pick<Mutation, 'breaks' | 'edits'>): Promise<void> => {
    const tree = await createTree(mutation.edits);
    try {
      const verdicts = await run(tree.root);
      const reds = verdicts.filter(({ ok }) => !ok).map(({ id }) => id);
      // The table says what was found, where that is not what was expected.
      expect({ reds, table: tableUnless(reds, mutation.breaks, verdicts) }).toEqual({
        reds: mutation.breaks,
        table: '',
      });
    } finally {
      await tree.remove();
    }
  };

  test(control, async () => judge({ breaks: [], edits: [] }), 120_000);

  test.each(mutations.map((mutation) => [mutation.what, mutation.breaks.join(' and '), mutation]))(
    'where %s, the checker turns red for %s',
    async (_what, _breaks, mutation) => judge(mutation as Mutation),
    120_000,
  );
}

function tableUnless(
  reds: readonly string[],
  breaks: readonly string[],
  verdicts: readonly Verdict[],
): string {
  return reds.join() === breaks.join() ? '' : formatVerdicts(verdicts);
}
