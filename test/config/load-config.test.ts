import fs from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sinkTypes } from '../../src/sinks/index.ts';
import { costLength } from '../cost.ts';
import { fakeConnector, faultsOf, load, temporaryFolder } from './load.ts';

const sinks = 'sinks: { out: { type: stdout } }\n';
const withSource = (lines: string): string =>
  `sources:\n  feed:\n    connector: vendor\n    options: { org_id: acme }\n${lines}${sinks}`;

it('fills in every default of an almost empty file', async () => {
  const folder = await temporaryFolder();

  const config = await load(`sources: { feed: { connector: vendor, options: { org_id: acme } } }\n${sinks}`, { folder });

  expect({ ...config, sources: config.sources.length, sinks: config.sinks.length, secrets: undefined }).toEqual({
    file: join(folder, 'penstock.yaml'),
    data_dir: join(folder, 'data'),
    log: { level: 'info' },
    admin: { listen: { host: '127.0.0.1', port: 8690 }, metrics: 'open' },
    journal: { maxBytes: 2 ** 31, keepMs: 604_800_000 },
    replica: { name: hostname(), labels: [] },
    shutdownTimeoutMs: 8000,
    watch: false,
    sources: 1,
    sinks: 1,
    secrets: undefined,
    files: expect.anything(),
    warnings: [],
  });
});

it('resolves a source with its connector', async () => {
  const config = await load(
    withSource(
      [
        '    schedule: 5m',
        '    start: 30d',
        '    rate_limit: 60/1m',
        '    window: { overlap: 1h }',
        '    filter: { exclude_actions: ["Policy Updated"] }',
        '    self_events: forward',
        '    expect_events_within: 24h',
        '    credential_expires: 2027-01-31',
        '    sweep: { every: 6h, back: 24h }',
        '    labels: [prod]',
        '',
      ].join('\n'),
    ),
  );

  const { connector, ...source } = config.sources[0] ?? expect.fail('no source');
  expect(connector.name).toBe('vendor');
  expect(source).toEqual({
    name: 'feed',
    key: expect.any(String),
    resolve: expect.any(Function),
    enabled: true,
    tenant: 'acme',
    identity: { org_id: 'acme' },
    options: { org_id: 'acme', api_url: 'https://api.example.com' },
    http: {},
    schedule: { everyMs: 300_000 },
    start: { backMs: 2_592_000_000 },
    rateLimit: { count: 60, perMs: 60_000 },
    window: { overlapMs: 3_600_000, settleMs: 60_000, maxMs: 86_400_000, minMs: 60_000 },
    filter: { exclude_actions: ['policy_updated'] },
    selfEvents: 'forward',
    retentionMs: 7_776_000_000,
    expectEventsWithinMs: 86_400_000,
    credentialExpires: Date.UTC(2027, 0, 31),
    sweep: { everyMs: 21_600_000, backMs: 86_400_000 },
    labels: ['prod'],
    validate: 'warn',
  });
});

it('resolves a sink with what all sinks have', async () => {
  const config = await load(
    'sinks:\n  splunk:\n    type: splunk_hec\n    endpoint: https://hec.example.com:8088\n    token: abcdef\n    batch: { bytes: 2MB }\n    filter: { min_severity: high }\n    start: 2026-11-01T00:00:00Z\n',
  );

  const { sinkType, ...sink } = config.sinks[0] ?? expect.fail('no sink');
  expect(sinkType.name).toBe('splunk_hec');
  expect(sink).toEqual({
    name: 'splunk',
    key: expect.any(String),
    resolve: expect.any(Function),
    enabled: true,
    type: 'splunk_hec',
    options: { endpoint: 'https://hec.example.com:8088', token: 'abcdef' },
    http: {},
    format: 'cim',
    includeRaw: false,
    drop: [],
    sources: undefined,
    filter: { min_severity: 4 },
    start: Date.UTC(2026, 10, 1),
    batch: { events: 500, bytes: 2_000_000, waitMs: 1000 },
    inFlight: 4,
    timeoutMs: 30_000,
    backoffMaxMs: 60_000,
    holdProbeMs: 15_000,
    stalledAfterMs: 600_000,
    maxDeadLetters: 10_000,
    whenFull: 'wait',
    labels: [],
  });
});

