import { describe, expect, it } from 'vitest';
import { type Format, formats, type Mapped } from '../../src/event/event.ts';
import { cefHeader, cefSeverity, cefValue, encodeBody, isJsonFormat, severityOf } from '../../src/event/index.ts';
import { connectorNames, envelopeOf, loadConnector } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1_795_000_000_000 };
const studio = loadConnector('analyst-studio').mapper;
const anaconda = loadConnector('anaconda').mapper;
const uid = '0123456789abcdef0123456789abcdef';
const plain = { includeRaw: false };

function mapStudio(change: Record<string, unknown> = {}): Mapped {
  const record = {
    id: 'e1',
    action: 'collection_created',
    description: 'made',
    timestamp: '2026-11-20T10:15:30.000000Z',
    workspace_username: 'ws',
    actor: { ip: '192.0.2.1', user_agent: 'UA', user_id: 'u1', username: 'sam' },
    entity: { entity_name: 'Finance', entity_type: 'workspace_collection', entity_id: 'c1' },
    ...change,
  };
  return studio.map({ uid, received: 0, record }, page);
}

const mapAnaconda = (record: Record<string, unknown>): Mapped =>
  anaconda.map({ uid, received: 0, record: { id: 'e1', created_at: '2026-11-20T10:15:30Z', ...record } }, page);
const cimFields = (mapped: Mapped): Record<string, unknown> =>
  JSON.parse(encodeBody('cim', mapped, plain)) as Record<string, unknown>;
const extension = (line: string): string => line.slice(line.indexOf('rt='));

describe('CEF', () => {
  it('reproduces the golden vector of header and extension', () => {
    const header = ['Acme|Co', 'Pen\\stock', '1.0', 'user.login', 'Login = ok'].map((text) => cefHeader(text, 63));
    const values = `suser=${cefValue('a=b\\c')} msg=${cefValue('line1\nline2')}`;

    expect(`CEF:0|${header.join('|')}|3|rt=1795254300123 ${values}`).toBe(
      'CEF:0|Acme\\|Co|Pen\\\\stock|1.0|user.login|Login = ok|3|rt=1795254300123 suser=a\\=b\\\\c msg=line1\\nline2',
    );
  });

  it('escapes no pipe in a value and no equals sign in a header', () => {
    expect([cefValue('a|b'), cefHeader('a=b', 63)]).toEqual(['a|b', 'a=b']);
  });

  it('puts line breaks of every kind out of the way', () => {
    expect([cefHeader('a\r\nb\u2028c', 63), cefValue('a\r\nb\u2028c\u0085d\ve\u0000f\tg')]).toEqual([
      'a  b c',
      'a\\r\\nb\\nc\\nd\\ne f\tg',
    ]);
  });

  it('cuts whole characters, before escaping', () => {
    expect([cefValue('====', 2), cefValue('a😀b', 2), cefValue('a😀b', 3), cefHeader('||||', 3)]).toEqual([
      '\\=\\=',
      'a',
      'a😀',
      '\\|\\|\\|',
    ]);
  });

  it('sends IPv6 with its label and never as src', () => {
    const line = encodeBody('cef', mapStudio({ actor: { ip: '2001:db8::1' } }), plain);

    expect(line).toContain(' c6a2=2001:db8::1 c6a2Label=Source IPv6 Address ');
    expect(line).not.toMatch(/ src=/);
  });

  it('obeys the lengths of keys', () => {
    const id = 'x'.repeat(5000);
    const line = encodeBody(
      'cef',
      mapStudio({ id, description: id, context: { correlation_id: id }, workspace_username: id }),
      plain,
    );

    const lengths = ['externalId', 'deviceExternalId', 'msg', 'cs6'].map(
      (key) => new RegExp(` ${key}=(x*)`).exec(line)?.[1]?.length,
    );
    expect(lengths).toEqual([40, 255, 1023, 4000]);
  });

  it('cuts the verb of an unknown action', () => {
    const line = encodeBody('cef', mapStudio({ action: 'y'.repeat(100) }), plain);

    expect(/ act=(y*) /.exec(line)?.[1]?.length).toBe(63);
  });

  it('names the affected user and the member of a group', () => {
    const meta = { name: 'admins', user_id: 'u9', user_email: 'bo@example.com' };
    const line = encodeBody(
      'cef',
      mapAnaconda({ action_key: 'user_added_to_group', target_type: 'group', target_id: 'g1', meta }),
      plain,
    );

    expect(extension(line)).toBe(
      'rt=1795169730000 externalId=e1 flexString1=0123456789abcdef0123456789abcdef flexString1Label=eventUid deviceExternalId=tenant-1 cat=Group Management act=Add User outcome=success duser=bo@example.com duid=u9 destinationServiceName=Anaconda Platform cs4=admins cs4Label=groupName cn1=300603 cn1Label=ocsfTypeUid flexString2=Medium flexString2Label=riskLevel msg=User added to group',
    );
  });
});

