import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { assert, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import type { Fault } from '../../src/base/yaml-faults.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { makeCertificates } from '../http/certificates.ts';
import { faultsOf, type Given, load, temporaryFolder } from './load.ts';

const sinks = 'sinks: { out: { type: stdout } }\n';
const secretOf = async (written: string, given: Given): Promise<unknown> => {
  const config = await load(
    `sources:\n  feed:\n    connector: vendor\n    options: { org_id: acme, client_secret: ${written} }\n${sinks}`,
    given,
  );
  return config.sources[0]?.options['client_secret'];
};

it.each([
  { written: '${env:TOKEN}', read: 's3cret' },
  { written: '"${env:TOKEN}"', read: 's3cret' },
  { written: 'a-${env:TOKEN}-b', read: 'a-s3cret-b' },
  { written: '"$${env:TOKEN}"', read: '${env:TOKEN}' },
  { written: '$${env:TOKEN}', read: '${env:TOKEN}' },
  { written: '${env:NESTED}', read: '${env:TOKEN}' },
  { written: '${file:token}', read: 'from a file' },
  { written: '"${file:sub/two lines}"', read: '{"a":1}\n' },
  { written: '$5{a}'.replace('{a}', ''), read: '$5' },
])('reads $written as $read', async ({ written, read }) => {
  const folder = await temporaryFolder({ token: 'from a file\n', 'sub/two lines': '{"a":1}\n\n' });

  expect(await secretOf(written, { folder, env: { TOKEN: 's3cret', NESTED: '${env:TOKEN}' } })).toBe(read);
});

it.each([
  { written: '${env:NONE}', fault: 'environment variable NONE is not set' },
  { written: '${env:EMPTY}', fault: 'environment variable EMPTY is empty' },
  { written: '${file:./none}', fault: /^file "\/.*\/none" does not exist$/ },
  { written: '${file:folder}', fault: /^"\/.*\/folder" is not a regular file$/ },
  { written: '${file:empty}', fault: /^file "\/.*\/empty" is empty$/ },
  { written: '${file:binary}', fault: /^file "\/.*\/binary": the file is UTF-16 text, not UTF-8$/ },
  { written: '${file:pipe}', fault: /^"\/.*\/pipe" is not a regular file$/ },
  { written: '${vault:x}', fault: 'unknown interpolation after "${"' },
  { written: '"${env:X"', fault: 'unknown interpolation after "${"' },
])('refuses $written', async ({ written, fault }) => {
  const folder = await temporaryFolder({ empty: '\n', 'folder/x': '' });
  await fs.writeFile(join(folder, 'binary'), Buffer.from([0xff, 0xfe]));
  execFileSync('mkfifo', [join(folder, 'pipe')]);

  const error: unknown = await secretOf(written, { folder, env: { EMPTY: '' } }).catch((thrown: unknown) => thrown);

  const [first] = (error as { cause: { what: string; path: string[] }[] }).cause;
  expect(first?.path).toEqual(['sources', 'feed', 'options', 'client_secret']);
  if (typeof fault === 'string') expect(first?.what).toBe(fault);
  else expect(first?.what).toMatch(fault);
});

it('never shows what it filled in, whatever is wrong with it', async () => {
  const marked = 'MARKED-7f3a91';
  const faults = await faultsOf(
    [
      'data_dir: ./x',
      'journal: { keep: "${env:MARK}", max_bytes: "${env:MARK}" }',
      'log: { level: "${env:MARK}" }',
      'sources:',
      '  feed: { connector: vendor, schedule: "${env:MARK}", options: { org_id: a, api_url: "${env:MARK}" } }',
      'sinks:',
      '  out: { type: splunk_hec, endpoint: "${env:MARK}", token: a, when_full: "${env:MARK}", format: "${env:MARK}" }',
    ].join('\n'),
    { env: { MARK: marked } },
  );

  expect(faults.length).toBeGreaterThan(8);
  expect(faults.join('\n')).not.toContain(marked);
});

it.each([
  ['a line break', 'one\r\ntwo'],
  ['a line break at its beginning', '\ntoken'],
  ['a NUL', 'to\0ken'],
])('refuses a secret with %s, without repeating it', async (_name, token) => {
  const error: unknown = await secretOf('${env:TOKEN}', { env: { TOKEN: token } }).catch((thrown: unknown) => thrown);

  const [fault] = (error as PenstockError).cause as readonly Fault[];
  expect(fault).toMatchObject({
    path: ['sources', 'feed', 'options', 'client_secret'],
    what: 'the secret holds a line break or another control character',
  });
});

it('refuses a line break wherever something was filled in, and names each place once', async () => {
  const options = '{ org_id: a, api_url: "https://a.example/${env:T}", client_secret: "${env:T}" }';
  const source = ['{ connector: vendor, labels: ["${env:T}"], options: ', options, ' }'].join('');
  const faults = await faultsOf(`sources: { feed: ${source} }`, { env: { T: 'one\r\nX: two' } });

  expect(faults.filter((fault) => fault.includes('control character')).map((fault) => /\((.*?)\)/.exec(fault)?.[1])).toEqual([
    'sources.feed.labels[0]',
    'sources.feed.options.api_url',
    'sources.feed.options.client_secret',
  ]);
});

it.each(['-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----', '{\n"type": "service_account"\n}'])(
  'takes a key file as a secret: %j',
  async (key) => {
    expect(await secretOf('${env:KEY}', { env: { KEY: key } })).toBe(key);
  },
);

it('remembers secrets wherever they come from', async () => {
  const folder = await temporaryFolder({ key: 'file-secret\n' });
  const config = await load(
    'sources: { feed: { connector: vendor, options: { org_id: acme, client_secret: plain-secret } } }\nsinks:\n  a: { type: splunk_hec, endpoint: https://h.example, token: ${env:TOKEN} }\n  b: { type: splunk_hec, endpoint: https://h.example, token: tok-1234, proxy: "http://u:${file:key}@proxy:1" }\n',
    { folder, env: { TOKEN: 'env-secret' } },
  );

  expect(config.secrets.scrub('plain-secret env-secret file-secret org acme')).toBe('[REDACTED] [REDACTED] [REDACTED] org acme');
});

it('hides no proxy that is written without a password: it is what a connection fails at', async () => {
  const config = await load(
    'sources: {}\nsinks:\n  a: { type: splunk_hec, endpoint: https://h.example, token: tok-1234, proxy: "http://proxy.example:3128" }\n  b: { type: splunk_hec, endpoint: https://h.example, token: tok-1234, proxy: "http://u:pass-word@other:3128" }\n',
  );

  expect(config.secrets.scrub('no connection to http://proxy.example:3128, nor to http://u:pass-word@other:3128')).toBe(
    'no connection to http://proxy.example:3128, nor to [REDACTED]',
  );
});

it('reads a rotated secret again, and complains when it is gone', async () => {
  using certificates = makeCertificates();
  const folder = await temporaryFolder({ key: 'old\n', 'ca.pem': certificates.read('ca.pem') });
  const config = await load(
    'sinks: { a: { type: splunk_hec, endpoint: https://h.example, token: ${file:key}, tls: { ca_file: ca.pem } } }',
    { folder },
  );
  const sink = config.sinks[0] ?? expect.fail('no sink');

  await fs.writeFile(join(folder, 'key'), 'new-secret\n');
  const { options: rotated } = await sink.resolve();
  await fs.rm(join(folder, 'key'));

  expect([sink.options['token'], rotated['token'], config.secrets.scrub('new-secret')]).toEqual([
    'old',
    'new-secret',
    '[REDACTED]',
  ]);
  await expect(sink.resolve()).rejects.toMatchObject({
    code: 'PEN_CONFIG_INVALID',
    message: expect.stringContaining('does not exist') as string,
  });
});

it('needs neither variables nor files without secrets, and still finds every other fault', async () => {
  const yaml = `sources: { feed: { connector: vendor, options: { org_id: acme, api_url: "\${env:URL}", client_secret: "\${file:none}" }, rate_limit: "\${env:RATE}" } }\n${sinks}`;

  const config = await load(yaml, { withoutSecrets: true });
  const faults = await faultsOf(`${yaml}nope: 1\n`, { withoutSecrets: true });

  expect(config.sources).toHaveLength(1);
  expect(faults[0]).toContain('unknown option "nope"');
  expect(faults).toHaveLength(2);
});

it('still reads what is there without secrets, so that a command finds the data_dir of the daemon', async () => {
  const config = await load(`data_dir: "\${env:DATA}"\n${sinks}`, { withoutSecrets: true, env: { DATA: '/var/lib/penstock' } });

  expect(config.data_dir).toBe('/var/lib/penstock');
});

it('keeps every column when interpolations stand in flow maps', () => {
  const doc = parseConfig('a: { b: ${env:X}, c: [ ${file:/x,y} ] }\n', 'f.yaml');

  expect(doc.value).toEqual({ a: { b: '${env:X}', c: ['${file:/x,y}'] } });
  expect(doc.locate(['a', 'c', 0])).toEqual({ line: 1, column: 24 });
});

it('gives every text back that YAML can hold', () => {
  assert(
    property(string(), string(), (before, name) => {
      const text = `${before}\${env:${name}}`;
      const doc = parseConfig(JSON.stringify({ a: text }), 'f.yaml');

      expect(doc.faults).toEqual([]);
      expect(doc.value).toEqual({ a: text });
    }),
  );
});
