import { Readable } from 'node:stream';
import { type CsvError, type Options, parse } from 'csv-parse';
import { PenstockError } from '../../base/errors.ts';
import { saveAs } from '../../base/file-text.ts';
import type { Log } from '../../base/log.ts';
import type { FileIdentity, RawRecord } from '../connector.ts';
import { type BadRowKind, badRowAt } from './bad-row.ts';
import { type Columns, type Header, matchHeader, mostColumns, type Writing, writingOf } from './header.ts';
import { Occurrences } from './occurrences.ts';
import { type OpenedFile, openListed, Utf8Watch } from './opened-file.ts';
import type { FolderFiles } from './patient-files.ts';

const chunkRows = 1000;
/** A chunk ends early after so many characters: rows may have 8 MiB each. */
const chunkLength = 4 * 1024 * 1024;
const largestRow = 8 * 1024 * 1024;
/** Beyond the largest row, to see the line after it. */
const lookAhead = 65_536;
const mostBadRows = 1000;

/** What reading a file needs. */
interface RowSource extends Columns {
  readonly directory: string;
  readonly files: FolderFiles;
  readonly log: Log;
}

/**
 * Reads a file row by row in chunks. A row that never ends or is larger than 8 MiB comes as one unreadable record.
 *
 * Throws PEN_FILE_UNREADABLE when the file is not a table of this kind, holds too many such rows, or changes while it is read.
 */
