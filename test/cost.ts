// Test support: what work costs, told by the CPU time of this thread, so that other load of the machine does not count.
import { expect } from 'vitest';
import { fewOrMany } from './thorough.ts';

/** Length of the larger text, characters: the long tests (npm run test:all) take a megabyte. */
export const costLength = fewOrMany(100_000, 1_000_000);

function cpuMs(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Ten times the input may cost 40 times the work, not 100 times: what grows with the square fails, with margin for noise. A collection of
 * garbage or a compilation may hit one run, not three.
 */
export function expectLinear(run: (length: number) => unknown): void {
  // Below a few milliseconds the clock's grain and the compiler are all that is measured.
  const allowed =
    40 *
    Math.max(
      4,
      Math.min(
        cpuMs(() => run(costLength / 10)),
        cpuMs(() => run(costLength / 10)),
      ),
    );
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 3 && least > allowed; tries += 1)
    least = Math.min(
      least,
      cpuMs(() => run(costLength)),
    );

  expect(least).toBeLessThanOrEqual(allowed);
}

/** Runs of text that made a pattern try each place anew: each is repeated until a text is long enough. */
export const awkwardRuns: Readonly<Record<string, string>> = {
  backslashes: '\\',
  quotes: '"',
  'escaped quotes': '\\"',
  'single quotes': "'",
  blanks: ' ',
  tabs: '\t',
  'line breaks': '\r\n',
  zeros: '0',
  digits: '1234567890',
  colons: ':',
  equals: '=',
  'opening braces': '{',
  'opening brackets': '[',
  'closing brackets': ']',
  commas: ',',
  semicolons: ';',
  'less than': '<',
  percent: '%',
  'half entities': '&#',
  'half escapes': '\\u00',
  'keys that name a secret': '"token":',
  'escaped keys that name a secret': '\\"token\\": \\"',
  'secrets with backslashes': '"password":"\\\\',
  'assigned secrets': 'token=',
  'headers that name a secret': 'authorization: ',
  schemes: 'bearer ',
  'prefixes of tokens': 'AstraCS:',
  words: 'a1_',
  'letters with marks': 'é\u0301',
  'halves of pairs': '\ud800',
  'line separators': '\u2028',
  'zero width': '\ufeff',
  'at signs': 'a@',
  dots: '.',
  minus: '-',
};

/** A text of the given length made of a run. */
export function repeated(run: string, length: number): string {
  return run.repeat(Math.ceil(length / run.length)).slice(0, length);
}
