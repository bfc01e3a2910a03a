import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    testTimeout: 90_000,
    hookTimeout: 90_000,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
});