it('reports all faults of a file at once, each with place, path and fix', async () => {
  const faults = await faultsOf(
    [
      'data_dirr: ./x',
      'journal: { keep: seven }',
      'sources:',
      '  feed:',
      '    connector: vendor',
      '    options: { orgid: acme, client_secret: ${env:NO_SUCH} }',
      '    start: 30',
      'sinks:',
      '  soc:',
      '    type: splunk_hec',
      '    endpoint: https://hec.example.com:8088',
      '    tokn: x',
      '  lake: { type: htp }',
    ].join('\n'),
  );

  expect(faults).toEqual([
    'penstock.yaml:1:1 (data_dirr): unknown option "data_dirr"',
    '  fix: did you mean "data_dir"? possible here: data_dir, log, admin, journal, replica, connectors_dir, shutdown_timeout, watch, proxy, tls, sources, sinks',
    'penstock.yaml:2:18 (journal.keep): "seven" must be a duration such as 30s, 5m or 24h (How long delivered records stay for replay; a target, not a promise.)',
    '  fix: write a number with its unit: ms, s, m, h, d or w',
    'penstock.yaml:6:5 (sources.feed.options): "org_id" is missing',
    '  fix: add "org_id"',
    'penstock.yaml:6:16 (sources.feed.options.orgid): unknown option "orgid"',
    '  fix: did you mean "org_id"? possible here: org_id, client_secret, api_url, directory',
    'penstock.yaml:6:44 (sources.feed.options.client_secret): environment variable NO_SUCH is not set',
    '  fix: set NO_SUCH for the process that runs penstock',
    'penstock.yaml:7:12 (sources.feed.start): must be a string',
    '  fix: write text, in quotes if it looks like a number',
    'penstock.yaml:9:3 (sinks.soc): "token" is missing',
    '  fix: add "token"',
    expect.stringMatching(/^penstock\.yaml:12:5 \(sinks\.soc\.tokn\): unknown option "tokn"$/),
    expect.stringMatching(/^ {2}fix: did you mean "token"\? possible here: type, endpoint, token, enabled, sources, filter, /),
    'penstock.yaml:13:17 (sinks.lake.type): unknown type "htp"',
    '  fix: possible here: stdout, file, splunk_hec',
  ]);
});

it.each([
  { name: 'empty', text: '', line: 'penstock.yaml:1:1: the file is empty' },
  { name: 'only a comment', text: '# nothing\n', line: 'penstock.yaml:1:1: the file is empty' },
  { name: 'a list', text: '- a\n- b\n', line: 'penstock.yaml:1:1: the file is not a map of options' },
  { name: 'a word', text: 'hello', line: 'penstock.yaml:1:1: the file is not a map of options' },
  {
    name: 'a duplicate key',
    text: `data_dir: a\ndata_dir: b\n${sinks}`,
    line: 'penstock.yaml:2:1: "data_dir" is written twice',
  },
])('refuses a file that is $name', async ({ text, line }) => {
  const faults = await faultsOf(text);

  expect(faults[0]).toBe(line);
});

