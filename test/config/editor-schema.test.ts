import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { packageRoot } from '../../src/base/package.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { readConfig } from '../../src/runtime/read-config.ts';
import { printSchema } from '../../src/workbench/catalog.ts';

const example = join(packageRoot, 'config/penstock.example.yaml');
const shipped = join(packageRoot, 'config/penstock.schema.json');

let printed: Promise<ValidateFunction> | undefined;

async function compilePrinted(): Promise<ValidateFunction> {
  const schema = (await printSchema('config', fs)) as object;
  return new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
}

/** How an editor sees a text: interpolations in flow maps are quoted first, as YAML itself asks for. */
async function editorFaults(yaml: string): Promise<unknown[]> {
  printed ??= compilePrinted();
  const validate = await printed;
  validate(parse(yaml.replaceAll(/(?<!")(\$\{[^}\n]*\})/g, '"$1"')));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
}

it('is committed as it is printed (penstock schema > config/penstock.schema.json)', async () => {
  const printed = await printSchema('config', fs);

  expect(JSON.parse(await fs.readFile(shipped, 'utf8'))).toEqual(JSON.parse(JSON.stringify(printed)));
});

it('accepts the example', async () => {
  expect(await editorFaults(await fs.readFile(example, 'utf8'))).toEqual([]);
});

it.each([
  ['an unknown option of a sink', 'sinks: { a: { type: stdout, pathh: x } }', '/sinks/a must NOT have additional properties'],
  [
    'an unknown option of a source',
    'sources: { a: { connector: anaconda, options: { org: x } } }\nsinks: { a: { type: stdout } }',
    '/sources/a/options must NOT have additional properties',
  ],
  ['an unknown type', 'sinks: { a: { type: nope } }', '/sinks/a/type must be equal to one of the allowed values'],
  ['no sink', 'sinks: {}', '/sinks must NOT have fewer than 1 properties'],
  ['a wrong duration', 'sinks: { a: { type: stdout, timeout: 5 } }', '/sinks/a/timeout must be string'],
])('shows %s', async (_name, yaml, fault) => {
  expect(await editorFaults(yaml)).toContain(fault);
});

it('leaves the options of a connector of one’s own alone', async () => {
  expect(await editorFaults('sources: { a: { connector: mine, options: { x: 1 } } }\nsinks: { a: { type: stdout } }')).toEqual(
    [],
  );
});

it('comes with an example that validates', async () => {
  const config = await readConfig(example, systemSeams(), { withoutSecrets: true });

  expect([config.sources.map(({ name }) => name), config.sinks.map(({ type }) => type), config.warnings]).toEqual([
    ['anaconda-acme', 'studio-acme', 'astra-acme'],
    ['splunk_hec', 'syslog', 'http', 's3', 'file'],
    [],
  ]);
});

it('comes with an example that still validates when every comment that holds an option is one', async () => {
  const text = await fs.readFile(example, 'utf8');
  const uncommented = text.replaceAll(
    /^( *)# ([a-z][a-z_-]*: .*|[a-z-]+:|  [a-z_]+: .*)$/gm,
    (line, indent: string, option: string) =>
      /: \.\.\.|enabled: true|\$schema|my-actions/.test(option) ? line : `${indent}${option}`,
  );
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-example-'));
  await fs.writeFile(join(folder, 'all.yaml'), uncommented);

  onTestFinished(() => fs.rm(folder, { recursive: true }));

  const config = await readConfig(join(folder, 'all.yaml'), systemSeams(), { withoutSecrets: true });

  expect(config.sources.find(({ name }) => name === 'anaconda-acme')?.sweep).toEqual({ everyMs: 21_600_000, backMs: 86_400_000 });
  expect(config.sources.map(({ name }) => name)).toContain('astra-downloads');
});
