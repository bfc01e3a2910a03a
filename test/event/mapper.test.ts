import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseJson } from '../../src/base/json.ts';
import { compileSchema } from '../../src/base/schema.ts';
import type { Envelope, Mapped } from '../../src/event/event.ts';
import { ActionTableSpec, compileActions, compileMapper, encodeBody, MapSpec } from '../../src/event/index.ts';
import { checked, loadConnector } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: ['env:test'], processedTime: 1_795_000_000_000 };
const received = 1_794_000_000_000;
const uid = '0123456789abcdef0123456789abcdef';

const studio = loadConnector('analyst-studio').mapper;
const anaconda = loadConnector('anaconda').mapper;
const astra = loadConnector('astra-csv').mapper;

const envelope = (record: unknown, more: Partial<Envelope> = {}): Envelope => ({ uid, received, record, ...more });
const json = (mapped: Mapped): Record<string, unknown> =>
  JSON.parse(encodeBody('ocsf', mapped, { includeRaw: false })) as Record<string, unknown>;

describe('a vendor that no TypeScript knows', () => {
  const table = compileActions(
    checked(
      compileSchema<ActionTableSpec>(ActionTableSpec),
      parse(`
table: penstock.actions/1
source: okta
vendor: Okta
product: Okta System Log
log_name: okta.audit
log_provider: Okta System Log API
log_format: JSON
versions: { ocsf: 1.8.0, ecs: 9.4.0, cim: '8.5' }
status: { field: [outcome.result], values: { SUCCESS: success, ALLOW: success, FAILURE: failure, DENY: failure }, missing: unknown }
classes:
  3002: { name: Authentication, category_uid: 3, category_name: Identity & Access Management, activities: { 1: Logon }, subject: actor }
  3006: { name: Group Management, category_uid: 3, category_name: Identity & Access Management, activities: { 3: Add User } }
actions:
  - action: user.session.start
    key: user_session_start
    title: User signed in
    group: Sessions
    ocsf: { class_uid: 3002, activity_id: 1, severity_id: 1 }
    target: { place: user }
    ecs: { category: [authentication], type: [start] }
    cim: { model: Authentication, tags: [authentication], action: success }
  - action: group.user_membership.add
    key: group_user_membership_add
    title: User added to group
    group: Groups
    ocsf: { class_uid: 3006, activity_id: 3, severity_id: 1 }
    target: { place: group }
    ecs: { category: [iam], type: [group, change] }
    cim: { model: Change, dataset: Account_Management, tags: [change, account], action: modified, change_type: AAA, object_category: group }
`),
    ),
  );
  const map = checked(
    compileSchema<MapSpec>(MapSpec),
    parse(`
message: displayMessage
status_detail: outcome.reason
metadata.correlation_uid: transaction.id
actor.user.uid: actor.id
actor.user.name: [actor.alternateId, actor.displayName]
actor.user.email_addr: actor.alternateId
actor.user.type_id: { from: actor.type, values: { User: 1, SystemPrincipal: 3 } }
src_endpoint.ip: client.ipAddress
http_request.user_agent: client.userAgent.rawUserAgent
target.uid: 'target[0].id'
target.name: 'target[0].displayName'
user.uid: 'target[type=User].id'
user.name: 'target[type=User].alternateId'
group.uid: 'target[type=UserGroup].id'
group.name: 'target[type=UserGroup].displayName'
`),
  );
  const mapper = compileMapper({ table, map, record: { id: 'uuid', time: 'published', action: 'eventType' } });
  const record = {
    uuid: 'e1',
    published: '2026-11-20T10:15:30.123Z',
    eventType: 'user.session.start',
    displayMessage: 'User login to Okta',
    severity: 'INFO',
    outcome: { result: 'FAILURE', reason: 'INVALID_CREDENTIALS' },
    actor: { id: '00u1', type: 'User', alternateId: 'sam@example.com', displayName: 'Sam Lee' },
    client: { ipAddress: '203.0.113.9', userAgent: { rawUserAgent: 'Mozilla/5.0', os: 'Linux' } },
    transaction: { id: 'tx1', type: 'WEB' },
    target: null,
  };
  const actor = { name: 'sam@example.com', uid: '00u1', email_addr: 'sam@example.com', type_id: 1, type: 'User' };

  it('maps its sign-in with outcome and client', () => {
    const event = json(mapper.map(envelope(record), page));

    expect(event).toEqual({
      class_uid: 3002,
      class_name: 'Authentication',
      category_uid: 3,
      category_name: 'Identity & Access Management',
      activity_id: 1,
      activity_name: 'Logon',
      type_uid: 300201,
      type_name: 'Authentication: Logon',
      severity_id: 1,
      severity: 'Informational',
      status_id: 2,
      status: 'Failure',
      status_code: 'FAILURE',
      status_detail: 'INVALID_CREDENTIALS',
      time: Date.parse(record.published),
      message: 'User login to Okta',
      actor: { user: { ...actor, org: { uid: 'tenant-1' } } },
      src_endpoint: { ip: '203.0.113.9' },
      http_request: { user_agent: 'Mozilla/5.0' },
      user: actor,
      service: { name: 'Okta System Log' },
      metadata: {
        version: '1.8.0',
        product: { name: 'Okta System Log', vendor_name: 'Okta', feature: { name: 'Audit Log' } },
        uid,
        event_code: 'user.session.start',
        log_name: 'okta.audit',
        log_provider: 'Okta System Log API',
        log_format: 'JSON',
        original_time: '2026-11-20T10:15:30.123Z',
        original_event_uid: 'e1',
        tenant_uid: 'tenant-1',
        correlation_uid: 'tx1',
        processed_time: page.processedTime,
        labels: ['source:acme', 'env:test'],
      },
      observables: [
        { name: 'actor.user.email_addr', type_id: 5, type: 'Email Address', value: 'sam@example.com' },
        { name: 'actor.user.uid', type_id: 31, type: 'User Object: uid', value: '00u1' },
        { name: 'user.email_addr', type_id: 5, type: 'Email Address', value: 'sam@example.com' },
        { name: 'user.uid', type_id: 31, type: 'User Object: uid', value: '00u1' },
        { name: 'src_endpoint.ip', type_id: 2, type: 'IP Address', value: '203.0.113.9' },
        { name: 'http_request.user_agent', type_id: 16, type: 'HTTP User-Agent', value: 'Mozilla/5.0' },
      ],
      unmapped: {
        severity: 'INFO',
        actor: { displayName: 'Sam Lee' },
        client: { userAgent: { os: 'Linux' } },
        transaction: { type: 'WEB' },
      },
    });
  });

  it('finds user and group in a list of targets, which stays whole in unmapped', () => {
    const target = [
      { id: '00u2', type: 'User', alternateId: 'bo@example.com' },
      { id: '00g1', type: 'UserGroup', displayName: 'Admins' },
    ];

    const { group, user, unmapped } = json(
      mapper.map(envelope({ ...record, eventType: 'group.user_membership.add', target }), page),
    );

    expect({ group, user }).toEqual({ group: { name: 'Admins', uid: '00g1' }, user: { name: 'bo@example.com', uid: '00u2' } });
    expect(unmapped).toMatchObject({ target });
  });

  it('leaves a field of the record in place where an unknown action would put ours', () => {
    const event = json(
      mapper.map(envelope({ ...record, eventType: 'new.thing', target: [{ id: '1' }], src_ip: 'theirs' }), page),
    );

    expect(event['unmapped']).toMatchObject({ target: [{ id: '1' }], src_ip: 'theirs', user_agent: 'Mozilla/5.0' });
  });
});