it('reports what a schema can say and what it cannot in one go', async () => {
  const faults = await faultsOf(
    [
      'journal: { max_bytes: 1MB, keep: forever }',
      'sources:',
      '  feed: { connector: vendor, schedule: 5 minutes, start: yesterday, window: { overlap: 15, max: 0s }, options: { org_id: a } }',
      '  other: { connector: vendor, cron: "*/5 * * *", timezone: Berlin, options: { org_id: b, orgid: c } }',
      'sinks:',
      '  out: { type: stdout, start: tomorrow, batch: { events: 0 } }',
    ].join('\n'),
  );

  expect(faults.filter((line) => !line.startsWith('  fix')).map((line) => line.replace(/^[^(]*\((.*?)\).*$/, '$1'))).toEqual([
    'journal.max_bytes',
    'journal.keep',
    'sources.feed.schedule',
    'sources.feed.start',
    'sources.feed.window.overlap',
    'sources.feed.window.max',
    'sources.other.cron',
    'sources.other.timezone',
    'sources.other.options.orgid',
    'sinks.out.start',
    'sinks.out.batch.events',
  ]);
});

it('says that a bare number lacks its unit', async () => {
  const faults = await faultsOf(
    `sources: { feed: { connector: vendor, window: { overlap: 15 }, options: { org_id: a } } }\n${sinks}`,
  );

  expect(faults).toEqual([
    'penstock.yaml:1:58 (sources.feed.window.overlap): "15" must be a duration such as 30s, 5m or 24h (How much of the time already read is read again at every poll.)',
    '  fix: write a number with its unit: ms, s, m, h, d or w',
  ]);
});

it('never shows in a fault of a schedule or a name what it filled in', async () => {
  const faults = await faultsOf(
    'sources: { feed: { connector: "${env:MARK}", schedule: 1m }, other: { connector: vendor, start: "${env:MARK}", options: { org_id: a } } }\nsinks: { out: { type: "${env:MARK}" } }',
    { env: { MARK: 'MARKED-7f3a91' } },
  );

  expect(faults.length).toBeGreaterThan(4);
  expect(faults.join('\n')).not.toContain('MARKED');
});

it('refuses tabs as indentation with their place', async () => {
  const faults = await faultsOf(`sinks:\n\tout: { type: stdout }\n`);

  expect(faults[0]).toMatch(/^penstock\.yaml:2:1: tabs are not allowed as indentation/);
  expect(faults[1]).toBe('  fix: indent with spaces, in every line');
});

it.each([
  ['braces', '{[({['.repeat(costLength / 5)],
  ['words', 'lorem: ipsum: dolor '.repeat(costLength / 20)],
  ['lines', 'a b c\n: - : -\n'.repeat(costLength / 14)],
  ['unknown keys', Array.from({ length: costLength / 25 }, (_, index) => `key_${index}: value of it`).join('\n')],
  [
    'wrong addresses',
    `sinks: { a: { type: splunk_hec, token: abcdefgh, endpoints: [${Array.from({ length: costLength / 25 }, (_, index) => `a${index}`).join(', ')}] } }`,
  ],
])('answers nonsense of any length (%s) with a bounded list of faults', async (_name, text) => {
  const faults = await faultsOf(text);

  expect(faults.length).toBeGreaterThan(0);
  expect(faults.length).toBeLessThan(250);
});

it('reads the connection of one source again without looking at all others', async () => {
  const cpuOf = async (count: number): Promise<number> => {
    const blocks = Array.from(
      { length: count },
      (_, index) => `  s${index}: { connector: vendor, options: { org_id: o${index} } }\n`,
    );
    const { sources } = await load(`sources:\n${blocks.join('')}${sinks}`);
    const before = process.threadCpuUsage();
    for (let i = 0; i < 300; i += 1) await sources[i % count]?.resolve();
    const { user, system } = process.threadCpuUsage(before);
    // Below a few milliseconds the clock's grain is all that is measured.
    return Math.max(4_000, user + system);
  };
  await cpuOf(10);

  // Looking at each of the others cost a hundred times as much.
  expect(await cpuOf(2000)).toBeLessThan(20 * (await cpuOf(20)));
});

it('refuses bytes that are not UTF-8', async () => {
  const folder = await temporaryFolder();
  await fs.writeFile(join(folder, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9, 0x0a]));
  const { loadConfig } = await import('../../src/config/load-config.ts');

  const loading = loadConfig(join(folder, 'latin.yaml'), {
    env: {},
    files: fs,
    connectorDirs: [],
    loadConnector: () => Promise.reject(new Error()),
  });

  await expect(loading).rejects.toMatchObject({
    code: 'PEN_CONFIG_INVALID',
    where: `${join(folder, 'latin.yaml')}:1:4`,
    message: 'the file is not UTF-8 text: byte 4, in line 1, is none; it looks like Windows-1252 or Latin-1',
    fix: 'save it as UTF-8 in the editor ("Encoding: UTF-8"), or convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW',
  });
});

