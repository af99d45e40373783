import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { describeConfig } from '../runtime/config.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

test('the README’s configuration table is the one that the definition prints', () => {
  expect(readme).toContain(describeConfig());
});

test('the README stays short enough to be read', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(170);
});

test('every npm script that the README names exists', async () => {
  const { scripts } = JSON.parse(
    await readFile(new URL('../package.json', import.meta.url), 'utf8'),
  ) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/npm (?:run )?(demo|dev|start|test|check|format)\b/g)].map(
    ([, name = '']) => name,
  );
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});

test('every test that docs/faults.md names is there', async () => {
  const page = await readFile(new URL('../docs/faults.md', import.meta.url), 'utf8');
  const missing: string[] = [];
  const rows = page.split('\n').filter((line) => line.includes('| `test/'));
  for (const row of rows) {
    const [, , , where = '', titles = ''] = row.split('|');
    const paths = [...where.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path);
    const sources = await Promise.all(
      paths.map(async (path) => readFile(new URL(`../${path}`, import.meta.url), 'utf8')),
    );
    const fragments = titles.split(/[;…]/).map((text) => text.trim());
    missing.push(
      ...fragments.filter((text) => text.length > 8 && !sources.join('\n').includes(text)),
    );
  }
  expect(rows.length).toBeGreaterThan(30);
  expect(missing).toEqual([]);
});