describe('LEEF', () => {
  it('replaces what would end a field', () => {
    const line = encodeBody('leef', mapStudio({ action: 'a|b', description: 'one\ttwo\nthree' }), plain);

    expect(line).toContain('LEEF:2.0|ThoughtSpot|Analyst Studio|cloud|a/b|x09|devTime=');
    expect(line).toContain('\tmsg=one two three');
  });

  it('never says severity 0', () => {
    const severities = [0, 1, 2, 3, 4, 5, 6, 99].map((severity_id) => cefSeverity({ ...mapStudio().event, severity_id }));

    expect(severities).toEqual([3, 1, 3, 5, 8, 10, 10, 3]);
  });
});

it('maps severities to syslog', () => {
  const severities = [0, 1, 2, 3, 4, 5, 6, 99].map((severity_id) => severityOf({ ...mapStudio().event, severity_id }));

  expect(severities).toEqual([5, 6, 5, 4, 3, 2, 2, 5]);
});

describe('CIM', () => {
  const required = {
    Change: [
      'action',
      'change_type',
      'command',
      'dest',
      'dvc',
      'object',
      'object_attrs',
      'object_category',
      'object_id',
      'src',
      'status',
      'user',
      'vendor_product',
    ],
    Authentication: ['action', 'app', 'dest', 'src', 'user'],
    Data_Access: ['action', 'app', 'dest', 'object', 'object_category', 'object_id', 'src', 'user', 'vendor_product'],
  };
  const samples = connectorNames.flatMap((name) => {
    const loaded = loadConnector(name);
    return loaded.samples.map((record) => loaded.mapper.map(envelopeOf(loaded, record, 'tenant-1'), page));
  });

  it('has every required field for every action, none of them empty', () => {
    const missing = samples.flatMap((mapped) => {
      const fields = cimFields(mapped);
      const names = required[mapped.action?.cim.model as keyof typeof required];
      return names
        .filter((name) => fields[name] === undefined || fields[name] === '')
        .map((name) => `${mapped.actionKey} ${name}`);
    });

    expect(missing).toEqual([]);
  });

  it('gives every change a prescribed action and status, and a result when it failed', () => {
    const actions = ['created', 'deleted', 'modified', 'acl_modified', 'cleared', 'read', 'started', 'stopped', 'restarted'];
    const changes = samples.filter(({ action }) => action?.cim.model === 'Change').map(cimFields);

    expect(changes.filter(({ action }) => !actions.includes(String(action)))).toEqual([]);
    expect(changes.filter(({ status }) => status !== 'success' && status !== 'failure')).toEqual([]);
    expect(changes.filter(({ status, result }) => status === 'failure' && result === undefined)).toEqual([]);
  });

  it('makes the changed account user and the performer src_user', () => {
    const record = {
      action_key: 'organization_user_removed',
      actor_id: 'a',
      actor_email: 'dana@example.com',
      target_id: 't',
      target_email: 'bo@example.com',
    };

    expect(cimFields(mapAnaconda({ ...record, target_type: 'user' }))).toMatchObject({
      user: 'bo@example.com',
      user_id: 't',
      src_user: 'dana@example.com',
      src_user_id: 'a',
      object: 'bo@example.com',
      tag: ['change', 'account'],
    });
  });

  it('leaves the performer user where the changed account is not known', () => {
    const fields = cimFields(
      mapAnaconda({
        action_key: 'user_group_created',
        actor_id: 'a',
        actor_email: 'dana@example.com',
        target_type: 'group',
        target_id: 'g',
      }),
    );

    expect(fields).toMatchObject({ user: 'dana@example.com', user_id: 'a', object: 'unknown', object_id: 'g' });
    expect(fields).not.toHaveProperty('src_user');
  });

  it('tells success or failure as the action of a sign-in', () => {
    expect(cimFields(mapAnaconda({ action_key: 'authentication_success', actor_id: 'a' }))).toMatchObject({
      action: 'success',
      user: 'a',
      src: 'unknown',
    });
  });

  it('puts an unknown action into no data model', () => {
    const fields = cimFields(mapStudio({ action: 'new_thing' }));

    expect(fields).toMatchObject({
      signature: 'new_thing',
      signature_id: 'new_thing',
      user: 'sam',
      object: 'Finance',
      src: '192.0.2.1',
    });
    expect(fields).not.toHaveProperty('tag');
    expect(fields).not.toHaveProperty('action');
  });
});

