import { createPrivateKey } from 'node:crypto';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import type { LoadConnector } from '../../src/config/load-context.ts';
import { makeCertificates } from '../http/certificates.ts';
import { fakeConnector, faultsOf, load, temporaryFolder } from './load.ts';

const feed = (name: string, rest = ''): string => `  ${name}: { connector: vendor, options: { org_id: ${name} }${rest} }\n`;
const warningsOf = async (yaml: string): Promise<string[]> =>
  (await load(yaml)).warnings.map(({ path, what }) => `${path.join('.')}: ${what}`);

const url = 'postgres://penstock@db.example.com:5432/penstock';
const sharing = (journal: string, rest = 'sinks: { a: { type: stdout } }'): string => `journal: { ${journal} }\n${rest}`;

it.each([
  [`url: "postgres://penstock:pw@db.example.com/penstock"`, '(journal.url): the address holds a password'],
  [`url: "${url}?sslmode=require"`, '(journal.url): sslmode is not taken: TLS is always verified except on loopback'],
  [`url: "${url}?application_name=x"`, '(journal.url): application_name is not taken'],
  [`url: "${url}?host=/run/postgresql"`, '(journal.url): host is not taken as a parameter'],
  ['url: "mysql://penstock@db.example.com/penstock"', '(journal.url): this is not the address of a database'],
  ['url: "postgres://db.example.com/penstock"', '(journal.url): the address names no user'],
  [`url: "${url}", lease: 2s`, '(journal.lease): "2s" is not between 3s and 60s'],
  [`url: "${url}", lease: 2m`, '(journal.lease): "2m" is not between 3s and 60s'],
  ['lease: 10s', '(journal.lease): lease without url'],
  ['password: secret-1234', '(journal.password): password without url'],
])('refuses a journal of { %s }', async (journal, fault) => {
  const faults = await faultsOf(sharing(journal));

  expect(faults.filter((line) => line.includes(fault))).toHaveLength(1);
});

it('warns of a lease that a stall outlasts', async () => {
  expect(await warningsOf(sharing(`url: "${url}", lease: 4s`))).toContain(
    'journal.lease: after a stall of 4s sources change hands',
  );
});

it('refuses what replicas would do to files of each other', async () => {
  const sinks = 'sinks: { a: { type: file, path: ./out.ndjson }, b: { type: file, path: "./out-${replica}.ndjson" } }';

  expect((await faultsOf(sharing(`url: "${url}"`, sinks))).filter((line) => line.includes('replicas would'))).toEqual([
    expect.stringContaining('(sinks.a.path): replicas would write the same file'),
  ]);
});

it('lets replicas read a directory only where all of them see it', async () => {
  const reading = (rest: string): string =>
    sharing(
      `url: "${url}"`,
      `sources: { files: { connector: folder, options: { org_id: a, directory: /srv/drop }${rest} } }\nsinks: { a: { type: stdout } }`,
    );
  const refused = async (rest: string): Promise<number> =>
    (await faultsOf(reading(rest))).filter((line) => line.includes('a directory of one machine')).length;

  expect([await refused(''), await refused(', shared: false'), await refused(', shared: true')]).toEqual([1, 1, 0]);
});

it('refuses replicas a source whose refresh tokens are kept on one machine', async () => {
  const sources = (connector: string): string => `sources: { logs: { connector: ${connector}, options: { org_id: a } } }`;
  const keeping: LoadConnector = (name) => Promise.resolve(fakeConnector(name, { keepsTokens: name === 'rotating' }));
  const refused = async (connector: string, journal: string): Promise<string[]> =>
    (
      await faultsOf(sharing(journal, `${sources(connector)}\nsinks: { a: { type: stdout } }`), { loadConnector: keeping })
    ).filter((line) => line.includes('refresh token'));

  expect([await refused('vendor', `url: "${url}"`), await refused('rotating', 'keep: 1d')]).toEqual([[], []]);
  expect(await refused('rotating', `url: "${url}"`)).toEqual([
    expect.stringContaining('(sources.logs): a refresh token that its issuer replaces is kept on one machine'),
  ]);
});

it('lets ${replica} stand for the name of this process, which is no secret', async () => {
  const yaml = 'replica: { name: one }\nsinks: { a: { type: file, path: "/tmp/out-${replica}.ndjson" } }';

  const config = await load(yaml);

  expect(config.sinks[0]?.options['path']).toBe('/tmp/out-one.ndjson');
  expect(config.secrets.scrub('replica one')).toBe('replica one');
});

