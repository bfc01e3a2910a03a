import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { PenstockError } from '../../src/base/errors.ts';
import { compileSchema } from '../../src/base/schema.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { parseYaml } from '../../src/base/yaml-faults.ts';
import { builtName, readBuilt } from '../../src/connectors/bundle.ts';
import {
  actionsJsonSchema,
  compileConnector,
  connectorJsonSchema,
  listConnectors,
  loadConnector,
  loadConnectors,
} from '../../src/connectors/index.ts';
import { shippedConnectors } from './open-source.ts';

const { files } = systemSeams();
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-connectors-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const connector = `name: demo
options:
  api_url: { type: string, format: uri }
  token: { type: string, secret: true }
tenant: '{{ options.api_url }}'
auth: { bearer: '{{ options.token }}' }
read:
  kind: http_window
  schedule: 1m
  request:
    url: '{{ options.api_url }}/logs'
    query: { from: '{{ window.from }}', to: '{{ window.to }}', offset: '{{ page.offset }}' }
  page: { kind: offset, size: 10, total: total }
  records: items
  window: { overlap: 5m, settle: 30s, max: 24h }
record: { id: id, time: at, action: what }
map: { message: text }
actions: ./actions.yaml
`;
const actions = `table: penstock.actions/1
source: demo
vendor: Demo
product: Demo
log_name: demo.audit
log_provider: Demo API
log_format: JSON
versions: { ocsf: 1.8.0, ecs: 9.4.0, cim: '8.5' }
status: { constant: success }
classes:
  3004: { name: Entity Management, category_uid: 3, category_name: Identity & Access Management, activities: { 1: Create } }
actions:
  - action: thing.made
    key: thing_made
    title: Thing made
    group: Things
    ocsf: { class_uid: 3004, activity_id: 1, severity_id: 1 }
    target: { place: entity, type: Thing, type_id: 99 }
    ecs: { category: [configuration], type: [creation] }
    cim: { model: null }
`;

async function put(name: string, files: Record<string, string>): Promise<void> {
  await mkdir(join(folder, name), { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), text);
}

async function faultsOf(change: (text: string) => string, table = actions): Promise<string[]> {
  await put('demo', { 'connector.yaml': change(connector), 'actions.yaml': table });
  const error = (await loadConnector('demo', { dirs: [folder], files }).catch((caught: unknown) => caught)) as PenstockError;
  expect(error.code).toBe('PEN_CONNECTOR_INVALID');
  return error.message.replaceAll(`${folder}/demo/`, '').split(/\n(?!  fix)/);
}

it.each(['connector.yaml', 'actions.yaml'])('says of %s in Latin-1 where that shows, and how to save it', async (file) => {
  await put('demo', { 'connector.yaml': connector, 'actions.yaml': actions });
  const text =
    file === 'actions.yaml'
      ? actions.replace('Thing made', 'Gerät gemacht')
      : connector.replace('message', '\n  # für\n  message');
  await writeFile(join(folder, 'demo', file), Buffer.from(text, 'latin1'));

  const loading = loadConnector('demo', { dirs: [folder], files });

  await expect(loading).rejects.toMatchObject({
    code: 'PEN_CONNECTOR_INVALID',
    message: expect.stringMatching(
      /^the file is not UTF-8 text: byte \d+, in line \d+, is none; it looks like Windows-1252/,
    ) as string,
    where: expect.stringMatching(new RegExp(`${file}:\\d+:\\d+$`)) as string,
    fix: expect.stringContaining('iconv -f WINDOWS-1252 -t UTF-8') as string,
  });
});

