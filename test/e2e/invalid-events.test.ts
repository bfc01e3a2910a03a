import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { startAuditApi } from './audit-api.ts';
import { command, configFile, penstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';

/** A row of User Access Management that forgets the privileges, which the class requires. */
const row = {
  action: 'access.given',
  key: 'access_given',
  title: 'Access given',
  group: 'Mine',
  ocsf: { class_uid: 3005, activity_id: 1, severity_id: 3 },
  target: { place: 'user' },
  ecs: { category: ['iam'], type: ['user', 'change'] },
  cim: { model: null },
};
const record = (id: string, event_type: string) => ({
  id,
  occurred_at: new Date(Date.now() - 600_000).toISOString(),
  event_type,
  actor: { id: 'u-1', login: 'dana' },
  object: { id: 'd-7', name: 'Q3', kind: 'document' },
});

it('delivers what is not valid by OCSF, and says so once for each action', async () => {
  await using vendor = await startAuditApi([
    record('e-1', 'access.given'),
    record('e-2', 'access.given'),
    record('e-3', 'user.login'),
  ]);
  await using receiver = await startReceiver(seededRandom(1));
  const options = { api_url: vendor.origin, org: 'o-1', token: 'made-up' };
  const source = { connector: 'acme-audit', options, schedule: '1s', start: '1h', actions: [row] };
  const file = await configFile({
    connectors_dir: './connectors',
    sources: { acme: source, quiet: { ...source, validate: 'off', options: { ...options, org: 'o-2' } } },
    sinks: { lake: { type: 'http', url: receiver.url }, copy: { type: 'http', url: receiver.url, labels: ['copy'] } },
  });
  await newConnector('acme-audit', join(dirname(file), 'connectors'), systemSeams());
  const daemon = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length === 12);

  const status = await command(['status', '-c', file]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  const said = status.stdout.split('\n').filter((line) => line.includes('not valid OCSF'));
  expect(said).toEqual([
    expect.stringMatching(
      /source acme.*2 events of action "access_given" are not valid OCSF: privileges is required and missing/,
    ),
  ]);
  expect(receiver.received.filter(({ event }) => event['class_uid'] === 3005)).toHaveLength(8);
});
