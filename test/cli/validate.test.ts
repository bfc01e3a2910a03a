import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { penstock } from './terminal.ts';

async function configured(yaml: string): Promise<string> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-validate-'));
  onTestFinished(() => fs.rm(folder, { recursive: true }));
  const file = join(folder, 'penstock.yaml');
  await fs.writeFile(file, yaml);
  return file;
}

const source =
  'sources: { feed: { connector: anaconda, options: { org_id: o, client_id: c, client_secret: "${env:PENSTOCK_TEST_NOT_SET}" } } }\n';
const broken = `${source}sinks: { out: { type: stdot } }\n`;
const sound = `${source}sinks: { out: { type: stdout } }\n`;

it('says what is configured when all is well', async () => {
  const file = await configured(sound);

  expect(await penstock(['validate', '-c', file, '--without-secrets'])).toEqual({
    code: 0,
    out: `ok ${file}: 1 source, 1 sink\n`,
    err: '',
  });
});

it('shows every fault with its place and ends with 2', async () => {
  const file = await configured(broken);

  expect(await penstock(['validate', '-c', file])).toEqual({
    code: 2,
    out: '',
    err: [
      `${file}:1:92 (sources.feed.options.client_secret): environment variable PENSTOCK_TEST_NOT_SET is not set`,
      '  fix: set PENSTOCK_TEST_NOT_SET for the process that runs penstock',
      `${file}:2:23 (sinks.out.type): unknown type "stdot"`,
      '  fix: did you mean "stdout"? possible here: file, http, kafka, s3, splunk_hec, stdout, syslog',
      '',
    ].join('\n'),
  });
});

it('prints the same as JSON with stable names', async () => {
  const file = await configured(broken);

  const { code, out, err } = await penstock(['validate', '-c', file, '--json', '--without-secrets']);

  expect([code, err]).toEqual([2, '']);
  expect(JSON.parse(out)).toEqual({
    valid: false,
    file,
    faults: [
      {
        file,
        line: 2,
        column: 23,
        path: 'sinks.out.type',
        what: 'unknown type "stdot"',
        fix: 'did you mean "stdout"? possible here: file, http, kafka, s3, splunk_hec, stdout, syslog',
      },
    ],
  });
});

it('prints a sound configuration as JSON', async () => {
  const file = await configured(sound.replace('c, client', 'c, api_url: "https://a.example", client'));

  const { out } = await penstock(['validate', '-c', file, '--json', '--without-secrets']);

  expect(JSON.parse(out)).toEqual({ valid: true, file, sources: ['feed'], sinks: ['out'], warnings: [] });
});

it('is told which file by the environment', async () => {
  const file = await configured(sound);
  process.env['PENSTOCK_CONFIG'] = file;
  onTestFinished(() => {
    delete process.env['PENSTOCK_CONFIG'];
  });

  const { code } = await penstock(['validate', '--without-secrets']);

  expect(code).toBe(0);
});

it('shows warnings on standard error and still ends well', async () => {
  const file = await configured('sinks: { out: { type: stdout } }\n');

  const { code, err } = await penstock(['validate', '-c', file]);

  expect([code, err]).toEqual([
    0,
    `warning ${file}:1:1 (sources): there is no source; nothing is collected\n  fix: add one below sources:\n`,
  ]);
});
