import { defineConfig } from 'vitest/config';

// `npm test` runs unit, replayed and e2e; `npm run test:all` runs long too: many kills, many seeds, real receivers, copies of the code with a fault.
const e2e = 'test/e2e/**/*.test.ts';
const long = ['test/**/*.long.test.ts'];
// Properties that the long tests try with many more histories; see test/thorough.ts.
const properties = [
  'test/journal/{model,letter-search,limits,shares,replicas-model}.test.ts',
  'test/collect/windows/crashes.test.ts',
  'test/deliver/copies.test.ts',
  'test/fuzz/*.test.ts',
];

// What they try in the real process or with very many sources, and npm test leaves out.
const heavy = ['test/e2e/{back-pressure,jobs,secrets,stream}.test.ts', 'test/admin/page.test.ts'];

// nock stands in the way of every socket of its worker: these files have a worker each.
const replayed = ['test/connectors/{anaconda,analyst-studio,okta}.test.ts'];

// What costs is measured on short texts by npm test, on long ones by test:all.
const costs = [
  'test/base/secrets.test.ts',
  'test/config/load-config.test.ts',
  'test/connectors/{csv-directory,hostile-replies}.test.ts',
  'test/event/linear.test.ts',
  'test/http/reply-memory.test.ts',
  'test/sinks/{hostile-answers,syslog-message}.test.ts',
];

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
  provide: { thorough: false },
  restoreMocks: true,
  execArgv: ['--disable-warning=ExperimentalWarning'],
};
const bundled = { ...shared, globalSetup: ['test/temporary.ts', 'test/e2e/bundle.ts'] };

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'unit', include: ['test/**/*.test.ts'], exclude: [e2e, ...long, ...replayed] } },
      { test: { ...shared, isolate: true, name: 'replayed', include: replayed } },
      { test: { ...bundled, name: 'e2e', include: [e2e], exclude: long } },
      { test: { ...bundled, name: 'long', include: [...long, ...properties, ...costs, ...heavy], provide: { thorough: true } } },
    ],
  },
});
