import { inject, it } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** True in `npm run test:all`, see vitest.config.ts. */
    readonly thorough: boolean;
  }
}

/** How much a test tries: `few` in `npm test`, `many` in `npm run test:all`. */
export const fewOrMany = (few: number, many: number): number => (inject('thorough') ? many : few);

/** Cases of which `npm test` tries the first `few`, and `npm run test:all` all: put those that say most first. */
export const fewOrAll = <T>(few: number, cases: readonly T[]): readonly T[] => cases.slice(0, fewOrMany(few, cases.length));

type LongTest = (name: string, run: () => Promise<void>, timeoutMs?: number) => void;

const leftOut: LongTest = () => undefined;

/** A test that costs more than `npm test` may: only `npm run test:all` has it. */
export const itInLongTests: LongTest & { skipIf(condition: boolean): LongTest } = inject('thorough')
  ? it
  : Object.assign(leftOut, { skipIf: () => leftOut });
