// Every option at the top of the file, of a source and of a sink changes what is loaded, and a room beyond `config` reads what it changed.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { fakeConnector, load, temporaryFolder } from '../config/load.ts';
import { makeCertificates } from '../http/certificates.ts';
import { type Case, nested, type Values } from './cases.ts';
import { options } from './schemas.ts';

const database = 'postgres://penstock@db.example.com:5432/penstock';
const certificates = makeCertificates();
const [pem, key] = [certificates.read('client.pem'), certificates.read('client.key')];
certificates[Symbol.dispose]();
const folderFiles = {
  'ca.pem': pem,
  'a.pem': pem,
  'b.pem': pem,
  'a.key': key,
  'b.key': key,
  'connectors/readme.txt': '',
  'rows.yaml': '[]\n',
};

/** A value for each option; where one alone is refused, what stands beside it. */
const values: Readonly<Record<'file' | 'source' | 'sink', Readonly<Record<string, Case>>>> = {
  file: {
    data_dir: ['elsewhere'],
    'log.level': ['debug'],
    'admin.listen': ['127.0.0.1:9000'],
    'admin.metrics': ['token'],
    'admin.tls.cert_file': ['b.pem', { 'admin.tls.key_file': 'a.key', 'admin.tls.cert_file': 'a.pem' }],
    'admin.tls.key_file': ['b.key', { 'admin.tls.key_file': 'a.key', 'admin.tls.cert_file': 'a.pem' }],
    'journal.max_bytes': ['1GiB'],
    'journal.keep': ['3d'],
    'journal.url': [database],
    'journal.password': ['pw-1234', { 'journal.url': database }],
    'journal.tls': [{ ca_file: 'ca.pem' }, { 'journal.url': database }],
    'journal.schema': ['second', { 'journal.url': database }],
    'journal.lease': ['20s', { 'journal.url': database }],
    'journal.connections': [4, { 'journal.url': database }],
    'replica.name': ['one'],
    'replica.labels': [['dc1']],
    connectors_dir: ['connectors'],
    shutdown_timeout: ['3s'],
    watch: [true],
    proxy: ['http://proxy.example.com:3128'],
    tls: [{ ca_file: 'ca.pem' }],
    sources: [{}],
    sinks: [{ other: { type: 'stdout' } }],
  },
  source: {
    connector: ['folder'],
    enabled: [false],
    shared: [true, { connector: 'folder', journal: { url: database } }],
    options: [{ org_id: 'other' }],
    'schedule.every': ['3m'],
    'schedule.cron': ['*/5 * * * *'],
    'schedule.timezone': ['Europe/Berlin', { 'schedule.cron': '*/5 * * * *' }],
    cron: ['*/5 * * * *'],
    timezone: ['Europe/Berlin', { cron: '*/5 * * * *' }],
    start: ['3d'],
    rate_limit: ['60/1m'],
    'window.overlap': ['3m'],
    'window.settle': ['3m'],
    'window.max': ['3h'],
    'window.min': ['3m'],
    'filter.exclude_actions': [['policy_updated']],
    'filter.only_actions': [['policy_updated']],
    self_events: ['forward'],
    retention: ['3d'],
    expect_events_within: ['3h'],
    credential_expires: ['2027-01-31'],
    'sweep.every': ['3h', { 'sweep.back': '5h' }],
    'sweep.back': ['3h', { 'sweep.every': '5h' }],
    labels: [['prod']],
    actions: ['rows.yaml'],
    validate: ['off'],
    proxy: ['http://proxy.example.com:3128'],
    tls: [{ ca_file: 'ca.pem' }],
    allow_plaintext: [true, { options: { org_id: 'acme', api_url: 'http://api.example.com' } }],
  },
  sink: {
    type: ['file', { path: 'out.ndjson' }],
    enabled: [false],
    sources: [['feed']],
    'filter.exclude_actions': [['policy_updated']],
    'filter.only_actions': [['policy_updated']],
    'filter.min_severity': ['high'],
    format: ['cef'],
    include_raw: [true],
    drop: [['unmapped']],
    start: ['oldest'],
    'batch.events': [7],
    'batch.bytes': ['7KB'],
    'batch.wait': ['7s'],
    in_flight: [7],
    timeout: ['7s'],
    backoff_max: ['7s'],
    hold_probe: ['7s'],
    stalled_after: ['7m'],
    when_full: ['skip'],
    max_dead_letters: [7],
    proxy: [
      'http://proxy.example.com:3128',
      { type: 'splunk_hec', token: 'tok-1234', endpoint: 'https://splunk.example.com:8088' },
    ],
    tls: [{ ca_file: 'ca.pem' }],
    allow_plaintext: [true, { type: 'splunk_hec', token: 'tok-1234', endpoint: 'http://splunk.example.com:8088' }],
    labels: [['prod']],
  },
};

