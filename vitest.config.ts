import { defineConfig } from 'vitest/config';

// `npm test` runs what is short: unit, replayed and e2e. `npm run test:all` runs the same in the mode `thorough`, where a property tries many
// more histories and tests that cost much are there too (test/thorough.ts), and the project `long` beside it: many kills, many seeds, real
// receivers, copies of the code with a fault.
const e2e = 'test/e2e/**/*.test.ts';
const long = 'test/**/*.long.test.ts';

// nock stands in the way of every socket of its worker: these files have a worker each.
const replayed = ['test/connectors/{anaconda,analyst-studio,okta}.test.ts'];

export default defineConfig(({ mode }) => {
  const shared = {
    setupFiles: ['test/setup.ts'],
    globalSetup: ['test/temporary.ts'],
    pool: 'forks' as const,
    // Give-up times, not budgets: a condition that holds on a quiet machine holds later on a busy one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    // The sources are read once per worker, not once per file.
    isolate: false,
    provide: { thorough: mode === 'thorough' },
    restoreMocks: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  };
  const bundled = { ...shared, globalSetup: ['test/temporary.ts', 'test/e2e/bundle.ts'] };
  return {
    test: {
      maxWorkers: 2,
      projects: [
        { test: { ...shared, name: 'unit', include: ['test/**/*.test.ts'], exclude: [e2e, long, ...replayed] } },
        { test: { ...shared, isolate: true, name: 'replayed', include: replayed } },
        { test: { ...bundled, name: 'e2e', include: [e2e], exclude: [long] } },
        { test: { ...bundled, name: 'long', include: [long], provide: { thorough: true }, maxConcurrency: 2 } },
      ],
    },
  };
});