it('understands anchors and aliases', async () => {
  const config = await load(
    `sources:\n  a: { connector: vendor, options: &o { org_id: acme } }\n  b: { connector: vendor, options: *o, enabled: false }\n${sinks}`,
  );

  expect(config.sources.map(({ name, options }) => [name, options['org_id']])).toEqual([
    ['a', 'acme'],
    ['b', 'acme'],
  ]);
});

it('merges the blocks that the page on operations shares', async () => {
  const page = await fs.readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const block = /```yaml\n(sources:\n {2}okta-eu: [\s\S]*?)```/.exec(page)?.[1] ?? '';
  const text = block.replaceAll('connector: okta', 'connector: vendor').replaceAll('org_url:', 'org_id:');

  const config = await load(`${text.replace(', token: "${env:OKTA_TOKEN}"', '')}${sinks}`);

  expect(config.sources.map(({ name, schedule, options }) => ({ name, schedule, id: options['org_id'] }))).toEqual([
    { name: 'okta-eu', schedule: { everyMs: 300_000 }, id: 'https://eu.example.com' },
    { name: 'okta-us', schedule: { everyMs: 300_000 }, id: 'https://us.example.com' },
  ]);
});

it.each([
  ['sinks.soc', 'validate: warn', '"validate" belongs to a source; possible here: '],
  ['sinks.soc', 'wait: 1s', '"wait" belongs below "batch" of a sink; possible here: '],
  ['sinks.soc', 'max_bytes: 1GiB', '"max_bytes" belongs below "journal" at the top of the file; possible here: '],
  ['sources.feed', 'overlap: 5m', '"overlap" belongs below "window" of a source; possible here: '],
  ['sources.feed', 'org_id: x', '"org_id" belongs below "options" of a source; possible here: '],
  ['sources.feed', 'starts: 5m', 'did you mean "start"? possible here: '],
  ['sources.feed', 'backoff_max: 5m', '"backoff_max" belongs to a sink; possible here: '],
  ['sinks.soc', 'nowhere: 1', 'possible here: '],
] as const)('says where an option belongs that is unknown below %s: %s', async (block, line, says) => {
  const extra = (name: string): string[] => (name === block ? [`    ${line}`] : []);
  const faults = await faultsOf(
    [
      'sources:',
      '  feed:',
      '    connector: vendor',
      '    options: { org_id: acme }',
      ...extra('sources.feed'),
      'sinks:',
      '  soc:',
      '    type: stdout',
      ...extra('sinks.soc'),
    ].join('\n'),
  );

  const at = faults.findIndex((fault) => fault.includes('unknown option'));
  expect(faults[at + 1]?.replace(/^ {2}fix: /, '').slice(0, says.length)).toBe(says);
});

it('names what is possible here before what is possible elsewhere', async () => {
  const faults = await faultsOf('source: {}\nsinks:\n  out: { type: stdout }\n', { sinkTypes });

  expect(faults).toContainEqual(
    expect.stringContaining('did you mean "sources"? "source" belongs to a sink of type splunk_hec; possible here: '),
  );
});