function configWith(scope: string, own: Values): string {
  const file = scope === 'file' ? nested(own) : {};
  const { journal, ...ofSource } = scope === 'source' ? nested(own) : {};
  const source = { connector: 'vendor', options: { org_id: 'acme' }, ...ofSource };
  const sink = scope === 'sink' ? { type: 'stdout', ...nested(own) } : { type: 'stdout' };
  const fallback = { type: 'stdout' };
  return JSON.stringify({ sources: { feed: source }, sinks: { out: sink, fallback }, journal, ...file });
}

/** What is loaded, or that it is refused; connectors by name, and with what they were loaded. */
async function loaded(yaml: string, folder: string): Promise<string> {
  const calls: unknown[] = [];
  try {
    const config: Config = await load(yaml, {
      folder,
      loadConnector: (name, { dirs }, extras) => {
        calls.push([name, dirs, extras]);
        return Promise.resolve(fakeConnector(name, name === 'folder' ? { kind: 'csv_directory' } : {}));
      },
    });
    const plain = { ...config, secrets: undefined, warnings: undefined };
    return JSON.stringify([plain, calls], (key, value: unknown) => {
      if (key === 'sinkType' || key === 'key') return undefined;
      return typeof value === 'function' ? 'asked for later' : value;
    });
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
}

describe.each(Object.entries(values))('an option of a %s', (scope, cases) => {
  it('has an entry here', () => {
    expect(Object.keys(cases).sort((a, b) => a.localeCompare(b))).toEqual(
      [...(options[scope] ?? [])].sort((a, b) => a.localeCompare(b)),
    );
  });

  it.each(Object.entries(cases))('changes what is loaded: %s', async (option, [value, beside = {}]) => {
    const folder = await temporaryFolder(folderFiles);

    const before = await loaded(configWith(scope, beside), folder);
    const after = await loaded(configWith(scope, { ...beside, [option]: value }), folder);

    expect(after).not.toMatch(/refused/);
    expect(after).not.toBe(before);
  });
});

const src = resolve(import.meta.dirname, '../../src');

function textsOf(...rooms: readonly string[]): string[] {
  return rooms.flatMap((room) =>
    readdirSync(join(src, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(src, room, name), 'utf8')),
  );
}

/** The members that an interface declares itself. */
function membersOf(file: string, name: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  const body = text.slice(text.indexOf(`export interface ${name} `)).split('\n}\n')[0] ?? '';
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = '']) => member);
}

const isRead = (member: string, texts: readonly string[]): boolean => {
  const access = new RegExp(
    `\\.${member}\\b|\\{[^{}]*\\b${member}\\b[^{}]*\\}: \\w|\\{[^{}=]*\\b${member}\\b[^{}=]*\\} = |\\(\\{[^{}]*\\b${member}\\b`,
  );
  return texts.some((text) => access.test(text));
};

it.each([
  { file: 'connectors/source-settings.ts', name: 'SourceSettings', rooms: ['collect'] },
  { file: 'config/config.ts', name: 'SourceConfig', rooms: ['operate', 'runtime'] },
  { file: 'sinks/sink-settings.ts', name: 'SinkSettings', rooms: ['deliver'] },
  { file: 'config/config.ts', name: 'SinkConfig', rooms: ['operate', 'runtime'] },
  { file: 'config/config.ts', name: 'Config', rooms: ['daemon', 'operate', 'runtime', 'cli'] },
])('hands on nothing that no room reads: $name', ({ file, name, rooms }) => {
  const members = membersOf(file, name);

  expect(members.length).toBeGreaterThan(1);
  expect(members.filter((member) => !isRead(member, textsOf(...rooms)))).toEqual([]);
});
