import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { itInLongTests } from '../thorough.ts';
import { type AuditRecord, startAuditApi } from './audit-api.ts';
import { command, configFile, penstock, run } from './penstock.ts';
import { type ReceivedEvent, startReceiver } from './receiver.ts';

const record = (id: string, minutesAgo: number, event_type: string): AuditRecord => ({
  id,
  occurred_at: new Date(Date.now() - minutesAgo * 60_000).toISOString(),
  event_type,
  summary: `something happened: ${event_type}`,
  actor: { id: 'u-1', login: 'dana' },
  object: { id: 'd-7', name: 'Q3', kind: 'document' },
  token: 'a-secret-in-the-record',
});

type Facts = readonly [uid: string, code: unknown, class_uid: unknown, isReplayed: boolean];

function factsOf({ uid, event }: ReceivedEvent): Facts {
  const { event_code, labels } = event['metadata'] as { event_code?: string; labels: string[] };
  return [uid, event_code, event['class_uid'], labels.includes('replayed')];
}

/** Gives a source of the file its own rows. */
async function setActions(file: string, source: string, actions: string): Promise<void> {
  const config = parse(await readFile(file, 'utf8')) as { sources: Record<string, Record<string, unknown>> };
  Object.assign(config.sources[source] ?? {}, { actions });
  await writeFile(file, stringify(config));
}

itInLongTests('goes from an unknown action to a row, and replays the event in its right class under the same id', async () => {
  await using vendor = await startAuditApi([
    record('e-1', 9, 'user.login'),
    record('e-2', 8, 'report.shared'),
    record('e-3', 7, 'report.shared'),
  ]);
  await using receiver = await startReceiver(seededRandom(1));
  const file = await configFile({
    connectors_dir: './connectors',
    sources: {
      acme: {
        connector: 'acme-audit',
        options: { api_url: vendor.origin, org: 'o-1', token: 'made-up' },
        schedule: '1s',
        start: '1h',
      },
    },
    sinks: { lake: { type: 'http', url: receiver.url } },
  });
  await newConnector('acme-audit', join(dirname(file), 'connectors'), systemSeams());
  const first = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length === 3);

  const beside = await command(['actions', 'acme-audit', '--unknown', '--json', '-c', file]);
  const status = await command(['status', '-c', file]);
  first.child.kill('SIGTERM');
  await first.exited;
  const alone = await command(['actions', 'acme-audit', '--unknown', '-c', file]);
  await writeFile(join(dirname(file), 'my-actions.yaml'), alone.stdout);
  await setActions(file, 'acme', './my-actions.yaml');
  const valid = await command(['validate', '-c', file]);
  const second = penstock(['run', '-c', file]);
  await second.said(/admin|listening/i);
  const replay = await command(['replay', 'lake', '--from', '1h', '--to', '0s', '--action', 'report_shared', '-c', file]);
  await receiver.until(() => receiver.received.length === 5);
  const after = await command(['actions', 'acme-audit', '--unknown', '--json', '-c', file]);
  const known = await command(['status', '-c', file]);
  second.child.kill('SIGTERM');
  await second.exited;

  expect(
    [status, known].map(({ stdout }) => stdout.includes('source acme: no row of acme-audit knows "report.shared" (2)')),
  ).toEqual([true, false]);
  const report = JSON.parse(beside.stdout) as { actions: Record<string, unknown>[]; others: number };
  expect(report).toEqual({
    actions: [
      {
        connector: 'acme-audit',
        action: 'report.shared',
        key: 'report_shared',
        count: 2,
        first: Date.parse(vendor.records[1]?.occurred_at ?? ''),
        last: Date.parse(vendor.records[2]?.occurred_at ?? ''),
        sources: ['acme'],
        sample: expect.stringContaining('"token":"[REDACTED]"') as string,
        row: expect.stringContaining('- action: report.shared\n  key: report_shared\n') as string,
      },
    ],
    others: 0,
  });
  expect([beside.code, alone.code, valid.code, replay.code]).toEqual([0, 0, 0, 0]);
  expect(valid.stdout).toContain('1 source, 1 sink');
  const [, e2, e3] = receiver.received.slice(0, 3).map(({ uid }) => uid);
  expect(receiver.received.map(factsOf)).toEqual([
    [expect.any(String), 'user.login', 3002, false],
    [e2, 'report.shared', 0, false],
    [e3, 'report.shared', 0, false],
    [e2, 'report.shared', 3004, true],
    [e3, 'report.shared', 3004, true],
  ]);
  expect(JSON.parse(after.stdout)).toEqual({ actions: [], others: 0 });
});

it('takes rows that stand in the configuration, and puts them in the place of shipped ones', async () => {
  await using vendor = await startAuditApi([record('e-1', 9, 'user.login')]);
  await using receiver = await startReceiver(seededRandom(1));
  const row = {
    action: 'user.login',
    key: 'user_login',
    title: 'Console opened',
    group: 'Mine',
    ocsf: { class_uid: 3004, activity_id: 2, severity_id: 4 },
    target: { place: 'entity', type: 'Console', type_id: 99 },
    ecs: { category: ['configuration'], type: ['access'] },
    cim: { model: null },
  };
  const file = await configFile({
    connectors_dir: './connectors',
    sources: {
      acme: {
        connector: 'acme-audit',
        options: { api_url: vendor.origin, org: 'o-1', token: 'made-up' },
        start: '1h',
        actions: [row],
      },
    },
    sinks: { lake: { type: 'http', url: receiver.url } },
  });
  await newConnector('acme-audit', join(dirname(file), 'connectors'), systemSeams());

  const { code } = await run(['run', '--once', '-c', file]);

  expect([code, receiver.received.map(({ event }) => [event['type_uid'], event['severity_id']])]).toEqual([0, [[300402, 4]]]);
});

it('says which row of an own file is wrong, with file, line and column', async () => {
  const file = await configFile({
    connectors_dir: './connectors',
    sources: { acme: { connector: 'acme-audit', options: { org: 'o-1', token: 'made-up' }, actions: './rows.yaml' } },
    sinks: { out: { type: 'stdout' } },
  });
  await newConnector('acme-audit', join(dirname(file), 'connectors'), systemSeams());
  await writeFile(
    join(dirname(file), 'rows.yaml'),
    '- action: a.b\n  key: a_b\n  title: A\n  group: G\n  ocsf: { class_uid: 3099, activity_id: 1, severity_id: 1 }\n  target: { place: user }\n  ecs: { category: [iam], type: [user] }\n  cim: { model: null }\n',
  );

  const { code, stderr } = await command(['validate', '-c', file]);

  expect(code).toBe(2);
  expect(stderr).toMatch(
    /rows\.yaml:5:9 \(0\.ocsf\)?|rows\.yaml:5:9 .*class 3099 with activity 1 is not in the head of the table/,
  );
});