it('reads the password of the database anew each time it is asked for', async () => {
  const folder = await temporaryFolder({ password: 'first-pass\n' });
  const config = await load(sharing(`url: "${url}", password: "\${file:password}"`), { folder });
  const { password } = config.journal.database ?? expect.fail('no database');

  const before = await password?.();
  await fs.writeFile(join(folder, 'password'), 'second-pass\n');

  expect([before, await password?.()]).toEqual(['first-pass', 'second-pass']);
});

it.each([
  ['no sinks', `sources:\n${feed('a')}`, '(sinks): there is no sink; events would go nowhere'],
  ['an empty map of sinks', `sources:\n${feed('a')}sinks: {}\n`, '(sinks): there is no sink; events would go nowhere'],
  [
    'sinks that are all disabled',
    'sinks: { a: { type: stdout, enabled: false } }',
    '(sinks): no sink is enabled; events would go nowhere',
  ],
  [
    'sinks that all skip',
    'sinks: { a: { type: stdout, when_full: skip } }',
    '(sinks): every sink skips when the journal is full; events could be lost everywhere',
  ],
  [
    'a sink of an unknown source',
    `sources:\n${feed('anna')}sinks: { a: { type: stdout, sources: [ana] } }`,
    '(sinks.a.sources[0]): unknown source "ana"',
  ],
  [
    'a journal that is too small',
    'journal: { max_bytes: 1MiB }\nsinks: { a: { type: stdout } }',
    '(journal.max_bytes): "1MiB" is less than 8MiB',
  ],
  ['a name with blanks', 'sinks: { "My Sink": { type: stdout } }', '(sinks.My Sink): "My Sink" cannot be a name'],
  [
    'what a format does not have to be dropped',
    'sinks: { a: { type: stdout, format: cef, drop: [unmapped] } }',
    '(sinks.a.drop[0]): format cef has no "unmapped" to drop',
  ],
  [
    'what ECS does not have to be dropped',
    'sinks: { a: { type: stdout, format: ecs, drop: [unmapped, optional] } }',
    '(sinks.a.drop[1]): format ecs has no "optional" to drop; it has unmapped',
  ],
  [
    'a port that is none',
    'admin: { listen: "127.0.0.1:99999" }\nsinks: { a: { type: stdout } }',
    '(admin.listen): 99999 is not a port',
  ],
  [
    'plain HTTP beyond loopback',
    'sinks: { a: { type: splunk_hec, endpoint: "http://hec.example.com", token: x } }',
    '(sinks.a.endpoint): http:// sends events and credentials unencrypted beyond this machine',
  ],
  [
    'plain HTTP of a source',
    'sources: { s: { connector: vendor, options: { org_id: x, api_url: "http://10.0.0.1" } } }\nsinks: { a: { type: stdout } }',
    '(sources.s.options.api_url): http:// sends events and credentials unencrypted beyond this machine',
  ],
  [
    'a certificate without its key',
    'sinks: { a: { type: stdout, tls: { cert_file: x.pem } } }',
    '(sinks.a.tls.cert_file): cert_file without key_file',
  ],
  ['a sink that is nothing', 'sinks: { a: }', '(sinks.a): must be an object'],
])('refuses %s', async (_name, yaml, fault) => {
  const faults = await faultsOf(yaml);

  expect(faults[0]).toContain(fault);
  expect(faults[1]).toMatch(/^ {2}fix: ./);
});

it.each(['http://127.0.0.1:8088', 'http://localhost', 'http://[::1]:1', 'https://hec.example.com'])(
  'takes %s without complaint',
  async (endpoint) => {
    expect(
      await warningsOf(`sources:\n${feed('s')}sinks: { a: { type: splunk_hec, endpoint: "${endpoint}", token: x } }`),
    ).toEqual([]);
  },
);

it.each(['http://127.0.0.1.evil.example', 'http://user:localhost@hec.example.com', 'HTTP://hec.example.com'])(
  'is not fooled by %s',
  async (endpoint) => {
    const faults = await faultsOf(`sinks: { a: { type: splunk_hec, endpoint: "${endpoint}", token: x } }`);

    expect(faults[0]).toContain('unencrypted beyond this machine');
  },
);