const base = {
  id: 'e1',
  action: 'collection_created',
  description: 'made',
  timestamp: '2026-11-20T10:15:30.000000Z',
  workspace_username: 'ws',
  context: {},
  actor: { ip: '192.0.2.1', user_agent: 'UA', user_id: 'u1', username: 'sam' },
  entity: { entity_name: 'Finance', entity_type: 'workspace_collection', entity_id: 'c1' },
};

describe('records that are not as they should be', () => {
  it.each([
    ['text', 'cut off {', 'cut off {'],
    ['a number', 7, '7'],
    ['null', null, 'null'],
    ['a list', [1, 2], '[1,2]'],
    ['an object without action', { id: 'x', n: 1 }, '{"id":"x","n":1}'],
  ])('sends %s as Base Event with its text, also without include_raw', (_what, record, text) => {
    const mapped = studio.map(envelope(record), page);

    expect(json(mapped)).toMatchObject({
      class_uid: 0,
      activity_id: 99,
      type_uid: 99,
      severity_id: 2,
      status_id: 0,
      time: received,
      raw_data: text,
      raw_data_size: text.length,
      metadata: { uid, tenant_uid: 'tenant-1', labels: ['source:acme', 'env:test', 'unreadable', 'time:received'] },
    });
    expect(mapped).toMatchObject({ action: undefined, actionKey: undefined });
    expect(mapped.event.metadata.event_code).toBeUndefined();
    expect(JSON.parse(encodeBody('ecs', mapped, { includeRaw: false }))).toMatchObject({
      event: { kind: 'pipeline_error', original: text },
    });
  });

  it('says why, when the reader knew', () => {
    const mapped = studio.map(envelope('x', { unreadable: 'line 7 is not JSON' }), page);

    expect(mapped.event['message']).toBe('Record could not be read: line 7 is not JSON');
  });

  it('takes the time of receipt when no time can be read, keeps the text and says so', () => {
    const event = json(studio.map(envelope({ ...base, timestamp: 'soon' }), page));

    expect(event).toMatchObject({ time: received, unmapped: { timestamp: 'soon' } });
    expect(event['metadata']).toMatchObject({ original_time: 'soon', labels: ['source:acme', 'env:test', 'time:received'] });
  });

  it('falls through to the next time of the list', () => {
    const record = { id: '1', action_key: 'channel_created', occurred_at: null, created_at: '2026-11-20T10:16:00Z' };

    const event = json(anaconda.map(envelope(record), page));

    expect(event).toMatchObject({
      time: Date.parse('2026-11-20T10:16:00Z'),
      metadata: { original_time: '2026-11-20T10:16:00Z', logged_time: Date.parse('2026-11-20T10:16:00Z') },
      entity: { name: 'Unknown', type: 'Channel', type_id: 99 },
    });
  });

  it('labels a time that is only a date', () => {
    const event = json(astra.map(envelope({ eventType: 'CREATE_ROLE', eventTime: '2026-11-20', userID: 'u' }), page));

    expect(event).toMatchObject({
      time: Date.UTC(2026, 10, 20),
      metadata: { labels: ['source:acme', 'env:test', 'time_precision:day'] },
    });
  });

  it.each([
    ['999.1.1.1', { name: '999.1.1.1' }],
    ['10.0.0.1:443', { name: '10.0.0.1:443' }],
    [' 10.0.0.1 ', { ip: '10.0.0.1' }],
    ['2001:db8::1', { ip: '2001:db8::1' }],
    ['', undefined],
    [null, undefined],
    [{}, undefined],
  ])('writes the address %j as %j', (ip, expected) => {
    const event = json(studio.map(envelope({ ...base, actor: { ...base.actor, ip } }), page));

    expect(event['src_endpoint']).toEqual(expected);
  });

  it.each(['not an address', 'a@b', 'dáná@example.com', `${'a'.repeat(400)}@example.com`])(
    'keeps %s as name but not as address',
    (email) => {
      const record = {
        id: '1',
        action_key: 'organization_user_added',
        created_at: '2026-11-20',
        actor_email: email,
        target_email: email,
      };

      const event = json(anaconda.map(envelope(record), page));

      expect(event).toMatchObject({ actor: { user: { name: email } }, user: { name: email } });
      expect(JSON.stringify(event)).not.toContain('email_addr');
    },
  );

  it('puts Unknown where an attribute is required and nothing is told', () => {
    const accessed = json(studio.map(envelope({ id: '1', action: 'audit_log_accessed', timestamp: '2026-11-20' }), page));
    const signIn = json(
      anaconda.map(envelope({ id: '1', action_key: 'authentication_success', created_at: '2026-11-20' }), page),
    );

    expect(accessed).toMatchObject({
      actor: { app_name: 'Unknown' },
      src_endpoint: { name: 'Unknown' },
      resources: [{ name: 'Unknown', type: 'Audit Log' }],
    });
    expect(signIn).toMatchObject({
      user: { name: 'Unknown', type_id: 0, type: 'Unknown' },
      service: { name: 'Anaconda Platform' },
    });
    expect(signIn).not.toHaveProperty('actor');
  });

  it.each([
    [undefined, { status_id: 0, status: 'Unknown' }],
    ['success', { status_id: 1, status: 'Success', status_code: 'success' }],
    ['Failed', { status_id: 2, status: 'Failure', status_code: 'Failed', message: 'Role created (failed)' }],
    ['PARTIAL', { status_id: 99, status: 'PARTIAL', status_code: 'PARTIAL' }],
  ])('reads the outcome %j', (actionResult, expected) => {
    expect(json(astra.map(envelope({ eventType: 'CREATE_ROLE', actionResult }), page))).toMatchObject(expected);
  });

  it.each([
    { eventType: 'CREATE_ROLE', userID: 'u' },
    { event_type: 'CREATE_ROLE', userId: 'u' },
    { type: 'create-role', user_id: 'u' },
  ])('finds the fields of %j under their other names', (record) => {
    const mapped = astra.map(envelope(record), page);

    expect(mapped).toMatchObject({ actionKey: 'create_role', event: { class_uid: 3004, actor: { user: { uid: 'u' } } } });
    expect(mapped.event['unmapped']).toBeUndefined();
  });

  it('writes every uid as text, also a number beyond 2^53', () => {
    const record = parseJson(
      '{"id":12345678901234567890,"action":"collection_created","actor":{"user_id":98765432109876543210},"entity":{"entity_id":7}}',
    );

    const event = json(studio.map(envelope(record), page));

    expect(event).toMatchObject({
      metadata: { original_event_uid: '12345678901234567890' },
      actor: { user: { uid: '98765432109876543210' } },
      entity: { uid: '7' },
    });
  });
});