describe('the shipped connectors', () => {
  it('all compile', async () => {
    const loaded = await loadConnectors({ dirs: [shippedConnectors], files });

    expect([...loaded.keys()].sort()).toEqual((await readdir(shippedConnectors)).sort());
    expect(loaded.size).toBeGreaterThan(5);
  });

  it('compile again from the text that the journal keeps, with the same hash', async () => {
    const loaded = await loadConnectors({ dirs: [shippedConnectors], files });

    const again = [...loaded.values()].map(({ text }) => compileConnector(text));

    expect(again.map(({ name, hash, origin }) => [name, hash, origin])).toEqual(
      [...loaded.values()].map(({ name, hash }) => [name, hash, 'the journal']),
    );
  });

  it('satisfy the JSON Schemas for editors', async () => {
    const [isConnector, isTable] = [compileSchema(connectorJsonSchema()), compileSchema(actionsJsonSchema())];
    const names = await listConnectors({ dirs: [shippedConnectors], files });

    for (const name of names) {
      const read = async (file: string): Promise<unknown> => parse(await readFile(join(shippedConnectors, name, file), 'utf8'));
      expect(isConnector(await read('connector.yaml')), JSON.stringify(isConnector.errors?.[0])).toBe(true);
      const isExtended = !(await files.readdir(join(shippedConnectors, name))).includes('actions.yaml');
      if (!isExtended) expect(isTable(await read('actions.yaml'))).toBe(true);
    }
  });
});

describe('loading', () => {
  it('takes the first folder that has the name, and says where', async () => {
    await put('okta', { 'connector.yaml': connector.replace('name: demo', 'name: okta'), 'actions.yaml': actions });

    const loaded = await loadConnector('okta', { dirs: [folder, shippedConnectors], files });

    expect([loaded.origin, loaded.actions.length]).toEqual([join(folder, 'okta'), 1]);
  });

  it('suggests the name that was meant', async () => {
    const pending = loadConnector('analyst-studyo', { dirs: [shippedConnectors], files });

    await expect(pending).rejects.toMatchObject({
      code: 'PEN_USAGE',
      fix: expect.stringContaining('did you mean "analyst-studio"?') as string,
    });
  });

  it('says how a folder is to be called whose name is none', async () => {
    await put('My_Vendor', { 'connector.yaml': connector, 'actions.yaml': actions });

    await expect(loadConnector('My_Vendor', { dirs: [folder], files })).rejects.toMatchObject({
      code: 'PEN_USAGE',
      message: '"My_Vendor" is no name for a connector: it has lower-case letters, digits and hyphens',
      fix: 'rename its folder, and set name in its connector.yaml, to my-vendor',
    });
  });

  it('does not look outside of the folders', async () => {
    await expect(loadConnector('../okta', { dirs: [shippedConnectors], files })).rejects.toMatchObject({ code: 'PEN_USAGE' });
  });

  it('gives the options as a JSON Schema', async () => {
    await put('demo', { 'connector.yaml': connector, 'actions.yaml': actions });

    const { options } = await loadConnector('demo', { dirs: [folder], files });

    expect(options).toEqual({
      type: 'object',
      properties: {
        api_url: { type: 'string', format: 'uri', minLength: 1 },
        token: { type: 'string', secret: true, minLength: 1 },
      },
      required: ['api_url', 'token'],
      additionalProperties: false,
      description: 'Options of the connector.',
    });
  });

  it('takes missing sections from the connector that it extends', async () => {
    const loaded = await loadConnector('astra-stream', { dirs: [shippedConnectors], files });

    expect([loaded.kind, loaded.actions.length, loaded.tenant({ org_id: 'o' })]).toEqual(['pulsar_websocket', 30, 'o']);
  });

  it('refuses connectors that extend each other', async () => {
    await put('one', { 'connector.yaml': 'name: one\nextends: two\n' });
    await put('two', { 'connector.yaml': 'name: two\nextends: one\n' });

    await expect(loadConnector('one', { dirs: [folder], files })).rejects.toMatchObject({
      code: 'PEN_CONNECTOR_INVALID',
      message: expect.stringContaining('in a circle') as string,
    });
  });

  it("lays an operator's rows over the table", async () => {
    await put('demo', { 'connector.yaml': connector, 'actions.yaml': actions });
    const row = actions.slice(actions.indexOf('  - action')).replace('Thing made', 'Thing changed');
    await writeFile(
      join(folder, 'more.yaml'),
      `actions:\n${row}${row.replaceAll('thing.made', 'thing.new').replaceAll('thing_made', 'thing_new')}`,
    );

    const loaded = await loadConnector('demo', { dirs: [folder], files }, { actions: [join(folder, 'more.yaml')] });

    expect(loaded.actions.map(({ key, title }) => [key, title])).toEqual([
      ['thing_made', 'Thing changed'],
      ['thing_new', 'Thing changed'],
    ]);
  });
});

