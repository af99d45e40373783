/** Copies of the source with one deliberate fault each. Nothing of this stands in the engine. */
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { ROOT } from '../../support/engine-process.ts';

/** An exact replacement in one file. */
export interface Edit {
  readonly file: string;
  /** Must stand there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Tree {
  readonly root: string;
  readonly remove: () => Promise<void>;
}

/** What a process needs is the source; the rest is large or belongs to the working copy. */
const LEFT_OUT = new Set(['node_modules', '.git', '.data', 'coverage', 'docs', 'examples', 'test']);

/** An entry point of the copies: the activities without Temporal. */
export const LOOP = 'test/checker/mutations/loop.ts';

/** Copies the source to a folder of its own and applies the edits. */
export async function createTree(edits: readonly Edit[]): Promise<Tree> {
  const root = await mkdtemp(join(tmpdir(), 'groundswell-mutation-'));
  const remove = async (): Promise<void> => rm(root, { recursive: true, force: true });
  try {
    await chmod(root, 0o755);
    await cp(ROOT, root, {
      recursive: true,
      filter: (source) => !LEFT_OUT.has(relative(ROOT, source)),
    });
    await mkdir(join(root, dirname(LOOP)), { recursive: true });
    await cp(join(ROOT, LOOP), join(root, LOOP));
    await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    for (const edit of edits) await apply(root, edit);
    return { root, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function apply(root: string, { file, find, replace }: Edit): Promise<void> {
  const path = join(root, file);
  const source = await readFile(path, 'utf8');
  const [before, after, ...others] = source.split(find);
  if (before === undefined || after === undefined || others.length > 0) {
    const times = source.split(find).length - 1;
    throw new Error(
      `the mutation is out of date: its text stands ${times} times in ${file}, not once:\n${find}`,
    );
  }
  await writeFile(path, `${before}${replace}${after}`);
}
