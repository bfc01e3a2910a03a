// What is taken for a valid event without asking the schema is one, and nearly every event is.
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { Event } from '../../src/event/event.ts';
import { isOf } from '../../src/event/ocsf/recognise.ts';
import { classShapes } from '../../src/event/ocsf/shapes.ts';
import { validateEvent } from '../../src/event/ocsf/validate.ts';
import { faultsOf } from '../ocsf/faults.ts';
import { connectorNames, envelopeOf, loadConnector } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: ['prod'], processedTime: 1 };
const samples = connectorNames.flatMap((name) => {
  const loaded = loadConnector(name);
  return loaded.samples.map((record) => loaded.mapper.map(envelopeOf(loaded, record, 'tenant-1'), page).event);
});

function isRecognised(event: Event): boolean {
  const shape = classShapes.get(event.class_uid);
  return shape !== undefined && isOf(shape, event);
}

it.each(samples)('an event of class $class_uid as it is mapped', (event) => {
  expect(isRecognised(event)).toBe(true);
});

type Node = Record<string, unknown>;

/** Every object in a value that has attributes of OCSF, itself first. */
function objectsIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn);
  if (typeof value !== 'object' || value === null) return [];
  const members = Object.entries(value).flatMap(([name, member]) => (name === 'unmapped' ? [] : objectsIn(member)));
  return [value as Node, ...members];
}

const copyOf = (event: Event): Event => JSON.parse(JSON.stringify(event)) as Event;

/** Copies of an event, each changed at one member of one of its objects. */
function changedOf(event: Event, change: (object: Node, name: string) => void): Event[] {
  return objectsIn(event).flatMap((object, index) =>
    Object.keys(object).map((name) => {
      const copy = copyOf(event);
      change(objectsIn(copy)[index] ?? {}, name);
      return copy;
    }),
  );
}

const values = [null, 7, -1, 1.5, 'text', '', true, [], ['a'], [{}], {}, { name: 'x' }, { uid: 1 }, [{ name: 'x' }], Number.NaN];
/** Faults of single members. What one member says of another is looked at apart, or by the tests alone. */
const faultsIn = (event: Event): string[] =>
  faultsOf(event).filter((fault) => !/constant|then|contain|profiles|^.type_uid/.test(fault));

/** Those of the events that are taken for valid and are not. */
const wronglyTaken = (events: readonly Event[]): string[][] =>
  events
    .filter(isRecognised)
    .map(faultsIn)
    .filter((faults) => faults.length > 0);

/** Every tenth sample: each class and every object is among them. */
const some = samples.filter((_, index) => index % 10 === 0);

describe('of events that are not valid none is taken for one', () => {
  it.each(values)('where a member is %j', (value) => {
    const changed = some.flatMap((event) => changedOf(event, (object, name) => (object[name] = value)));

    expect(wronglyTaken(changed)).toEqual([]);
    expect(changed.filter(isRecognised).length).toBeLessThan(changed.length);
  });

  it('where a member is missing', () => {
    const changed = some.flatMap((event) => changedOf(event, (object, name) => delete object[name]));

    expect(wronglyTaken(changed)).toEqual([]);
    expect(changed.filter(isRecognised).length).toBeLessThan(changed.length);
  });

  it('where there is one that does not belong, before or behind another', () => {
    const changed = some.flatMap((event) => [
      ...changedOf(event, (object) => (object['colour'] = 'red')),
      ...changedOf(event, (object, before) => {
        const members = Object.entries(object);
        for (const [name] of members) delete object[name];
        for (const [name, value] of members) Object.assign(object, name === before ? { colour: 'red' } : {}, { [name]: value });
      }),
    ]);

    expect(wronglyTaken(changed)).toEqual([]);
    expect(changed.filter(isRecognised).length).toBeLessThan(changed.length / 10);
  });
});

it('takes members in any order, until it knows too many: then the schema is asked', () => {
  const [event] = samples;
  if (event === undefined) throw new Error('there is no sample');
  const random = seededRandom(7);
  const shuffled = (): Event => {
    const members = Object.entries(event).map((member) => ({ member, at: random.float() }));
    return Object.fromEntries(members.sort((a, b) => a.at - b.at).map(({ member }) => member)) as Event;
  };
  const events = Array.from({ length: 500 }, shuffled);

  const taken = events.map(isRecognised);

  expect([taken[0], taken.at(-1)]).toEqual([true, false]);
  expect(events.flatMap(validateEvent)).toEqual([]);
});
