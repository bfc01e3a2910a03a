import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** True in the project of the long tests, see vitest.config.ts. */
    readonly thorough: boolean;
  }
}

/** How many histories a property is tried with: `few` in `npm test`, `many` among the long tests. */
export const runs = (few: number, many: number): number => (inject('thorough') ? many : few);
