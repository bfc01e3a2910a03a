// Lists that a reply has though it has none at the paths of its records: where a missing list is an empty page, they would be lost without a word.
import { isObject } from '../../base/json.ts';
import { compileActionName, compilePath } from '../../event/index.ts';
import type { RecordSpec } from '../connector-schema.ts';

/** True for what has the time, the action and the id of a record. */
export type IsRecord = (value: unknown) => boolean;

/** Compiles what records of the connector are known by; undefined where it has none. */
export function compileIsRecord({ time, id = [], each, action }: RecordSpec): IsRecord | undefined {
  if ([time].flat().length === 0) return undefined;
  const paths = [time, id].filter((one) => [one].flat().length > 0);
  const reads = [...paths.map((one) => compilePath(one)), each === undefined ? compileActionName(action) : compilePath(each)];
  return (value) => reads.every((read) => read(value) !== undefined);
}

/** A name without what APIs change about it: its case, and the marks between its words. */
export const foldedName = (name: string): string => name.toLowerCase().replaceAll(/[_\s-]/g, '');

/**
 * Compiles the search for a list, at the top or one level below it, whose path is one of these but for its case, or which begins with a record.
 * Gives its path.
 */
export function listsElsewhere(
  paths: readonly string[],
  isRecord: IsRecord = () => false,
): (reply: unknown) => string | undefined {
  const known = new Set(paths.map((path) => path.replace(/^\$\./, '')));
  const folded = new Set([...known].map(foldedName));
  const search = (members: Record<string, unknown>, prefix: string): string | undefined => {
    for (const [name, value] of Object.entries(members)) {
      const path = `${prefix}${name}`;
      if (known.has(path)) continue;
      if (Array.isArray(value) && (folded.has(foldedName(path)) || isRecord(value[0]))) return path;
      const below = prefix === '' && isObject(value) ? search(value, `${path}.`) : undefined;
      if (below !== undefined) return below;
    }
    return undefined;
  };
  return (reply) => (isObject(reply) ? search(reply, '') : undefined);
}
