import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { testConnector } from '../../src/workbench/connector-test/index.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';

/** The bodies that a connector sends whose window bounds are written in a format. */
async function bodiesWith(format: string): Promise<readonly unknown[]> {
  const seams = systemSeams();
  const { folder } = await newConnector('acme', await mkdtemp(join(tmpdir(), 'penstock-connectors-')), seams);
  const file = join(folder, 'connector.yaml');
  const written = (await readFile(file, 'utf8'))
    .replace(
      / {4}query:[\s\S]*?(?= {2}# How the next page)/,
      '    method: POST\n    body: { filter: { from: "{{ window.from }}", to: "{{ window.to }}" }, text: "since {{ window.from }}", cursor: "{{ page.token }}", size: "{{ page.limit }}" }\n',
    )
    .replace('    # format: epoch_s ', `    format: ${format} `)
    .replace('precision: ms', 'precision: s');
  await writeFile(file, written);
  const test = join(folder, 'tests/first');
  await writeFile(
    join(test, 'case.yaml'),
    'options: { org: acme, token: made-up }\nfrom: 2026-11-20T10:00:00Z\nto: 2026-11-20T11:00:00Z\n',
  );
  await rm(join(test, 'expected-requests.txt'));
  await testConnector(folder, seams, { update: true });
  const requests = await readFile(join(test, 'expected-requests.txt'), 'utf8');
  return requests
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as unknown);
}

it.each([
  ['epoch_s', 1_795_168_800, 1_795_172_400],
  ['epoch_ms', 1_795_168_800_000, 1_795_172_400_000],
  ['rfc3339', '2026-11-20T10:00:00Z', '2026-11-20T11:00:00Z'],
])('sends window bounds of format %s as JSON has them, and no token on the first page', async (format, from, to) => {
  const [first] = await bodiesWith(format);

  expect(first).toEqual({ filter: { from, to }, text: `since ${from}`, size: 100 });
});
