import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import { readConfig } from '../../src/runtime/read-config.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';

const row = {
  action: 'report.shared',
  key: 'report_shared',
  title: 'Report shared',
  group: 'Mine',
  ocsf: { class_uid: 3004, activity_id: 3, severity_id: 2 },
  target: { place: 'entity', type: 'Report', type_id: 99 },
  ecs: { category: ['configuration'], type: ['change'] },
  cim: { model: null },
};

it('compiles a connector once for sources without rows of their own, and once for those that name the same file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-shared-'));
  await mkdir(join(dir, 'connectors'));
  await newConnector('acme', join(dir, 'connectors'), systemSeams());
  await writeFile(join(dir, 'rows.yaml'), stringify([row]));
  const source = (more: object): object => ({ connector: 'acme', options: { org: 'o', token: 't' }, ...more });
  const sources = {
    plain: source({}),
    'plain-too': source({}),
    'same-file': source({ actions: './rows.yaml' }),
    'same-file-too': source({ actions: './rows.yaml' }),
    inline: source({ actions: [row] }),
  };
  await writeFile(
    join(dir, 'penstock.yaml'),
    stringify({ connectors_dir: './connectors', sources, sinks: { out: { type: 'stdout' } } }),
  );

  const config = await readConfig(join(dir, 'penstock.yaml'), systemSeams());

  const connectors = config.sources.map(({ connector }) => connector);
  const firstOf = connectors.map((connector) => connectors.indexOf(connector));
  expect(firstOf).toEqual([0, 0, 2, 2, 4]);
  expect(connectors.map(({ actions }) => actions.length)).toEqual([6, 6, 7, 7, 7]);
});

it('says where an address stands that is that of no service', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-address-'));
  const source = { connector: 'okta', options: { org_url: 'https://acme.okta.com?x=1', token: 't' } };
  await writeFile(join(dir, 'penstock.yaml'), stringify({ sources: { acme: source }, sinks: { out: { type: 'stdout' } } }));

  await expect(readConfig(join(dir, 'penstock.yaml'), systemSeams())).rejects.toMatchObject({
    code: 'PEN_CONFIG_INVALID',
    message: expect.stringMatching(
      /penstock\.yaml:5:16 \(sources\.acme\.options\.org_url\): this is not the address of a service\n {2}fix: write scheme, host and path/,
    ) as string,
  });
});
