// Where a reply keeps its records: one list, or several.
import { PenstockError } from '../../base/errors.ts';
import { shortened } from '../../base/foreign.ts';
import { isObject, setOwn } from '../../base/json.ts';
import { compilePath } from '../../event/index.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { type IsRecord, listsElsewhere } from './lists-elsewhere.ts';

type ListSpec = Pick<HttpWindowSpec, 'records' | 'records_missing' | 'records_into'> & {
  /** `one`: an object stands for a list of it. */
  readonly records_are?: HttpWindowSpec['records_are'] | 'one';
};

interface Found {
  readonly path: string;
  readonly list: readonly unknown[];
}

/** Compiles `read.records`. Throws PEN_SOURCE_BAD_REPLY for a reply without a list, or with more than may be taken. */
export function compileList(
  { records, records_are: form = 'list', records_missing: missing, records_into: into }: ListSpec,
  most: number,
  isRecord?: IsRecord,
): (reply: unknown) => readonly unknown[] {
  const candidates = typeof records === 'string' ? [records] : records;
  const getters = candidates.map((path) => [path, compilePath(path)] as const);
  const elsewhere = listsElsewhere(candidates, into === undefined ? isRecord : undefined);
  return (reply) => {
    const found = getters.flatMap(([path, read]): Found[] => {
      const list = listIn(read(reply), form);
      return list === undefined ? [] : [{ path, list }];
    });
    const lacking = getters.filter(([path, read]) => {
      const isLeftOut = missing === 'empty' && read(reply) === undefined;
      return into !== undefined && !isLeftOut && found.every((one) => one.path !== path);
    });
    if (lacking.length > 0)
      throw noList(
        reply,
        lacking.map(([path]) => path),
      );
    const left = missing === 'empty' && (found.length === 0 || into !== undefined) ? elsewhere(reply) : undefined;
    if (left !== undefined) throw noList(reply, candidates, left);
    if (found.length > 0) return withinCap(into === undefined ? theOne(found) : allOf(found, into), most);
    // A value of another kind at the path is never an empty list.
    if (missing === 'empty' && isObject(reply) && getters.every(([, read]) => read(reply) === undefined)) return [];
    throw noList(reply, candidates, elsewhere(reply));
  };
}

/** Of several lists the one that has records: those of another one would be lost. */
function theOne(found: readonly Found[]): readonly unknown[] {
  const [first, second] = found.filter(({ list }) => list.length > 0);
  if (first === undefined || second === undefined) return first?.list ?? [];
  throw new PenstockError('PEN_SOURCE_BAD_REPLY', `the reply has records at ${first.path} and at ${second.path}`, {
    fix: 'set read.records_into of the connector, so that both are read, or take the path that is not wanted out of read.records',
  });
}

/** The records of all lists; each tells where it stood. */
function allOf(found: readonly Found[], into: string): readonly unknown[] {
  return found.flatMap(({ path, list }) =>
    list.map((value) => {
      if (!isObject(value)) return value;
      const record = { ...value };
      setOwn(record, into, path);
      return record;
    }),
  );
}

/** An empty map is an empty list in what PHP writes. */
function listIn(value: unknown, form: ListSpec['records_are']): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (form === 'one' && isObject(value)) return [value];
  return form === 'map' && isObject(value) ? Object.values(value) : undefined;
}

function withinCap(found: readonly unknown[], most: number): readonly unknown[] {
  if (found.length <= most) return found;
  throw new PenstockError('PEN_WINDOW_TOO_LARGE', `the reply has ${found.length} records, more than ${most}`, {
    fix: 'set window.max of the source to less, or read.page.size of the connector',
  });
}

function noList(reply: unknown, candidates: readonly string[], elsewhere?: string): PenstockError {
  const what = isObject(reply) ? membersOf(reply) : Array.isArray(reply) ? 'a list' : typeof reply;
  return new PenstockError(
    'PEN_SOURCE_BAD_REPLY',
    `the reply has no list of records at ${candidates.join(' or ')}; it has ${what}`,
    {
      fix: `the API may have changed: add ${elsewhere === undefined ? 'the path' : `"${shortened(elsewhere, 'a name')}"`} to read.records of the connector`,
    },
  );
}

const mostNames = 8;

/** The names of what a reply has, of an object those in it: `d.results, d.count`. */
function membersOf(reply: Record<string, unknown>): string {
  const names = Object.entries(reply)
    .slice(0, mostNames)
    .flatMap(([name, value]) => {
      const inside = isObject(value) ? Object.keys(value).slice(0, mostNames) : [];
      return inside.length === 0 ? [name] : inside.map((one) => `${name}.${one}`);
    });
  const shown = names.slice(0, mostNames).map((name) => shortened(name, 'a name'));
  return shown.join(', ') || 'nothing';
}
