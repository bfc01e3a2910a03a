// Replies that are a list by themselves: NDJSON, one record a line, and CSV with a header. A row that cannot be read is one unreadable record.
import { parse } from 'csv-parse/sync';
import { PenstockError } from '../../base/errors.ts';
import { mostValuesIn, TooManyValues } from '../../base/foreign.ts';
import { isObject } from '../../base/json.ts';
import type { Steps } from '../../base/slices.ts';
import { compileTime, type PathsSpec, parsePath } from '../../event/index.ts';
import type { HttpResponse } from '../../http/client.ts';
import { decodeReply, parseText } from '../../http/index.ts';
import { badRowAt } from '../csv-directory/bad-row.ts';
import { type Header, matchHeader, mostColumns, type Writing, writingOf } from '../csv-directory/header.ts';
import { csvOptions, isSameRow } from '../csv-directory/rows.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { customaryFailure } from './customary-failure.ts';
import type { Settle } from './doubled.ts';
import { bodySteps, mostRecords, type ParsedBody, parseBody, UnreadableRow } from './reply.ts';
import type { FindRecords } from './reply-records.ts';

type ReplySpec = NonNullable<HttpWindowSpec['reply']>;

/**
 * Compiles `read.reply`. `time` is where records keep their time: what lacks it may be no record. Rows beyond `most` and one are not read: whoever
 * sets it refuses a reply that has more. `find` saves building a reply at once.
 */
export function compileParse(
  { format = 'json', charset, columns = {} }: ReplySpec,
  time: PathsSpec,
  most = mostRecords,
  { find, settle }: { readonly find?: FindRecords | undefined; readonly settle?: Settle } = {},
): (response: HttpResponse) => Steps<ParsedBody> {
  if (format === 'json')
    return function* (response) {
      const found = charset === undefined && find !== undefined ? yield* find(response.body) : undefined;
      return found ?? (yield* bodySteps(response, charset, settle));
    };
  if (format === 'ndjson') return (response) => parseLines(response, charset, { time, most });
  return (response) => parseTable(response, charset, { columns, time, most });
}

/** A page that no list is: what a proxy or a login page sends, or an error as JSON. */
function foreignBody(response: HttpResponse, fault: string): ParsedBody {
  const parsed = parseBody(response);
  if ('value' in parsed && isObject(parsed.value)) return parsed;
  return 'fault' in parsed && parsed.isHtml ? parsed : { fault, isHtml: false };
}

/** Lines that are read in one step. */
const linesPerStep = 100;

function* parseLines(response: HttpResponse, charset: string | undefined, { time, most }: RowsSpec): Steps<ParsedBody> {
  const values: unknown[] = [];
  const marked: unknown[] = [];
  let [isMended, isRead, areWords] = [false, false, false];
  let [rest, start] = [decodeReply(response, charset), 0];
  // A record separator stands before each text of RFC 7464.
  if (rest.startsWith('\x1e')) rest = rest.replaceAll('\x1e', '');
  if (!rest.includes('\n')) rest = rest.replaceAll('\r', '\n');
  while (start < rest.length && values.length <= most) {
    if (values.length > mostValuesIn(rest.length)) return tooManyRows(values, rest);
    const end = rest.indexOf('\n', start);
    const line = rest.slice(start, end === -1 ? rest.length : end).trim();
    start = end === -1 ? rest.length : end + 1;
    if (line === '') continue;
    const parsed = parseLine(line);
    const isWhole = parsed !== undefined && !(parsed.value instanceof UnreadableRow);
    if (!isWhole && end === -1 && isOpen(line)) return { fault: 'a last line that was cut off', isHtml: false };
    isMended ||= parsed?.marked !== undefined;
    isRead ||= parsed !== undefined;
    areWords = parsed === undefined && !/^[{[]/.test(line);
    values.push(parsed === undefined ? new UnreadableRow(line, 'the line is not JSON') : parsed.value);
    marked.push(parsed?.marked ?? values.at(-1));
    if (values.length % linesPerStep === 0) yield;
  }
  if (values.length > 0 && !isRead) return foreignBody(response, 'a body without a line of JSON');
  // What a server says in place of the rest of its records.
  if (isRead && areWords) return { fault: 'words instead of a record in its last line', isHtml: false };
  const [only] = values;
  if (values.length === 1 && Array.isArray(only)) return { value: only };
  const failure = failureAtEnd(values, time);
  return failure === undefined ? { value: values, ...(isMended ? { marked } : {}) } : { value: failure };
}

/** One line; undefined when it is no JSON. A record with more values than memory should hold is a row that cannot be read. */
function parseLine(line: string): ReturnType<typeof parseText> {
  try {
    return parseText(line);
  } catch (error) {
    if (!(error instanceof TooManyValues)) throw error;
    return line.startsWith('{') ? { value: new UnreadableRow(line, error.message) } : undefined;
  }
}

function tooManyRows({ length }: readonly unknown[], text: string): ParsedBody {
  return { fault: `${length} rows and more in ${text.length} characters`, isHtml: false, isTooMuch: true };
}

/** Where an API that streams its records ends with what went wrong. */
function failureAtEnd(values: readonly unknown[], time: PathsSpec): unknown {
  const last = values.at(-1);
  if (!isObject(last) || compileTime(time)(last) !== undefined) return undefined;
  return customaryFailure(last, { holdsRecords: false, said: new Set(), records: [] }) === undefined ? undefined : last;
}

/** True for JSON in which a text, list or object is not closed. */
function isOpen(line: string): boolean {
  let [depth, isText] = [0, false];
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at];
    if (isText && character === '\\') at += 1;
    else if (character === '"') isText = !isText;
    else if (!isText && (character === '{' || character === '[')) depth += 1;
    else if (!isText && (character === '}' || character === ']')) depth -= 1;
  }
  return isText || depth > 0;
}

