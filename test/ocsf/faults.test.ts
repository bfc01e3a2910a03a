import { expect, it } from 'vitest';
import { deprecatedIn, faultsOf } from './faults.ts';

/** Entity Management: Update, with an actor, an address and observables. */
const event = {
  class_uid: 3004,
  class_name: 'Entity Management',
  category_uid: 3,
  category_name: 'Identity & Access Management',
  activity_id: 3,
  activity_name: 'Update',
  type_uid: 300403,
  type_name: 'Entity Management: Update',
  severity_id: 2,
  severity: 'Low',
  status_id: 1,
  status: 'Success',
  time: 1_795_000_000_000,
  actor: { user: { name: 'dana', uid: 'u-1', email_addr: 'dana@example.com', type_id: 1 } },
  entity: { name: 'default', type: 'Policy' },
  metadata: { version: '1.8.0', product: { name: 'Product', vendor_name: 'Vendor' }, labels: ['one'] },
  observables: [{ name: 'actor.user.uid', type_id: 31, type: 'User Object: uid', value: 'u-1' }],
  unmapped: { anything: { at: ['all', 1, null] } },
};

const logon = {
  ...event,
  class_uid: 3002,
  class_name: 'Authentication',
  activity_id: 1,
  activity_name: 'Logon',
  type_uid: 300201,
  type_name: 'Authentication: Logon',
  user: { uid: 'u-1' },
  service: { name: 'Portal' },
  src_endpoint: { ip: '2001:db8::7', port: 443, mac: '00:00:5e:00:53:01' },
  http_request: { http_method: 'GET', url: { path: '/', category_ids: [1, 3] } },
  entity: undefined,
};

const base = {
  ...event,
  class_uid: 0,
  class_name: 'Base Event',
  category_uid: 0,
  category_name: 'Uncategorized',
  activity_id: 99,
  activity_name: 'Renamed by the vendor',
  type_uid: 99,
  type_name: 'Base Event: Renamed by the vendor',
  entity: undefined,
  metadata: { ...event.metadata, profiles: ['host'] },
};

const faults = (value: unknown) => faultsOf(JSON.parse(JSON.stringify(value)));
const only = (fault: string, value: unknown) => expect(faults(value)).toEqual([expect.stringContaining(fault)]);

it.each([
  { name: 'Entity Management', value: event },
  { name: 'Authentication', value: logon },
  { name: 'Base Event with the names of a vendor', value: base },
])('takes $name', ({ value }) => {
  expect(faults(value)).toEqual([]);
});

const user = event.actor.user;
const metadata = event.metadata;

