import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import {
  accountedFor,
  addCounts,
  isBalanced,
  sinkCounters,
  sortedOut,
  sourceCounters,
  storedSinkCounters,
  zeroCounts,
  zeroTotals,
} from '../../src/journal/counts.ts';
import { migrations } from '../../src/journal/sqlite/file/schema.ts';

function columnsOf(table: string): string[] {
  using db = new DatabaseSync(':memory:');
  for (const sql of migrations) db.exec(sql);
  return db
    .prepare(`PRAGMA table_info(${table})`)
    .all()
    .map(({ name }) => String(name));
}

it.each([
  { table: 'sources', names: sourceCounters },
  { table: 'windows', names: sourceCounters },
  { table: 'totals', names: storedSinkCounters },
])('keeps every counter in a column of $table', ({ table, names }) => {
  expect(columnsOf(table)).toEqual(expect.arrayContaining([...names]));
});

it('keeps no counter of a sink that the ledger does not show', () => {
  const known = ['sink', 'source', ...sinkCounters];

  expect(columnsOf('totals').filter((column) => !known.includes(column as (typeof sinkCounters)[number]))).toEqual([]);
});

it('accounts for each record of a sink once, and for nothing that was delivered again', () => {
  const totals = { ...zeroTotals(), replayed: 100, possible_duplicates: 100 };
  for (const [power, name] of sinkCounters.entries()) if (totals[name] === 0) totals[name] = 2 ** power;

  expect(accountedFor(totals)).toBe(0b1111_1111);
  const letters = totals.dead_lettered;
  expect(isBalanced({ totals, new: 0b1111_1111, letters })).toBe(true);
  expect(isBalanced({ totals, new: 0b1111_1110, letters })).toBe(false);
});

it.each([
  { what: 'a dead letter that is not there', counts: { dead_lettered: 2, acknowledged: 1 }, letters: 1, balanced: false },
  { what: 'a count below zero, which hides another', counts: { acknowledged: 5, discarded: -2 }, letters: 0, balanced: false },
  { what: 'a letter of a refused replay beside it', counts: { dead_lettered: 2, acknowledged: 1 }, letters: 3, balanced: true },
])('balances with $what: $balanced', ({ counts, letters, balanced }) => {
  expect(isBalanced({ totals: { ...zeroTotals(), ...counts }, new: 3, letters })).toBe(balanced);
});

it('adds what is named and leaves the rest', () => {
  const counts = { ...zeroCounts(), fetched: 3, new: 1 };

  addCounts(counts, { fetched: 4, duplicate: 2 });

  expect(counts).toEqual({ fetched: 7, new: 1, duplicate: 2, excluded: 0, unreadable: 0, id_conflict: 0 });
  expect(sortedOut(counts)).toBe(3);
});