describe('what no attribute carries', () => {
  it('stays in unmapped with its nesting, its digits and its odd keys', () => {
    const record = parseJson(
      '{"id":"1","action":"collection_created","actor":{"user_id":"u","__proto__":{"x":1}},"context":{"n":12345678901234567890,"none":null,"f":false},"__proto__":{"y":[]},"constructor":"c"}',
    );

    const line = encodeBody('ocsf', studio.map(envelope(record), page), { includeRaw: false });

    expect(line.slice(line.indexOf('"unmapped"'))).toBe(
      '"unmapped":{"actor":{"__proto__":{"x":1}},"context":{"n":12345678901234567890,"f":false},"__proto__":{"y":[]},"constructor":"c"}}',
    );
  });

  it('includes the candidate that lost and the value that did not fit', () => {
    const record = { eventType: 'CREATE_ROLE', event_type: 'OTHER', userID: { odd: 1 }, userId: 'u', event: '[not json' };

    const event = json(astra.map(envelope(record), page));

    expect(event).toMatchObject({
      actor: { user: { uid: 'u' } },
      unmapped: { event_type: 'OTHER', userID: { odd: 1 }, event: '[not json' },
    });
  });

  it('includes what an object beside the target told and no attribute took', () => {
    const context = { email: 'guest@example.com', user_id: 'u9', username: 'guest' };

    const event = json(studio.map(envelope({ ...base, action: 'org_user_invited', context, entity: null }), page));

    expect(event).toMatchObject({
      entity: { name: 'guest', uid: 'u9', type: 'Invitation', user: { name: 'guest', email_addr: 'guest@example.com' } },
    });
    expect(event).not.toHaveProperty('unmapped');
  });

  it('includes the name that a policy took from the user', () => {
    const record = {
      id: '1',
      action_key: 'policy_assigned',
      created_at: '2026-11-20',
      target_type: 'user',
      target_email: 'bo@example.com',
      name: 'x',
    };

    const event = json(anaconda.map(envelope(record), page));

    expect(event).toMatchObject({ user: { name: 'bo@example.com' }, unmapped: { name: 'x', target_type: 'user' } });
  });

  it('is nothing when everything is carried', () => {
    const { context: _context, entity: _entity, ...record } = base;

    expect(studio.map(envelope(record), page).event['unmapped']).toBeUndefined();
  });

  it('does not leak from one record into the next', () => {
    const first = json(studio.map(envelope(base), page));
    studio.map(envelope({ action: 'x', actor: { user_id: 'other' } }), page);

    expect(json(studio.map(envelope(base), page))).toEqual(first);
  });
});

