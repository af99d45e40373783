import { formatVerdicts, type Verdict } from '../check.ts';
import type { Mutation } from './mutations.ts';
import { createTree } from './trees.ts';

/** The source as it is. */
export const UNBROKEN: Mutation = { what: 'nothing is broken', breaks: [], edits: [] };

const UNSETTLED_MS = 3_000;

/** Which verdicts turned red; with the whole table where others were expected. */
export interface Outcome {
  readonly reds: readonly string[];
  readonly table: string;
}

/** Runs a copy of the source with a mutation in it, and judges what it leaves behind. */
export async function outcomeOf(
  mutation: Mutation,
  run: (root: string, settleMs?: number) => Promise<Verdict[]>,
): Promise<Outcome> {
  const tree = await createTree(mutation.edits);
  try {
    const verdicts = await (mutation.settles === false
      ? run(tree.root, UNSETTLED_MS)
      : run(tree.root));
    const reds = verdicts.filter(({ ok }) => !ok).map(({ id }) => id);
    const isExpected = reds.join() === mutation.breaks.join();
    return { reds, table: isExpected ? '' : formatVerdicts(verdicts) };
  } finally {
    await tree.remove();
  }
}

/** The outcome that a mutation names. */
export function expected(mutation: Mutation): Outcome {
  return { reds: mutation.breaks, table: '' };
}
