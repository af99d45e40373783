import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTree } from './trees.ts';

const edit = { file: 'db/ids.ts', find: 'JSON.stringify(cause)', replace: 'String(cause)' };

test('a copy of the source holds the replacement, and goes when it is removed', async () => {
  const tree = await createTree([edit]);
  expect(await readFile(join(tree.root, edit.file), 'utf8')).toContain(edit.replace);
  await tree.remove();
  expect(existsSync(tree.root)).toBe(false);
});

test.each([
  ['no more', 'a line that nobody wrote'],
  ['more than once', 'import'],
])('a text that stands there %s is an error that says so', async (_title, find) => {
  await expect(createTree([{ ...edit, find }])).rejects.toThrow('the mutation is out of date');
});
