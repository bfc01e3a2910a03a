import { PenstockError } from '../../base/errors.ts';
import { setOwn } from '../../base/json.ts';

/** Which column of a file is which field. */
export interface Header {
  /** Makes a record out of a row: fields by name; cells beyond the header under `_extra`. */
  record(cells: readonly string[]): Record<string, unknown>;
  /** The named columns of a row as one text; equal for rows that are the same. */
  key(cells: readonly string[]): string;
}

export interface Columns {
  /** The names that records carry, each with other spellings. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
  readonly required: readonly string[];
}

/** A table of an audit log has some dozens of columns; whoever sends thousands wants our memory. */
export const mostColumns = 10_000;
const longestName = 300;

function plain(name: string): string {
  return name.toLowerCase().replace(/[\s_\ufeff]+/g, '');
}

function namesOf(cells: readonly string[], known: (cell: string) => string | undefined): readonly string[] {
  const taken = new Set<string>();
  for (const [index, whole] of cells.entries()) {
    const cell = whole.slice(0, longestName);
    let name = known(cell) ?? cell.trim();
    // A second column of the same name must not hide the first.
    if (name === '' || taken.has(name)) name = `${name === '' ? 'column' : name}_${index + 1}`;
    while (taken.has(name)) name += '_';
    taken.add(name);
  }
  return [...taken];
}

/**
 * Matches a header line without case, blanks and underscores; columns that nobody named keep the name they came with, up to 300
 * characters of it. Throws PEN_FILE_UNREADABLE when a required column is missing or there are more than 10,000.
 */
export function matchHeader(cells: readonly string[], { columns, required }: Columns): Header {
  const spellings = new Map(
    Object.entries(columns).flatMap(([name, others]) => [name, ...others].map((text) => [plain(text), name] as const)),
  );
  if (cells.length > mostColumns) {
    const fix = 'a quote or a line break is probably missing: correct the file, or download it again';
    throw new PenstockError('PEN_FILE_UNREADABLE', `its first line names ${cells.length} columns, more than ${mostColumns}`, {
      fix,
    });
  }
  const names = namesOf(cells, (cell) => spellings.get(plain(cell)));
  const taken = new Set(names);
  const missing = required.filter((name) => !taken.has(name));
  if (missing.length > 0) {
    throw new PenstockError('PEN_FILE_UNREADABLE', `its first line names no column ${missing.join(', ')}`, {
      fix: `a file begins with a line of column names: ${Object.keys(columns).join(', ')}`,
    });
  }
  const keyed = names.flatMap((name, index) => (Object.hasOwn(columns, name) ? [index] : []));
  return {
    record(row) {
      const record: Record<string, unknown> = {};
      for (const [index, name] of names.entries()) if (index < row.length) setOwn(record, name, row[index]);
      if (row.length > names.length) record['_extra'] = row.slice(names.length);
      return record;
    },
    key: (row) => JSON.stringify(keyed.map((index) => row[index] ?? null)),
  };
}

/** How a table is written. */
export interface Writing {
  readonly delimiter: string;
  /** What ends a row, where CR LF does not: a line feed, or the carriage return alone that some spreadsheets write. */
  readonly lineEnd: '\n' | '\r';
}

/** How a table is written that begins so: its first line ends it, and has most of one of comma, semicolon and tab. */
export function writingOf(head: string): Writing {
  const [line = ''] = head.split(/\r\n|\r|\n/, 1);
  const count = (delimiter: string): number => line.split(delimiter).length;
  const delimiter = [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best));
  return { delimiter, lineEnd: /^\r(?!\n|$)/.test(head.slice(line.length)) ? '\r' : '\n' };
}
