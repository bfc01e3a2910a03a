import { Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import { PenstockError } from '../../base/errors.ts';
import type { Files } from '../../base/seams.ts';
import type { FileIdentity, RawRecord } from '../connector.ts';
import { type Columns, delimiterOf, type Header, matchHeader, mostColumns } from './header.ts';
import { Occurrences } from './occurrences.ts';
import { type OpenedFile, openListed } from './opened-file.ts';

const chunkRows = 1000;
/** A chunk ends early after so many characters: rows may have 8 MiB each. */
const chunkLength = 4 * 1024 * 1024;
const largestRow = 8 * 1024 * 1024;

/** What reading a file needs. */
export interface RowSource extends Columns {
  readonly directory: string;
  readonly files: Files;
}

/**
 * Reads a file row by row in chunks. A row that never closes its last quote comes as one unreadable record.
 *
 * Throws PEN_FILE_UNREADABLE when the file is not a table of this kind, holds a row above 8 MiB, or changes while it is read.
 */
export async function* readRows(
  source: RowSource,
  file: FileIdentity,
  signal: AbortSignal,
): AsyncGenerator<readonly RawRecord[]> {
  signal.throwIfAborted();
  await using opened = await openListed(source.directory, file, source.files);
  try {
    yield* parseRows(source, opened, signal);
    await opened.verify();
  } catch (error) {
    if (!(error instanceof PenstockError) || error.where !== undefined) throw error;
    throw new PenstockError(error.code, error.message, {
      where: file.path,
      fix: error.fix,
      cause: error,
    });
  }
}

async function* parseRows(source: RowSource, opened: OpenedFile, signal: AbortSignal): AsyncGenerator<readonly RawRecord[]> {
  const [firstLine = ''] = (await opened.head(65_536)).toString('utf8').split(/\r?\n/);
  const skipped: SkippedRow[] = [];
  const parser = openParser(delimiterOf(firstLine), skipped);
  const bytes = Readable.from(opened.bytes(signal));
  bytes.on('error', (error) => parser.destroy(error));
  bytes.pipe(parser);
  const occurrences = new Occurrences();
  let header: Header | undefined;
  let chunk: RawRecord[] = [];
  let length = 0;
  try {
    for await (const { record: cells, raw } of parser as AsyncIterable<{ record: string[]; raw: string }>) {
      if (header === undefined) {
        header = matchHeader(cells, source);
        continue;
      }
      chunk.push(rowOf(header, cells, raw, occurrences));
      length += raw.length;
      if (chunk.length < chunkRows && length < chunkLength) continue;
      yield chunk;
      chunk = [];
      length = 0;
    }
  } finally {
    bytes.destroy();
    parser.destroy();
  }
  header ??= matchHeader([], source);
  chunk.push(...skipped.map(unreadable));
  if (chunk.length > 0) yield chunk;
}

function rowOf(header: Header, cells: readonly string[], raw: string, occurrences: Occurrences): RawRecord {
  const occurrence = occurrences.count(header.key(cells));
  if (cells.length <= mostColumns) return { value: header.record(cells), occurrence };
  return { value: raw, occurrence, unreadable: `the row has ${cells.length} cells, more than ${mostColumns}` };
}

interface SkippedRow {
  readonly error: CsvError | undefined;
  readonly raw: string;
}

function openParser(delimiter: string, skipped: SkippedRow[]): ReturnType<typeof parse> {
  return parse({
    bom: true,
    delimiter,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    raw: true,
    max_record_size: largestRow,
    on_skip: (error, raw) => void skipped.push({ error, raw: raw ?? '' }),
  });
}

function unreadable({ error, raw }: SkippedRow): RawRecord {
  // The parser says nothing more of a file after a row without an end, so what comes after it must not count as read.
  if (error?.code !== 'CSV_QUOTE_NOT_CLOSED') {
    throw new PenstockError(
      'PEN_FILE_UNREADABLE',
      `line ${Number(error?.['lines'] ?? 0)}: a row is larger than ${largestRow} bytes or cannot be read`,
      {
        fix: 'a quote is probably not closed there: correct the file, or download it again',
      },
    );
  }
  return { value: raw, unreadable: 'a quoted field never ends: the file was cut off' };
}