it.each([
  ['a class that is not written down', { ...event, class_uid: 9999 }, 'class_uid is 9999'],
  ['no class', { ...event, class_uid: undefined }, 'class_uid is undefined'],
  ['an unknown attribute of the class', { ...event, colour: 'red' }, '"additionalProperty":"colour"'],
  [
    'an unknown attribute of an object',
    { ...event, actor: { user: { ...user, colour: 'red' } } },
    '/actor/user must NOT have additional',
  ],
  [
    'an unknown attribute in a list',
    { ...event, observables: [{ ...event.observables[0], colour: 1 }] },
    '/observables/0 must NOT',
  ],
  ['an attribute of another class', { ...event, service: { name: 'Portal' } }, '"additionalProperty":"service"'],
  ['a required attribute missing', { ...event, entity: undefined }, "required property 'entity'"],
  [
    'a required attribute of an object missing',
    { ...event, metadata: { ...metadata, product: undefined } },
    "required property 'product'",
  ],
  ['text where a number belongs', { ...event, time: '2026-01-01T00:00:00Z' }, '/time must be integer'],
  ['a fraction where an integer belongs', { ...event, time: 1.5 }, '/time must be integer'],
  ['a number where text belongs', { ...event, message: 7 }, '/message must be string'],
  ['text where a boolean belongs', { ...logon, is_mfa: 'yes' }, '/is_mfa must be boolean'],
  ['an object where a list belongs', { ...event, observables: event.observables[0] }, '/observables must be array'],
  ['text where an object belongs', { ...event, metadata: 'x' }, '/metadata must be object'],
  ['a list where an object belongs', { ...event, unmapped: [] }, '/unmapped must be object'],
  [
    'a number that the enum lacks',
    { ...event, actor: { user: { ...user, type_id: 77 } } },
    '/actor/user/type_id must be equal to one',
  ],
  [
    'a number that the enum of a list lacks',
    { ...logon, http_request: { url: { path: '/', category_ids: [2] } } },
    '/category_ids/0 must',
  ],
  ['a word that the enum lacks', { ...logon, http_request: { http_method: 'get' } }, '/http_request/http_method must be equal'],
  [
    'an e-mail address without a host',
    { ...event, actor: { user: { ...user, email_addr: 'dana' } } },
    '/actor/user/email_addr must match pattern',
  ],
  ['an address that is a name', { ...logon, src_endpoint: { ip: 'not-an-ip' } }, '/src_endpoint/ip must match format'],
  ['an address beyond 255', { ...logon, src_endpoint: { ip: '203.0.113.256' } }, '/src_endpoint/ip must match format'],
  ['an address with words around it', { ...logon, src_endpoint: { ip: 'ip 203.0.113.2' } }, '/src_endpoint/ip must match format'],
  [
    'an address that is too long',
    { ...logon, src_endpoint: { ip: `fe80::1%${'e'.repeat(40)}` } },
    '/src_endpoint/ip must NOT have more',
  ],
  ['a port beyond 65535', { ...logon, src_endpoint: { port: 65_536, ip: '203.0.113.2' } }, '/src_endpoint/port must be <='],
  [
    'a MAC address in dots',
    { ...logon, src_endpoint: { mac: '0000.5e00.5301', ip: '203.0.113.2' } },
    '/src_endpoint/mac must match pattern',
  ],
  [
    'a UUID with words around it',
    { ...logon, session: { uuid: 'x0b6f6d0e-5a51-4d0e-9a53-6f2f3c1b7a10' } },
    '/session/uuid must match pattern',
  ],
] as const)('refuses %s', (_, value, fault) => {
  only(fault, value);
});

it.each([
  [
    'a type_uid that does not follow from class and activity',
    { ...event, type_uid: 300401 },
    '/type_uid must be equal to constant',
  ],
  ['the name of another activity', { ...event, activity_name: 'Create' }, '/activity_name must be equal to constant'],
  ['a type_name that is not class and activity', { ...event, type_name: 'Update' }, '/type_name must be equal to constant'],
  ['the name of another severity', { ...event, severity: 'High' }, '/severity must be equal to constant'],
  ['the name of another status', { ...event, status: 'Failure' }, '/status must be equal to constant'],
  ['no service and no endpoint at a logon', { ...logon, service: undefined }, "required property 'service'"],
  ['a user without name, uid and account', { ...event, actor: { user: { type_id: 1 } } }, "required property 'account'"],
  ['an actor in a Base Event without the profile', { ...base, metadata }, "required property 'profiles'"],
  [
    'an actor in a Base Event with another profile',
    { ...base, metadata: { ...metadata, profiles: ['cloud'] } },
    'contain at least 1 valid',
  ],
] as const)('refuses %s', (_, value, fault) => {
  expect(faults(value)).toEqual(expect.arrayContaining([expect.stringContaining(fault)]));
});

it.each([
  ['class_name', { class_name: 'Account Change' }],
  ['category_uid', { category_uid: 6 }],
  ['category_name', { category_name: 'Application Activity' }],
  ['activity_id', { activity_id: 50, type_uid: 300450 }],
  ['severity_id', { severity_id: 7 }],
  ['status_id', { status_id: 3 }],
] as const)('refuses a %s that the class does not have', (name, change) => {
  expect(faults({ ...event, ...change })).toEqual(expect.arrayContaining([expect.stringContaining(`/${name} must be equal to`)]));
});

it('names deprecated attributes apart: they are valid', () => {
  const old = { ...event, actor: { user, invoked_by: 'dana' } };

  expect([faults(old), deprecatedIn(old), deprecatedIn(event)]).toEqual([[], ['/actor/invoked_by'], []]);
});
