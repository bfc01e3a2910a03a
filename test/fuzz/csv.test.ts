import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import type { DirectoryReader, RawRecord } from '../../src/connectors/connector.ts';
import { openSource } from '../connectors/open-source.ts';
import { fuzzAsync } from './fuzz.ts';
import { anyBytes, anyText, mutated } from './texts.ts';

const signal = new AbortController().signal;
const names = ['typename', 'actionResult', 'userID', 'event', 'eventTime', 'eventType'];
const past = new Date('2026-11-21T08:00:00Z');

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-fuzz-csv-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a file of these bytes holds. */
async function read(bytes: Buffer | string): Promise<RawRecord[]> {
  await using source = await openSource('astra-csv', { directory: folder, org_id: 'org' });
  const reader = source.reader as DirectoryReader;
  await writeFile(join(folder, 'a.csv'), bytes);
  await utimes(join(folder, 'a.csv'), past, past);
  const { files } = await reader.list(signal);
  const records: RawRecord[] = [];
  for (const file of files) for await (const chunk of reader.read(file, signal)) records.push(...chunk);
  return records;
}

const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
const plainCell = fc.stringMatching(/^[A-Za-z0-9 {}:._-]{1,20}$/).filter((cell) => cell.trim() === cell);

it('cells come out as they were written, quoted or plain, whatever stands between them', async () => {
  const cell = fc.oneof(
    plainCell.map((text) => ({ text, written: text })),
    anyText.map((text) => ({ text: text.toWellFormed(), written: quoted(text) })),
  );
  const rows = fc.array(fc.array(cell, { minLength: names.length, maxLength: names.length }), { minLength: 1, maxLength: 5 });
  await fuzzAsync(
    fc.tuple(rows, fc.constantFrom(',', ';', '\t'), fc.constantFrom('\n', '\r\n'), fc.boolean(), fc.boolean()),
    async ([cells, delimiter, end, hasBom, endsWell]) => {
      const lines = [names, ...cells.map((row) => row.map(({ written }) => written))].map((row) => row.join(delimiter));

      const records = await read(`${hasBom ? '\ufeff' : ''}${lines.join(end)}${endsWell ? end : ''}`);

      const wanted = cells.map((row) => Object.fromEntries(row.map(({ text }, index) => [names[index] ?? '', text])));
      expect(records.map(({ value }) => value)).toEqual(wanted);
    },
    { weight: 40 },
  );
});

it('any file gives rows, or one reason why it gives none', async () => {
  const lines = fc.array(fc.array(anyText, { maxLength: 8 }), { maxLength: 4 });
  const table = lines.map((rows) => [names, ...rows].map((row) => row.join(',')).join('\n'));
  const files = fc.oneof(
    anyBytes,
    mutated(table).map((text) => Buffer.from(text)),
    fc.tuple(table, anyBytes).map(([text, bytes]) => Buffer.concat([Buffer.from(text), bytes])),
  );
  await fuzzAsync(
    files,
    async (bytes) => {
      try {
        const records = await read(bytes);

        expect(records.filter(({ value, unreadable }) => unreadable === undefined && typeof value !== 'object')).toEqual([]);
        expect(records.length).toBeLessThanOrEqual(bytes.toString('utf8').split('\n').length);
      } catch (error) {
        if (!(error instanceof PenstockError)) throw error;
        expect(error.code).toBe('PEN_FILE_UNREADABLE');
      }
    },
    { weight: 40 },
  );
});
