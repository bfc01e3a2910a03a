import { inject, it } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** True in the project of the long tests, see vitest.config.ts. */
    readonly thorough: boolean;
  }
}

/** How much a test tries: `few` in `npm test`, `many` among the long tests. */
export const fewOrMany = (few: number, many: number): number => (inject('thorough') ? many : few);

/** A test that costs more than `npm test` may: only the long tests have it. */
export const itInLongTests: (name: string, run: () => Promise<void>) => void = inject('thorough') ? it : () => undefined;
