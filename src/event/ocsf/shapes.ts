// The facts, compiled: what a class or an object may contain.
import { writtenClasses, writtenObjects } from './facts.ts';

type Requirement = 'required' | 'recommended' | 'optional';

/** An attribute of a class or an object. */
export interface Attribute {
  readonly name: string;
  readonly requirement: Requirement;
  readonly isDeprecated: boolean;
  readonly isList: boolean;
  /** `text` or one of the scalar types of the facts; `enum` with its numbers; `shape` with the object's. */
  readonly type: string;
  readonly numbers: ReadonlySet<number> | undefined;
  /** The numbers as they are written: `0-4,99`. */
  readonly written: string;
  readonly shape: Shape | undefined;
}

/** A class or an object. */
export interface Shape {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly required: readonly string[];
  /** One of these has to be there; empty where OCSF asks for none. */
  readonly oneOf: readonly string[];
}

/** An event class. */
export interface ClassShape extends Shape {
  readonly uid: number;
  readonly categoryUid: number;
  readonly categoryName: string;
}

const scalars = new Set(['int', 'num', 'bool', 'ip', 'email', 'json', 'object']);
const objects = new Map<string, Shape>();

function objectShape(name: string): Shape {
  const known = objects.get(name);
  const [attributes, oneOf] = writtenObjects[name] ?? [];
  if (known !== undefined) return known;
  if (attributes === undefined) throw new TypeError(`no object ${name} among the facts of OCSF`);
  const made = shapeOf(name, attributes, oneOf);
  objects.set(name, made);
  return made;
}

function numbersIn(written: string): Set<number> {
  const runs = written.split(',').map((run) => run.split('-').map(Number));
  return new Set(runs.flatMap(([from = 0, to = from]) => Array.from({ length: to - from + 1 }, (_, index) => from + index)));
}

function attributeOf(text: string): Attribute {
  const [, name = '', need, old, given = ''] = /^(\w+)([!+]?)(~?)(?::(.*))?$/.exec(text) ?? [];
  const isList = given.endsWith('[]');
  const type = isList ? given.slice(0, -2) : given;
  const isEnum = /^\d/.test(type);
  const isShape = !isEnum && type !== '' && !scalars.has(type);
  return {
    name,
    requirement: need === '!' ? 'required' : need === '+' ? 'recommended' : 'optional',
    isDeprecated: old === '~',
    isList,
    type: isEnum ? 'enum' : isShape ? 'shape' : type === '' ? 'text' : type,
    numbers: isEnum ? numbersIn(type) : undefined,
    written: type,
    shape: isShape ? objectShape(type) : undefined,
  };
}

function shapeOf(name: string, attributes: string, oneOf = ''): Shape {
  const list = attributes.split(' ').map(attributeOf);
  return {
    name,
    attributes: new Map(list.map((attribute) => [attribute.name, attribute])),
    required: list.filter(({ requirement }) => requirement === 'required').map((attribute) => attribute.name),
    oneOf: oneOf === '' ? [] : oneOf.split(' '),
  };
}

/** The classes that Penstock knows, by `class_uid`. */
export const classShapes: ReadonlyMap<number, ClassShape> = new Map(
  writtenClasses.map(({ uid, name, category: [categoryUid, categoryName], attributes, oneOf }) => [
    uid,
    { ...shapeOf(name, attributes, oneOf), uid, categoryUid, categoryName },
  ]),
);

/** Whether the facts of a class are here. */
export function isKnownClass(uid: number): boolean {
  return classShapes.has(uid);
}

/** The objects that the classes contain. */
export function objectShapes(): Iterable<Shape> {
  return objects.values();
}
