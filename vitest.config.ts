import { defineConfig } from 'vitest/config';

const shared = {
  pool: 'forks',
  env: { TZ: 'UTC' },
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

/** Tests that need no server. */
const unit = ['test/domain/**/*.test.ts', 'test/checker/*.test.ts'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'unit', include: unit } },
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: unit,
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
});