export async function* readRows(
  source: RowSource,
  file: FileIdentity,
  signal: AbortSignal,
): AsyncGenerator<readonly RawRecord[]> {
  signal.throwIfAborted();
  await using opened = await openListed(source.directory, file, source.files);
  try {
    yield* parseRows(source, file, opened, signal);
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

/** What a reading of a file knows. */
interface Scan {
  readonly source: RowSource;
  readonly opened: OpenedFile;
  readonly writing: Writing;
  readonly encoding: Utf8Watch;
  readonly occurrences: Occurrences;
  header?: Header;
  headerCells: readonly string[];
  repeatedHeaders: number;
}

async function* parseRows(
  source: RowSource,
  file: FileIdentity,
  opened: OpenedFile,
  signal: AbortSignal,
): AsyncGenerator<readonly RawRecord[]> {
  const [encoding, occurrences] = [new Utf8Watch(), new Occurrences()];
  const scan: Scan = {
    source,
    opened,
    writing: writingOf((await opened.head(65_536)).toString('utf8')),
    encoding,
    occurrences,
    headerCells: [],
    repeatedHeaders: 0,
  };
  let start = 0;
  for (let bad = 0; start < file.size; bad += 1) {
    if (bad > mostBadRows) throw tooManyBadRows();
    const stop = yield* parseFrom(scan, start, signal);
    if (stop === undefined) break;
    const bytes = await opened.at(stop.at, Math.min(file.size - stop.at, largestRow + lookAhead));
    const { record, length } = badRowAt(bytes, stop.kind, scan.writing, scan.headerCells.length);
    yield [{ ...record, occurrence: occurrences.count(String(record.value)) }];
    const after = stop.at + (length ?? bytes.length);
    start = length === undefined ? await opened.lineAfter(after, scan.writing.lineEnd, signal) : after;
  }
  scan.header ??= matchHeader([], source);
  tell(source.log, { path: file.path, repeatedHeaders: scan.repeatedHeaders, oddAt: encoding.oddAt });
}

/** A row that the parser stopped at, by its first byte. */
interface Stop {
  readonly at: number;
  readonly kind: BadRowKind;
}

/** Reads rows from a byte on; gives where it had to stop, or undefined at the end of the file. */
async function* parseFrom(
  scan: Scan,
  start: number,
  signal: AbortSignal,
): AsyncGenerator<readonly RawRecord[], Stop | undefined> {
  const errors: CsvError[] = [];
  const parser = parse(csvOptions(scan.writing, (error) => void errors.push(error)));
  const bytes = Readable.from(scan.encoding.pass(scan.opened.bytes(signal, start), start));
  bytes.on('error', (error) => parser.destroy(error));
  bytes.pipe(parser);
  let end = start;
  let chunk: RawRecord[] = [];
  let length = 0;
  try {
    for await (const { record: cells, info, raw } of parser as AsyncIterable<Row>) {
      // What the parser says after a row that it could not read is not to be trusted.
      if (errors[0] !== undefined && info.records > Number(errors[0]['records'])) break;
      end = start + info.bytes;
      const record = recordOf(scan, cells, raw);
      length += raw.length;
      if (record !== undefined) chunk.push(record);
      if (chunk.length < chunkRows && length < chunkLength) continue;
      yield chunk;
      chunk = [];
      length = 0;
    }
  } finally {
    bytes.destroy();
    parser.destroy();
  }
  if (chunk.length > 0) yield chunk;
  return errors[0] === undefined
    ? undefined
    : { at: end, kind: errors[0].code === 'CSV_QUOTE_NOT_CLOSED' ? 'unclosed' : 'too_large' };
}

function rowOf(header: Header, cells: readonly string[], raw: string, occurrences: Occurrences): RawRecord {
  const occurrence = occurrences.count(header.key(cells));
  if (cells.length <= mostColumns) return { value: header.record(cells), occurrence };
  return { value: raw, occurrence, unreadable: `the row has ${cells.length} cells, more than ${mostColumns}` };
}

interface Row {
  readonly record: string[];
  readonly raw: string;
  readonly info: { readonly bytes: number; readonly records: number };
}

/** The record of a row; undefined for a header line. */
function recordOf(scan: Scan, cells: string[], raw: string): RawRecord | undefined {
  const { header, headerCells } = scan;
  if (header === undefined) {
    scan.header = matchHeader(cells, scan.source);
    scan.headerCells = cells;
    return undefined;
  }
  if (isSameRow(cells, headerCells)) {
    scan.repeatedHeaders += 1;
    return undefined;
  }
  return rowOf(header, cells, raw, scan.occurrences);
}

function tooManyBadRows(): PenstockError {
  return new PenstockError(
    'PEN_FILE_UNREADABLE',
    `more than ${mostBadRows} rows are larger than ${largestRow} bytes or never end`,
    {
      fix: 'correct the file, or download it again',
    },
  );
}

interface Odd {
  readonly path: string;
  readonly repeatedHeaders: number;
  /** Where the first byte stands that is none of UTF-8. */
  readonly oddAt: number | undefined;
}

/** Says once per file what was odd in it. */
function tell(log: Log, { path, repeatedHeaders, oddAt }: Odd): void {
  if (repeatedHeaders > 0)
    log.warn({ file: path, count: repeatedHeaders }, 'the header line comes again in the file; it was skipped');
  if (oddAt !== undefined)
    log.warn(
      { file: path, byte: oddAt + 1, fix: saveAs('WINDOWS-1252') },
      'the file is not UTF-8, it may be Windows-1252 or Latin-1: characters that cannot be read became U+FFFD; save it as UTF-8 and import it again',
    );
}

/** How tables are parsed, here and in replies; `skipped` is told of a row that cannot be read. */
export function csvOptions({ delimiter, lineEnd }: Writing, skipped: (error: CsvError) => void): Options {
  return {
    bom: true,
    delimiter,
    record_delimiter: lineEnd === '\r' ? ['\r\n', '\n', '\r'] : ['\r\n', '\n'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    info: true,
    raw: true,
    max_record_size: largestRow,
    on_skip: (error) => void (error !== undefined && skipped(error)),
  };
}

/** True for a header line that comes again, as where files were put together. */
export function isSameRow(cells: readonly string[], header: readonly string[]): boolean {
  return cells[0] === header[0] && JSON.stringify(cells) === JSON.stringify(header);
}
