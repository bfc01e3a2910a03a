import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { penstock } from '../cli/terminal.ts';

const secret = 'k3y-0f-acme-7d41';
const options = `options: { url: { type: string, format: uri, description: Address. }, key: { type: string, secret: true, description: Key. } }`;

interface Vendor {
  readonly url: string;
  readonly asked: string[];
}

async function vendor(answer: (url: URL, count: number) => { body: string; headers?: Record<string, string> }): Promise<Vendor> {
  const asked: string[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request.url ?? '');
    const { body, headers = {} } = answer(new URL(request.url ?? '', 'http://vendor'), asked.length);
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** A configuration with one source of a connector of its own. */
async function configured(
  url: string,
  page: string,
  replies = '',
  auth = "header: { name: x-key, value: '{{ options.key }}' }",
): Promise<{ readonly dir: string; readonly args: string[] }> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-record-'));
  await mkdir(join(dir, 'own/harbor'), { recursive: true });
  await writeFile(
    join(dir, 'own/harbor/connector.yaml'),
    `name: harbor
title: Harbor
${options}
auth: { ${auth} }
read:
  kind: http_window
  schedule: 1m
  request:
    url: '{{ options.url }}/activity'
    query: { from: '{{ window.from }}', to: '{{ window.to }}', token: '{{ page.token }}' }
  page: ${page}
  records: items
  ${replies}
  window: { overlap: 5m, settle: 0s, max: 1h }
record: { id: uid, time: at, action: verb }
map: { actor.user.uid: by }
actions: ./actions.yaml
`,
  );
  await writeFile(
    join(dir, 'own/harbor/actions.yaml'),
    `table: penstock.actions/1
source: harbor
vendor: Harbor
product: Harbor
log_name: harbor.activity
log_provider: harbor-api
log_format: JSON
versions: { ocsf: 1.8.0, ecs: 9.4.0, cim: '8.5' }
status: { constant: unknown }
actions:
  - { action: opened, title: Opened, group: Harbor, ocsf: { class_uid: 6003, activity_id: 2, severity_id: 1 } }
`,
  );
  await writeFile(
    join(dir, 'penstock.yaml'),
    `data_dir: ./data
connectors_dir: ./own
sources: { acme: { connector: harbor, options: { url: "${url}", key: "\${file:${join(dir, 'key')}}" } } }
sinks: { out: { type: stdout } }
`,
  );
  await writeFile(join(dir, 'key'), secret, { mode: 0o600 });
  return { dir, args: ['connector', 'record', 'acme', '-c', join(dir, 'penstock.yaml')] };
}

const row = (url: URL, id: string): Record<string, unknown> => ({
  uid: id,
  at: url.searchParams.get('from'),
  verb: 'opened',
  by: 'u-1',
  big: 1,
  detail: { session_token: 'abc123', note: `sent with ${secret}`, password: null },
});

const threePages = (url: URL, count: number): { body: string; headers: Record<string, string> } => ({
  body: JSON.stringify({
    items: [row(url, `a-${count}`), row(url, 'a-0')],
    next_token: count === 3 ? '' : `opaque-${count}`,
  }).replace('"big":1', '"big":12345678901234567890'),
  headers: {
    'set-cookie': 'session=s3cr3t-cookie',
    'x-request': 'r',
    'x-session-token': 'h3ader',
    link: `<${url.href}?token=abc>; rel="self"`,
  },
});

