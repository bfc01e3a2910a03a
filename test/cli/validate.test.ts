import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { makeCertificates } from '../http/certificates.ts';
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

it('warns of certificates that end soon, of what uses them alone', async () => {
  const made = makeCertificates();
  onTestFinished(() => made[Symbol.dispose]());
  const files = `ca_file: ${made.path('ca.pem')}, cert_file: ${made.path('client.pem')}, key_file: ${made.path('client.key')}`;
  const withFiles = source.replace(
    'sources: {',
    'sources: { files: { connector: astra-csv, options: { directory: ./in, org_id: o } },',
  );
  const lake = 'lake: { type: http, url: "https://lake.example.com" }';
  const file = await configured(`tls: { ${files} }\n${withFiles}sinks: { ${lake}, disk: { type: file, path: ./out.ndjson } }\n`);
  const inThreeDays = new Date(Date.now() + 3 * 86_400_000 - 60_000);
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ now: inThreeDays, toFake: ['Date'] });

  const { code, err } = await penstock(['validate', '-c', file, '--without-secrets']);
  const json = await penstock(['validate', '-c', file, '--without-secrets', '--json']);

  const told = (JSON.parse(json.out) as { warnings: { where: string; what: string }[] }).warnings;
  expect(code).toBe(0);
  expect(err).toMatch(/warning sink lake: the client certificate in .*client\.pem (expires|expired) on /);
  expect(err).not.toContain('sink disk');
  expect(new Set(told.map(({ where }) => where))).toEqual(new Set(['source feed', 'sink lake']));
});
