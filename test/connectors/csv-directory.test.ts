import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { DirectoryReader, RawRecord } from '../../src/connectors/connector.ts';
import { matchHeader, writingOf } from '../../src/connectors/csv-directory/header.ts';
import { Occurrences } from '../../src/connectors/csv-directory/occurrences.ts';
import { awkwardRuns, expectLinear, repeated } from '../cost.ts';
import { openSource } from './open-source.ts';

const signal = new AbortController().signal;
const header = 'typename,actionResult,userID,event,eventTime,eventType\n';
const row = (n: number, event = '{}'): string =>
  `AuditEvent,SUCCESS,u${n},"${event.replaceAll('"', '""')}",2026-11-20T10:15:30.123Z,CREATE_ROLE\n`;
const record = (n: number, event = '{}'): Record<string, string> => ({
  typename: 'AuditEvent',
  actionResult: 'SUCCESS',
  userID: `u${n}`,
  event,
  eventTime: '2026-11-20T10:15:30.123Z',
  eventType: 'CREATE_ROLE',
});

let folder = '';
let reader: DirectoryReader;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-csv-'));
  reader = (await openSource('astra-csv', { directory: folder, org_id: 'org' })).reader as DirectoryReader;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes a file that nobody has touched for an hour. */
async function put(name: string, content: string | Buffer): Promise<void> {
  await writeFile(join(folder, name), content);
  await utimes(join(folder, name), new Date('2026-11-21T08:00:00Z'), new Date('2026-11-21T08:00:00Z'));
}

async function readAll(name: string): Promise<RawRecord[]> {
  const listing = await reader.list(signal);
  const file = listing.files.find(({ path }) => path === name);
  if (file === undefined) throw new Error(`not listed: ${JSON.stringify(listing.skipped)}`);
  const records: RawRecord[] = [];
  for await (const chunk of reader.read(file, signal)) records.push(...chunk);
  return records;
}

