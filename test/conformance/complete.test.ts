// Every statement of sinks.md's checklist that is built has a test here with its number, or a reason in docs/sinks.md why it cannot have one.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const statements = [...numbers(1, 89), ...numbers(98, 100)];

/** The numbers that titles of tests and groups begin with. */
function tested(): Set<number> {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
  const titles = files.flatMap((name) => [
    ...readFileSync(join(import.meta.dirname, name), 'utf8').matchAll(/^\s*(?:\S.*\()?['"`](\d+)\. /gm),
  ]);
  return new Set(titles.map(([, number]) => Number(number)));
}

/** The numbers in the table "not applicable" of the section on conformance, with their reasons. */
function excused(): Map<number, string> {
  const docs = readFileSync(resolve(import.meta.dirname, '../../docs/sinks.md'), 'utf8');
  const section = docs.slice(docs.indexOf('## Conformance'));
  const rows = section.matchAll(/^\| (\d+)(?: to (\d+))?(?: \([^|]*\))? \| ([^|]+) \|$/gm);
  return new Map(
    [...rows].flatMap(([, from = '', to = from, why = '']) => numbers(Number(from), Number(to)).map((number) => [number, why])),
  );
}

it('has a test or a reason for each statement', () => {
  const covered = tested();
  const reasons = excused();

  expect(statements.filter((number) => !covered.has(number) && !reasons.has(number))).toEqual([]);
  expect(numbers(90, 97).filter((number) => (reasons.get(number) ?? '').length < 20)).toEqual([]);
});

it('excuses nothing that is tested and applies', () => {
  const covered = tested();

  expect([...excused().keys()].filter((number) => covered.has(number))).toEqual([]);
});