it('permits plain text where that is said, and keeps a warning', async () => {
  const yaml = `sources:\n${feed('s')}sinks: { a: { type: splunk_hec, endpoint: "http://hec.example.com", token: x, allow_plaintext: true } }`;

  expect(await warningsOf(yaml)).toEqual([
    'sinks.a.endpoint: http:// sends events and credentials unencrypted beyond this machine',
  ]);
});

it.each([
  [
    'a source that no sink takes',
    `sources:\n${feed('a')}${feed('b')}sinks: { x: { type: stdout, sources: [a] } }`,
    ['sources.b: no sink takes this source'],
  ],
  [
    'a source whose only sink is disabled',
    `sources:\n${feed('a')}sinks:\n  x: { type: stdout, sources: [a], enabled: false }\n  y: { type: stdout, sources: [b] }\n`
      .replace('[b]', '[c]')
      .replace('sinks:', `${feed('c')}sinks:`),
    ['sources.a: no sink takes this source'],
  ],
  [
    'a start behind the retention',
    `sources:\n${feed('a', ', start: 200d')}sinks: { x: { type: stdout } }`,
    ['sources.a.start: start reaches back 200d, but the vendor keeps events for 90d'],
  ],
  [
    'an expired credential',
    `sources:\n${feed('a', ', credential_expires: 2026-01-01')}sinks: { x: { type: stdout } }`,
    ['sources.a.credential_expires: the credential expired on 2026-01-01'],
  ],
  [
    'a filter of an action that nobody knows',
    `sources:\n${feed('a', ', filter: { exclude_actions: [policy_updatd] }')}sinks: { x: { type: stdout } }`,
    ['sources.a.filter.exclude_actions.0: no action "policy_updatd" is known'],
  ],
  [
    'two sources of one tenant',
    `sources:\n${feed('a')}  b: { connector: vendor, options: { org_id: a } }\nsinks: { x: { type: stdout } }`,
    ['sources.b: collects from the same place as source "a": every event would be delivered twice'],
  ],
  [
    'a sink that filters an action that nobody knows',
    `sources:\n${feed('a')}sinks: { x: { type: stdout, filter: { only_actions: [policy_updated, policy_deletd] } } }`,
    ['sinks.x.filter.only_actions.1: no source knows an action "policy_deletd"'],
  ],
  [
    'certificates that are not checked',
    `sources:\n${feed('a', ', tls: { insecure_skip_verify: true }')}sinks: { x: { type: stdout } }`,
    ['sources.a.tls.insecure_skip_verify: certificates are not checked'],
  ],
  ['no source', 'sinks: { x: { type: stdout } }', ['sources: there is no source; nothing is collected']],
])('warns of %s', async (_name, yaml, warnings) => {
  expect(await warningsOf(yaml)).toEqual(warnings);
});

it('refuses two sources on one directory, however it is spelt', async () => {
  const folder = await temporaryFolder({ 'downloads/x.csv': '' });
  await fs.symlink(join(folder, 'downloads'), join(folder, 'link'));
  const source = (directory: string): string => `{ connector: folder, options: { org_id: a, directory: ${directory} } }`;

  const faults = await faultsOf(
    `sources:\n  a: ${source('./downloads')}\n  b: ${source('./link/../link/')}\nsinks: { x: { type: stdout } }`,
    { folder },
  );

  expect(faults[0]).toMatch(/\(sources\.b\.options\.directory\): reads the same directory as "a"/);
});

it('refuses two sinks on one file, even when it does not exist yet', async () => {
  const faults = await faultsOf(
    'sinks:\n  a: { type: file, path: ./out/a.ndjson }\n  b: { type: file, path: ./x/../out/a.ndjson }\n',
  );

  expect(faults[0]).toMatch(/\(sinks\.b\.path\): writes the same file as "a"/);
});

it.each([
  'data/journal.db',
  'data/journal.db-wal',
  'data/journal.lock',
  'data/journal.ballast',
  'data/credentials.db',
  'data/token',
  'penstock.yaml',
  'link/journal.db',
])('refuses a sink that would write into %s, which is its own', async (path) => {
  const folder = await temporaryFolder({ 'data/x': '' });
  await fs.symlink('data', join(folder, 'link'));

  const faults = await faultsOf(`data_dir: ./data\nsinks: { a: { type: file, path: ./${path} } }`, { folder });

  expect(faults).toEqual([
    expect.stringContaining("(sinks.a.path): this file is one of Penstock's own: "),
    '  fix: give the path of a file that only this sink writes',
  ]);
});

