import { defineConfig } from 'vitest/config';

const shared = {
  pool: 'forks',
  env: { TZ: 'UTC' },
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'unit', include: ['test/domain/**/*.test.ts'] } },
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: ['test/domain/**'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
});