describe('rows', () => {
  it('become records by the names of the header', async () => {
    await put('a.csv', header + row(1, '{"a":"x,y"}') + row(2));

    const records = await readAll('a.csv');

    expect(records).toEqual([
      { value: record(1, '{"a":"x,y"}'), occurrence: 1 },
      { value: record(2), occurrence: 1 },
    ]);
  });

  it.each([
    ['a byte order mark and CRLF', (text: string): string => `\ufeff${text.replaceAll('\n', '\r\n')}`],
    [
      'other spellings of the header',
      (text: string): string =>
        text.replace('typename', '__typename').replace('userID', 'User ID').replace('eventTime', 'EVENT_TIME'),
    ],
    ['no line end at the end', (text: string): string => text.trimEnd()],
    ['empty lines', (text: string): string => text.replaceAll('\n', '\n\n')],
  ])('are read the same with %s', async (_name, change) => {
    await put('a.csv', change(header + row(1)));

    const records = await readAll('a.csv');

    expect(records).toEqual([{ value: record(1), occurrence: 1 }]);
  });

  it('are read with semicolons', async () => {
    await put('a.csv', 'eventTime;eventType;userID\n2026-11-20;CREATE_ROLE;u,1\n');

    const records = await readAll('a.csv');

    expect(records).toEqual([{ value: { eventTime: '2026-11-20', eventType: 'CREATE_ROLE', userID: 'u,1' }, occurrence: 1 }]);
  });

  it('keep line breaks inside quotes, missing cells out, and cells beyond the header aside', async () => {
    await put('a.csv', `${header}AuditEvent,SUCCESS\n${row(1, 'two\nlines').trimEnd()},more\n`);

    const records = await readAll('a.csv');

    expect(records).toEqual([
      { value: { typename: 'AuditEvent', actionResult: 'SUCCESS' }, occurrence: 1 },
      { value: { ...record(1, 'two\nlines'), _extra: ['more'] }, occurrence: 1 },
    ]);
  });

  it('keep every column, also when names repeat or are long', async () => {
    await put('a.csv', `x,x_3,x,${'y'.repeat(400)},${'y'.repeat(500)},${header}1,2,3,4,5,${row(1)}`);

    const [read] = await readAll('a.csv');

    expect(read?.value).toEqual({
      x: '1',
      x_3: '2',
      x_3_: '3',
      ['y'.repeat(300)]: '4',
      [`${'y'.repeat(300)}_5`]: '5',
      ...record(1),
    });
  });

  it('with more cells than any table has come as text', async () => {
    const wide = `${row(1).trim()},${'x,'.repeat(10_000)}\n`;
    await put('a.csv', header + wide + row(2));

    const records = await readAll('a.csv');

    expect(records).toEqual([
      { value: wide, occurrence: 1, unreadable: 'the row has 10007 cells, more than 10000' },
      { value: record(2), occurrence: 1 },
    ]);
  });

  it('come in chunks of a bounded size, however large they are', async () => {
    await put('a.csv', header + row(1, 'x'.repeat(3_000_000)).repeat(4));
    const { files } = await reader.list(signal);

    const sizes: number[] = [];
    for await (const chunk of reader.read(files[0]!, signal)) sizes.push(chunk.length);

    expect(sizes).toEqual([2, 2]);
  });

  it('under a line of too many columns are unreadable', async () => {
    await put('a.csv', `${header.trim()},${'x,'.repeat(150_000)}\n${row(1)}`);

    await expect(readAll('a.csv')).rejects.toMatchObject({
      code: 'PEN_FILE_UNREADABLE',
      message: 'its first line names 150007 columns, more than 10000',
    });
  });

  it('that are the same are numbered over the whole file', async () => {
    await put('a.csv', header + row(1) + row(2).repeat(1500) + row(1));

    const records = await readAll('a.csv');

    expect(records).toHaveLength(1502);
    expect([records[0]?.occurrence, records[1500]?.occurrence, records[1501]?.occurrence]).toEqual([1, 1500, 2]);
  });

  it('cut off inside a quote come as one unreadable record', async () => {
    await put('a.csv', `${header}${row(1)}AuditEvent,SUCCESS,u2,"{""a"":`);

    const records = await readAll('a.csv');

    expect(records).toEqual([
      { value: record(1), occurrence: 1 },
      { value: 'AuditEvent,SUCCESS,u2,"{""a"":', unreadable: 'a quoted field never ends: the file was cut off', occurrence: 1 },
    ]);
  });

  it('with quotes in odd places lose nothing after them', async () => {
    await put('a.csv', `${header}AuditEvent,SUC"CESS,u1,{"a":1},t,T\n${row(2)}`);

    const records = await readAll('a.csv');

    expect(records).toEqual([
      {
        value: {
          typename: 'AuditEvent',
          actionResult: 'SUC"CESS',
          userID: 'u1',
          event: '{"a":1}',
          eventTime: 't',
          eventType: 'T',
        },
        occurrence: 1,
      },
      { value: record(2), occurrence: 1 },
    ]);
  });

  it('above 8 MiB come as their beginning, and hide nothing that comes after them', async () => {
    await put('a.csv', `${header}AuditEvent,SUCCESS,u1,"${'x'.repeat(9_000_000)}",t,T\n${row(2)}`);

    const [bad, ...others] = await readAll('a.csv');

    expect([String(bad?.value).length, bad?.unreadable]).toEqual([65_536, 'the row is too large; this is its beginning']);
    expect(others).toEqual([{ value: record(2), occurrence: 1 }]);
  });
});

