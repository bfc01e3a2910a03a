import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import type { CursorReader } from '../../src/connectors/connector.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import { type ActionTableSpec, compileActions } from '../../src/event/index.ts';
import { printSchema } from '../../src/workbench/catalog.ts';
import { testConnector } from '../../src/workbench/connector-test/index.ts';
import { actions, openVendor, pageOf, vendorConnector } from '../connectors/vendor.ts';
import { loadFacts } from '../ocsf/facts.ts';

const root = resolve(import.meta.dirname, '../..');
const page = await readFile(join(root, 'docs/connectors.md'), 'utf8');
const seams = systemSeams();
const signal = new AbortController().signal;

/** The blocks that are marked with a file name, by that name. */
const files = new Map(
  [...page.matchAll(/<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, name = '', text = '']) => [name, text]),
);

async function writeExample(change: (name: string, text: string) => string = (_name, text) => text): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-docs-'));
  for (const [name, text] of files) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), change(name, text));
  }
  return join(dir, 'harbor');
}

describe('the example of the page', () => {
  it('loads, passes its test, and asks as the invented API wants it', async () => {
    const folder = await writeExample();

    const report = await testConnector(folder, seams, { update: true });
    const requests = await readFile(join(folder, 'tests/two-pages/expected-requests.txt'), 'utf8');

    expect(report.cases.map(({ name, summary, faults }) => [name, summary, faults])).toEqual([
      ['samples', '3 records, 3 actions', []],
      ['two-pages', '2 pages, 3 records', []],
    ]);
    const first =
      'GET https://api.harbor.example/v2/workspaces/acme/activity?created_after=1795168800&created_before=1795169100&page_size=200';
    expect(requests).toBe(`${first}\n${first}&after=next-1\n`);
  });

  it('gives the events that the page promises', async () => {
    const folder = await writeExample();
    await testConnector(folder, seams, { update: true });

    const lines = (await readFile(join(folder, 'tests/two-pages/expected.ndjson'), 'utf8')).trimEnd().split('\n');

    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        type_uid: 300201,
        status: 'Success',
        user: { uid: 'u-1' },
        actor: { user: { type_id: 2, domain: 'example.com' } },
        src_endpoint: {
          ip: '192.0.2.10',
          location: { city: 'Utrecht', country: 'NL' },
          autonomous_system: { number: 64_500 },
          os: { name: 'macOS 15', type_id: 300, type: 'macOS' },
        },
        session: { uid: 's-1' },
        is_mfa: true,
        auth_factors: [{ factor_type_id: 7, factor_type: 'OTP' }],
        service: { name: 'Harbor' },
      },
      { type_uid: 300404, status: 'Failure', entity: { name: 'Atlas', type: 'Project' }, message: 'Project deleted (failed)' },
      {
        type_uid: 300501,
        severity_id: 4,
        user: { email_addr: 'sam@example.com' },
        privileges: ['owner'],
        resources: [{ uid: 'acme' }],
      },
    ]);
  });

  it.each([
    ['connector.yaml', "after: '{{ page.token }}'", '', /paging by token needs \{\{ page\.token \}\} in the request/],
    ['connector.yaml', '{{ options.key }}', '{{ options.kye }}', /the template names "options\.kye", which does not exist/],
    ['connector.yaml', 'src_endpoint.ip: from.ip', 'src_endpoint.ip: "a["', /"a\[" is not a path/],
    ['connector.yaml', 'id: uid', '', /nothing identifies a record/],
    ['connector.yaml', 'id: uid', 'id: uid\n  hash_is_id: true', /there is no hash/],
    [
      'actions.yaml',
      'title: User signed in',
      'title: User signed in\n    key: SessionOpened',
      /key "SessionOpened" is not the action in lower snake case/,
    ],
    ['actions.yaml', 'action: project.deleted', 'action: session.opened', /"session_opened" already stands for session\.opened/],
    ['actions.yaml', 'activity_id: 4', 'activity_id: 44', /class 3004 with activity 44 is not in the head of the table/],
  ])('with a fault in %s says what the page says: %s', async (file, from, to, message) => {
    const folder = await writeExample((name, text) => (name.endsWith(file) ? text.replace(from, to) : text));

    await expect(loadConnector('harbor', { dirs: [dirname(folder)], files: seams.files })).rejects.toThrow(message);
  });
});

