import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { checkpointAt, importCsvFiles, startSource } from '../../../src/collect/index.ts';
import type { DirectoryReader, RawRecord } from '../../../src/connectors/connector.ts';
import { at, bench, minute, never, noon, realJournal, row, said, settings, stored, storedIds } from '../fixture.ts';

interface Folder {
  files: Record<string, { rows: RawRecord[]; mtimeMs: number; broken?: string }>;
  skipped: { path: string; reason: string }[];
  reads: string[];
  hashes: number;
  /** Fails the read of a file after so many chunks. */
  failAfter: number | undefined;
  open(this: void): Promise<DirectoryReader>;
}

/** A directory whose files are read in chunks of two rows. */
function folder(files: Record<string, string[]>): Folder {
  const self: Folder = {
    files: Object.fromEntries(Object.entries(files).map(([path, ids]) => [path, { rows: ids.map(raw), mtimeMs: 1 }])),
    skipped: [],
    reads: [],
    hashes: 0,
    failAfter: undefined,
    open: () =>
      Promise.resolve({
        kind: 'csv_directory' as const,
        list: () =>
          Promise.resolve({
            files: Object.entries(self.files).map(([path, { rows, mtimeMs }]) => ({ path, size: rows.length, mtimeMs })),
            skipped: self.skipped,
            hash({ path }: { path: string }) {
              self.hashes += 1;
              return Promise.resolve(createHash('sha256').update(JSON.stringify(self.files[path]?.rows)).digest('hex'));
            },
          }),
        async *read({ path }: { path: string }) {
          self.reads.push(path);
          const file = self.files[path];
          if (file?.broken !== undefined) throw new PenstockError('PEN_FILE_UNREADABLE', file.broken);
          const rows = file?.rows ?? [];
          for (let i = 0; i < rows.length; i += 2) {
            if (self.failAfter !== undefined && i / 2 >= self.failAfter)
              throw new PenstockError('PEN_INTERNAL', 'the power went out');
            yield await Promise.resolve(rows.slice(i, i + 2));
          }
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  };
  return self;
}

const raw = (id: string): RawRecord => ({ value: row(id, noon - minute) });
const csv = settings({}, {}, 'csv_directory');

async function started(files: Record<string, string[]>) {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const dir = folder(files);
  const { deps, lines } = bench(clock, journal, dir.open);
  return { clock, journal, dir, deps, lines, loop: startSource(csv, deps) };
}

it('reads every file once and says so in the ledger', async () => {
  const { journal, dir, loop } = await started({ 'a.csv': ['1', '2', '3'], 'b.csv': ['4'] });

  await loop.pollOnce(never);
  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['1', '2', '3', '4']);
  expect(dir.reads).toEqual(['a.csv', 'b.csv']);
  expect(await journal.windows('s', 0, noon)).toMatchObject([
    { key: expect.stringMatching(/^a\.csv [0-9a-f]{16}$/) as string, from: null, to: null, fetched: 3, new: 3, complete: true },
    { key: expect.stringMatching(/^b\.csv [0-9a-f]{16}$/) as string, fetched: 1, new: 1, complete: true },
  ]);
  expect(loop.status()).toMatchObject({ cursor: noon - minute, details: { files: 2, skipped_files: [], failed_files: [] } });
});

it('knows the files again after a restart, and a touched one by its content', async () => {
  const { dir, loop, deps } = await started({ 'a.csv': ['1'] });
  await loop.pollOnce(never);
  const file = dir.files['a.csv'];
  if (file !== undefined) file.mtimeMs = 2;
  await using next = startSource(csv, deps);

  await next.pollOnce(never);

  expect(dir.reads).toEqual(['a.csv']);
  expect(next.status().records.fetched).toBe(0);
});

it('reads a file again from its first row when it changes, and filters what overlaps', async () => {
  const { journal, dir, loop } = await started({ '30d.csv': ['1', '2'], '60d.csv': ['0', '1', '2'] });
  await loop.pollOnce(never);
  dir.files['30d.csv'] = { rows: ['1', '2', '3'].map(raw), mtimeMs: 2 };

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['1', '2', '0', '3']);
  expect(loop.status().records).toEqual({ fetched: 8, new: 4, duplicate: 4, excluded: 0, unreadable: 0 });
});

it('keeps identical rows apart by their occurrence', async () => {
  const { journal, dir, loop } = await started({ 'a.csv': [] });
  const twice = (n: number): RawRecord => ({ ...raw('1'), occurrence: n });
  dir.files['a.csv'] = { rows: [twice(1), twice(2)], mtimeMs: 1 };
  dir.files['b.csv'] = { rows: [twice(1), twice(2), twice(3)], mtimeMs: 1 };

  await loop.pollOnce(never);

  expect((await stored(journal)).length).toBe(3);
  expect(loop.status().records).toMatchObject({ fetched: 5, new: 3, duplicate: 2 });
});

it('goes on after the last committed rows after a crash', async () => {
  const { journal, dir, loop, deps } = await started({ 'a.csv': ['1', '2', '3', '4', '5'] });
  dir.failAfter = 1;
  await expect(loop.pollOnce(never)).rejects.toThrow('the power went out');
  dir.failAfter = undefined;
  await using next = startSource(csv, deps);

  await next.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['1', '2', '3', '4', '5']);
  expect((await journal.ledger()).sources['s']).toMatchObject({ fetched: 5, new: 5, duplicate: 0 });
});

