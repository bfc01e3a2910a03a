import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { startAuditApi } from './audit-api.ts';
import { until } from './conditions.ts';
import { configFile, penstock } from './penstock.ts';

const deploy = resolve(import.meta.dirname, '../../deploy');

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

const namesIn = (text: string): string[] => [...new Set([...text.matchAll(/\bpenstock_\w+/g)].map(([name]) => name))].sort();
/** What a label is compared with by name: `outcome="new"`, `outcome=~"skipped|abandoned"`. */
const outcomesIn = (text: string): string[] =>
  [...text.matchAll(/outcome(?:=~?|!=)"([^"]+)"/g)].flatMap(([, words = '']) => words.split('|'));

it('gives every metric that the alerts and the dashboard name, with every outcome', async () => {
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
  const named = namesIn([...queries, ...alerts].join('\n'));
  let text = '';

  await until(
    'the delivered event is counted',
    async () => {
      text = await (await fetch(`${url}/metrics`)).text();
      return /^penstock_sink_events_total\{.*outcome="acknowledged".*\} 1$/m.test(text);
    },
    { seen: () => text },
  );
  daemon.child.kill('SIGTERM');

  expect(await daemon.exited).toBe(0);
  const samples = text.split('\n').filter((line) => !line.startsWith('#'));
  expect(queries.length).toBeGreaterThanOrEqual(6);
  expect(alerts.length).toBeGreaterThanOrEqual(6);
  expect(named.filter((name) => !samples.some((line) => new RegExp(`^${name}[{ ]`).test(line)))).toEqual([]);
  expect(outcomesIn([...queries, ...alerts].join('\n')).filter((outcome) => !text.includes(`outcome="${outcome}"`))).toEqual([]);
});