describe('files', () => {
  it('without the required columns are unreadable, with the fix', async () => {
    await put('a.csv', 'name,age\nx,1\n');

    await expect(readAll('a.csv')).rejects.toMatchObject({
      code: 'PEN_FILE_UNREADABLE',
      message: 'its first line names no column eventTime, eventType',
    });
  });

  it('that are no plain CSV files are skipped with the reason', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'penstock-outside-'));
    await writeFile(join(outside, 'secret.csv'), header + row(1));
    await symlink(join(outside, 'secret.csv'), join(folder, 'link.csv'));
    await mkdir(join(folder, 'sub.csv'));
    execFileSync('mkfifo', [join(folder, 'pipe.csv')]);
    await put('empty.csv', '');
    await put('notes.txt', 'x');
    await put('utf16.csv', Buffer.from(`\ufeff${header}`, 'utf16le'));
    await put('packed.csv', Buffer.from([0x1f, 0x8b, 8, 0]));
    await put('.hidden.csv', header);
    await put('good.csv', header);

    const { files, skipped } = await reader.list(signal);

    await rm(outside, { recursive: true });
    expect(files.map(({ path }) => path)).toEqual(['good.csv']);
    expect(Object.fromEntries(skipped.map(({ path, reason }) => [path, reason]))).toEqual({
      'empty.csv': 'it is empty',
      'link.csv': 'it is a link; links are not followed',
      'notes.txt': 'its name does not end in .csv',
      'packed.csv': 'it is compressed (gzip): unpack it',
      'pipe.csv': 'it is not a regular file',
      'sub.csv': 'it is a folder; only the folder itself is read',
      'utf16.csv':
        'it is UTF-16 text: save it as UTF-8 in the editor ("Encoding: UTF-8"), or convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW',
    });
  });

  it('come oldest first', async () => {
    await put('b.csv', header);
    await put('a.csv', header);
    await utimes(join(folder, 'b.csv'), 1, 1);

    const { files } = await reader.list(signal);

    expect(files.map(({ path }) => path)).toEqual(['b.csv', 'a.csv']);
  });

  it('are left out while they grow, and listed once they rest', async () => {
    const clock = systemSeams().clock;
    // The file grows between the two looks.
    const timer = (ms: number, done: () => void): Disposable => {
      // How long a call may take.
      if (ms >= 30_000) return clock.timer(ms, done);
      appendFileSync(join(folder, 'a.csv'), row(2));
      setImmediate(done);
      return { [Symbol.dispose]: () => undefined };
    };
    const growing = { ...clock, timer };
    await using opened = await openSource(
      'astra-csv',
      { directory: folder, org_id: 'org' },
      { seams: { ...systemSeams(), clock: growing } },
    );
    await writeFile(join(folder, 'a.csv'), header + row(1));

    const first = await (opened.reader as DirectoryReader).list(signal);
    const second = await reader.list(signal);

    expect([first.files, first.skipped]).toEqual([[], [{ path: 'a.csv', reason: 'it is still being written' }]]);
    expect(second.files).toHaveLength(1);
  });

  it.each([
    ['replaced', async (path: string) => (await rm(path), writeFile(path, header + row(9)))],
    ['appended to', (path: string) => appendFile(path, row(3))],
    ['cut', (path: string) => truncate(path, header.length)],
    ['deleted', (path: string) => rm(path)],
  ])('that are %s while they are read are unreadable', async (_name, change) => {
    await put('a.csv', header + row(1).repeat(3000));
    const [file] = (await reader.list(signal)).files;
    const read = async (): Promise<void> => {
      for await (const _chunk of reader.read(file ?? { path: '', size: 0, mtimeMs: 0 }, signal))
        await change(join(folder, 'a.csv')).catch(() => undefined);
    };

    await expect(read()).rejects.toMatchObject({ code: 'PEN_FILE_UNREADABLE' });
  });

  it('that lie elsewhere cannot be asked for', async () => {
    const read = async (): Promise<void> => {
      for await (const _chunk of reader.read({ path: '../x.csv', size: 1, mtimeMs: 1 }, signal)) expect.unreachable();
    };

    await expect(read()).rejects.toMatchObject({ code: 'PEN_FILE_UNREADABLE' });
  });

  it('are only read: names, times and content stay', async () => {
    await put('a.csv', header + row(1));
    const before = await stat(join(folder, 'a.csv'));

    await readAll('a.csv');

    const after = await stat(join(folder, 'a.csv'));
    expect([after.mtimeMs, after.size, await readdir(folder)]).toEqual([before.mtimeMs, before.size, ['a.csv']]);
  });

  it('hash to the same value until they change', async () => {
    await put('a.csv', 'abc');
    const listing = await reader.list(signal);
    const [file] = listing.files;

    const hash = await listing.hash(file ?? { path: '', size: 0, mtimeMs: 0 }, signal);

    expect(hash).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('in a folder that is not there are one clear error', async () => {
    await rm(folder, { recursive: true });

    await expect(reader.list(signal)).rejects.toMatchObject({
      code: 'PEN_FILE_UNREADABLE',
      message: `cannot list the folder "${folder}": ENOENT`,
    });
  });
});

describe('the counter of equal rows', () => {
  it('counts each key by itself, also after it has grown', () => {
    const occurrences = new Occurrences();

    for (let n = 0; n < 20_000; n += 1) occurrences.count(`key ${n % 5000}`);

    expect(Array.from({ length: 5000 }, (_, n) => occurrences.count(`key ${n}`)).every((count) => count === 5)).toBe(true);
  });

  it('refuses more different rows than it may hold', () => {
    const occurrences = new Occurrences(2);
    occurrences.count('a');
    occurrences.count('b');

    expect(() => occurrences.count('c')).toThrow(expect.objectContaining({ code: 'PEN_FILE_UNREADABLE' }) as Error);
  });
});

describe('the header line', () => {
  const spec = { columns: { userID: ['user'] }, required: [] };

  it.each(Object.entries(awkwardRuns))('with a name of %s is matched in linear time', (_name, run) => {
    expectLinear((length) => {
      const header = matchHeader([repeated(run, length), 'user'], spec);
      return [writingOf(repeated(run, length)), header.record(['a', 'b']), header.key(['a', 'b'])];
    });
  });

  it('with names that repeat is matched in linear time', () => {
    expectLinear((length) =>
      matchHeader(
        Array.from({ length: length / 100 }, () => 'user'),
        spec,
      ),
    );
  });
});
