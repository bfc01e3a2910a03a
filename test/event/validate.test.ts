// Events checked by OCSF as the product does it.
import { describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import type { Event } from '../../src/event/event.ts';
import { type Attribute, classShapes, objectShapes, type Shape } from '../../src/event/ocsf/shapes.ts';
import { validateEvent, withValidation } from '../../src/event/ocsf/validate.ts';
import { loadFacts, type Shape as Told } from '../ocsf/facts.ts';
import { faultsOf } from '../ocsf/faults.ts';
import { connectorNames, envelopeOf, loadConnector as load } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1 };
const okta = await loadConnector('okta', { dirs: ['connectors'], files: systemSeams().files });
const samples = [
  ...connectorNames.flatMap((name) => {
    const loaded = load(name);
    return loaded.samples.map((record) => loaded.mapper.map(envelopeOf(loaded, record, 'tenant-1'), page).event);
  }),
  okta.mapper.map({ uid: 'u1', received: 1, record: { uuid: 'e1', published: 'never', eventType: 'made.up' } }, page).event,
  okta.mapper.map({ uid: 'u1', received: 1, record: 'half a rec', unreadable: 'it ends too early' }, page).event,
];

it.each(samples)('finds nothing in a valid event of class $class_uid', (event) => {
  expect(validateEvent(event)).toEqual([]);
});

/** A sign-in that is valid; `change` is put over it. */
function signIn(change: Record<string, unknown>): Event {
  const event = {
    class_uid: 3002,
    class_name: 'Authentication',
    category_uid: 3,
    activity_id: 1,
    type_uid: 300_201,
    severity_id: 1,
    status_id: 1,
    time: 1_795_000_000_000,
    user: { uid: 'u1' },
    service: { name: 'Portal' },
    src_endpoint: { ip: '192.0.2.1' },
    metadata: { version: '1.8.0', product: { name: 'Portal' }, uid: 'u1', log_name: 'x.y' },
    ...change,
  };
  return JSON.parse(JSON.stringify(event)) as Event;
}

it.each([
  [{}, []],
  [{ class_uid: 9999 }, ['class_uid 9999 is no class that Penstock knows']],
  [{ user: undefined }, ['user is required and missing']],
  [{ service: undefined }, ['the event has none of service, dst_endpoint']],
  [{ user: { type_id: 1 } }, ['user has none of name, uid']],
  [{ entity: { name: 'x' } }, ['entity is no attribute of OCSF there']],
  [{ user: { uid: 'u1', colour: 'secret' } }, ['user.colour is no attribute of OCSF there']],
  [{ time: 'secret' }, ['time is not of type integer']],
  [{ is_mfa: 'yes' }, ['is_mfa is not of type boolean']],
  [{ user: { uid: 'u1', type_id: 7 } }, ['user.type_id is not one of 0, 1, 2, 3, 4, 99']],
  [{ severity_id: 7 }, ['severity_id is not one of 0, 1, 2, 3, 4, 5, 6, 99']],
  [{ activity_id: 50, type_uid: 300_250 }, ['activity_id is not one of 0, 1, 2, 3, 4, 5, 6, 7, 99']],
  [{ type_uid: 300_202 }, ['type_uid is not 300201, class_uid * 100 + activity_id']],
  [{ category_uid: 6 }, ['category_uid is not 3']],
  [{ class_name: 'Account Change' }, ['class_name is not "Authentication"']],
  [{ category_name: 'Findings' }, ['category_name is not "Identity & Access Management"']],
  [{ src_endpoint: { ip: 'secret' } }, ['src_endpoint.ip is not of the form ip']],
  [{ user: { uid: 'u1', email_addr: 'secret' } }, ['user.email_addr is not of the form email']],
  [{ auth_factors: [{ factor_type_id: 7 }, { factor_type: 'x' }] }, ['auth_factors[1].factor_type_id is required and missing']],
  [{ unmapped: [] }, ['unmapped is not of type object']],
] as const)('of %j says %j, without a value of the record', (change, faults) => {
  expect(validateEvent(signIn(change))).toEqual(faults);
});