describe('ECS', () => {
  it('keeps an address that the index type does not take out of source.ip', () => {
    const sources = ['fe80::1%eth0', 'host.example.com', '2001:db8::1'].map(
      (ip) => (JSON.parse(encodeBody('ecs', mapStudio({ actor: { ip } }), plain)) as { source: unknown }).source,
    );

    expect(sources).toEqual([
      { address: 'fe80::1%eth0' },
      { address: 'host.example.com' },
      { ip: '2001:db8::1', address: '2001:db8::1' },
    ]);
  });

  it('describes an unknown action without a category', () => {
    const document = JSON.parse(encodeBody('ecs', mapStudio({ action: 'New.Thing' }), plain)) as {
      event: object;
      penstock: object;
    };

    expect(document.event).toMatchObject({ kind: 'event', type: ['info'], action: 'new_thing', code: 'New.Thing' });
    expect(document.event).not.toHaveProperty('category');
    expect(document.penstock).toMatchObject({ target: { id: 'c1', name: 'Finance', type: 'workspace_collection' } });
  });

  it('names the affected user, the group and everybody seen', () => {
    const meta = { name: 'admins', user_id: 'u9', user_email: 'bo@example.com' };
    const record = { action_key: 'user_added_to_group', actor_id: 'a', target_type: 'group', target_id: 'g1', meta };

    expect(JSON.parse(encodeBody('ecs', mapAnaconda(record), plain))).toMatchObject({
      user: { id: 'a', target: { id: 'u9', name: 'bo@example.com', email: 'bo@example.com' } },
      group: { id: 'g1', name: 'admins' },
      related: { user: ['a', 'bo@example.com', 'u9'] },
    });
  });
});

describe('raw', () => {
  it.each([
    ['text', 'a\nb', '"a\\nb"'],
    ['JSON that was laid out', '{\n "a": 12345678901234567890\n}', '{"a":12345678901234567890}'],
  ])('gives unreadable %s as one line of JSON', (_what, record, line) => {
    expect(encodeBody('raw', studio.map({ uid, received: 0, record }, page), plain)).toBe(line);
  });
});

it('says which bodies are JSON', () => {
  expect(formats.filter(isJsonFormat)).toEqual<Format[]>(['ocsf', 'cim', 'ecs', 'raw']);
});

it.each(formats.filter(isJsonFormat))('replaces halves of surrogate pairs and escapes line separators in %s', (format) => {
  const line = encodeBody(format, mapStudio({ description: 'a\ud800b\\ud800c\u2028d\u0085e' }), plain);

  expect(line).toContain('a\ufffdb\\\\ud800c\\u2028d\\u0085e');
  expect(line.isWellFormed()).toBe(true);
});