it('lets a sink write anything else, also beside the journal', async () => {
  const paths = ['data/audit.ndjson', 'data/old/journal.db', 'journal.ndjson', 'token'];
  const sinks = paths.map((path, at) => `s${at}: { type: file, path: ./${path} }`).join(', ');

  const config = await load(`data_dir: ./data\nsinks: { ${sinks} }`);

  expect(config.sinks).toHaveLength(paths.length);
});

it('refuses a proxy on a sink that cannot use one', async () => {
  await expect(load('sinks: { x: { type: stdout, proxy: "http://other:1" } }', {})).rejects.toThrow('stdout cannot use a proxy');
});

it.each(['socks5://proxy:1080', 'http://', 'http://me:12/secret@proxy:3128', 'http://me:se#cret@proxy:3128'])(
  'refuses what is no URL of a proxy, without quoting it: %s',
  async (proxy) => {
    const faults = await faultsOf(`proxy: "${proxy}"\nsources:\n${feed('a')}sinks: { x: { type: stdout } }`);

    expect(faults.filter((line) => line.startsWith('penstock.yaml'))).toEqual([
      expect.stringMatching(/^penstock\.yaml:1:8 \(proxy\): has an invalid form/),
    ]);
    expect(faults.join('\n')).not.toMatch(/secret|se#cret|socks5/);
  },
);

it('gives sources and sinks the proxy and certificates of the whole file unless they have their own', async () => {
  using certificates = makeCertificates();
  const folder = await temporaryFolder({ 'ca.pem': certificates.read('ca.pem') });
  const config = await load(
    `proxy: http://proxy.example.com:3128\ntls: { ca_file: ca.pem }\nsources:\n${feed('a')}${feed('b', ', tls: { server_name: x }')}sinks: { x: { type: splunk_hec, token: tok-1234, endpoint: "https://h.example", proxy: "http://other:1" } }`,
    { folder },
  );

  const tls = { ca_file: join(folder, 'ca.pem') };
  expect([...config.sources, ...config.sinks].map(({ http }) => http)).toEqual([
    { proxy: 'http://proxy.example.com:3128', tls },
    { proxy: 'http://proxy.example.com:3128', tls: { server_name: 'x' } },
    { proxy: 'http://other:1', tls },
  ]);
  expect((await config.sources[0]?.resolve())?.http).toEqual({ proxy: 'http://proxy.example.com:3128', tls });
});

it('gives no certificates of the whole file to a sink that has no use for them, nor reads the file anew because of them', async () => {
  using certificates = makeCertificates();
  const folder = await temporaryFolder({ 'ca.pem': certificates.read('ca.pem') });
  const config = await load(`tls: { ca_file: ca.pem }\nsources:\n${feed('a')}sinks: { x: { type: file, path: ./x } }`, {
    folder,
  });
  const [sink] = config.sinks;

  const before = await sink?.resolve();
  await fs.writeFile(join(folder, 'ca.pem'), 'half of one');
  const after = await sink?.resolve();

  expect([sink?.http, before?.http]).toEqual([{}, {}]);
  expect([before?.key, after?.key]).toEqual([sink?.key, sink?.key]);
});

it.each([
  ['there is no such file', 'nope.pem', 'file "nope.pem" does not exist'],
  ['it is a folder', 'folder', '"folder" is not a PEM file'],
  ['it holds something else', 'der.pem', '"der.pem" holds no certificate in PEM form'],
])('refuses a certificate authority at once where %s', async (_name, path, what) => {
  const folder = await temporaryFolder({ 'der.pem': '0\u0082', 'folder/x': '' });

  const faults = await faultsOf(
    `tls: { ca_file: ${path} }\nsources:\n${feed('a')}sinks: { x: { type: stdout, tls: { ca_file: ${path} } } }`,
    { folder },
  );

  expect(faults.filter((line) => line.startsWith('penstock.yaml'))).toEqual([
    `penstock.yaml:1:17 (tls.ca_file): ${what}`,
    expect.stringContaining(`(sinks.x.tls.ca_file): ${what}`),
  ]);
});

it.each([
  ['an authority that is half written', { ca: 'half' }, 'ca_file', 'is cut off or damaged: certificate 1 of 1'],
  ['a damaged authority after a sound one', { ca: 'second' }, 'ca_file', 'is cut off or damaged: certificate 2 of 2'],
  ['half a certificate', { cert: 'half' }, 'cert_file', 'is cut off or damaged: certificate 1 of 1'],
  ['half a key', { key: 'half' }, 'key_file', 'is cut off or damaged'],
  ['no key', { key: 'cert' }, 'key_file', 'holds no private key in PEM form'],
  ['a key with a passphrase', { key: 'locked' }, 'key_file', 'holds a key with a passphrase'],
  ['the key of another pair', { key: 'other' }, 'key_file', 'holds the key of another certificate'],
])('refuses files of tls that cannot be used together: %s', async (_name, change, option, what) => {
  using certificates = makeCertificates();
  const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) => certificates.read(name)) as [
    string,
    string,
    string,
  ];
  const files: Readonly<Record<string, string>> = {
    'ca half': ca.slice(0, 200),
    'ca second': ca + ca.slice(0, 200),
    'cert half': cert.slice(0, 200),
    'key half': key.slice(0, 100),
    'key cert': cert,
    'key locked': createPrivateKey(key)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString(),
    'key other': certificates.read('other.key'),
  };
  const written = Object.fromEntries(Object.entries(change).map(([part, how]) => [`${part}.pem`, files[`${part} ${how}`] ?? '']));
  const folder = await temporaryFolder({ 'ca.pem': ca, 'cert.pem': cert, 'key.pem': key, ...written });

  const faults = await faultsOf(
    `tls: { ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem }\nsources:\n${feed('a')}sinks: { x: { type: stdout } }`,
    { folder },
  );

  expect(faults.filter((line) => line.startsWith('penstock.yaml'))).toEqual([
    expect.stringMatching(new RegExp(`\\(tls\\.${option}\\): "[^"]+" ${what}$`)),
  ]);
});