/** Every name of a property in a schema, at any depth. */
function namesIn(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(namesIn);
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === 'properties' ? Object.keys(value as object) : []),
    ...namesIn(value),
  ]);
}

it.each(['connector', 'actions'] as const)('explains every key of %s.yaml', async (kind) => {
  const names = [...new Set(namesIn(await printSchema(kind, seams.files)))];

  const missing = names.filter((name) => !new RegExp(`(?<![\\w.])${name.replaceAll('.', '\\.')}(?![\\w])`).test(page));

  expect(names.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});

/** The classes of the page's table: number, name, and activities by number. */
const shownClasses = [...page.matchAll(/^\| (\d{4}) ([A-Z][\w ]+?) \| (1 [^|]+) \|$/gm)].map(
  ([, uid = '', name = '', list = '']) => ({
    uid: Number(uid),
    name,
    activities: Object.fromEntries([...list.matchAll(/(\d+) ([^,]+)/g)].map(([, id = '', caption = '']) => [id, caption.trim()])),
  }),
);

it('names classes and activities as OCSF does', () => {
  const known = new Map(loadFacts().classes.map((one) => [one.uid, one]));

  const own = shownClasses.map(({ uid }) => {
    const { name = '', activities = {} } = known.get(uid) ?? {};
    return { uid, name, activities: Object.fromEntries(Object.entries(activities).filter(([id]) => id !== '0' && id !== '99')) };
  });

  expect(shownClasses.length).toBe(7);
  expect(shownClasses).toEqual(own);
});

it('takes a class of its own as it is shown', () => {
  const block = /<!-- example: class -->\n```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const row = { action: 'x', title: 'X', group: 'G', ocsf: { class_uid: 3003, activity_id: 2, severity_id: 1 } };

  const table = compileActions({ ...(actions as object), ...(parse(block) as object), actions: [row] } as ActionTableSpec);

  expect(table.actions[0]?.head.type_name).toBe('Authorize Session: Assign Groups');
});

it('links to files that are there', async () => {
  const links = [...page.matchAll(/\]\((\.\.\/[^)#]+)\)/g)].map(([, link = '']) => resolve(root, 'docs', link));

  expect(links.length).toBeGreaterThan(0);
  for (const link of links) expect((await seams.files.stat(link)).isFile()).toBe(true);
});

/** The example of this name, as it stands on the page. */
function exampleOf(name: string): Record<string, unknown> {
  const block = new RegExp(`<!-- example: ${name} -->\\n\`\`\`yaml\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';
  return parse(block) as Record<string, unknown>;
}

it('reads the table of the page', async () => {
  const { page: paging, ...read } = exampleOf('reply');
  const record = { id: 'Event ID', time: 'Time', action: 'Action' };
  const connector = vendorConnector({ ...read, page: paging }, { record });
  const body = Buffer.from('ID;timestamp;action\n1;2026-11-21 09:30:00;Ge\u00e4ndert\n', 'latin1');

  const { records, next } = await pageOf(openVendor(connector, () => ({ body })));

  expect([...records].map(({ value }) => value)).toEqual([
    { 'Event ID': '1', Time: '2026-11-21 09:30:00', Action: 'Ge\u00e4ndert' },
  ]);
  expect(next).toEqual({ kind: 'token', token: '1' });
});

it('reads a log without a time range to the first page that is older', async () => {
  const rows = [
    ['2026-11-21T10:05:00Z', '2026-11-21T09:30:00Z'],
    ['2026-11-21T08:30:00Z', '2026-11-21T08:00:00Z'],
  ];
  const vendor = openVendor(vendorConnector(exampleOf('newest-first')), (_, count) => ({
    body: { rows: (rows[count] ?? []).map((time) => ({ id: time, time })) },
    headers: { link: `</audit-logs?cursor=${count + 1}>; rel="next"` },
  }));

  const first = await pageOf(vendor);
  const last = await pageOf(vendor, first.next);

  expect([...first.records, ...last.records].map(({ value }) => (value as { id: string }).id)).toEqual(['2026-11-21T09:30:00Z']);
  expect(last.next).toBeNull();
  expect(vendor.asked.map(({ url }) => url.href)).toEqual([
    'https://api.vendor.example/audit-logs?per_page=100',
    'https://api.vendor.example/audit-logs?cursor=1',
  ]);
});

it('sends the form of the page, field by field', async () => {
  const vendor = openVendor(vendorConnector(exampleOf('form')), (_, count) => ({
    body: count === 0 ? { events: [{ id: 1 }], next: 'a b&c' } : { events: [] },
  }));

  const first = await pageOf(vendor);
  await pageOf(vendor, first.next);

  const bounds = 'since=2026-11-21T09%3A00%3A00.000Z&until=2026-11-21T10%3A00%3A00.000Z&type=login&type=change';
  expect(vendor.asked.map(({ body, headers }) => [headers?.['content-type'], body])).toEqual([
    ['application/x-www-form-urlencoded', bounds],
    ['application/x-www-form-urlencoded', `${bounds}&page=a%20b%26c`],
  ]);
});

it('goes on behind the values of the last row as the page shows it', async () => {
  const vendor = openVendor(vendorConnector(exampleOf('token-json')), (_, count) => ({
    body: [{ id: 1 }],
    ...(count === 0 && { headers: { 'x-search_after': '[1795168830, "a-1"]' } }),
  }));

  const first = await pageOf(vendor);
  const second = await pageOf(vendor, first.next);

  const bounds = { start_time: '2026-11-21T09:00:00.000Z', end_time: '2026-11-21T10:00:00.000Z', limit: 100 };
  expect(vendor.asked.map(({ body }) => JSON.parse(String(body)) as unknown)).toEqual([
    bounds,
    { ...bounds, search_after: [1_795_168_830, 'a-1'] },
  ]);
  expect(second.next).toBeNull();
});

it.each([
  [{ method: 'POST', body: { filter: { a: 1 } } }, 'a form has no members below "filter"'],
  [{ method: 'POST', body: { filter: [{ a: 1 }] } }, 'a form has no members below "filter"'],
  [{}, 'the request has no body'],
])('refuses a form that is none: %j', (request, says) => {
  const query = { from: '{{ window.from }}' };

  expect(() =>
    vendorConnector({ request: { url: 'https://api.example.com/v1/logs', query, body_format: 'form', ...request } }),
  ).toThrow(says);
});

it('makes several events of a record as the page shows it', async () => {
  const connector = vendorConnector({}, exampleOf('each'));
  const value = { id: { key: 'k', time: '2026-11-21T09:30:00Z' }, events: [{ name: 'A', views: 1 }, { name: 'B' }] };

  const { records, count } = await pageOf(openVendor(connector, () => ({ body: { data: [value] } })));

  expect(count).toBe(1);
  expect([...records].map((raw) => connector.records.examine(raw, undefined).action)).toEqual(['A', 'B']);
});

it('reads the log of the page by its cursor, and its ranges by time', async () => {
  const { request, page: paging, cursor, range, ...read } = exampleOf('cursor');
  const connector = vendorConnector({ ...read, request, page: paging, cursor, range });
  const asked: string[] = [];
  const bodies = [
    { items: [{ id: 1 }], cursor: 'c1', has_more: true },
    { items: [], cursor: 'c1', has_more: false },
    { activity: [{ id: 1 }], paging: { has_more: false } },
  ];
  const { reader } = openVendor(connector, ({ url, body }, count) => {
    asked.push(`${url.href} ${String(body ?? '')}`);
    return { body: bodies[count] };
  });
  const follower = reader as unknown as CursorReader;
  const start = Date.UTC(2026, 10, 21, 9);

  const first = await follower.page({ state: null, from: start }, signal);
  const second = await follower.page({ state: first.next, from: start }, signal);
  const ranged = await follower.range?.page({ state: null, from: start, to: start + 1 }, signal);

  expect([first.records.length, first.more, second.more, ranged?.records.length]).toEqual([1, true, false, 1]);
  expect(asked).toEqual([
    'https://api.harbor.example/v2/events {"limit":100,"start_time":"2026-11-21T09:00:00.000Z"}',
    'https://api.harbor.example/v2/events {"cursor":"c1"}',
    'https://api.harbor.example/v2/activity?created_after=2026-11-21T09%3A00%3A00.000Z&created_before=2026-11-21T09%3A00%3A00.001Z ',
  ]);
});

it('asks for the details that the page shows', async () => {
  const options = { api_url: { type: 'string', format: 'uri', default: 'https://api.harbor.example' } };
  const connector = vendorConnector(exampleOf('details'), { options });
  const { reader } = openVendor(connector, () => ({ body: { entry: { who: 'dana' } } }), { api_url: 'https://api.example.com' });

  const detail = await reader.details?.ask({ uid: 'a/1' }, 'u', signal);

  expect(detail).toEqual({ record: { uid: 'a/1', entry: { who: 'dana' } }, bytes: 24 });
});

it('reads all lists of a reply as the page shows it', async () => {
  const body = { messagesBlocked: [{ GUID: 'a' }], clicksBlocked: [], clicksPermitted: [{ GUID: 'b' }, { GUID: 'c' }] };
  const vendor = openVendor(vendorConnector(exampleOf('several-lists')), () => ({ body }));

  const { records } = await pageOf(vendor);

  expect([...records].map(({ value }) => value)).toEqual([
    { GUID: 'a', kind: 'messagesBlocked' },
    { GUID: 'b', kind: 'clicksPermitted' },
    { GUID: 'c', kind: 'clicksPermitted' },
  ]);
});

it('asks for the details of bare ids as the page shows it', async () => {
  const vendor = openVendor(vendorConnector(exampleOf('details-of-ids')), ({ method }) => ({
    body: method === 'POST' ? { resources: [{ name: 'x' }] } : { resources: ['a-1', 7], meta: { total: 2 } },
  }));

  const { records } = await pageOf(vendor);
  const detail = await vendor.reader.details?.ask([...records][0]?.value, 'u', signal);

  expect([...records].map(({ value }) => value)).toEqual([{ id: 'a-1' }, { id: 7 }]);
  expect(detail).toMatchObject({ record: { id: 'a-1', name: 'x' } });
  expect(vendor.asked.at(-1)).toMatchObject({
    method: 'POST',
    body: '{"ids":["a-1"]}',
    headers: { 'content-type': 'application/json' },
  });
});

it('refuses a body of a detail that is not posted', () => {
  const details = { url: 'https://api.example.com/v1/logs/{{ record.id }}', body: { a: 'b' } };

  expect(() => vendorConnector({ details })).toThrow('a GET request has no body');
});

it.each([
  ['s3cret', ''],
  ['', 's3cret'],
])('takes a key as one half of HTTP Basic: %j, %j', async (username, password) => {
  const vendor = openVendor(vendorConnector({}, { auth: { basic: { username, password } } }), () => ({ body: { data: [] } }));

  await pageOf(vendor);

  expect(vendor.asked[0]?.headers?.['authorization']).toBe(`Basic ${btoa(`${username}:${password}`)}`);
});

it('logs in as the page shows it', async () => {
  const text = { type: 'string' };
  const options = { api_url: { ...text, format: 'uri' }, access_key: text, secret_key: { ...text, secret: true } };
  const connector = vendorConnector({}, { options, ...exampleOf('login') });
  const vendor = openVendor(connector, () => ({ body: { token: 't1', data: [] } }), {
    api_url: 'https://api.example.com',
    access_key: 'a',
    secret_key: 's',
  });

  await pageOf(vendor);

  expect(vendor.asked.map(({ url, body, headers }) => [url.pathname, body, headers?.['x-redlock-auth']])).toEqual([
    ['/login', '{"username":"a","password":"s"}', undefined],
    ['/v1/logs', undefined, 't1'],
  ]);
});

it.each([
  [{ url: 'https://a.example/l' }, 'the token is in the body or in a header'],
  [{ url: 'https://a.example/l', token: 't', token_header: 'x-t' }, 'the token is in the body or in a header'],
  [{ url: 'https://a.example/l', token: 't', header: { name: 'x-a', value: 'T' } }, 'the header does not carry the token'],
  [{ url: 'https://a.example/l', token: 't', header: { name: 'x-a', value: '{{ tokn }}' } }, 'did you mean "token"'],
  [{ url: 'https://a.example/l', token: 't', body_format: 'form', body: { a: { b: 'c' } } }, 'a form has no members below "a"'],
])('refuses a login that is none: %j', (login, says) => {
  expect(() => vendorConnector({}, { auth: { login } })).toThrow(says);
});

it('takes the service account of the page', async () => {
  const key = { type: 'string', secret: true };
  const options = { key, admin: { type: 'string' } };
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const account = JSON.stringify({ client_email: 'a@b.example', private_key: pem, token_uri: 'https://login.example.com/token' });
  const connector = vendorConnector({}, { options, ...exampleOf('auth') });

  const vendor = openVendor(connector, () => ({ body: { access_token: 'a', data: [] } }), {
    key: account,
    admin: 'dana@example.com',
  });
  await pageOf(vendor);

  expect(vendor.asked.map(({ url, headers }) => [url.pathname, headers?.['authorization']])).toEqual([
    ['/token', undefined],
    ['/v1/logs', 'Bearer a'],
  ]);
});

it('waits for an answer, names its values and turns the page as the page shows it', async () => {
  const connector = vendorConnector(exampleOf('pending'));
  const metadata = { columns: [{ name: 'id' }, { name: 'action' }] };
  const vendor = openVendor(connector, ({ method, url }) => {
    if (method === 'POST') return { status: 202, body: { statusUrl: '/v2/statements/h1' } };
    if (url.search !== '') return { body: { data: [['2', 'b']] } };
    return { body: { metadata, data: [['1', 'a']] }, headers: { link: '</v2/statements/h1?partition=1>; rel="next"' } };
  });

  const first = await pageOf(vendor);
  const second = await pageOf(vendor, first.next);

  expect([...first.records, ...second.records].map(({ value }) => value)).toEqual([
    { id: '1', action: 'a' },
    { id: '2', action: 'b' },
  ]);
  expect(vendor.waits).toEqual([2_000]);
});

it('signs the token of the page itself', async () => {
  const text = { type: 'string' };
  const options = { private_key: { ...text, secret: true }, account: text, user: text, fingerprint: text };
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const connector = vendorConnector({}, { options, ...exampleOf('auth-jwt') });

  const vendor = openVendor(connector, () => ({ body: { data: [] } }), {
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    account: 'ACME',
    user: 'PENSTOCK',
    fingerprint: 'SHA256:x=',
  });
  await pageOf(vendor);

  const [, claims = ''] = vendor.asked[0]?.headers?.['authorization']?.split('.') ?? [];
  const { iss, sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
  expect([vendor.asked.length, iss, sub]).toEqual([1, 'ACME.PENSTOCK.SHA256:x=', 'ACME.PENSTOCK']);
});

it('reads the files of a window as the page shows them', async () => {
  const options = { api_url: { type: 'string', format: 'uri', default: 'https://api.harbor.example' } };
  const connector = vendorConnector(
    { ...exampleOf('files') },
    { options, record: { hash: ['id'], time: 'time', action: 'action' } },
  );
  const answer = ({ url: { pathname, searchParams } }: { url: URL }) => {
    if (pathname !== '/v1/files') return { body: `id,time,action\n${pathname.split('/')[3]},2026-11-21T01:00:00Z,read\n` };
    return { body: searchParams.has('p') ? { files: [{ id: 'b' }] } : { files: [{ id: 'a' }], next: '/v1/files?p=2' } };
  };
  const vendor = openVendor(connector, answer, { api_url: 'https://api.example.com' });

  const first = await pageOf(vendor);
  const second = await pageOf(vendor, first.next);

  expect([...first.records, ...second.records].map(({ value }) => (value as { id: string }).id)).toEqual(['a', 'b']);
  expect([second.next, vendor.asked[0]?.url.search]).toEqual([
    null,
    '?made_after=2026-11-21T09%3A00%3A00.000Z&made_before=2026-11-21T10%3A00%3A00.000Z',
  ]);
});

it('reads the organizations of the page', async () => {
  const options = { api_url: { type: 'string', format: 'uri', default: 'https://api.harbor.example' } };
  const { request, groups } = exampleOf('groups');
  const connector = vendorConnector({ 'page.kind': 'token', 'page.token': 'next', request, groups }, { options });
  const vendor = openVendor(
    connector,
    ({ url }) => ({
      body: url.pathname === '/v2/orgs' ? { orgs: url.search === '?skip=0' ? [{ id: 'o/1' }] : [] } : { data: [{ id: 1 }] },
    }),
    { api_url: 'https://api.example.com' },
  );

  const { records } = await pageOf(vendor);

  expect(records).toEqual([{ value: { id: 1, organization: 'o/1' } }]);
  expect(vendor.asked.map(({ url }) => url.pathname)).toEqual(['/v2/orgs', '/v2/orgs', '/v2/orgs/o%2F1/activity']);
});
