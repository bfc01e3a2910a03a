// Nearly every event is valid, and its members come in one of a few orders: a walk that remembers which member came after which finds that out, where
// compiling a schema of everything that could be wrong costs more than the first ten thousand events. What it does not recognise is only not known to be
// valid: `validate.ts` says what is wrong with it.
import { isIP } from 'node:net';
import { isObject } from '../../base/json.ts';
import { isEmail } from '../reads.ts';
import type { Attribute, ClassShape, Shape } from './shapes.ts';

type Check = (value: unknown) => boolean;

const longestIp = 40;
/** Places that are remembered, of all shapes together: a connector needs a few dozen. */
const mostPlaces = 5_000;

const scalars: Readonly<Record<string, Check>> = {
  text: (value) => typeof value === 'string',
  int: (value) => Number.isInteger(value),
  num: (value) => Number.isFinite(value),
  bool: (value) => typeof value === 'boolean',
  ip: (value) => typeof value === 'string' && value.length <= longestIp && isIP(value) !== 0,
  email: (value) => typeof value === 'string' && isEmail(value),
  json: (value) => value !== undefined,
  object: isObject,
};

function checkOne({ type, numbers, shape }: Attribute): Check {
  if (shape !== undefined) return (value) => isObject(value) && isOf(shape, value);
  if (numbers !== undefined) return (value) => typeof value === 'number' && numbers.has(value);
  return scalars[type] ?? (() => false);
}

function checkOf(attribute: Attribute): Check {
  const one = checkOne(attribute);
  return attribute.isList ? (value) => Array.isArray(value) && value.every((each) => one(each)) : one;
}

/** What members of a shape have to be. */
type Checks = ReadonlyMap<string, Check>;

/** `fixed` are the members that have one value only. */
function checksOf({ attributes }: Shape, fixed: Readonly<Record<string, unknown>>): Checks {
  const usable = [...attributes.values()].filter(({ isDeprecated }) => !isDeprecated);
  const isFixed = ({ name }: Attribute): boolean => Object.hasOwn(fixed, name);
  return new Map(
    usable.map((attribute) => [
      attribute.name,
      isFixed(attribute) ? (value) => value === fixed[attribute.name] : checkOf(attribute),
    ]),
  );
}

let places = 0;

/** Where a walk over an object's members stands: behind these, in this order. */
class Place {
  readonly #shape: Shape;
  readonly #checks: Checks;
  readonly #members: readonly string[];
  readonly #known = new Map<string, Place>();
  #lastName: string | undefined;
  #last: Place | undefined;
  /** For the member that was met last. */
  readonly check: Check | undefined;
  /** Everything that is required was met. */
  readonly isComplete: boolean;

  constructor(shape: Shape, checks: Checks, members: readonly string[] = []) {
    const { required, oneOf } = shape;
    this.#shape = shape;
    this.#checks = checks;
    this.#members = members;
    this.check = checks.get(members.at(-1) ?? '');
    this.isComplete =
      required.every((name) => members.includes(name)) && (oneOf.length === 0 || oneOf.some((name) => members.includes(name)));
    places += 1;
  }

  /** Where it stands one member further; undefined for a member that does not belong there. */
  after(name: string): Place | undefined {
    if (name === this.#lastName) return this.#last;
    this.#last = this.#known.get(name) ?? this.#learn(name);
    this.#lastName = name;
    return this.#last;
  }

  #learn(name: string): Place | undefined {
    if (!this.#checks.has(name) || places >= mostPlaces) return undefined;
    const place = new Place(this.#shape, this.#checks, [...this.#members, name]);
    this.#known.set(name, place);
    return place;
  }
}

const starts = new Map<Shape, Place>();

function startOf(shape: Shape): Place {
  const known = starts.get(shape);
  if (known !== undefined) return known;
  const made = new Place(shape, checksOf(shape, 'uid' in shape ? fixedOf(shape as ClassShape) : {}));
  starts.set(shape, made);
  return made;
}

function fixedOf({ uid, name, categoryUid, categoryName }: ClassShape): Readonly<Record<string, unknown>> {
  return { class_uid: uid, class_name: name, category_uid: categoryUid, category_name: categoryName };
}

/** True for an object that certainly has the members of the shape, and no others. */
export function isOf(shape: Shape, object: Readonly<Record<string, unknown>>): boolean {
  let place = startOf(shape);
  // An object of an event has no members but its own, and a list of them would be garbage.
  for (const name in object) {
    const next = place.after(name);
    if (next?.check?.(object[name]) !== true) return false;
    place = next;
  }
  return place.isComplete;
}
