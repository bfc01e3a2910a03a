import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { startAuditApi } from './audit-api.ts';
import { until } from './conditions.ts';
import { configFile, penstock } from './penstock.ts';

const root = resolve(import.meta.dirname, '../..');
const deploy = join(root, 'deploy');

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
}
interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}

const rules = parse(await readFile(join(deploy, 'prometheus/alerts.yaml'), 'utf8')) as Rules;
const dashboard = JSON.parse(await readFile(join(deploy, 'grafana/penstock.json'), 'utf8')) as Dashboard;
const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
const alerts = rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr));

const byName = (one: { readonly name: string }, other: { readonly name: string }): number => (one.name < other.name ? -1 : 1);
const namesIn = (text: string): string[] => [...new Set([...text.matchAll(/\bpenstock_\w+/g)].map(([name]) => name))].sort();
/** What a label is compared with by name: `outcome="new"`, `outcome=~"skipped|abandoned"`. */
const outcomesIn = (text: string): string[] =>
  [...text.matchAll(/outcome(?:=~?|!=)"([^"]+)"/g)].flatMap(([, words = '']) => words.split('|'));

/** Name, type and labels of the table in docs/metrics.md. */
const documented = [
  ...(await readFile(join(root, 'docs/metrics.md'), 'utf8')).matchAll(/^\| `(penstock_\w+)` \| (\w+) \| [^|]* \|([^|]*)\|(.*)/gm),
]
  // What only replicas have is tested with them, as are those that the alerts and the dashboard name.
  .filter(([, , , , what = '']) => !what.includes('journal.url'))
  .map(([, name = '', type = '', labels = '']) => ({
    name,
    type,
    // Words of the last label stand behind a colon.
    labels: [...(labels.split(':')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
  }));

const ofReplicas = ['penstock_journal_up', 'penstock_replicas', 'penstock_replicas_missing'];

const promtool = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  join(process.env['PENSTOCK_TOOLS'] ?? join(homedir(), '.cache/penstock/tools'), 'bin'),
]
  .map((folder) => join(folder, 'promtool'))
  .find((file) => existsSync(file));

it('gives every metric that the alerts, the dashboard and the docs name, as promtool wants it', async () => {
  await using vendor = await startAuditApi([
    {
      id: 'e-1',
      occurred_at: new Date(Date.now() - 600_000).toISOString(),
      event_type: 'user.login',
      actor: { id: 'u-1', login: 'dana' },
    },
  ]);
  const file = await configFile({
    connectors_dir: './connectors',
    sources: {
      feed: {
        connector: 'acme',
        options: { api_url: vendor.origin, org: 'o-1', token: 'made-up' },
        schedule: '1s',
        start: '1h',
        retention: '90d',
      },
    },
    sinks: { out: { type: 'file', path: './out.ndjson' } },
  });
  await newConnector('acme', join(dirname(file), 'connectors'), systemSeams());
  const daemon = penstock(['run', '-c', file]);
  await daemon.said('admin server is listening');
  const [, url = ''] = /"url":"([^"]+)"/.exec(daemon.stderr()) ?? [];
  const named = namesIn([...queries, ...alerts].join('\n')).filter((name) => !ofReplicas.includes(name));
  let text = '';

  await until(
    'the delivered event is counted',
    async () => {
      text = await (await fetch(`${url}/metrics`)).text();
      return /^penstock_sink_events_total\{.*outcome="acknowledged".*\} 1$/m.test(text);
    },
    { seen: () => text },
  );
  const token = (await readFile(join(dirname(file), 'data/admin.token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}` };
  const begun = await (await fetch(`${url}/sources/feed/poll`, { method: 'POST', headers })).json();
  const page = await (await fetch(`${url}/overview`, { headers })).text();
  daemon.child.kill('SIGTERM');

  expect(await daemon.exited).toBe(0);
  expect(begun).toEqual({ begun: 'source feed is polled now' });
  expect(JSON.parse(page)).toMatchObject({
    status: { running: true, sources: [{ name: 'feed' }], sinks: [{ name: 'out' }] },
    room: { has_room: true, disk_free_bytes: expect.any(Number) as number },
    ledger: { collected: { new: 1 }, sinks: { out: { acknowledged: 1 } }, imbalances: [] },
    letters: [],
  });
  expect(page + text).not.toContain('made-up');
  const types = [...text.matchAll(/^# TYPE (penstock_\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
  expect(documented.map(({ name, type }) => ({ name, type })).sort(byName)).toEqual(types.sort(byName));
  for (const { name, labels } of documented) {
    const [, given = ''] = new RegExp(`^${name}(?:_bucket)?(?:{([^}]*)})? `, 'm').exec(text) ?? [];
    const names = [...given.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le');
    if (name !== 'penstock_sink_counted_total') expect([name, names]).toEqual([name, labels]);
  }
  if (promtool !== undefined) expect(String(spawnSync(promtool, ['check', 'metrics'], { input: text }).output)).toBe(',,');
  expect(text).toContain('process_resident_memory_bytes ');
  const samples = text.split('\n').filter((line) => !line.startsWith('#'));
  expect(queries.length).toBeGreaterThanOrEqual(6);
  expect(alerts.length).toBeGreaterThanOrEqual(6);
  expect(named.filter((name) => !samples.some((line) => new RegExp(`^${name}[{ ]`).test(line)))).toEqual([]);
  expect(outcomesIn([...queries, ...alerts].join('\n')).filter((outcome) => !text.includes(`outcome="${outcome}"`))).toEqual([]);
});