it('refuses certificates of the admin server that are missing', async () => {
  const faults = await faultsOf(
    `admin: { tls: { cert_file: a.pem, key_file: b.pem } }\nsources:\n${feed('a')}sinks: { x: { type: stdout } }`,
  );

  expect(faults.filter((line) => line.startsWith('penstock.yaml'))).toEqual([
    'penstock.yaml:1:28 (admin.tls.cert_file): file "a.pem" does not exist',
    'penstock.yaml:1:45 (admin.tls.key_file): file "b.pem" does not exist',
  ]);
});

it('asks for no certificates where secrets are not asked for', async () => {
  const config = await load(`tls: { ca_file: nope.pem }\nsources:\n${feed('a')}sinks: { x: { type: stdout } }`, {
    withoutSecrets: true,
  });

  expect(config.warnings).toEqual([]);
});

it('warns of a folder of connectors that is missing, and refuses one that is a file', async () => {
  const folder = await temporaryFolder({ file: '' });
  const yaml = (dir: string): string => `connectors_dir: ${dir}\nsources:\n${feed('a')}sinks: { x: { type: stdout } }`;

  const { warnings } = await load(yaml('./mine'), { folder });
  const faults = await faultsOf(yaml('./file'), { folder });

  expect(warnings.map(({ path, what }) => [path, what])).toEqual([
    [['connectors_dir'], `there is no folder "${join(folder, 'mine')}"; only shipped connectors are known`],
  ]);
  expect(faults[0]).toBe('penstock.yaml:1:17 (connectors_dir): "file" is not a folder');
});

it('names the place of the rows of a source where the fault lies in them', async () => {
  const loadConnector: LoadConnector = (name, _places, extras) =>
    extras === undefined
      ? Promise.resolve(fakeConnector(name))
      : Promise.reject(new PenstockError('PEN_CONNECTOR_INVALID', 'a row is wrong', { where: 'rows.yaml:1:1' }));

  const faults = await faultsOf(`sources:\n${feed('a', ', actions: rows.yaml')}sinks: { x: { type: stdout } }`, {
    loadConnector,
  });

  expect(faults).toEqual(['penstock.yaml:2:60 (sources.a.actions): rows.yaml:1:1: a row is wrong', '  fix: correct these rows']);
});

it('loads 500 sources in a moment', async () => {
  const sources = Array.from({ length: 500 }, (_, index) => feed(`s${index}`)).join('');

  const config = await load(`sources:\n${sources}sinks: { x: { type: stdout } }`);

  expect(config.sources).toHaveLength(500);
});
