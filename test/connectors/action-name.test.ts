import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import { compileActionName } from '../../src/event/index.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { vendorConnector } from './vendor.ts';

it.each([
  { spec: 'verb', record: { verb: 'created' }, name: 'created' },
  { spec: ['type', 'verb'], record: { verb: 'created' }, name: 'created' },
  { spec: { join: ['object.type', 'verb'] }, record: { object: { type: 'user' }, verb: 'created' }, name: 'user.created' },
  { spec: { join: ['object.type', 'verb'], with: ' ' }, record: { object: { type: 'user' }, verb: 7 }, name: 'user 7' },
  { spec: { join: ['object.type', ['action', 'verb']] }, record: { verb: 'created' }, name: 'created' },
  { spec: { join: ['object.type', 'verb'] }, record: { other: 1 }, name: undefined },
])('reads $name out of $record by $spec', ({ spec, record, name }) => {
  expect(compileActionName(spec)(record)).toBe(name);
});

async function connectorWith(action: string): Promise<string> {
  const { folder } = await newConnector('acme', await mkdtemp(join(tmpdir(), 'penstock-connectors-')), systemSeams());
  const file = join(folder, 'connector.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace('action: event_type', `action: ${action}`));
  return folder;
}

it('maps a record by a joined action and leaves none of its parts in unmapped', async () => {
  const folder = await connectorWith('{ join: [object.kind, verb] }');
  const { records, mapper } = await loadConnector('acme', { dirs: [dirname(folder)], files: systemSeams().files });
  const value = { id: '1', occurred_at: '2026-11-20T10:00:00Z', object: { kind: 'user', id: 'u-1' }, verb: 'created', extra: 1 };

  const facts = records.examine({ value }, 'o-1');
  const { event } = mapper.map(
    { uid: facts.uid, received: 0, record: facts.record },
    { source: 's', tenant: 'o-1', labels: [], processedTime: 0 },
  );

  expect([facts.actionKey, facts.action, event.type_uid, event['unmapped']]).toEqual([
    'user_created',
    'user.created',
    300101,
    { extra: 1 },
  ]);
});

it('says where a joined action has a text that is no path', async () => {
  const folder = await connectorWith('{ join: [object.kind, "a[" ] }');

  await expect(loadConnector('acme', { dirs: [dirname(folder)], files: systemSeams().files })).rejects.toThrow(
    /connector\.yaml:\d+:\d+ \(record\.action\.join\[1\]\): "a\[" is not a path/,
  );
});

it('may be the same for every record', () => {
  const connector = vendorConnector({}, { record: { id: 'id', time: 'time', action: { value: 'Sign-in' } } });

  expect(connector.records.examine({ value: { id: 1 } }, undefined)).toMatchObject({ action: 'Sign-in', actionKey: 'sign_in' });
  const envelope = { uid: 'x', received: 0, record: { id: 1 } };
  expect(connector.mapper.map(envelope, { source: 's', tenant: undefined, labels: [], processedTime: 0 }).event).toMatchObject({
    activity_name: 'Sign-in',
    metadata: { event_code: 'Sign-in' },
  });
});
