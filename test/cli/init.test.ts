import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import { renderStarter, sinkChoices } from '../../src/config/index.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { loadConnectors } from '../../src/connectors/index.ts';
import { sinkMeant, vendorMeant } from '../../src/operate/starter.ts';
import { shippedConnectors } from '../../src/runtime/read-config.ts';
import { HttpOptions } from '../../src/sinks/http/options.ts';
import { sinkTypes } from '../../src/sinks/index.ts';
import { listConnectorNames } from '../../src/workbench/catalog.ts';
import { penstock } from './terminal.ts';

const { files } = systemSeams();
const vendors = await listConnectorNames(files);

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-init-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

it('offers every type of sink and every preset', () => {
  const presets = (HttpOptions.properties.preset as unknown as { enum: string[] }).enum;

  expect(sinkChoices.toSorted()).toEqual([...Object.keys(sinkTypes), ...presets].toSorted());
});

const connectors = await loadConnectors({ dirs: [shippedConnectors], files });
const pairs = vendors.flatMap((vendor) => sinkChoices.map((sink) => ({ vendor, sink })));

it.each(pairs)('writes a configuration from $vendor to $sink that is valid, with all its variables', async ({ vendor, sink }) => {
  const dir = await folder();
  const connector = connectors.get(vendor);
  if (connector === undefined) throw new Error(vendor);

  const { config, env } = renderStarter({ connector, sink });

  await writeFile(join(dir, 'penstock.yaml'), config);
  const { warnings } = await loadConfig(join(dir, 'penstock.yaml'), {
    env: {},
    files,
    withoutSecrets: true,
    connectorDirs: [],
    loadConnector: () => Promise.resolve(connector),
  });
  const read = [...config.matchAll(/\$\{env:([^}]+)\}/g)].map(([, name]) => name);
  expect(warnings.filter(({ what }) => !what.endsWith('is a placeholder'))).toEqual([]);
  expect([...env.matchAll(/^([A-Z0-9_]+)=$/gm)].map(([, name]) => name)).toEqual(read);
  // Plain YAML as well, for editors and other tools.
  expect(parse(config)).toMatchObject({ sources: { [vendor]: { connector: vendor } }, sinks: { [sink]: {} } });
});

it('ends with what validate says, and the next steps', async () => {
  const dir = await folder();

  const { code, out, err } = await penstock(['init', '--vendor', 'okta', '--sink', 'splunk', '--dir', dir]);

  const config = join(dir, 'penstock.yaml');
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^wrote ${config}\n[^]*\nok ${config}: 1 source, 1 sink\n\nNext:\n[^]* check -c ${config}`));
  expect(err.match(/^warning .*/gm)).toEqual([
    `warning ${config}:14:16 (sources.okta.options.org_url): "YOUR_ORG_HOST" is a placeholder`,
    `warning ${config}:25:9 (sinks.splunk_hec.endpoints[0]): "YOUR_SPLUNK_HOST" is a placeholder`,
  ]);
  expect(await readFile(config, 'utf8')).toMatch(/^# yaml-language-server: \$schema=\.\/penstock\.schema\.json\n/);
});

it('writes the schema that the command prints', async () => {
  const dir = await folder();

  await penstock(['init', '--vendor', 'okta', '--sink', 'stdout', '--dir', join(dir, 'new/one')]);

  const written = await readFile(join(dir, 'new/one/penstock.schema.json'), 'utf8');
  expect(written).toBe((await penstock(['schema'])).out);
});

it.each(['penstock.yaml', 'penstock.schema.json', '.env.example'])(
  'overwrites no %s, and writes nothing beside it',
  async (name) => {
    const dir = await folder();
    await writeFile(join(dir, name), 'mine');

    const { code, err } = await penstock(['init', '--vendor', 'okta', '--sink', 'file', '--dir', dir]);

    expect([code, err]).toEqual([
      2,
      `penstock: "${join(dir, name)}" exists already; nothing is overwritten\n  fix: name another folder with --dir, or move the file away\n`,
    ]);
    expect(await readdir(dir)).toEqual([name]);
    expect(await readFile(join(dir, name), 'utf8')).toBe('mine');
  },
);

it('writes through no link, also where it leads nowhere', async () => {
  const dir = await folder();
  await symlink(join(dir, 'elsewhere'), join(dir, '.env.example'));

  const { code } = await penstock(['init', '--vendor', 'okta', '--sink', 'file', '--dir', dir]);

  expect([code, await readdir(dir)]).toEqual([2, ['.env.example']]);
});

it.each([
  { argv: ['--vendor', 'oktaa', '--sink', 'file'], said: 'there is no connector "oktaa"\n  fix: did you mean "okta"?' },
  { argv: ['--vendor', 'astra', '--sink', 'file'], said: 'did you mean "astra-csv" or "astra-stream"?' },
  { argv: ['--vendor', 'atlas', '--sink', 'file'], said: 'did you mean "atlassian" or "mongodb-atlas"?' },
  { argv: ['--vendor', 'okta', '--sink', 'splonk'], said: 'there is no sink "splonk"\n  fix: did you mean "splunk_hec"?' },
  { argv: ['--vendor', 'okta', '--sink', 'kafak'], said: 'did you mean "kafka"?' },
  { argv: ['--vendor', 'nobody', '--sink', 'file'], said: 'fix: known: anaconda, ' },
  { argv: [], said: 'there is no terminal to ask on: say --vendor and --sink' },
  { argv: ['--vendor', 'okta'], said: 'sinks: file, http, kafka, ' },
])('answers $argv with exit code 2', async ({ argv, said }) => {
  const dir = await folder();

  const { code, out, err } = await penstock(['init', ...argv, '--dir', dir]);

  expect([code, out, await readdir(dir)]).toEqual([2, '', []]);
  expect(err).toContain(said);
});

it.each([
  ['mode', 'analyst-studio'],
  ['ThoughtSpot', 'analyst-studio'],
  ['Anaconda', 'anaconda'],
  ['gsuite', 'google-workspace'],
  ['Atlassian Cloud', 'atlassian'],
  ['jira', 'atlassian'],
  ['1Password audit', 'onepassword'],
])('knows a product by another name: %s', async (word, name) => {
  await expect(vendorMeant(word, files)).resolves.toMatchObject({ name });
});

it.each([
  ['splunk', 'splunk_hec'],
  ['Splunk-HEC', 'splunk_hec'],
  ['elastic', 'elasticsearch'],
  ['QRadar', 'syslog'],
  ['Microsoft Sentinel', 'sentinel'],
])('knows a receiver by another name: %s', (word, sink) => {
  expect(sinkMeant(word)).toBe(sink);
});

it('puts answers in the place of what is to be filled in, whatever they hold', async () => {
  const connector = await vendorMeant('okta', files);
  const answers = { YOUR_ORG_HOST: 'https://acme.okta.com', YOUR_BUCKET: 'a: "b" # c' };

  const { config } = renderStarter({ connector, sink: 's3', answers });

  expect(parse(config)).toMatchObject({
    sources: { okta: { options: { org_url: 'https://acme.okta.com' } } },
    sinks: { s3: { bucket: 'a: "b" # c' } },
  });
});

it.each(['SHA256:abc=', 'abc='])('puts an answer of %s behind what each value begins with, once', (answer) => {
  const connector = connectors.get('snowflake-key-pair');
  if (connector === undefined) throw new Error('not shipped');

  const { config } = renderStarter({ connector, sink: 'stdout', answers: { YOUR_FINGERPRINT: answer } });

  expect(config).toContain('fingerprint: SHA256:abc=\n');
});