it('names what is deprecated, and a profile that is missing', () => {
  const access = { class_uid: 3005, class_name: undefined, type_uid: 300_501, service: undefined, privileges: ['x'] };
  const base = {
    class_uid: 0,
    class_name: undefined,
    category_uid: 0,
    activity_id: 99,
    type_uid: 99,
    actor: { user: { uid: 'u' } },
  };
  const nothing = { service: undefined, user: undefined, src_endpoint: undefined };

  expect(validateEvent(signIn({ ...access, resource: { name: 'x' } }))).toEqual(['resource is deprecated']);
  expect(validateEvent(signIn({ ...nothing, ...base }))).toEqual([
    'metadata.profiles lacks "host", to which the actor of class 0 belongs',
  ]);
});

it('says of a mapped event what is wrong, and gives the same mapper for the same mapper', () => {
  const { mapper } = okta;
  const broken = {
    table: 'x',
    map: () => ({ ...mapper.map({ uid: 'u', received: 1, record: 'x' }, page), event: signIn({ time: 'x' }) }),
  };

  const checked = withValidation(broken);

  expect(withValidation(broken)).toBe(checked);
  expect(checked.map({ uid: 'u', received: 1, record: {} }, page).faults).toEqual(['time is not of type integer']);
  expect(withValidation(mapper).map({ uid: 'u', received: 1, record: 'x' }, page)).not.toHaveProperty('faults');
});

describe('the facts that are shipped', () => {
  const facts = loadFacts();
  const types: Readonly<Record<string, string>> = { text: 'string', int: 'integer', num: 'number', bool: 'boolean' };
  const told = ({ type, written, isList, shape }: Attribute): string => {
    const one = type === 'enum' ? `enum ${written}` : (types[type] ?? shape?.name ?? type);
    return isList ? `${one}[]` : one;
  };
  const plain = (type: string | undefined): string | undefined =>
    type?.startsWith('enum ') === true ? `enum ${expand(type.slice(5)).join(',')}` : type;
  const expand = (list: string): number[] =>
    list.split(/[ ,]/).flatMap((run) => {
      const [from = 0, to = from] = run.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, at) => from + at);
    });

  function differences(shape: Shape, fact: Told | undefined): string[] {
    return [...shape.attributes.values()].flatMap((attribute) => {
      const { name, requirement, isDeprecated } = attribute;
      const same =
        plain(told(attribute)) === plain(fact?.attributes[name]) &&
        (requirement === 'required') === fact?.required.includes(name) &&
        isDeprecated === fact.deprecated.includes(name);
      return same || name === 'activity_id' ? [] : [`${shape.name}.${name}`];
    });
  }

  it.each([...classShapes.values()])('are those of $name', (shape) => {
    const fact = facts.classes.find(({ uid }) => uid === shape.uid);
    const numbers = [...(shape.attributes.get('activity_id')?.numbers ?? [])];

    expect(differences(shape, fact)).toEqual([]);
    expect([shape.name, shape.categoryUid, shape.categoryName]).toEqual([fact?.name, fact?.category.uid, fact?.category.name]);
    expect(numbers).toEqual(Object.keys(fact?.activities ?? {}).map(Number));
    expect(fact?.required.filter((name) => !shape.required.includes(name))).toEqual([]);
    expect(shape.oneOf.filter((name) => fact?.atLeastOne.includes(name) !== true)).toEqual([]);
  });

  it.each([...objectShapes()])('are those of the object $name', (shape) => {
    const fact = facts.objects[shape.name];

    expect(differences(shape, fact)).toEqual([]);
    expect(fact?.required.filter((name) => !shape.required.includes(name))).toEqual([]);
    expect(shape.oneOf.filter((name) => fact?.atLeastOne.includes(name) !== true)).toEqual([]);
  });
});

it('agrees with the facts of the tests over changed events', () => {
  const values = [undefined, null, 7, -1, 1.5, 'text', true, [], ['a'], {}, { name: 'x' }, { uid: 1 }, [{ name: 'x' }]];
  const disagree = samples.slice(0, 40).flatMap((event) =>
    Object.keys(event).flatMap((name) =>
      values.flatMap((value) => {
        const changed = JSON.parse(JSON.stringify({ ...event, [name]: value })) as Event;
        // The names of activities, severities and states are checked by the tests alone.
        if (['activity_name', 'type_name', 'severity', 'status'].includes(name) && typeof value === 'string') return [];
        const [ours, theirs] = [validateEvent(changed), faultsOf(changed)];
        return (ours.length === 0) === (theirs.length === 0) ? [] : [[name, value, ours, theirs]];
      }),
    ),
  );

  expect(disagree).toEqual([]);
});