it('chooses the variant whose word occurs in the field', () => {
  const types = ['user_group', 'Group', 'policy', 'mirror', 'user', undefined].map(
    (target_type) => anaconda.map(envelope({ action_key: 'policy_assigned', target_type }), page).event.type_uid,
  );

  expect(types).toEqual([300601, 300601, 300403, 300403, 300107, 300107]);
});

it('carries the labels of page and record, each once', () => {
  const mapped = studio.map(envelope(base, { labels: ['id_conflict', 'env:test'] }), {
    ...page,
    labels: ['env:test', 'replayed'],
  });

  expect(mapped.event.metadata.labels).toEqual(['source:acme', 'env:test', 'replayed', 'id_conflict']);
});

it('turns a record that breaks it into a Base Event and says why', () => {
  const record = Object.defineProperty({ ...base }, 'timestamp', {
    enumerable: false,
    get: () => {
      throw new Error('broken');
    },
  });

  const mapped = studio.map(envelope(record), page);

  expect(mapped).toMatchObject({
    failed: 'broken',
    event: { class_uid: 0, metadata: { uid, labels: ['source:acme', 'env:test', 'map_failed', 'time:received'] } },
  });
});

it('refuses an invalid path when it is compiled, not when it is used', () => {
  const table = loadConnector('anaconda').table;

  expect(() => compileMapper({ table, map: { message: 'a..b' }, record: { time: 't', action: 'a' } })).toThrow(
    '"a..b" is not a path',
  );
});
