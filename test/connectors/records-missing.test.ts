import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { testConnector } from '../../src/workbench/connector-test/index.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';

async function faultsOf(setting: string, reply: string): Promise<readonly string[]> {
  const seams = systemSeams();
  const { folder } = await newConnector('acme', await mkdtemp(join(tmpdir(), 'penstock-connectors-')), seams);
  const file = join(folder, 'connector.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace('  records: data\n', `  records: data\n${setting}`));
  await writeFile(join(folder, 'tests/first/page-2.json'), reply);
  const { cases } = await testConnector(folder, seams, { update: true });
  return cases.flatMap(({ faults }) => faults);
}

it.each(['{}', '{"data":null}', '{"data":null,"next_cursor":null}'])(
  'takes %s for an empty page only where the connector says so',
  async (reply) => {
    const [strict, lenient] = [await faultsOf('', reply), await faultsOf('  records_missing: empty\n', reply)];

    expect(strict).toEqual([expect.stringContaining('the reply has no list of records at data')]);
    expect(lenient).toEqual([]);
  },
);

it.each(['[]', '"text"', '{"data":{}}', '{"data":"none"}'])('never takes %s for an empty page', async (reply) => {
  expect(await faultsOf('  records_missing: empty\n', reply)).toEqual([
    expect.stringContaining('the reply has no list of records'),
  ]);
});
