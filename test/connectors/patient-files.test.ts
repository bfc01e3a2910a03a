// A folder whose disk stands still: a call on it takes a thread of the process, for ever.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isBusy } from '../../src/base/file-turns.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Files, type Seams, systemSeams } from '../../src/base/seams.ts';
import type { DirectoryReader, FileListing } from '../../src/connectors/connector.ts';
import { openDirectoryReader } from '../../src/connectors/csv-directory/directory-reader.ts';
import { type VirtualClock, virtualClock } from '../virtual-clock.ts';

const spec = { kind: 'csv_directory', directory: '.', columns: { id: ['id'] }, schedule: '1m' } as never;
const never = new AbortController().signal;
/** On a machine that is busy. */
const soon = { timeout: 10_000 };
const notAnswered = 'within 30 s: a call has not ended';

let folder = '';
let clock: VirtualClock;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-still-'));
  await writeFile(join(folder, 'a.csv'), 'id\n1\n');
  clock = virtualClock(Date.now() + 3_600_000);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  // What the disk kept has a turn until it ends, and all tests share these.
  await vi.waitFor(() => expect(isBusy(folder)).toBe(false), soon);
  await rm(folder, { recursive: true, force: true });
});

type Call = 'readdir' | 'lstat' | 'open' | 'read' | 'close';

/** Files of which one kind of call waits while the disk stands still; `held` are those that it keeps. */
function stillDisk(call: Call, isWhole = () => true) {
  const held: (() => void)[] = [];
  const opened = { count: 0 };
  let isStill = true;
  const own = systemSeams().files;
  const gate = async (name: Call): Promise<void> => {
    if (isStill && name === call && isWhole()) await new Promise<void>((resolve) => void held.push(resolve));
  };
  const files = {
    ...own,
    readdir: async (path: string) => (await gate('readdir'), own.readdir(path)),
    lstat: async (path: string) => (await gate('lstat'), own.lstat(path)),
    open: async (...args: Parameters<Files['open']>) => {
      await gate('open');
      const handle = await own.open(...args);
      opened.count += 1;
      const [read, close] = [handle.read.bind(handle), handle.close.bind(handle)];
      return Object.assign(handle, {
        read: async (...given: Parameters<typeof read>) => (await gate('read'), read(...given)),
        close: async () => {
          await gate('close');
          await close();
          opened.count -= 1;
        },
      });
    },
  } as unknown as Files;
  const answers = (): void => {
    isStill = false;
    for (const go of held.splice(0)) go();
  };
  return { files, held, opened, answers };
}

const readerOf = (files: Files): DirectoryReader =>
  openDirectoryReader(spec, folder, { seams: { ...systemSeams(), clock, files } satisfies Seams, log: silentLog() });

async function idsOf(reader: DirectoryReader, { files }: FileListing): Promise<unknown[]> {
  const ids: unknown[] = [];
  for (const file of files)
    for await (const rows of reader.read(file, never)) ids.push(...rows.map(({ value }) => (value as { id: string }).id));
  return ids;
}

const messages = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.map((result) => (result.status === 'rejected' ? (result.reason as Error).message : result.value));

it.each(['readdir', 'lstat', 'open', 'read', 'close'] as const)(
  'keeps no poll for ever, and takes one thread: %s',
  async (call) => {
    const { files, held, opened, answers } = stillDisk(call);
    const reader = readerOf(files);
    const polls = Promise.allSettled([reader, readerOf(files), readerOf(files)].map((each) => each.list(never)));

    await vi.waitFor(() => expect(held.length).toBe(1), soon);
    await clock.advance(30_000);
    const first = await polls;
    const again = Promise.allSettled([readerOf(files).list(never)]);
    await clock.advance(30_000);
    const results = [...first, ...(await again)];
    const most = held.length;
    answers();

    expect(messages(results)).toEqual(Array.from({ length: 4 }, () => expect.stringContaining(notAnswered)));
    expect(most).toBe(1);
    expect(await idsOf(reader, await reader.list(never))).toEqual(['1']);
    await vi.waitFor(() => expect(opened.count).toBe(0), soon);
  },
);

it('blames no file for it', async () => {
  let isReading = false;
  const { files, held, answers } = stillDisk('lstat', () => isReading);
  const reader = readerOf(files);
  const listing = await reader.list(never);
  const [file] = listing.files;
  if (file === undefined) throw new Error('no file');
  isReading = true;

  const calls = Promise.allSettled([listing.hash(file, never), reader.list(never)]);
  await vi.waitFor(() => expect(held.length).toBe(1), soon);
  await clock.advance(30_000);
  const results = await calls;
  answers();

  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'PEN_SOURCE_UNAVAILABLE' } });
});

it('ends with its signal', async () => {
  const { files, held, answers } = stillDisk('readdir');
  const stop = new AbortController();
  const polls = [readerOf(files).list(stop.signal), readerOf(files).list(stop.signal)];
  await vi.waitFor(() => expect(held.length).toBe(1), soon);

  stop.abort(new Error('the source is stopped'));
  const results = await Promise.allSettled(polls);
  answers();

  expect(messages(results)).toEqual(['the source is stopped', 'the source is stopped']);
});

it('says so where other folders keep the threads', async () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', '4');
  const { files, held, answers } = stillDisk('readdir');
  const seams: Seams = { ...systemSeams(), clock, files };
  const folders = ['/b', '/c', '/d'].map((path) => openDirectoryReader(spec, path, { seams, log: silentLog() }));
  const polls = Promise.allSettled(folders.map((each) => each.list(never)));

  await vi.waitFor(() => expect(held.length).toBe(2), soon);
  await clock.advance(30_000);
  const results = await polls;
  answers();

  expect(messages(results)).toEqual([
    expect.stringContaining(notAnswered),
    expect.stringContaining(notAnswered),
    expect.stringContaining('within 30 s: it waits for calls on other folders and files'),
  ]);
});
