import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { describeConfig } from '../runtime/config.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

test('the README’s configuration table is the one that the definition prints', () => {
  expect(readme).toContain(describeConfig());
});

test('the README stays short enough to be read', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(150);
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
