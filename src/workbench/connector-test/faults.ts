import { isObject } from '../../base/json.ts';
import type { Mapped } from '../../event/event.ts';
import { isKnownClass } from '../../event/index.ts';
import { validateEvent } from '../../event/ocsf/validate.ts';

const mostLines = 12;
const absent = Symbol('absent');

function show(value: unknown): string {
  if (value === absent) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}

function* differencesIn(path: string, expected: unknown, got: unknown): Generator<string> {
  if (isObject(expected) && isObject(got)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      const at = path === '' ? key : `${path}.${key}`;
      const member = (object: Record<string, unknown>): unknown => (Object.hasOwn(object, key) ? object[key] : absent);
      yield* differencesIn(at, member(expected), member(got));
    }
  } else if (Array.isArray(expected) && Array.isArray(got)) {
    for (let index = 0; index < Math.max(expected.length, got.length); index += 1) {
      const item = (list: readonly unknown[]): unknown => (index < list.length ? list[index] : absent);
      yield* differencesIn(`${path}[${index}]`, item(expected as unknown[]), item(got as unknown[]));
    }
  } else if (expected === absent || got === absent || JSON.stringify(expected) !== JSON.stringify(got)) {
    yield `${path}: expected ${show(expected)}, got ${show(got)}`;
  }
}

/** Where two JSON values differ, one line for each place: `user.name: expected "dana", got nothing`. Cut after a dozen. */
export function differences(expected: unknown, got: unknown): readonly string[] {
  const lines = [...differencesIn('', expected, got)];
  return lines.length <= mostLines ? lines : [...lines.slice(0, mostLines), `and ${lines.length - mostLines} more differences`];
}

/** What is wrong with an event: a mapping that broke, and what OCSF does not allow in a class that we know. */
export function eventFaults({ event, failed }: Pick<Mapped, 'event' | 'failed'>): readonly string[] {
  if (failed !== undefined) return [`it could not be mapped: ${failed}`];
  return isKnownClass(event.class_uid) ? validateEvent(event).map((fault) => `not valid by OCSF: ${fault}`) : [];
}