interface RowsSpec {
  readonly time: PathsSpec;
  readonly most: number;
}

interface TableSpec extends RowsSpec {
  readonly columns: Readonly<Record<string, readonly string[]>>;
}

function* parseTable(response: HttpResponse, charset: string | undefined, { columns, time, most }: TableSpec): Steps<ParsedBody> {
  const text = decodeReply(response, charset);
  if (text.trim() === '') return { value: undefined };
  const bytes = Buffer.from(text);
  const table: Table = { writing: writingOf(text.slice(0, 65_536)), rows: [], isRagged: false, isShort: false };
  let start = 0;
  const atOnce = Math.min(most, mostValuesIn(text.length));
  while (start < bytes.length && table.rows.length <= atOnce) {
    yield;
    const step = rowsPerStep(table.header?.cells.length);
    const stop = readRows(table, bytes.subarray(start), columns, Math.min(step, atOnce - table.rows.length));
    if (table.header === undefined || !namesTime(table.header.cells, columns, time))
      return foreignBody(response, `a table without a column ${[time].flat().join(' or ')}`);
    if (stop === undefined) break;
    if (stop.kind === 'more') {
      start += stop.at;
      continue;
    }
    const { record, length } = badRowAt(bytes.subarray(start + stop.at), stop.kind, table.writing, table.header.cells.length);
    // A quote that is open at the end of the body, and no row after it: the rest of the body did not come.
    if (length === undefined && stop.kind === 'unclosed') return { fault: 'a last row that was cut off', isHtml: false };
    table.rows.push(new UnreadableRow(String(record.value), record.unreadable ?? ''));
    start += stop.at + (length ?? bytes.length);
  }
  if (table.isShort && !table.isRagged && !/[\r\n]$/.test(text) && table.rows.length <= atOnce)
    return { fault: 'a last row that was cut off', isHtml: false };
  return table.rows.length > atOnce && atOnce < most ? tooManyRows(table.rows, text) : { value: table.rows };
}

/** Cells of a table that are read in one step. */
const cellsPerStep = 20_000;

const rowsPerStep = (columns = cellsPerStep): number => Math.max(1, Math.floor(cellsPerStep / columns));

interface Table {
  readonly writing: Writing;
  readonly rows: unknown[];
  /** True for the last row so far if it has fewer cells than the header, and for a table where one before it has. */
  isShort: boolean;
  isRagged: boolean;
  header?: { readonly cells: readonly string[]; readonly columns: Header };
}

interface Row {
  readonly record: string[];
  readonly raw: string;
  readonly info: { readonly bytes: number; readonly records: number };
}

/** Reads rows until one that the parser cannot read, or so many that others may follow: gives the first byte that was not read. */
function readRows(
  table: Table,
  bytes: Buffer,
  columns: TableSpec['columns'],
  most: number,
): { at: number; kind: 'unclosed' | 'too_large' | 'more' } | undefined {
  const errors: { readonly code?: string; readonly records?: number }[] = [];
  const options = csvOptions(table.writing, (error) => void errors.push(error));
  const rows = parse(bytes, { ...options, bom: table.header === undefined, to: most + 2 }) as unknown as Row[];
  let end = 0;
  for (const { record: cells, info, raw } of rows) {
    // What the parser says after a row that it could not read is not to be trusted.
    if (errors[0] !== undefined && info.records > Number(errors[0].records)) break;
    end = info.bytes;
    if (table.header === undefined) table.header = { cells, columns: headerOf(cells, columns) };
    else if (!isSameRow(cells, table.header.cells)) {
      table.rows.push(rowOf(table.header.columns, cells, raw));
      table.isRagged ||= table.isShort;
      table.isShort = cells.length < table.header.cells.length;
    }
  }
  // Headers that come again are no rows: behind so many lines there may be more.
  if (errors[0] === undefined) return rows.length < most + 2 ? undefined : { at: end, kind: 'more' };
  return { at: end, kind: errors[0].code === 'CSV_QUOTE_NOT_CLOSED' ? 'unclosed' : 'too_large' };
}

function headerOf(cells: readonly string[], columns: TableSpec['columns']): Header {
  try {
    return matchHeader(cells, { columns, required: [] });
  } catch (error) {
    if (error instanceof PenstockError)
      throw new PenstockError('PEN_SOURCE_BAD_REPLY', `the table cannot be read: ${error.message}`, { cause: error });
    throw error;
  }
}

function rowOf(header: Header, cells: readonly string[], raw: string): unknown {
  if (cells.length <= mostColumns) return header.record(cells);
  return new UnreadableRow(raw, `the row has ${cells.length} cells, more than ${mostColumns}`);
}

/** A table of events has a column for their time; a page of anything else has not. */
function namesTime(cells: readonly string[], columns: TableSpec['columns'], time: PathsSpec): boolean {
  const row = headerOf(cells, columns).record(cells);
  return [time].flat().some((path) => {
    const [name] = parsePath(path) ?? [];
    return typeof name === 'string' && Object.hasOwn(row, name);
  });
}