it('reads the other files when one is broken, names it once and tries it again', async () => {
  const { journal, dir, loop, lines } = await started({ 'a.csv': ['1'], 'b.csv': ['2'] });
  dir.files['a.csv'] = { rows: [raw('1')], mtimeMs: 1, broken: 'the header is missing "eventTime"' };
  await loop.pollOnce(never);
  await loop.pollOnce(never);
  const { warnings } = loop.status();
  dir.files['a.csv'] = { rows: [raw('1')], mtimeMs: 2 };

  await loop.pollOnce(never);

  expect(warnings).toEqual(['file cannot be read: a.csv (the header is missing "eventTime")']);
  expect(said(lines, 'file cannot be read, it is tried again at each poll').length).toBe(1);
  expect(loop.status().warnings).toEqual([]);
  expect((await storedIds(journal)).sort()).toEqual(['1', '2']);
});

it('counts polls in a row that fail at the same file, while the files before it are read', async () => {
  const { clock, loop, dir, lines } = await started({ 'a.csv': ['1'], 'b.csv': ['2', '3', '4'] });
  dir.failAfter = 1;
  await clock.until(loop.pollOnce(never)).catch(() => undefined);
  const first = loop.status();
  await clock.until(loop.pollOnce(never)).catch(() => undefined);
  await clock.until(loop.pollOnce(never)).catch(() => undefined);
  const third = loop.status();
  dir.failAfter = undefined;

  await clock.until(loop.pollOnce(never));

  expect([first.consecutive_failures, first.state]).toEqual([1, 'failing']);
  expect([third.consecutive_failures, third.state]).toEqual([3, 'failing']);
  expect(said(lines, 'source answers again')).toMatchObject([{ failures: 3 }]);
  expect(loop.status()).toMatchObject({ consecutive_failures: 0, records: { new: 4 } });
});

it('reports skipped files once, and in the status', async () => {
  const { dir, loop, lines } = await started({});
  dir.skipped.push({ path: 'pipe', reason: 'not a regular file' });

  await loop.pollOnce(never);
  await loop.pollOnce(never);

  expect(said(lines, 'file skipped')).toMatchObject([{ file: 'pipe', reason: 'not a regular file' }]);
  expect(loop.status().details).toMatchObject({ skipped_files: [{ path: 'pipe', reason: 'not a regular file' }] });
});

it('reads all files again after a reset, and filters what it knows', async () => {
  const { clock, journal, dir, loop } = await started({ 'a.csv': ['1'] });
  await loop.pollOnce(never);
  await journal.resetSource('s', checkpointAt(csv, noon + 1000));
  await clock.advance(minute);
  await using next = startSource(csv, bench(clock, journal, dir.open).deps);

  await next.pollOnce(never);

  expect(next.status().records).toMatchObject({ fetched: 1, duplicate: 1 });
});

it('imports files from elsewhere in their own lane, resumable', async () => {
  const { journal, deps, loop, dir } = await started({ 'a.csv': ['1'] });
  await loop.pollOnce(never);
  const elsewhere = folder({ 'old.csv': ['0', '1', '2', '3'] });
  const opened: string[] = [];
  const openDirectory = (path: string): Promise<DirectoryReader> => (opened.push(path), elsewhere.open());
  elsewhere.failAfter = 1;
  await expect(importCsvFiles(csv, { ...deps, openDirectory }, ['/mnt/old.csv'], { job: 7, signal: never })).rejects.toThrow(
    'power',
  );
  elsewhere.failAfter = undefined;
  const progress: unknown[] = [];

  const last = await importCsvFiles(csv, { ...deps, openDirectory }, ['/mnt/old.csv'], {
    job: 7,
    signal: never,
    onProgress: (news) => progress.push(news),
  });

  expect(opened).toEqual(['/mnt', '/mnt']);
  expect(last).toEqual({ files: 1, files_done: 1, file: '/mnt/old.csv', fetched: 2, new: 2, duplicate: 0 });
  expect(progress.at(-1)).toEqual(last);
  expect((await stored(journal)).map(({ lane, record }) => [lane, (record as { id: string }).id])).toEqual([
    ['live', '1'],
    ['backfill', '0'],
    ['backfill', '2'],
    ['backfill', '3'],
  ]);
  expect(dir.reads).toEqual(['a.csv']);
});

it('names the file that cannot be imported', async () => {
  const { deps } = await started({});
  const elsewhere = folder({});
  const openDirectory = elsewhere.open;

  await expect(
    importCsvFiles(csv, { ...deps, openDirectory }, ['/mnt/none.csv'], { job: 7, signal: never }),
  ).rejects.toMatchObject({
    code: 'PEN_FILE_UNREADABLE',
    where: '/mnt/none.csv',
    message: 'there is no such file',
  });
});
