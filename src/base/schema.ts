// JSON Schema, as far as ours go, looked up while a value is checked. A configuration is checked once, and compiling its schemas, as ajv does, takes
// longer than all else of a start: docs/performance-notes.md says what else was tried. A test compares every answer with ajv's.
import { isDeepStrictEqual } from 'node:util';
import { PenstockError } from './errors.ts';
import { canonicalJson, isObject } from './json.ts';
import { durationPattern, sizePattern } from './quantity.ts';

/** What is wrong with one place of a value: ajv's shape, words and order. */
export interface SchemaError {
  readonly keyword: string;
  /** JSON pointer into the value. */
  readonly instancePath: string;
  /** JSON pointer into the schema, after `#`. */
  readonly schemaPath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message: string;
  readonly data: unknown;
  readonly parentSchema: Schema;
}

/** True for a value of the schema, whose defaults are then filled in; else `errors` has every fault of the last call. */
export interface Validate<T = unknown> {
  (value: unknown): value is T;
  errors: readonly SchemaError[];
}

type Schema = Readonly<Record<string, unknown>>;
type Fault = Pick<SchemaError, 'keyword' | 'params' | 'message'>;

/** Where a check is, from the inside out; as texts only where something is wrong. */
interface Place {
  readonly outer?: Place;
  /** The step in the value; none into a branch of a union. */
  readonly key?: string | number;
  /** The steps in the schema. */
  readonly schemaKeys: readonly (string | number)[];
  /** In a branch of a union no default is filled in. */
  readonly isBranch: boolean;
  readonly errors: SchemaError[];
}

const durationForm = new RegExp(durationPattern);
const sizeForm = new RegExp(sizePattern);

/** `path` marks a file or folder, which `config` makes absolute against the configuration's folder. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  duration: (text) => durationForm.test(text),
  size: (text) => sizeForm.test(text),
  // `host:443` would be a URI whose scheme is `host`.
  uri: (text) => text.includes('://') && URL.canParse(text),
  'date-time': (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
  path: () => true,
};

/** Checks by a JSON Schema. A keyword that is not known, and a pattern or format that cannot be used, are PEN_INTERNAL. */
export function compileSchema<T>(schema: unknown): Validate<T> {
  const validate = (value: unknown): value is T => {
    const errors: SchemaError[] = [];
    check(schema, value, { schemaKeys: [], isBranch: false, errors });
    result.errors = errors;
    return errors.length === 0;
  };
  const result: Validate<T> = Object.assign(validate, { errors: [] });
  return result;
}

const groups = ['any', 'number', 'string', 'array', 'object'] as const;
type Group = (typeof groups)[number];
type Keyword = (limit: never, value: never, schema: Schema, place: Place) => Fault | undefined;

/** What one schema asks for, by the kind of value it asks it of. */
interface Plan {
  readonly types: readonly string[];
  readonly steps: readonly (readonly [Group, readonly (readonly [Keyword, limit: unknown])[]])[];
  /** The group with whose keywords the only type is looked at, as ajv does. */
  readonly kind: Group | undefined;
  readonly defaults: readonly (readonly [key: string, value: unknown])[];
}

// Thousands of sources are checked by one schema.
const plans = new WeakMap<Schema, Plan>();

function planOf(schema: Schema): Plan {
  const unknown = Object.keys(schema).find((word) => !words.has(word));
  if (unknown !== undefined) throw doesNotCompile(`unknown keyword "${unknown}"`);
  const types = [schema['type']].flat().filter((type) => type !== undefined) as string[];
  const steps = groups.map((group) => [group, keywordsIn(schema, group)] as const).filter(([, found]) => found.length > 0);
  const kind = types.length === 1 ? steps.find(([group]) => group === types[0])?.[0] : undefined;
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const defaults = properties.flatMap(([key, inner]) =>
    inner['default'] === undefined ? [] : [[key, inner['default']] as const],
  );
  plans.set(schema, { types, steps, kind, defaults });
  return { types, steps, kind, defaults };
}

function keywordsIn(schema: Schema, group: Group): (readonly [Keyword, unknown])[] {
  const known = Object.entries(keywords[group]).filter(([keyword]) => schema[keyword] !== undefined);
  return known.map(([keyword, faultOf]) => [faultOf, schema[keyword]]);
}

