// What is odd in a file of rows is said once, in the log, and costs no row.
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { DirectoryReader } from '../../src/connectors/connector.ts';
import { Utf8Watch } from '../../src/connectors/csv-directory/opened-file.ts';
import { fewOrAll } from '../thorough.ts';
import { openSource } from './open-source.ts';

const signal = new AbortController().signal;
const header = 'typename,actionResult,userID,event,eventTime,eventType\n';
const row = (user: string): string => `AuditEvent,SUCCESS,${user},{},2026-11-20T10:15:30.123Z,CREATE_ROLE\n`;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-csv-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The users in a file, and what was logged. */
async function read(content: string | Buffer): Promise<{
  readonly users: unknown[];
  readonly said: unknown[];
  readonly unreadable: unknown[];
  readonly records: Record<string, unknown>[];
}> {
  const said: unknown[] = [];
  const log = { ...silentLog(), warn: (facts: unknown, text: string) => void said.push([facts, text]) } as unknown as Log;
  const { reader } = await openSource('astra-csv', { directory: folder, org_id: 'org' }, { log });
  const past = new Date('2026-11-21T08:00:00Z');
  await writeFile(join(folder, 'a.csv'), content);
  await utimes(join(folder, 'a.csv'), past, past);
  const { files } = await (reader as DirectoryReader).list(signal);
  const records: Record<string, unknown>[] = [];
  const unreadable: unknown[] = [];
  for (const file of files)
    for await (const chunk of (reader as DirectoryReader).read(file, signal)) {
      records.push(...chunk.map(({ value }) => value as Record<string, unknown>));
      unreadable.push(...chunk.flatMap((record) => record.unreadable ?? []));
    }
  return { users: records.map((record) => record['userID']), said, unreadable, records };
}

it('keeps a column of any name as what it is', async () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length'];
  const { records } = await read(`${header.trim()},${names.join(',')}\n${row('u1').trim()},1,2,3,4,5\n`);

  expect(records.map((record) => Object.entries(record).slice(-5))).toEqual([
    names.map((name, index) => [name, String(index + 1)]),
  ]);
  expect(records.map((record) => Object.getPrototypeOf(record) as unknown)).toEqual([Object.prototype]);
});

it('skips a header line that comes again, and says how often', async () => {
  const { users, said } = await read(header + row('u1') + header + header + row('u2'));

  expect(users).toEqual(['u1', 'u2']);
  expect(said).toEqual([[{ file: 'a.csv', count: 2 }, 'the header line comes again in the file; it was skipped']]);
});

it('keeps a row that only begins like the header', async () => {
  const { users, said } = await read(`${header}typename,SUCCESS,u1,{},2026-11-20T10:15:30.123Z,CREATE_ROLE\n`);

  expect([users, said]).toEqual([['u1'], []]);
});

it('reads rows that a carriage return alone ends, around one that cannot be read', async () => {
  const bad = 'AuditEvent,SUCCESS,bad,"{never closed,2026-11-20T10:15:30.123Z,CREATE_ROLE\n';
  const { users, unreadable } = await read(`${header}${row('u1')}${bad}${row('u2')}${row('u3')}`.replaceAll('\n', '\r'));

  expect(users.filter((user) => user !== undefined)).toEqual(['u1', 'u2', 'u3']);
  expect(unreadable).toEqual(['a quoted field never ends: the file was cut off']);
});

it('says once per file that it is not UTF-8, and reads its rows', async () => {
  const { users, said } = await read(Buffer.from(header + row('josé') + row('zoë'), 'latin1'));

  expect(users).toEqual(['jos\ufffd', 'zo\ufffd']);
  expect(said).toEqual([
    [
      {
        file: 'a.csv',
        byte: `${header}AuditEvent,SUCCESS,jos`.length + 1,
        fix: 'save it as UTF-8 in the editor ("Encoding: UTF-8"), or convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW',
      },
      'the file is not UTF-8, it may be Windows-1252 or Latin-1: characters that cannot be read became U+FFFD; save it as UTF-8 and import it again',
    ],
  ]);
});

it('reads a file in which somebody wrote a zero byte below the header', async () => {
  const { users } = await read(header + row('u\0') + row('u2'));

  expect(users).toEqual(['u\0', 'u2']);
});

it('says nothing of a file in UTF-8, whatever its characters', async () => {
  const { users, said } = await read(`\ufeff${header}${row('josé')}${row('登录')}${row('🙂')}`);

  expect([users, said]).toEqual([['josé', '登录', '🙂'], []]);
});

it.each([
  [Buffer.from('aé登🙂b'), undefined],
  [Buffer.from('aé登🙂'), undefined],
  [Buffer.from('é'), undefined],
  [Buffer.concat([Buffer.from('aé登'), Buffer.from('é', 'latin1'), Buffer.from('🙂b')]), 106],
  [Buffer.from([0x61, 0xe7, 0x99]), 101],
])('sees where %s stops being UTF-8 wherever the pieces are cut', async (bytes, oddAt) => {
  for (let size = 1; size <= bytes.length; size += 1) {
    const watch = new Utf8Watch();
    const passed: Buffer[] = [];
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
    }
    for await (const piece of watch.pass(pieces(), 100)) passed.push(piece);

    expect([watch.oddAt, Buffer.concat(passed).equals(bytes)]).toEqual([oddAt, true]);
  }
});

it('sees a character that was cut off at the end of a file', async () => {
  const { said } = await read(Buffer.concat([Buffer.from(header + row('u1')), Buffer.from([0xe7, 0x99])]));

  expect(said).toHaveLength(1);
});

const open = 'AuditEvent,SUCCESS,bad,"{never closed,2026-11-20T10:15:30.123Z,CREATE_ROLE\n';

describe('a bad row', () => {
  const large = `AuditEvent,SUCCESS,bad,${'x'.repeat(9_000_000)},2026-11-20T10:15:30.123Z,CREATE_ROLE\n`;
  const quoted = `AuditEvent,SUCCESS,bad,"${'x\n'.repeat(4_500_000)}",2026-11-20T10:15:30.123Z,CREATE_ROLE\n`;

  it.each([
    ['first', ['', 'u1', 'u2']],
    ['between', ['u1', '', 'u2']],
    ['last', ['u1', 'u2', '']],
  ])('whose quote is not closed is one unreadable record, the rows around it are read: %s', async (_place, order) => {
    const { users, unreadable } = await read(header + order.map((user) => (user === '' ? open : row(user))).join(''));

    expect(users.filter((user) => user !== undefined)).toEqual(['u1', 'u2']);
    expect(unreadable).toEqual(['a quoted field never ends: the file was cut off']);
  });

  it.each(
    fewOrAll(1, [
      ['one line', large],
      ['many lines', quoted],
    ]),
  )('above 8 MiB is one unreadable record, the rows around it are read: %s', async (_name, bad) => {
    const { users, unreadable } = await read(header + row('u1') + bad + row('u2'));

    expect(users[0]).toBe('u1');
    expect(users.at(-1)).toBe('u2');
    expect(unreadable[0]).toBe('the row is too large; this is its beginning');
  });

  it('is one record, although the field that was cut off has many lines', async () => {
    const { users, unreadable } = await read(`${header}${row('u1')}AuditEvent,SUCCESS,u2,"{\n  a\n  b\n`);

    expect([users, unreadable.length]).toEqual([['u1', undefined], 1]);
  });
});
