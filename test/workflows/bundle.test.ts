import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bundleWorkflows } from '../../worker/bundle.ts';

const INLINE_MAP = /sourceMappingURL=data:application\/json;[^,]*base64,([A-Za-z0-9+/=]+)/;
const mapSchema = z.object({ sources: z.array(z.string()) });

let modules: readonly string[] = [];
beforeAll(async () => {
  const { code } = await bundleWorkflows();
  const map = INLINE_MAP.exec(code)?.[1] ?? '';
  const { sources } = mapSchema.parse(JSON.parse(Buffer.from(map, 'base64').toString('utf8')));
  modules = sources;
});

describe('the bundle of workflows', () => {
  test('holds every workflow and the SDK, as its source map shows', () => {
    for (const name of [
      'campaign',
      'conversation',
      'export',
      'import',
      'maintenance',
      'sender-pool',
    ]) {
      expect(modules.filter((path) => path.endsWith(`/workflows/${name}.ts`))).toHaveLength(1);
    }
    expect(modules.some((path) => path.includes('/node_modules/@temporalio/workflow/'))).toBe(true);
  });

  test.each([
    '/node_modules/@prisma/',
    '/prisma/generated/',
    '/node_modules/twilio/',
    '/node_modules/hono/',
    '/node_modules/@hono/',
    '/node_modules/undici/',
    '/node_modules/pg/',
    '/node_modules/@temporalio/client/',
    '/node_modules/@temporalio/worker/',
    '/node_modules/@temporalio/activity/',
  ])('holds nothing of %s', (folder) => {
    expect(modules.filter((path) => path.includes(folder))).toEqual([]);
  });

  test('holds of the engine itself only workflows/', () => {
    const own = modules.filter((path) => path.endsWith('.ts') && !path.includes('/node_modules/'));
    expect(own.filter((path) => !path.includes('/workflows/'))).toEqual([]);
    expect(own.length).toBeGreaterThan(5);
  });

  test('holds no module of Node itself', () => {
    const builtins = modules.filter((path) =>
      /external (?:commonjs |module )?["']?(?:node:|fs|net|crypto|http)/.test(path),
    );
    expect(builtins).toEqual([]);
  });
});
