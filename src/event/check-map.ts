import type { TableFault } from './action-table.ts';
import type { MapSpec } from './map-spec.ts';
import { parsePath } from './path.ts';

function pathsIn(value: unknown, at: readonly (string | number)[]): [string, readonly (string | number)[]][] {
  if (typeof value === 'string') return [[value, at]];
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsIn(item, [...at, index]));
  if (typeof value === 'object' && value !== null && 'from' in value) return pathsIn(value.from, [...at, 'from']);
  return [];
}

/** What is wrong with a `map:` section that its schema accepts: texts that are no paths. */
export function checkMap(map: MapSpec): TableFault[] {
  return Object.entries(map)
    .flatMap(([attribute, value]) => pathsIn(value, [attribute]))
    .filter(([path]) => parsePath(path) === undefined)
    .map(([path, at]) => ({
      path: at,
      what: `"${path}" is not a path`,
      fix: 'write a path such as actor.ip, target[0].id or target[type=User].id',
    }));
}
