// Reading attributes out of a record while keeping account of what was carried, so that the rest can go to `unmapped`.
import { isIP } from 'node:net';
import { isObject, isRawNumber, setOwn } from '../base/json.ts';
import { compilePath, compileSteps, type Getter, parsePath, type Step } from './path.ts';

/** One attribute's way into the record. */
export interface Read<T> {
  /** The first candidate that converts; remembers which one for {@link claim}. */
  get(record: unknown): T | undefined;
  /** Marks what the last `get` found as carried by the event. */
  claim(): void;
  /** `get`, then `claim`. */
  take(record: unknown): T | undefined;
}

interface Node {
  /** Place of this path among the marks; -1 when nothing reads it as a whole. */
  slot: number;
  readonly children: Map<string, Node>;
}

const emptyNode = (): Node => ({ slot: -1, children: new Map() });

/** All paths that a mapper reads. Built once; `marks` belong to the record that is being mapped, so a mapper is not re-entrant. */
export interface Paths {
  read<T>(candidates: string | readonly string[] | undefined, convert: (value: unknown) => T | undefined): Read<T>;
  /** Forgets what the previous record carried. */
  begin(): void;
  /** What nothing has claimed, original names and nesting; undefined when there is nothing. */
  rest(record: Record<string, unknown>): Record<string, unknown> | undefined;
}

const absent: Read<never> = { get: () => undefined, claim: () => undefined, take: () => undefined };

interface Candidate {
  readonly get: Getter;
  readonly slot: number;
}

function compileRead<T>(
  candidates: readonly Candidate[],
  convert: (value: unknown) => T | undefined,
  marks: () => Uint8Array,
): Read<T> {
  let found = -1;
  const get = (record: unknown): T | undefined => {
    for (const candidate of candidates) {
      const value = candidate.get(record);
      if (value === undefined || value === null || value === '') continue;
      const converted = convert(value);
      if (converted === undefined) continue;
      found = candidate.slot;
      return converted;
    }
    found = -1;
    return undefined;
  };
  const claim = (): void => {
    if (found >= 0) marks()[found] = 1;
  };
  return {
    get,
    claim,
    take(record) {
      const value = get(record);
      if (value !== undefined) claim();
      return value;
    },
  };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function restOf(object: Record<string, unknown>, node: Node, marks: Uint8Array): Record<string, unknown> | undefined {
  let rest: Record<string, unknown> | undefined;
  for (const key of Object.keys(object)) {
    let value = object[key];
    const child = node.children.get(key);
    if (child !== undefined) {
      if (child.slot >= 0 && marks[child.slot] === 1) continue;
      if (child.children.size > 0 && isObject(value)) value = restOf(value, child, marks);
    }
    if (isEmpty(value)) continue;
    rest ??= {};
    setOwn(rest, key, value);
  }
  return rest;
}

function stepsOf(path: string): readonly Step[] {
  const steps = parsePath(path);
  if (steps === undefined) throw new SyntaxError(`"${path}" is not a path such as actor.ip or target[0].id`);
  return steps;
}

const nameOf = (steps: readonly Step[]): string =>
  steps.map((step) => (typeof step === 'object' ? JSON.stringify(step) : String(step))).join('\n');

/**
 * Opens the account of paths. `keep` paths and everything below them stay in the rest whatever is claimed; so does what lies in an array.
 * Throws a SyntaxError for a text that is no path.
 */
export function openPaths(keep: readonly string[]): Paths {
  const root = emptyNode();
  const slots = new Map<string, number>();
  let marks = new Uint8Array(0);
  const kept = keep.map((path) => nameOf(stepsOf(path)));

  const open = (path: string): Candidate => {
    const steps = stepsOf(path);
    const get = compileSteps(steps);
    const keys = steps.filter((step) => typeof step === 'string');
    const name = nameOf(steps);
    const isKept = kept.some((one) => name === one || name.startsWith(`${one}\n`));
    if (isKept || keys.length === 0 || keys.length < steps.length) return { get, slot: -1 };
    const slot = slots.get(name) ?? slots.size;
    slots.set(name, slot);
    marks = new Uint8Array(slots.size);
    let node = root;
    for (const key of keys) {
      const next = node.children.get(key) ?? emptyNode();
      node.children.set(key, next);
      node = next;
    }
    node.slot = slot;
    return { get, slot };
  };

  return {
    read(candidates, convert) {
      if (candidates === undefined) return absent;
      const list = typeof candidates === 'string' ? [candidates] : candidates;
      return compileRead(list.map(open), convert, () => marks);
    },
    begin: () => void marks.fill(0),
    rest: (record) => restOf(record, root, marks),
  };
}

// OCSF's own pattern of an e-mail address: what it refuses would make the event invalid.
const email = /^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$/;
/** The longest address that OCSF allows. */
const longestIp = 40;

/** A scalar as text: text that is not blank, and numbers and booleans as JSON writes them. Undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.charCodeAt(0) > 32 || value.trim() !== '' ? value : undefined;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return isRawNumber(value) ? value.rawJSON : undefined;
}

const placeholders = new Set(['unknown', 'null', 'n/a', 'none', '-', '.']);

/** As {@link textOf}, without what vendors write for "not known". */
export function knownText(value: unknown): string | undefined {
  const text = textOf(value);
  return text !== undefined && text.length <= 8 && placeholders.has(text.trim().toLowerCase()) ? undefined : text;
}

/** A finite number, also told as text. Undefined for anything else. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  const text = typeof value === 'boolean' ? undefined : textOf(value)?.trim();
  return text !== undefined && /^[+-]?\d+(?:\.\d+)?$/.test(text) && text.length <= 40 ? Number(text) : undefined;
}

/** A text or a list of texts as a list; undefined when there is none. */
export function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) {
    const text = textOf(value);
    return text === undefined ? undefined : [text];
  }
  const texts = value.map(textOf);
  // A list with anything but texts stays where it is: part of it would be lost here.
  return texts.length > 0 && texts.every((text) => text !== undefined) ? texts : undefined;
}

/** True when OCSF takes the text as an e-mail address. */
export function isEmail(text: string): boolean {
  return text.length <= 320 && email.test(text);
}

/** The address without blanks around it; undefined when the text is no IPv4 or IPv6 address. */
export function ipOf(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed.length <= longestIp && isIP(trimmed) !== 0 ? trimmed : undefined;
}

/** Compiles a list of paths of which the first that holds a scalar is taken, as text; see {@link textOf}. Throws as {@link compilePath} does. */
export function compileText(paths: string | readonly string[]): (record: unknown) => string | undefined {
  const getters = (typeof paths === 'string' ? [paths] : paths).map((path) => compilePath(path));
  return (record) => {
    for (const getter of getters) {
      const text = textOf(getter(record));
      if (text !== undefined) return text;
    }
    return undefined;
  };
}