it('saves a range of a live source without secrets as a case that passes its test', async () => {
  const { url, asked } = await vendor(threePages);
  const { dir, args } = await configured(url, '{ kind: token, token: next_token, size: 2 }');

  const recorded = await penstock([...args, '--case', 'live']);
  const tested = await penstock(['connector', 'test', join(dir, 'own/harbor')]);

  const folder = join(dir, 'own/harbor/tests/live');
  const names = (await readdir(folder)).sort();
  const texts = (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
  expect([recorded.code, recorded.err, asked.length]).toEqual([
    0,
    expect.stringContaining('replace them before you share it'),
    3,
  ]);
  expect(recorded.out).toContain('ok     live: 3 pages, 6 records');
  expect([tested.code, tested.out]).toEqual([0, expect.stringContaining('ok     live: 3 pages, 6 records')]);
  expect(names).toEqual([
    'case.yaml',
    'expected-requests.txt',
    'expected.ndjson',
    ...[1, 2, 3].flatMap((n) => [`page-${n}.headers`, `page-${n}.json`]),
  ]);
  for (const hidden of [secret, 'abc123', 's3cr3t-cookie', 'h3ader', 'opaque-', 'token=abc', 'x-request'])
    expect(texts).not.toContain(hidden);
  expect(texts).toContain('12345678901234567890');
  expect(texts).toContain('key: made-up');
});

it.each([
  ['a login', "login: { url: '{{ options.url }}/login', body: { key: '{{ options.key }}' }, token: 'data.keys[0].text' }"],
  ['a login that answers in a header', "login: { url: '{{ options.url }}/login', token_header: x-told }"],
  [
    'a grant whose token has another name',
    "oauth2_client_credentials: { token_url: '{{ options.url }}/login', client_id: c, client_secret: '{{ options.key }}', token: 'data.keys[0].text' }",
  ],
])('saves no answer of %s, and its case passes without it', async (_name, auth) => {
  const told = { body: '{"data":{"keys":[{"text":"t0k3n-of-acme"}]}}', headers: { 'x-told': 't0k3n-of-acme' } };
  const api = await vendor((url) => (url.pathname === '/login' ? told : { body: JSON.stringify({ items: [row(url, 'a')] }) }));
  const { dir, args } = await configured(api.url, '{ kind: none }', '', auth);

  const { code, out, err } = await penstock([...args, '--case', 'first']);
  const again = await penstock(['connector', 'test', join(dir, 'own/harbor')]);

  const files = await readdir(join(dir, 'own/harbor/tests/first'));
  const texts = await Promise.all(files.map((file) => readFile(join(dir, 'own/harbor/tests/first', file), 'utf8')));
  expect([code, again.code, out + err]).toEqual([0, 0, expect.any(String)]);
  expect(files.filter((file) => file.startsWith('page-') && file.endsWith('.json'))).toEqual(['page-1.json']);
  expect(texts.join()).not.toContain('t0k3n');
});

it('overwrites nothing, and asks nothing where a case of that name is', async () => {
  const { url, asked } = await vendor(threePages);
  const { dir, args } = await configured(url, '{ kind: token, token: next_token, size: 2 }');
  await mkdir(join(dir, 'own/harbor/tests/recorded'), { recursive: true });

  const { code, err } = await penstock(args);
  const odd = await penstock([...args, '--case', '../elsewhere']);

  expect([code, err, asked]).toEqual([1, expect.stringContaining('there is such a case already'), []]);
  expect(odd.err).toContain('is no name for a folder');
  expect(await readdir(join(dir, 'own/harbor/tests/recorded'))).toEqual([]);
});

it('asks for no more pages than it may, and then saves nothing', async () => {
  const { url, asked } = await vendor(threePages);
  const { dir, args } = await configured(url, '{ kind: token, token: next_token, size: 2 }');

  const { code, err } = await penstock([...args, '--pages', '2']);
  const long = await penstock([...args, '--from', '3h', '--to', '1h']);

  expect([code, err, asked.length]).toEqual([1, expect.stringContaining('more than 2 pages; nothing was saved'), 2]);
  expect([long.code, long.err]).toEqual([2, expect.stringContaining('at most 60 minutes at a time')]);
  expect(await readdir(join(dir, 'own/harbor'))).not.toContain('tests');
});

it('saves nothing of a range without records, which would prove nothing', async () => {
  const { url, asked } = await vendor(() => ({ body: '{"items":[]}' }));
  const { dir, args } = await configured(url, '{ kind: token, token: next_token, size: 2 }');

  const { code, err } = await penstock([...args, '--from', '2026-01-05T10:00:00Z', '--to', '2026-01-05T10:10:00Z']);

  expect([code, asked.length]).toEqual([1, 1]);
  expect(err).toContain(
    'source acme, 2026-01-05T10:00:00.000Z to 2026-01-05T10:10:00.000Z: the vendor has no records in the range; nothing was saved\n  fix: take a range',
  );
  expect(await readdir(join(dir, 'own/harbor'))).not.toContain('tests');
});

it('records replies of a value a line, and refuses what it cannot clear of secrets', async () => {
  const lines = await vendor((url) => ({ body: `${JSON.stringify(row(url, 'a'))}\n${JSON.stringify(row(url, 'b'))}\n` }));
  const table = await vendor((url) => ({ body: `uid,at,verb\na,${url.searchParams.get('from')},opened\n` }));
  const [asLines, asTable] = await Promise.all([
    configured(lines.url, '{ kind: none }', 'reply: { format: ndjson }'),
    configured(table.url, '{ kind: none }', 'reply: { format: csv }'),
  ]);
  for (const { dir } of [asLines, asTable]) {
    const file = join(dir, 'own/harbor/connector.yaml');
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace('records: items', 'records: $').replace(", token: '{{ page.token }}'", ''),
    );
  }

  const ok = await penstock(asLines.args);
  const refused = await penstock(asTable.args);

  expect([ok.code, ok.out]).toEqual([0, expect.stringContaining('1 page, 2 records')]);
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('neither JSON nor NDJSON')]);
});
