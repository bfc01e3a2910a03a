// What OCSF 1.8.0 says of the eight classes that events are mapped to, read from classes.yaml and objects.yaml beside this file.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, isCollection, isScalar, parse, visit } from 'yaml';

/** The attributes of a class or an object. A type is a scalar (`scalars.ts`), `enum NUMBERS`, an object's name, or one of these with `[]`. */
export interface Shape {
  readonly attributes: Readonly<Record<string, string>>;
  readonly required: readonly string[];
  readonly deprecated: readonly string[];
  /** One of these has to be there; empty where OCSF asks for none. */
  readonly atLeastOne: readonly string[];
}

export interface EventClass extends Shape {
  readonly uid: number;
  readonly name: string;
  readonly category: { readonly uid: number; readonly name: string };
  /** Number -> name; 99 is "other", whose name is free. */
  readonly activities: Readonly<Record<string, string>>;
  /** A profile that `metadata.profiles` has to name where an event has one of these attributes. */
  readonly profile?: { readonly name: string; readonly attributes: readonly string[] };
}

export interface Facts {
  /** Attribute -> number -> name, for `severity_id` and `status_id`; the names belong into `severity` and `status`. */
  readonly captions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly classes: readonly EventClass[];
  readonly objects: Readonly<Record<string, Shape>>;
}

/** A shape as it is written: `required`, `deprecated`, `at_least_one`, and for every type the attributes that have it. */
type Written = Readonly<Record<string, string>>;
type WrittenClass = Omit<EventClass, keyof Shape> & { readonly attributes: Written };

const words = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(' '));

function shapeOf({ required, deprecated, at_least_one: atLeastOne, ...types }: Written): Shape {
  const attributes = Object.entries(types).flatMap(([type, names]) => words(names).map((name) => [name, type] as const));
  return {
    attributes: Object.fromEntries(attributes),
    required: words(required),
    deprecated: words(deprecated),
    atLeastOne: words(atLeastOne),
  };
}

function written(shape: Shape): Written {
  const lists = { required: shape.required, deprecated: shape.deprecated, at_least_one: shape.atLeastOne };
  const types: Record<string, string[]> = {};
  for (const [name, type] of Object.entries(shape.attributes)) {
    types[type] ??= [];
    types[type].push(name);
  }
  return Object.fromEntries(
    [...Object.entries(lists), ...Object.entries(types)]
      .map(([key, names]) => [key, names.join(' ')])
      .filter(([, names]) => names !== ''),
  );
}

const common = (classes: readonly EventClass[]): Shape => {
  const [first, ...others] = classes;
  const everywhere = (name: string, type: string) => others.every(({ attributes }) => attributes[name] === type);
  const attributes = Object.entries(first?.attributes ?? {}).filter(([name, type]) => everywhere(name, type));
  const required = (first?.required ?? []).filter((name) => others.every((other) => other.required.includes(name)));
  return { attributes: Object.fromEntries(attributes), required, deprecated: [], atLeastOne: [] };
};

/** YAML with the small maps (numbers and names) on one line. */
function yaml(value: unknown): string {
  const document = new Document(value);
  const small = ['severity_id', 'status_id', 'category', 'activities', 'profile'];
  visit(document, {
    Pair(_, { key, value: node }) {
      if (isScalar(key) && small.includes(String(key.value)) && isCollection(node)) node.flow = true;
      if (isScalar(key) && /^\d+$/.test(String(key.value))) key.value = Number(key.value);
    },
  });
  return document.toString({ lineWidth: 130 });
}

/** The facts as the two files: what all classes share is written once. */
export function print({ captions, classes, objects }: Facts): { readonly classes: string; readonly objects: string } {
  const shared = common(classes);
  const own = classes.map(({ attributes, required, deprecated, atLeastOne, ...head }) => {
    const names = Object.entries(attributes).filter(([name]) => !(name in shared.attributes));
    const rest = {
      attributes: Object.fromEntries(names),
      required: required.filter((name) => !shared.required.includes(name)),
      deprecated,
      atLeastOne,
    };
    return { ...head, attributes: written(rest) };
  });
  return {
    classes: yaml({ captions, every_class: written(shared), classes: own }),
    objects: yaml(Object.fromEntries(Object.entries(objects).map(([name, shape]) => [name, written(shape)]))),
  };
}

function read(file: string): unknown {
  return parse(readFileSync(join(import.meta.dirname, file), 'utf8'));
}

export function loadFacts(): Facts {
  const file = read('classes.yaml') as { captions: Facts['captions']; every_class: Written; classes: readonly WrittenClass[] };
  const shared = shapeOf(file.every_class);
  const classes = file.classes.map(({ attributes, ...head }) => {
    const own = shapeOf(attributes);
    return {
      ...head,
      attributes: { ...shared.attributes, ...own.attributes },
      required: [...shared.required, ...own.required],
      deprecated: own.deprecated,
      atLeastOne: own.atLeastOne,
    };
  });
  const objects = Object.entries(read('objects.yaml') as Record<string, Written>).map(
    ([name, shape]) => [name, shapeOf(shape)] as const,
  );
  return { captions: file.captions, classes, objects: Object.fromEntries(objects) };
}
