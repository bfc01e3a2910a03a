import type { AdminOperations } from '../../src/admin/routes.ts';

/** A daemon that is ready and has nothing to tell, but for what is given. */
export const operationsOf = (change: Partial<AdminOperations> = {}): AdminOperations => ({
  notReady: () => [],
  status: () => Promise.resolve({ running: true }),
  metrics: () => Promise.resolve('penstock_up 1\n'),
  overview: () => Promise.resolve({ status: {} }),
  act: () => Promise.resolve(undefined),
  ...change,
});
