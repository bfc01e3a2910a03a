import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import { compilePath } from '../../src/event/index.ts';
import { printSchema } from '../../src/workbench/catalog.ts';
import { testConnector } from '../../src/workbench/connector-test/index.ts';
import { openRecordedClient } from '../../src/workbench/connector-test/test-case.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { penstock } from '../cli/terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const seams = systemSeams();
const shipped = await readdir(join(root, 'connectors'));

async function freshConnector(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-connectors-'));
  return (await newConnector('acme-audit', dir, seams)).folder;
}

async function faultsAfter(change: (first: string, folder: string) => Promise<void>): Promise<readonly string[]> {
  const folder = await freshConnector();
  await change(join(folder, 'tests/first'), folder);
  const { cases } = await testConnector(folder, seams, { update: false });
  return cases.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`));
}

async function edit(file: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  await writeFile(file, changed);
}

it.each(shipped)('the shipped connector %s passes its own test, with a recorded case', async (name) => {
  const { cases, passed } = await testConnector(join(root, 'connectors', name), seams, { update: false });

  expect(cases.flatMap(({ faults }) => faults)).toEqual([]);
  expect([passed, cases.some((one) => one.name !== 'samples')]).toEqual([true, true]);
});

it('writes a new connector that loads, passes its test, and says what to do next', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-connectors-'));

  const made = await penstock(['connector', 'new', 'acme-audit', '--dir', dir]);
  const tested = await penstock(['connector', 'test', join(dir, 'acme-audit')]);
  const again = await penstock(['connector', 'new', 'acme-audit', '--dir', dir]);
  const wrong = await penstock(['connector', 'new', 'Acme_Audit', '--dir', dir]);

  expect([made.code, tested.code, again.code, wrong.code]).toEqual([0, 0, 2, 2]);
  expect(made.out).toContain('connectors_dir:');
  expect(tested.out).toContain('ok     first: 2 pages, 6 records');
  expect(again.err).toContain('already exists');
  expect(wrong.err).toContain('fix: use lower-case letters');
  expect((await readdir(join(dir, 'acme-audit'))).sort()).toEqual(['actions.yaml', 'connector.yaml', 'samples.ndjson', 'tests']);
});

it('says where an event differs from what is expected, and exits 1', async () => {
  const folder = await freshConnector();
  await edit(join(folder, 'connector.yaml'), 'src_endpoint.ip: client.ip', 'src_endpoint.ip: client.address');

  const { code, out } = await penstock(['connector', 'test', folder]);

  expect(code).toBe(1);
  expect(out).toContain('page-1.json record 1: src_endpoint: expected {"ip":"192.0.2.10"}, got nothing');
});

it('takes what comes out as what is expected when asked to', async () => {
  const folder = await freshConnector();
  await edit(join(folder, 'connector.yaml'), 'message: summary', 'message: event_type');

  const before = await testConnector(folder, seams, { update: false });
  const update = await testConnector(folder, seams, { update: true });
  const after = await testConnector(folder, seams, { update: false });

  expect([before.passed, update.passed, after.passed]).toEqual([false, true, true]);
  expect(update.cases.flatMap(({ written }) => written)).toEqual([join(folder, 'tests/first/expected.ndjson')]);
});

it('says that a folder holds no connector, or that a case is not there', async () => {
  const folder = await freshConnector();
  await writeFile(join(folder, 'tests/notes.md'), 'not a case');

  const nowhere = await penstock(['connector', 'test', join(folder, 'tests')]);
  const noCase = await penstock(['connector', 'test', folder, '--case', 'second']);
  const whole = await penstock(['connector', 'test', folder]);

  expect(nowhere.err).toContain('there is no connector.yaml in');
  expect(noCase.err).toContain('there is no case "second"\n  fix: known: first');
  expect([nowhere.code === 0, noCase.code === 0, whole.code]).toEqual([false, false, 0]);
});

it('goes on to the other cases when one cannot be read', async () => {
  const folder = await freshConnector();
  await cp(join(folder, 'tests/first'), join(folder, 'tests/broken'), { recursive: true });
  await writeFile(join(folder, 'tests/broken/page-1.json'), '{');

  const { cases } = await testConnector(folder, seams, { update: false });

  expect(cases.map(({ name, faults }) => [name, faults.length])).toEqual([
    ['samples', 0],
    ['broken', 1],
    ['first', 0],
  ]);
  expect(cases[1]?.faults[0]).toContain('a body that is not JSON to');
});

it('finds a walk that does not end', async () => {
  const faults = await faultsAfter((first) => edit(join(first, 'page-2.json'), '"next_cursor": null', '"next_cursor": "c-6"'));

  expect(faults).toEqual([
    expect.stringMatching(
      /^first: after page-2\.json the walk asks for another page\n {2}fix: record it as page-3\.json .*cursor=c-6/,
    ),
  ]);
});

it('finds a page token that comes twice', async () => {
  const faults = await faultsAfter((first) => edit(join(first, 'page-2.json'), '"next_cursor": null', '"next_cursor": "c-3"'));

  expect(faults).toEqual(['first: the vendor named the same next page (by token) twice in one walk']);
});

it('finds pages that the walk never reads', async () => {
  const faults = await faultsAfter((first) => edit(join(first, 'page-1.json'), '"next_cursor": "c-3"', '"cursor": "c-3"'));

  expect(faults).toEqual([expect.stringContaining('the walk ends before page-2.json is read')]);
});

it('finds a page that was not recorded', async () => {
  const faults = await faultsAfter((first) => cp(join(first, 'page-2.json'), join(first, 'page-4.json')));

  expect(faults).toEqual([expect.stringContaining('page-3.json is missing')]);
});

it('takes the records of all days that a window of days names', async () => {
  const faults = await faultsAfter(async (first, folder) => {
    await edit(
      join(first, 'case.yaml'),
      'from: 2026-11-20T10:00:00Z\nto: 2026-11-20T11:00:00Z',
      'from: 2026-11-20T12:00:00Z\nto: 2026-11-20T13:00:00Z',
    );
    await edit(join(folder, 'connector.yaml'), 'precision: ms', 'format: date');
  });

  expect(faults.filter((fault) => fault.includes('lies outside'))).toEqual([]);
});

it('finds records outside of the window that was asked for', async () => {
  const faults = await faultsAfter((first) =>
    edit(join(first, 'case.yaml'), 'to: 2026-11-20T11:00:00Z', 'to: 2026-11-20T10:06:00Z'),
  );

  expect(faults[0]).toBe(
    'first: page-2.json record 3: its time 2026-11-20T10:06:30.125Z lies outside of the window that was asked for, 2026-11-20T10:00:00.000Z to 2026-11-20T10:06:00.000Z',
  );
});

it('finds another record under a known id', async () => {
  const faults = await faultsAfter((first) => edit(join(first, 'page-2.json'), 'evt-0004', 'evt-0001'));

  expect(faults).toContainEqual(expect.stringContaining('page-2.json record 1: has the id of page-1.json record 1'));
});

it('finds a request that is not the expected one', async () => {
  const faults = await faultsAfter((_first, folder) =>
    edit(join(folder, 'connector.yaml'), "until: '{{ window.to }}'", "before: '{{ window.to }}'"),
  );

  expect(faults[0]).toMatch(/^first: expected-requests\.txt:1: expected GET .*&until=.*\n {2}got GET .*&before=/);
});

it('keeps the body of a POST among the expected requests', async () => {
  const folder = await freshConnector();
  const query = /query:\n(?: {6}.*\n)+/;
  await edit(
    join(folder, 'connector.yaml'),
    query,
    "method: POST\n    body: { since: '{{ window.from }}', limit: '{{ page.limit }}', after: '{{ page.token }}' }\n",
  );

  await testConnector(folder, seams, { update: true });

  const url = 'POST https://api.vendor.example/v1/orgs/org-1/audit-log';
  expect(await readFile(join(folder, 'tests/first/expected-requests.txt'), 'utf8')).toBe(
    `${url} {"since":"2026-11-20T10:00:00.000Z","limit":100}\n${url} {"since":"2026-11-20T10:00:00.000Z","limit":100,"after":"c-3"}\n`,
  );
});

it('finds a reply whose records stand elsewhere', async () => {
  const faults = await faultsAfter((_first, folder) => edit(join(folder, 'connector.yaml'), 'records: data', 'records: items'));

  expect(faults).toEqual([expect.stringContaining('the reply has no list of records at items; it has data, next_cursor')]);
});

it.each(['case.yaml', '../../samples.ndjson'])('says of %s in UTF-16 what it is', async (file) => {
  const folder = await freshConnector();
  const path = join(folder, 'tests/first', file);
  await writeFile(path, Buffer.from(await readFile(path, 'utf8'), 'utf16le'));

  const said = await testConnector(folder, seams, { update: false }).then(
    ({ cases }) => cases.flatMap(({ faults }) => faults).join(),
    (error: unknown) => String(error),
  );

  expect(said).toContain('the file is UTF-16 text, not UTF-8');
});

it('counts copies, and finds a record that nothing but its time tells from another', async () => {
  const folder = await freshConnector();
  const page = join(folder, 'tests/first/page-1.json');
  const { data, ...rest } = JSON.parse(await readFile(page, 'utf8')) as { data: Record<string, unknown>[] };
  const later = { ...data[0], occurred_at: '2026-11-20T10:03:00.125Z' };
  await writeFile(page, JSON.stringify({ ...rest, data: [...data, data[1], later] }));
  await edit(join(folder, 'connector.yaml'), 'record:', 'record:\n  volatile: [occurred_at]');

  const { cases } = await testConnector(folder, seams, { update: false, only: 'first' });

  expect(cases[0]?.summary).toBe('2 pages, 8 records, 2 of them copies of others');
  expect(cases[0]?.faults).toContain(
    'page-1.json record 5: has the id of page-1.json record 1 but another time; check record.id, and record.volatile',
  );
});

it('finds samples without a row, with an id that comes twice, and actions without a sample', async () => {
  const faults = await faultsAfter((_first, folder) =>
    edit(
      join(folder, 'samples.ndjson'),
      '"id":"evt-0002","occurred_at":"2026-11-20T10:02:30.125Z","event_type":"user.created"',
      '"id":"evt-0001","occurred_at":"2026-11-20T10:02:30.125Z","event_type":"user.made"',
    ),
  );

  expect(faults).toEqual([
    'samples: samples.ndjson:2: has the id of a record above it',
    'samples: samples.ndjson:2: its action "user_made" has no row in the action table',
    'samples: samples.ndjson: has no record of user.created',
  ]);
});

it('finds events that lack what their class requires', async () => {
  const faults = await faultsAfter((_first, folder) =>
    edit(
      join(folder, 'actions.yaml'),
      "    target: { place: user, resource_type: Organization, tenant: true, privileges_fallback: ['organization:member'] }",
      '    target: { place: user }',
    ),
  );

  expect(faults).toContain('samples: samples.ndjson:3: not valid by OCSF: privileges is required and missing');
});

it('reports a wrong case.yaml with file, line and column', async () => {
  const faults = await faultsAfter((first) => edit(join(first, 'case.yaml'), 'token: made-up', 'tokn: made-up'));

  expect(faults[0]).toMatch(/^first: .*case\.yaml:\d+:\d+ \(options\)?.*token/s);
});

it.each(['connector', 'actions'] as const)(
  'has the schema of %s files committed as it is printed (penstock schema KIND > config/KIND.schema.json)',
  async (kind) => {
    const committed: unknown = JSON.parse(await readFile(join(root, 'config', `${kind}.schema.json`), 'utf8'));

    expect(committed).toEqual(JSON.parse(JSON.stringify(await printSchema(kind, seams.files))));
  },
);

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const validators = new Map<string, ValidateFunction>();

it.each(shipped)('the schemas for editors accept the files of %s', async (name) => {
  const folder = join(root, 'connectors', name);
  const faultsOf = async (kind: 'connector' | 'actions'): Promise<unknown> => {
    const validate: ValidateFunction = validators.get(kind) ?? ajv.compile((await printSchema(kind, seams.files)) as object);
    validators.set(kind, validate);
    void validate(JSON.parse(JSON.stringify(parse(await readFile(join(folder, `${kind}.yaml`), 'utf8')))));
    return validate.errors ?? [];
  };

  const hasTable = (await readdir(folder)).includes('actions.yaml');
  expect([await faultsOf('connector'), hasTable ? await faultsOf('actions') : []]).toEqual([[], []]);
});

it.each(['access_token', 'data.tokens[1].value', 'result["access.token"]', 'items[kind=access].token', '$[0].token', 'list[-1]'])(
  'answers a request for a token where the connector looks for it: %s',
  async (path) => {
    const client = openRecordedClient([]);
    const url = new URL('https://api.example.com/login');

    const { body } = await client.request({ method: 'POST', url, headers: {}, timeoutMs: 1, maxBytes: 1, tokenAt: { path } });

    expect(compilePath(path)(JSON.parse(body.toString()))).toBe('recorded');
    expect(client.asked).toEqual([]);
  },
);
