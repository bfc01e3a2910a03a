import { isObject } from '../base/json.ts';

/** Reads one value out of a record; undefined when it is not there. Never throws. */
export type Getter = (record: unknown) => unknown;

/** One step of a path: a key, an index, or the first element whose own key has a value. */
export type Step = string | number | { readonly key: string; readonly value: string };

const stepPattern = /\.?([^.[\]]+)|\[(-?\d+)\]|\["([^"]*)"\]|\['([^']*)'\]|\[([^=\]"']+)=([^\]]*)\]/y;

function stepOf([, key, index, quoted, single, selectKey, selectValue]: RegExpExecArray): Step {
  if (index !== undefined) return Number(index);
  if (selectKey !== undefined) return { key: selectKey.trim(), value: (selectValue ?? '').trim() };
  return key ?? quoted ?? single ?? '';
}

/**
 * Cuts a path into steps: `actor.ip`, `target[0].id`, `data[-1].id` (the last), `target[type=User].id`, `meta["dotted.key"]`; `$` is the record itself and may stand
 * in front. Undefined when the text is no path.
 */
export function parsePath(path: string): readonly Step[] | undefined {
  if (path === '$') return [];
  const text = path.startsWith('$.') ? path.slice(2) : path.replace(/^\$(?=\[)/, '');
  if (text === '' || text.startsWith('.') || text.endsWith('.')) return undefined;
  const steps: Step[] = [];
  stepPattern.lastIndex = 0;
  while (stepPattern.lastIndex < text.length) {
    const match = stepPattern.exec(text);
    if (match === null) return undefined;
    steps.push(stepOf(match));
  }
  return steps;
}

function keyGetter(key: string): Getter {
  // Names that every object inherits are looked up among the own properties; for all others plain access is the same and faster.
  if (key in Object.prototype) return (value) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined);
  return (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>)[key] : undefined;
}

function stepGetter(step: Step): Getter {
  if (typeof step === 'string') return keyGetter(step);
  if (typeof step === 'number') return (value) => (Array.isArray(value) ? (value as unknown[]).at(step) : undefined);
  const read = keyGetter(step.key);
  return (value) => (Array.isArray(value) ? (value as unknown[]).find((item) => read(item) === step.value) : undefined);
}

/** Compiles steps into one closure. */
export function compileSteps(steps: readonly Step[]): Getter {
  const getters = steps.map(stepGetter);
  const [first, second] = getters;
  if (first === undefined) return (record) => record;
  if (second === undefined) return first;
  if (getters.length === 2) return (record) => second(first(record));
  return (record) => {
    let value = record;
    for (const getter of getters) value = getter(value);
    return value;
  };
}

/** True for what counts as not told: undefined, null and empty text. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** Compiles whether one of the paths leads to a member, whatever its value: null and empty text too. Throws as {@link compilePath} does. */
export function compileHas(paths: string | readonly string[]): (record: unknown) => boolean {
  const getters = gettersOf(paths);
  return (record) => getters.some((getter) => getter(record) !== undefined);
}

/**
 * Compiles one path or several candidates; the getter gives the first value that is there (not null, not empty text). Own properties
 * only, so `__proto__` and `constructor` are data. Throws a SyntaxError for a text that is no path; see {@link parsePath}.
 */
export function compilePath(paths: string | readonly string[]): Getter {
  const getters = gettersOf(paths);
  return (record) => {
    for (const getter of getters) {
      const value = getter(record);
      if (!isAbsent(value)) return value;
    }
    return undefined;
  };
}

function gettersOf(paths: string | readonly string[]): readonly Getter[] {
  return [paths].flat().map((path) => {
    const steps = parsePath(path);
    if (steps === undefined) throw new SyntaxError(`"${path}" is not a path such as actor.ip or target[0].id`);
    return compileSteps(steps);
  });
}
