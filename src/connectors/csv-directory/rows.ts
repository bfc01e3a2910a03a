import { Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import { PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Files } from '../../base/seams.ts';
import type { FileIdentity, RawRecord } from '../connector.ts';
import { type Columns, delimiterOf, type Header, matchHeader } from './header.ts';
import { Occurrences } from './occurrences.ts';
import { type OpenedFile, openListed } from './opened-file.ts';
import { Utf8Watch } from './utf8-watch.ts';

const chunkRows = 1000;
const largestRow = 8 * 1024 * 1024;

/** What reading a file needs. */
export interface RowSource extends Columns {
  readonly directory: string;
  readonly files: Files;
  readonly log: Log;
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
    yield* parseRows(source, file.path, opened, signal);
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

async function* parseRows(
  source: RowSource,
  path: string,
  opened: OpenedFile,
  signal: AbortSignal,
): AsyncGenerator<readonly RawRecord[]> {
  const [firstLine = ''] = (await opened.head(65_536)).toString('utf8').split(/\r?\n/);
  const skipped: SkippedRow[] = [];
  const parser = openParser(delimiterOf(firstLine), skipped);
  const encoding = new Utf8Watch();
  const bytes = Readable.from(encoding.pass(opened.bytes(signal)));
  bytes.on('error', (error) => parser.destroy(error));
  bytes.pipe(parser);
  const occurrences = new Occurrences();
  let header: Header | undefined;
  let headerCells: readonly string[] = [];
  let repeatedHeaders = 0;
  let chunk: RawRecord[] = [];
  try {
    for await (const { record: cells } of parser as AsyncIterable<{ record: string[] }>) {
      if (header === undefined) {
        header = matchHeader(cells, source);
        headerCells = cells;
        continue;
      }
      // Files that were put together carry the header of each.
      if (cells[0] === headerCells[0] && JSON.stringify(cells) === JSON.stringify(headerCells)) {
        repeatedHeaders += 1;
        continue;
      }
      chunk.push({ value: header.record(cells), occurrence: occurrences.count(header.key(cells)) });
      if (chunk.length < chunkRows) continue;
      yield chunk;
      chunk = [];
    }
  } finally {
    bytes.destroy();
    parser.destroy();
  }
  header ??= matchHeader([], source);
  tell(source.log, { path, repeatedHeaders, isUtf8: encoding.isSound });
  chunk.push(...skipped.map(unreadable));
  if (chunk.length > 0) yield chunk;
}

/** Says once per file what was odd in it. */
function tell(log: Log, { path, repeatedHeaders, isUtf8 }: { path: string; repeatedHeaders: number; isUtf8: boolean }): void {
  if (repeatedHeaders > 0)
    log.warn({ file: path, count: repeatedHeaders }, 'the header line comes again in the file; it was skipped');
  if (!isUtf8)
    log.warn(
      { file: path },
      'the file is not UTF-8: characters that cannot be read became U+FFFD; save it as UTF-8 and import it again',
    );
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