function check(schema: unknown, value: unknown, place: Place): void {
  if (!isObject(schema)) return;
  const { types, steps, kind, defaults } = plans.get(schema) ?? planOf(schema);
  if (kind === undefined) tell(wrongType(schema, types, value), schema, value, place);
  for (const [group, asked] of steps) {
    if (!isOfType(value, group)) {
      if (group === kind) tell(wrongType(schema, types, value), schema, value, place);
      continue;
    }
    if (group === 'object' && !place.isBranch) fillIn(defaults, value as Record<string, unknown>);
    for (const [faultOf, limit] of asked) tell(faultOf(limit as never, value as never, schema, place), schema, value, place);
  }
}

function tell(fault: Fault | undefined, schema: Schema, value: unknown, place: Place): void {
  if (fault === undefined) return;
  const places: Place[] = [];
  for (let at: Place | undefined = place; at !== undefined; at = at.outer) places.unshift(at);
  const steps = places.flatMap(({ key }) => (key === undefined ? [] : [`/${stepOf(String(key))}`]));
  const schemaSteps = places.flatMap(({ schemaKeys }) => schemaKeys.map((key) => encodeURIComponent(stepOf(String(key)))));
  place.errors.push({
    ...fault,
    instancePath: steps.join(''),
    schemaPath: ['#', ...schemaSteps, fault.keyword].join('/'),
    data: value,
    parentSchema: schema,
  });
}

function wrongType(schema: Schema, types: readonly string[], value: unknown): Fault | undefined {
  if (types.length === 0 || types.some((type) => isOfType(value, type))) return undefined;
  return { keyword: 'type', params: { type: schema['type'] }, message: `must be ${types.join(',')}` };
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'any') return true;
  if (type === 'object') return isObject(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isInteger(value);
  return type === 'number' ? Number.isFinite(value) : typeof value === type;
}

function fillIn(defaults: Plan['defaults'], value: Record<string, unknown>): void {
  for (const [key, given] of defaults)
    if (own(value, key) === undefined) value[key] = typeof given === 'object' ? structuredClone(given) : given;
}