it('takes __proto__ for what it is: an unknown option', async () => {
  const faults = await faultsOf(`__proto__: { polluted: true }\n${sinks}`);

  expect(faults[0]).toBe('penstock.yaml:1:1 (__proto__): unknown option "__proto__"');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

it.each([
  { cron: '"*/5 * * * *"', schedule: { cron: '*/5 * * * *', timezone: 'UTC' } },
  { cron: '{ cron: "0 6 * * 1-5", timezone: Europe/Berlin }', schedule: { cron: '0 6 * * 1-5', timezone: 'Europe/Berlin' } },
  { cron: '90s', schedule: { everyMs: 90_000 } },
  { cron: '{ every: 2m }', schedule: { everyMs: 120_000 } },
])('reads the schedule $cron', async ({ cron, schedule }) => {
  const config = await load(withSource(`    schedule: ${cron}\n`));

  expect(config.sources[0]?.schedule).toEqual(schedule);
});

it.each([
  { lines: 'schedule: soon', fault: '(sources.feed.schedule): "soon" is neither an interval nor a cron expression' },
  { lines: 'schedule: 10ms', fault: '(sources.feed.schedule): "10ms" is shorter than one second' },
  { lines: 'schedule: "61 * * * *"', fault: '(sources.feed.schedule): cron expression "61 * * * *"' },
  { lines: 'schedule: "0 0 31 2 *"', fault: 'never runs' },
  { lines: 'cron: "0 0 * * *"\n    timezone: Mars/Olympus', fault: '"Mars/Olympus" is not a time zone' },
  { lines: 'timezone: Europe/Berlin', fault: '(sources.feed.timezone): an interval has no time zone' },
  { lines: 'schedule: 5m\n    timezone: UTC', fault: '(sources.feed.timezone): an interval has no time zone' },
  { lines: 'schedule: { every: 5m, timezone: UTC }', fault: '(sources.feed.schedule.timezone): an interval has no time zone' },
  { lines: 'schedule: { every: 5m, timezone: Berlin }', fault: '"Berlin" is not a time zone' },
  { lines: 'cron: "0 */5 * * * *"', fault: 'has 6 fields; there is none for seconds' },
  { lines: 'schedule: "0 0 * *"', fault: 'has 4 fields' },
  { lines: 'schedule: { cron: "0 0 0 1 1 * 2027" }', fault: 'has 7 fields' },
  { lines: 'start: 2026-11-22T00:00:00Z', fault: '(sources.feed.start): "2026-11-22T00:00:00Z" is in the future' },
  { lines: 'start: 2026-02-31', fault: '(sources.feed.start): "2026-02-31" is not a time that exists' },
  { lines: 'rate_limit: fast', fault: '(sources.feed.rate_limit): "fast" has an invalid form' },
  { lines: 'window: { min: 2h, max: 1h }', fault: '(sources.feed.window): the shortest window is longer than the longest' },
  { lines: 'self_events: exlude', fault: '(sources.feed.self_events): "exlude" must be one of exclude, forward' },
  { lines: 'enabled: "yes"', fault: '(sources.feed.enabled): must be a boolean' },
])('refuses $lines', async ({ lines, fault }) => {
  const faults = await faultsOf(withSource(`    ${lines}\n`));

  expect(faults[0]).toContain(fault);
  expect(faults[1]).toMatch(/^ {2}fix: ./);
});

it('names the possible connectors when one is unknown', async () => {
  const faults = await faultsOf(`sources: { feed: { connector: vendr } }\n${sinks}`);

  expect(faults).toEqual([
    'penstock.yaml:1:31 (sources.feed.connector): unknown connector "vendr"',
    '  fix: possible here: vendor, folder',
  ]);
});

it('looks connectors up in the own folder first', async () => {
  const asked: (readonly string[])[] = [];
  const folder = await temporaryFolder();

  await load(`connectors_dir: ./mine\nsources: { feed: { connector: vendor, options: { org_id: acme } } }\n${sinks}`, {
    folder,
    connectorDirs: ['/shipped'],
    loadConnector: async (name, { dirs }) => {
      asked.push(dirs);
      const { fakeConnector } = await import('./load.ts');
      return fakeConnector(name);
    },
  });

  expect(asked).toEqual([[join(folder, 'mine'), '/shipped']]);
});

it('hands action rows of a source, written there or in a file, to the connector', async () => {
  const asked: unknown[] = [];
  const folder = await temporaryFolder({ 'rows.yaml': 'actions:\n  - { action: policy_copied }\n' });
  const source = (actions: string): string =>
    `{ connector: vendor, options: { org_id: acme }, enabled: false, actions: ${actions} }`;

  await load(`sources:\n  a: ${source('./rows.yaml')}\n  b: ${source('[{ action: policy_moved }]')}\n${sinks}`, {
    folder,
    loadConnector: async (name, _places, extras) => {
      asked.push(extras?.actions);
      const { fakeConnector } = await import('./load.ts');
      return fakeConnector(name);
    },
  });

  expect(asked).toEqual([
    [join(folder, 'rows.yaml')],
    [{ file: `${join(folder, 'penstock.yaml')} (sources.b.actions)`, text: '{"actions":[{"action":"policy_moved"}]}' }],
  ]);
});

it.each([
  ['elasticsearch', 'did you mean type: http with preset: elasticsearch?'],
  ['Sentinel', 'did you mean type: http with preset: sentinel?'],
  ['splunk', 'did you mean "splunk_hec"?'],
  ['azure_sentinel', 'did you mean type: http with preset: sentinel?'],
  ['tcp', 'did you mean "syslog"?'],
  ['console', 'did you mean "stdout"?'],
])('answers type: %s with what to write', async (type, said) => {
  const faults = await faultsOf(`sources: {}\nsinks: { out: { type: ${type} } }\n`, { sinkTypes });

  expect(faults).toContainEqual(expect.stringContaining(said));
});

it('warns of what a first configuration left to fill in', async () => {
  const { warnings } = await load(
    `sources: { feed: { connector: vendor, options: { org_id: YOUR_ORG_ID } } } # YOUR_NAME\n${sinks}`,
  );

  expect(warnings.map(({ path, what }) => [path.join('.'), what])).toEqual([
    ['sources.feed.options.org_id', '"YOUR_ORG_ID" is a placeholder'],
  ]);
});

it.each([
  ['${env:X:-none}', '"X:-none" is no name of a variable', 'there are no defaults: write ${env:X} and set X'],
  ['${env:X-none}', '"X-none" is no name of a variable', 'there are no defaults: write ${env:X} and set X'],
  ['${env: X}', '" X" is no name of a variable', 'write ${env:X}'],
  ['${X}', 'unknown interpolation after "${"', 'write ${env:X} or ${file:PATH}; $${ is a literal ${'],
  ['$TOKEN', 'nothing fills in a variable that is written like this', 'write ${env:NAME} or ${file:PATH}; '],
  ['%TOKEN%', 'nothing fills in a variable that is written like this', 'write ${env:NAME} or ${file:PATH}; '],
  ['$env:TOKEN', 'nothing fills in a variable that is written like this', 'write ${env:NAME} or ${file:PATH}; '],
  ['$(cat token)', 'nothing fills in a variable that is written like this', 'write ${env:NAME} or ${file:PATH}; '],
  ['{{ env.TOKEN }}', 'nothing fills in a variable that is written like this', 'write ${env:NAME} or ${file:PATH}; '],
  ['https://$HOST:8088', 'nothing fills in a variable that is written like this', 'write ${env:NAME} or ${file:PATH}; '],
])('refuses %s, which nothing would fill in, also without secrets', async (text, what, fix) => {
  const faults = await faultsOf(`sources: { feed: { connector: vendor, options: { org_id: '${text}' } } }\n${sinks}`, {
    withoutSecrets: true,
  });

  expect(faults).toHaveLength(2);
  expect(faults[0]).toBe(`penstock.yaml:1:58 (sources.feed.options.org_id): ${what}`);
  expect(faults[1]).toContain(`  fix: ${fix}`);
});

it.each(['$ecret', 'a$B', '100%', 'pa$$WORD', '{{ source }}'])('takes %s as it stands', async (text) => {
  await expect(
    load(`sources: { feed: { connector: vendor, options: { org_id: a, client_secret: '${text}' } } }\n${sinks}`),
  ).resolves.toBeDefined();
});

it.each([
  ['Bearer abc', 'the secret begins with "Bearer ", as a header does'],
  ['Authorization: Splunk abc', 'the secret begins with "Splunk ", as a header does'],
  ['"abc"', 'the secret stands in quotes'],
  ['abc ', 'the secret begins or ends with a blank'],
])('refuses a secret that was copied as %j, wherever it comes from, and does not repeat it', async (secret, what) => {
  const faults = await faultsOf(
    `sources: { feed: { connector: vendor, options: { org_id: a, client_secret: "\${env:SECRET}" } } }\n${sinks}`,
    { env: { SECRET: secret } },
  );

  expect(faults[0]).toBe(`penstock.yaml:1:76 (sources.feed.options.client_secret): ${what}`);
  expect(faults.join('\n')).not.toContain('abc');
});

it.each([
  ['sources: { a: { connector: vendor, options: { org_id: a, api_url: acme.example.com } } }', 'https://acme.example.com'],
  [
    'sources: { a: { connector: vendor, options: { org_id: a, api_url: "acme.example.com:443" } } }',
    'https://acme.example.com:443',
  ],
  ['sinks: { s: { type: splunk_hec, token: t, endpoints: ["hec.example.com:8088"] } }', 'https://hec.example.com:8088'],
  ['sinks: { s: { type: http, url: example.com/x } }', 'https://example.com/x'],
  ['sinks: { s: { type: kafka, topic: t, brokers: ["kafka:9092"] } }', 'tls://kafka:9092, or begin it with tcp://'],
  ['sinks: { s: { type: syslog, address: "siem:514" } }', 'tls://siem:514, or begin it with udp://, tcp://, relp://, relps://'],
])('says how to write an address without a scheme: %s', async (line, address) => {
  const faults = await faultsOf(line, { sinkTypes });

  expect(faults.join('\n')).toMatch(/has no scheme\n {2}fix: write /);
  expect(faults).toContain(`  fix: write ${address}`);
});

it('repeats no proxy that has no scheme: it may carry a password', async () => {
  const faults = await faultsOf(`proxy: "me:word@proxy:3128"\nsources: {}\n${sinks}`);

  expect(faults).toEqual(['penstock.yaml:1:8 (proxy): has no scheme', '  fix: begin it with http://']);
});

it.each([
  { kind: 'http_window', retentionMs: 90 * 86_400_000, start: { backMs: 90 * 86_400_000 } },
  { kind: 'http_cursor', retentionMs: undefined, start: { at: 0 } },
] as const)('begins at the oldest that the vendor keeps ($kind)', async ({ kind, retentionMs, start }) => {
  const made = fakeConnector('vendor');
  const loadConnector = () => Promise.resolve({ ...made, kind, defaults: { ...made.defaults, retentionMs } });

  const { sources, warnings } = await load(withSource('    start: oldest\n'), { loadConnector });

  expect([sources[0]?.start, warnings]).toEqual([start, []]);
});

it('asks for a time where nobody knows the oldest and windows have to begin somewhere', async () => {
  const made = fakeConnector('vendor');
  const loadConnector = () => Promise.resolve({ ...made, defaults: { ...made.defaults, retentionMs: undefined } });

  await expect(load(withSource('    start: oldest\n'), { loadConnector })).rejects.toThrow(
    /\(sources\.feed\.start\): nobody says how long the vendor keeps events/,
  );
});

it('warns of a sweep that does nothing', async () => {
  const loadConnector = () => Promise.resolve(fakeConnector('vendor', { kind: 'http_cursor' }));

  const { warnings } = await load(withSource('    sweep: {}\n'), { loadConnector });

  expect(JSON.stringify(warnings)).toContain('a sweep does nothing for this source: late events come by its cursor');
});
