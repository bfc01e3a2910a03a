// Leaving out what a receiver that is paid by the byte does not need.
import { isObject } from '../../base/json.ts';
import type { Event, Format } from '../event.ts';
import { classShapes, type Shape } from './shapes.ts';

/** What a sink may leave out of its events. */
export const droppable = ['optional', 'unmapped', 'observables'] as const;
export type Droppable = (typeof droppable)[number];

/** What of it a format contains. CEF and LEEF carry none of it, `raw` is the vendor's record. */
const droppableOf: Readonly<Record<Format, readonly Droppable[]>> = {
  ocsf: droppable,
  cim: droppable,
  ecs: ['unmapped'],
  cef: [],
  leef: [],
  raw: [],
};

/**
 * Optional attributes that stay: the id; the actor, and the profile that some classes have it from; the vendor's text, which is there because it was
 * asked for or because there is nothing else; and what has a word of its own.
 */
const stays: Readonly<Record<string, ReadonlySet<string>>> = {
  metadata: new Set(['uid', 'profiles']),
  event: new Set(['actor', 'raw_data', 'raw_data_size', 'unmapped', 'observables']),
};
const none: ReadonlySet<string> = new Set();
const other = 99;

/** Names of what OCSF has no number for: `activity_name` beside `activity_id: 99`. */
function namesOther(value: Record<string, unknown>, name: string): boolean {
  return value[`${name}_id`] === other || (name.endsWith('_name') && value[`${name.slice(0, -5)}_id`] === other);
}

function pruned(shape: Shape, value: unknown, kept = none): unknown {
  if (Array.isArray(value)) return value.map((item) => pruned(shape, item));
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  const keepsOne = shape.oneOf.some((name) => value[name] !== undefined && isKept(shape, name, value, kept));
  for (const name of Object.keys(value)) {
    if (!isKept(shape, name, value, kept) && (keepsOne || !shape.oneOf.includes(name))) continue;
    const inner = shape.attributes.get(name)?.shape;
    copy[name] = inner === undefined ? value[name] : pruned(inner, value[name], stays[inner.name]);
  }
  return copy;
}

function isKept({ attributes }: Shape, name: string, value: Record<string, unknown>, kept: ReadonlySet<string>): boolean {
  return attributes.get(name)?.requirement !== 'optional' || kept.has(name) || namesOther(value, name);
}

/** Takes what is to be left out of an event; the event itself stays as it is. The same event always becomes the same. */
export type Drop = (event: Event) => Event;

/** Compiles what a sink leaves out; undefined when that is nothing. */
export function compileDrop(words: readonly Droppable[]): Drop | undefined {
  if (words.length === 0) return undefined;
  const names = words.filter((word) => word !== 'optional');
  const isPruned = words.includes('optional');
  return (event) => {
    const shape = isPruned ? classShapes.get(event.class_uid) : undefined;
    const copy: Event = shape === undefined ? { ...event } : (pruned(shape, event, stays['event']) as Event);
    for (const name of names) delete (copy as Record<string, unknown>)[name];
    return copy;
  };
}

/** What a format does not contain cannot be left out of it: which word of `drop` is wrong, and why. */
export function dropFaults(drop: readonly Droppable[], format: Format): readonly { index: number; what: string; fix: string }[] {
  const possible = droppableOf[format];
  const others = possible.length === 0 ? '' : `; it has ${possible.join(', ')}`;
  return drop.flatMap((word, index) => {
    if (possible.includes(word)) return [];
    return [{ index, what: `format ${format} has no "${word}" to drop${others}`, fix: 'remove it, or set format: ocsf or cim' }];
  });
}
