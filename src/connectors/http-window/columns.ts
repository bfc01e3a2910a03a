// Records that are lists of values, as of SQL APIs: their names stand elsewhere in the reply, or in the connector.

import { PenstockError } from '../../base/errors.ts';
import { isRawNumber, setOwn } from '../../base/json.ts';
import { counted } from '../../base/quantity.ts';
import { boundDepth, compilePath } from '../../event/index.ts';
import type { ColumnsSpec } from '../request-section.ts';
import { UnreadableRow } from './reply.ts';

/** Gives lists of values their names. */
interface Naming {
  /** The names that a reply tells; undefined where it tells none. */
  names(reply: unknown): readonly string[] | undefined;
  /** The rows with these names. Throws PEN_SOURCE_BAD_REPLY where no row has as many values as there are names. */
  name(rows: readonly unknown[], names: readonly string[]): readonly unknown[];
}

/** Compiles `read.columns`. Throws a SyntaxError for a wrong path. */
export function compileColumns(spec: ColumnsSpec): Naming {
  if (Array.isArray(spec)) return { names: () => spec, name: nameAll };
  const { at, name: nameAt, row, value } = spec;
  const [listOf, nameOf] = [compilePath(at), nameAt === undefined ? String : compilePath(nameAt)];
  const valuesOf = row === undefined ? undefined : compilePath(row);
  const valueOf = value === undefined ? undefined : compilePath(value);
  const plain = (one: unknown): unknown => {
    const values = valuesOf === undefined ? one : valuesOf(one);
    return Array.isArray(values) && valueOf !== undefined ? values.map(valueOf) : values;
  };
  return {
    names(reply) {
      const list = listOf(reply);
      return Array.isArray(list) && list.length > 0 ? distinct(list.map((one) => textOf(nameOf(one)))) : undefined;
    },
    name: (rows, names) => nameAll(rows.map(plain), names),
  };
}

const textOf = (name: unknown): string => (typeof name === 'string' ? name : '');

/** A second column of a name gets a number: a value that another one hid would be lost. */
function distinct(names: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  return names.map((name) => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count === 1 ? name : `${name}_${count}`;
  });
}

/** A list of ids: each is a row of one value. */
const isBare = (row: unknown): boolean => typeof row === 'string' || typeof row === 'number' || isRawNumber(row);

function nameAll(rows: readonly unknown[], names: readonly string[]): readonly unknown[] {
  const isFitting = (row: unknown): boolean => !Array.isArray(row) || row.length === names.length;
  const [first] = rows;
  if (rows.length > 0 && !rows.some(isFitting)) {
    const count = Array.isArray(first) ? first.length : 0;
    throw new PenstockError(
      'PEN_SOURCE_BAD_REPLY',
      `the rows of the reply have ${counted(count, 'value')}, but ${counted(names.length, 'name')}`,
      {
        fix: 'read.columns of the connector must name each value, in the order in which the vendor sends them',
      },
    );
  }
  return rows.map((row) => {
    if (names.length === 1 && isBare(row)) return nameAll([[row]], names)[0];
    if (!Array.isArray(row)) return row;
    if (row.length !== names.length)
      return new UnreadableRow(
        JSON.stringify(boundDepth(row)),
        `the row has ${counted(row.length, 'value')}, but ${counted(names.length, 'name')}`,
      );
    const record: Record<string, unknown> = {};
    for (const [index, name] of names.entries()) setOwn(record, name, (row as unknown[])[index]);
    return record;
  });
}