describe('a fault', () => {
  it.each([
    [
      'a misspelt key',
      'schedule: 1m',
      'shedule: 1m',
      [
        'connector.yaml:7:1 (read): "schedule" is missing\n  fix: add "schedule": How often to read when the source does not say. A duration such as 30s, 5m, 24h, 30d.',
        'connector.yaml:9:3 (read.shedule): unknown option "shedule"\n  fix: did you mean "schedule"? possible here: kind, schedule, request, page, storage, reply, records, records_are, records_into, columns, pending, records_missing, window, newest_first, ascending, max_pages, sweep, groups, details, failures, statuses, hints, seen_days',
      ],
    ],
    [
      'an option whose pattern is none',
      'token: { type: string, secret: true }',
      "token: { type: string, secret: true, pattern: '(' }",
      [
        'connector.yaml:4:49 (options.token.pattern): Invalid regular expression: /(/u: Unterminated group\n  fix: write a regular expression of JavaScript',
      ],
    ],
    [
      'an option whose default it refuses itself',
      'token: { type: string, secret: true }',
      'token: { type: integer, minimum: 3, default: 2 }',
      ['connector.yaml:4:48 (options.token.default): must be >= 3\n  fix: use 3 or more'],
    ],
    [
      'an option that bounds what it is not',
      'token: { type: string, secret: true }',
      'token: { type: string, secret: true, minimum: 3 }',
      ['connector.yaml:4:40 (options.token.minimum): says nothing about a value of type string\n  fix: leave it out'],
    ],
    [
      'a wrong path',
      'records: items',
      'records: items..x',
      [
        'connector.yaml:14:12 (read.records): "items..x" is not a path\n  fix: write a path such as actor.ip, target[0].id or target[type=User].id',
      ],
    ],
    [
      'a wrong path in the map',
      'message: text',
      "message: 'a['",
      [
        'connector.yaml:17:17 (map.message): "a[" is not a path\n  fix: write a path such as actor.ip, target[0].id or target[type=User].id',
      ],
    ],
    [
      'an unknown option in a template',
      'options.token }}',
      'options.tokn }}',
      [
        'connector.yaml:6:17 (auth.bearer): the template names "options.tokn", which does not exist\n  fix: did you mean "options.token"? possible here: options.api_url, options.token',
      ],
    ],
    [
      'a place with a brace too few',
      "'{{ options.api_url }}'",
      "'{{ options.api_url }'",
      [
        'connector.yaml:5:9 (tenant): the template is broken at character 1: "{{ options.api_url }"\n  fix: write {{ name }}; other braces stand for themselves',
      ],
    ],
    [
      'no start of the window',
      "from: '{{ window.from }}', ",
      '',
      [
        'connector.yaml:10:3 (read.request): the request says no start of the window\n  fix: add a query parameter whose value is "{{ window.from }}"; for an API without a time range that lists newest first: newest_first: true',
      ],
    ],
    [
      'no start of the window in a body',
      "query: { from: '{{ window.from }}', ",
      'method: POST\n    body: { ',
      [
        'connector.yaml:10:3 (read.request): the request says no start of the window\n  fix: add a member of the body whose value is "{{ window.from }}"; for an API without a time range that lists newest first: newest_first: true',
      ],
    ],
    ...(
      [
        ['a duration in words', 'overlap: 5m', 'overlap: 5 min', 'write 5m'],
        ['a duration without a unit', 'overlap: 5m', 'overlap: 300', 'write a number with its unit: ms, s, m, h, d or w'],
        ['a number in quotes', 'size: 10', 'size: "10"', 'write 10, without quotes or marks between its digits'],
        ['yes', 'secret: true', 'secret: yes', 'write true'],
        ['a credential that is not marked', 'type: string, secret: true', 'type: string', 'mark the option secret: true'],
        ['a method in small letters', '    url:', '    method: get\n    url:', 'did you mean "GET"?'],
        [
          'two kinds of auth',
          "auth: { bearer: '{{ options.token }}' }",
          'auth: { bearer: a, header: { name: b, value: c } }',
          'keep one of them',
        ],
        ['hours of half a day', 'max: 24h', "max: 24h, format: 'yyyy-MM-dd hh:mm:ss'", 'write yyyy-MM-dd HH:mm:ss'],
        [
          'months in the place of minutes',
          'max: 24h',
          "max: 24h, format: 'yyyy-MM-dd HH:MM:ss'",
          'MM is the month and mm the minute',
        ],
        [
          'words in a pattern',
          'max: 24h',
          "max: 24h, format: 'yyyy-MM-dd HH:mm UTC'",
          "put text that stands for itself into single quotes: 'UTC'",
        ],
      ] as const
    ).map(([what, before, after, fix]): [string, string, string, string[]] => [
      what,
      before,
      after,
      [expect.stringContaining(`\n  fix: ${fix}`) as string],
    ]),
    [
      'a page that is asked for by the time of a record',
      "offset: '{{ page.offset }}' }\n  page: { kind: offset, size: 10, total: total }",
      "after: '{{ page.token }}' }\n  page: { kind: token, token: 'items[-1].at' }",
      [
        'connector.yaml:13:31 (read.page.token): the next page is asked for by the time of a record: others of the same time that had no room on the page may be lost\n  fix: take {{ page.token }} out of the request and write page: { kind: none, size: ... } with the records of a full page: a window that fills one is read in halves, down to window.min',
      ],
    ],
    [
      'an unknown kind',
      'kind: http_window',
      'kind: http_windw',
      [
        'connector.yaml:8:9 (read.kind): the kind of reading is missing or unknown\n  fix: set read.kind to one of http_window, http_cursor, csv_directory, pulsar_websocket',
      ],
    ],
    [
      'a value that a query cannot have',
      "from: '{{ window.from }}'",
      "from: '{{ window.from }}', after: null",
      [
        'connector.yaml:12:48 (read.request.query.after): must be one of string, number, boolean, array\n  fix: correct the value',
      ],
    ],
    [
      'a duration that is none',
      'overlap: 5m',
      'overlap: five',
      [
        'connector.yaml:15:22 (read.window.overlap): "five" must be a duration such as 30s, 5m or 24h (How far a window reaches back over the one before it. A duration such as 30s, 5m, 24h, 30d.)\n  fix: write a number with its unit: ms, s, m, h, d or w',
      ],
    ],
    [
      'broken YAML',
      'map: { message: text }',
      'map: { message: text',
      [
        'connector.yaml:18:1: a bracket is not closed before this line\n  fix: give the lines of one block the same indentation, and close every { and [',
      ],
    ],
    [
      'a way to ask again that nothing leads to',
      '  records: items',
      '  records: items\n  pending: { link: a, header: b }',
      [
        'connector.yaml:15:3 (read.pending): nothing says which answers are pending\n  fix: add statuses: { 202: pending }, or failures',
        'connector.yaml:15:3 (read.pending): pending takes one address\n  fix: keep one of link, header',
      ],
    ],
    [
      'a column whose name is nowhere',
      '  records: items',
      '  records: items\n  columns: { at: "a[" }',
      [
        'connector.yaml:15:18 (read.columns.at): "a[" is not a path\n  fix: write a path such as actor.ip, target[0].id or target[type=User].id',
      ],
    ],
    [
      'a client that nothing proves',
      "auth: { bearer: '{{ options.token }}' }",
      "auth: { oauth2_client_credentials: { token_url: 'https://a.example', client_id: x, key_id: k } }",
      [
        'connector.yaml:6:9 (auth.oauth2_client_credentials): nothing proves who the client is\n  fix: add client_secret or private_key',
        'connector.yaml:6:84 (auth.oauth2_client_credentials.key_id): there is no key that signs\n  fix: add private_key, or leave this out',
      ],
    ],
    ...(
      [
        ['request', "url: '{{ options.api_url }}/logs'", "url: 'https://{{ page.token }}/logs'", '11:10', 'page.token'],
        ['details', 'records: items', "records: items\n  details: { url: '{{ record.href }}' }", '15:19', 'record.href'],
        [
          'groups.request',
          'records: items',
          "records: items\n  groups: { request: { url: 'https://{{ group.host }}' }, page: { kind: none }, records: a, id: a }",
          '15:29',
          'group.host',
        ],
      ] as const
    ).map(([at, before, after, place, name]): [string, string, string, string[]] => [
      `a host that the vendor names, in ${at}`,
      before,
      after,
      [
        `connector.yaml:${place} (read.${at}.url): the host comes from "${name}", and the credential would follow it\n  fix: name the host, or take it from the options; values may stand in the path`,
      ],
    ]),
  ])('is reported with its place: %s', async (_name, before, after, expected) => {
    const faults = await faultsOf((text) => text.replace(before, after));

    expect(faults.slice(0, expected.length)).toEqual(expected);
  });

  it('of both files comes in one error', async () => {
    const faults = await faultsOf(
      (text) => text.replace('options.token }}', 'options.x }}'),
      `${actions}${actions.slice(actions.indexOf('  - action'))}`,
    );

    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['actions.yaml', 'connector.yaml']);
    expect(faults[0]).toMatch(/^actions\.yaml:22:10 \(actions\[1\]\.key\): "thing_made" already stands/);
  });

  it('of an action that nobody gave a class is reported in its table', async () => {
    const faults = await faultsOf(
      (text) => text,
      actions.replace('class_uid: 3004, activity_id', 'class_uid: 9999, activity_id'),
    );

    expect(faults[0]).toMatch(/^actions\.yaml:17:\d+/);
  });

  it('of the stored text is one error', () => {
    expect(() => compileConnector('not a bundle')).toThrow(expect.objectContaining({ code: 'PEN_CONNECTOR_INVALID' }) as Error);
  });
});

describe('what the build has written of a file', () => {
  const text = 'name: demo\nread:\n  kind: http_window\n';
  const file = { file: 'connector.yaml', text };

  it('stands for the text, with the lines of the text where something is wrong', async () => {
    await writeFile(join(folder, builtName(text)), JSON.stringify(parseYaml(text, 'x').value));

    const built = readBuilt(file, folder);
    const parsed = parseYaml(text, 'connector.yaml');

    expect([built?.value, built?.faults]).toEqual([parsed.value, []]);
    expect(built?.fault(['read', 'kind'], 'it is wrong')).toEqual(parsed.fault(['read', 'kind'], 'it is wrong'));
    expect(built?.locate(['read'], 'key')).toEqual(parsed.locate(['read'], 'key'));
  });

  it.each([
    ['is edited', `${text}# mine\n`, '{"name":"demo"}'],
    ['was cut off', text, '{"name":'],
  ])('does not count when it %s', async (_what, now, json) => {
    await writeFile(join(folder, builtName(text)), json);

    expect(readBuilt({ ...file, text: now }, folder)).toBeUndefined();
  });
});
