// Finds the end of a row that the parser cannot read, so that the rows after it are read.
import type { RawRecord } from '../connector.ts';
import type { Writing } from './header.ts';

const shown = 65_536;

/** Why a row cannot be read. */
export type BadRowKind = 'unclosed' | 'too_large';

interface BadRow {
  readonly record: RawRecord;
  /** Bytes from its beginning to the row after it; absent when its end is not in sight. */
  readonly length: number | undefined;
}

const reasons: Readonly<Record<BadRowKind, string>> = {
  unclosed: 'a quoted field never ends: the file was cut off',
  too_large: 'the row is too large; this is its beginning',
};

/** The bad row at the beginning of these bytes: it ends before the first line that has as many fields as the header. */
export function badRowAt(bytes: Buffer, kind: BadRowKind, { delimiter, lineEnd }: Writing, fields: number): BadRow {
  let start = bytes.indexOf(lineEnd) + 1;
  while (start > 0 && start < bytes.length) {
    const end = bytes.indexOf(lineEnd, start);
    const line = bytes.toString('utf8', start, end === -1 ? bytes.length : end);
    if (fieldsIn(line, delimiter) === fields) return { record: recordOf(bytes.subarray(0, start), kind), length: start };
    start = end + 1;
  }
  return { record: recordOf(bytes, kind), length: undefined };
}

function recordOf(bytes: Buffer, kind: BadRowKind): RawRecord {
  const text = bytes.toString('utf8', 0, shown);
  return { value: bytes.length > shown ? text : text.replace(/[\r\n]+$/, ''), unreadable: reasons[kind] };
}

/** Fields of a line that is a row by itself; -1 when a quote stays open in it. */
function fieldsIn(line: string, delimiter: string): number {
  let fields = 1;
  let isQuoted = false;
  for (const character of line) {
    if (character === '"') isQuoted = !isQuoted;
    else if (character === delimiter && !isQuoted) fields += 1;
  }
  return isQuoted ? -1 : fields;
}
