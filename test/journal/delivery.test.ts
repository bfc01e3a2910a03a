import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Journal, type Lane, type LaneState, openJournal, type Position } from '../../src/journal/index.ts';
import {
  commitOf,
  journalOptions,
  letterOf,
  plain,
  seamsAt,
  sink,
  someRecords,
  source,
  temporaryDirectory,
  temporaryJournal,
} from './fixture.ts';

const live: Lane = { kind: 'live', source: 's' };
const at = (position: number): Position => position as Position;

async function laneOf(journal: Journal, name: string): Promise<LaneState> {
  const [lane] = await journal.lanes(name);
  if (lane === undefined) throw new Error(`sink ${name} has nothing pending`);
  return lane;
}

it('cuts a page of very many records without changing what is read', async () => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('a')]);
  await journal.append(commitOf('s', someRecords(5000)));

  const pages = await journal.read('a', live, at(2500), 10_000);

  expect(pages.map(({ records }) => records.length)).toEqual([1500, 1000]);
  expect(pages.flatMap(({ positions }) => positions).at(0)).toBe(2501);
  expect(pages.flatMap(({ records }) => records.map(plain))).toEqual(someRecords(5000).slice(2500));
});

it('shows a sink what comes after the journal was trimmed empty', async () => {
  const seams = seamsAt(1000);
  const dataDir = await temporaryDirectory();
  const options = journalOptions(dataDir, { seams, keepMs: 1000 });
  const first = await openJournal(options);
  await first.register([source('s')], [sink('a')]);
  await first.append(commitOf('s', someRecords(10)));
  await first.settle('a', live, at(10), [], { acknowledged: 10 });
  await first[Symbol.asyncDispose]();
  seams.set(100_000);
  const second = await openJournal(options);
  await expect.poll(() => second.usage().pages).toBe(0);
  await second[Symbol.asyncDispose]();

  await using journal = await openJournal(options);
  await journal.append(commitOf('s', someRecords(1, { prefix: 'late' })));

  const lane = await laneOf(journal, 'a');
  expect(lane.pending).toBe(1);
  expect((await journal.read('a', lane.lane, lane.offset, 10))[0]?.records[0]?.uid).toBe('late1');
});

it('leaves nothing of a discarded letter in its file', async () => {
  const dataDir = await temporaryDirectory();
  const journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('s')], [sink('a')]);
  const [record] = someRecords(1);
  if (record === undefined) throw new Error('no record');
  const text = 'a-text-that-nobody-is-to-find '.repeat(500);
  await journal.append(commitOf('s', [record]));
  await journal.settle('a', live, at(1), [letterOf({ ...record, record: { text } })], {});
  const stored = async (): Promise<boolean> => {
    const files = ['journal.db', 'journal.db-wal'].map((name) => readFile(join(dataDir, name)).catch(() => Buffer.alloc(0)));
    return (await Promise.all(files)).some((bytes) => bytes.includes('nobody-is-to-find'));
  };
  const before = await stored();

  await journal.discardDeadLetters({});
  await journal[Symbol.asyncDispose]();

  expect([before, await stored()]).toEqual([true, false]);
});