const own = (value: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(value, key) ? value[key] : undefined;

const stepOf = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
const inside = (outer: Place, key: string | number, ...schemaKeys: readonly (string | number)[]): Place => {
  const { isBranch, errors } = outer;
  return { outer, key, schemaKeys, isBranch, errors };
};

const limit = (keyword: string, comparison: string, limit: number): Fault => ({
  keyword,
  params: { comparison, limit },
  message: `must be ${comparison} ${limit}`,
});
const count = (keyword: string, limit: number, of: string): Fault => ({
  keyword,
  params: { limit },
  message: `must NOT have ${keyword.startsWith('max') ? 'more' : 'fewer'} than ${limit} ${of}`,
});
const simple = (keyword: string, params: SchemaError['params'], message: string): Fault => ({ keyword, params, message });

type Map = Readonly<Record<string, unknown>>;
type Keywords = Readonly<Record<Group, Readonly<Record<string, Keyword>>>>;

/** By the kind of value that they speak of, in the order in which ajv looks at them. */
const keywords: Keywords = {
  number: {
    maximum: (most: number, value: number) => (value > most ? limit('maximum', '<=', most) : undefined),
    minimum: (least: number, value: number) => (value < least ? limit('minimum', '>=', least) : undefined),
  },
  string: {
    maxLength: (most: number, text: string) =>
      Array.from(text).length > most ? count('maxLength', most, 'characters') : undefined,
    minLength: (least: number, text: string) =>
      Array.from(text).length < least ? count('minLength', least, 'characters') : undefined,
    pattern: (pattern: string, text: string) =>
      patternOf(pattern).test(text) ? undefined : simple('pattern', { pattern }, `must match pattern "${pattern}"`),
    format: (format: string, text: string) =>
      formatOf(format)(text) ? undefined : simple('format', { format }, `must match format "${format}"`),
  },
  any: {
    const: (allowedValue: unknown, value: unknown) =>
      isDeepStrictEqual(allowedValue, value) ? undefined : simple('const', { allowedValue }, 'must be equal to constant'),
    enum: (allowedValues: readonly unknown[], value: unknown) =>
      allowedValues.some((allowed) => isDeepStrictEqual(allowed, value))
        ? undefined
        : simple('enum', { allowedValues }, 'must be equal to one of the allowed values'),
    anyOf: checkUnion,
  },
  array: {
    maxItems: (most: number, list: readonly unknown[]) => (list.length > most ? count('maxItems', most, 'items') : undefined),
    minItems: (least: number, list: readonly unknown[]) => (list.length < least ? count('minItems', least, 'items') : undefined),
    items: (items: unknown, list: readonly unknown[], _schema: Schema, place: Place) => {
      for (const [index, item] of list.entries()) check(items, item, inside(place, index, 'items'));
      return undefined;
    },
    uniqueItems: (isUnique: boolean, list: readonly unknown[]) => (isUnique ? repeatedIn(list) : undefined),
  },
  object: {
    maxProperties: (most: number, value: Map) =>
      Object.keys(value).length > most ? count('maxProperties', most, 'properties') : undefined,
    minProperties: (least: number, value: Map) =>
      Object.keys(value).length < least ? count('minProperties', least, 'properties') : undefined,
    required: checkRequired,
    additionalProperties: checkAdditional,
    properties: (properties: Map, value: Map, _schema: Schema, place: Place) => {
      for (const [key, schema] of Object.entries(properties))
        if (own(value, key) !== undefined) check(schema, value[key], inside(place, key, 'properties', key));
      return undefined;
    },
    patternProperties: (patterns: Map, value: Map, _schema: Schema, place: Place) => {
      for (const [pattern, schema] of Object.entries(patterns))
        for (const key of Object.keys(value).filter((name) => patternOf(pattern).test(name)))
          check(schema, value[key], inside(place, key, 'patternProperties', pattern));
      return undefined;
    },
  },
};

const asked = groups.flatMap((group) => Object.keys(keywords[group]));
const words = new Set(['$schema title type default description secret identity'.split(' '), asked].flat());

function checkUnion(branches: readonly unknown[], value: unknown, _schema: Schema, outer: Place): Fault | undefined {
  const errors: SchemaError[] = [];
  for (const [index, branch] of branches.entries()) {
    const before = errors.length;
    check(branch, value, { outer, schemaKeys: ['anyOf', index], isBranch: true, errors });
    if (errors.length === before) return undefined;
  }
  outer.errors.push(...errors);
  return simple('anyOf', {}, 'must match a schema in anyOf');
}

function checkRequired(names: readonly string[], value: Map, schema: Schema, place: Place): undefined {
  for (const missingProperty of names) {
    if (own(value, missingProperty) !== undefined) continue;
    tell(simple('required', { missingProperty }, `must have required property '${missingProperty}'`), schema, value, place);
  }
}

function checkAdditional(allowed: unknown, value: Map, schema: Schema, place: Place): undefined {
  const patterns = Object.keys((schema['patternProperties'] ?? {}) as Map).map(patternOf);
  const properties = (schema['properties'] ?? {}) as Map;
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key) || patterns.some((pattern) => pattern.test(key))) continue;
    if (allowed !== false) check(allowed, value[key], inside(place, key, 'additionalProperties'));
    else
      tell(
        simple('additionalProperties', { additionalProperty: key }, 'must NOT have additional properties'),
        schema,
        value,
        place,
      );
  }
}

/** The last item that comes again. */
function repeatedIn(list: readonly unknown[]): Fault | undefined {
  const behind = new globalThis.Map<unknown, number>();
  for (let i = list.length - 1; i >= 0; i -= 1) {
    const item = list[i];
    // A text and an object that is written like it differ in how they begin.
    const same =
      typeof item === 'object' && item !== null ? `{${canonicalJson(item)}` : typeof item === 'string' ? `"${item}` : item;
    const j = behind.get(same);
    if (j !== undefined)
      return simple('uniqueItems', { i, j }, `must NOT have duplicate items (items ## ${j} and ${i} are identical)`);
    behind.set(same, i);
  }
  return undefined;
}

const doesNotCompile = (why: string, cause?: unknown): PenstockError =>
  new PenstockError('PEN_INTERNAL', `the schema does not compile: ${why}`, { cause });
const patterns = new globalThis.Map<string, RegExp>();

function patternOf(pattern: string): RegExp {
  try {
    const made = patterns.get(pattern) ?? new RegExp(pattern, 'u');
    patterns.set(pattern, made);
    return made;
  } catch (error) {
    throw doesNotCompile((error as Error).message, error);
  }
}

function formatOf(format: string): (text: string) => boolean {
  const known = Object.hasOwn(formats, format) ? formats[format] : undefined;
  if (known === undefined) throw doesNotCompile(`unknown format "${format}"`);
  return known;
}
