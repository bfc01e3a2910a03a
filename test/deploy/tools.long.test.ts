// deploy/ and siem/ as the tools of their users see them. scripts/install-tools.sh installs those that are missing.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { penstock } from '../cli/terminal.ts';

type Tree = Readonly<Record<string, unknown>>;

const root = resolve(import.meta.dirname, '../..');
const cached =
  process.env['PENSTOCK_TOOLS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'penstock/tools');
const folders = [join(cached, 'bin'), ...(process.env['PATH'] ?? '').split(delimiter)];
const toolOf = (name: string): string | undefined => folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
const how = 'scripts/install-tools.sh installs it';

/** What a tool prints on both streams; rejects when it fails. */
async function run(tool: string | undefined, args: readonly string[], cwd = root): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(tool ?? '', args, { cwd, maxBuffer: 16 * 2 ** 20 });
  return `${stdout}\n${stderr}`;
}

const [promtool, helm, analyze, appinspect, sigma] = ['promtool', 'helm', 'systemd-analyze', 'splunk-appinspect', 'sigma'].map(
  toolOf,
);

it.skipIf(promtool === undefined)(`fires every alert in promtool (${how})`, async () => {
  const folder = join(root, 'deploy/prometheus');

  expect(await run(promtool, ['check', 'rules', 'alerts.yaml'], folder)).toContain('SUCCESS: 19 rules found');
  expect(await run(promtool, ['test', 'rules', 'alerts.test.yaml'], folder)).toContain('SUCCESS');
});

it.skipIf(analyze === undefined)('leaves the unit little to do harm with, says systemd-analyze', async () => {
  const said = await run(analyze, ['security', '--offline=yes', 'deploy/systemd/penstock.service']);

  const [, exposure = '10'] = /exposure level for penstock\.service: ([\d.]+)/.exec(said) ?? [];
  expect(Number(exposure)).toBeLessThanOrEqual(2);
});

const chart = 'deploy/helm/penstock';

it.skipIf(helm === undefined).each([
  { values: [], replicas: 1, kinds: ['ServiceAccount', 'ConfigMap', 'Service', 'StatefulSet'] },
  {
    values: ['-f', `${chart}/values-ha.yaml`],
    replicas: 3,
    kinds: ['PodDisruptionBudget', 'ServiceAccount', 'ConfigMap', 'Service', 'Deployment'],
  },
])(`renders $replicas replicas with a valid configuration (helm; ${how})`, async ({ values, replicas, kinds }) => {
  const linted = await run(helm, ['lint', '--strict', chart, ...values]);
  const text = await run(helm, ['template', 'audit', chart, ...values]);
  const objects = parseAllDocuments(text)
    .map((doc) => doc.toJS() as Tree | null)
    .filter((one) => one !== null);
  const folder = await mkdtemp(join(tmpdir(), 'penstock-chart-'));
  const config = objects.find(({ kind }) => kind === 'ConfigMap')?.['data'] as { 'penstock.yaml': string };
  await writeFile(join(folder, 'penstock.yaml'), config['penstock.yaml']);
  const { code, err } = await penstock(['validate', '--without-secrets', '-c', join(folder, 'penstock.yaml')]);
  await rm(folder, { recursive: true });

  expect(linted).toContain('0 chart(s) failed');
  expect([code, err]).toEqual([0, '']);
  expect(objects.map(({ kind }) => kind)).toEqual(kinds);
  const [budget] = objects.filter(({ kind }) => kind === 'PodDisruptionBudget');
  expect(budget?.['spec']).toEqual(
    replicas === 1
      ? undefined
      : {
          maxUnavailable: 1,
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
          selector: { matchLabels: { 'app.kubernetes.io/name': 'penstock', 'app.kubernetes.io/instance': 'audit' } },
        },
  );
  const spread = [{ topologyKey: 'topology.kubernetes.io/zone' }, { topologyKey: 'kubernetes.io/hostname' }];
  expect(objects.at(-1)).toMatchObject({
    metadata: { name: 'audit-penstock' },
    spec: {
      replicas,
      ...(replicas > 1 ? { strategy: { rollingUpdate: { maxUnavailable: 1 } } } : { volumeClaimTemplates: [{}] }),
      template: {
        spec: {
          terminationGracePeriodSeconds: 60,
          ...(replicas > 1 ? { topologySpreadConstraints: spread } : {}),
          containers: [
            {
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                runAsNonRoot: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  });
});

it.skipIf(helm === undefined)(
  `renders a monitor for the Prometheus operator, and no volume where none is wanted (helm; ${how})`,
  async () => {
    const set = ['--set', 'serviceMonitor.enabled=true,serviceMonitor.labels.release=kube,persistence.enabled=false'];

    await run(helm, ['lint', '--strict', chart, ...set]);
    const text = await run(helm, ['template', 'audit', chart, ...set]);
    const objects = parseAllDocuments(text).map((doc) => doc.toJS() as Tree | null);

    expect(objects.find((one) => one?.['kind'] === 'ServiceMonitor')).toMatchObject({
      metadata: { labels: { release: 'kube' } },
      spec: { endpoints: [{ port: 'admin', path: '/metrics', interval: '30s' }] },
    });
    const workload = objects.find((one) => one?.['kind'] === 'StatefulSet')?.['spec'] as Tree;
    expect(workload['volumeClaimTemplates']).toBeUndefined();
    expect(workload['template']).toMatchObject({
      spec: { volumes: [{ name: 'config' }, { name: 'tmp' }, { name: 'data', emptyDir: { sizeLimit: '5Gi' } }] },
    });
  },
);

it.skipIf(appinspect === undefined)(`passes the inspection of Splunk apps (splunk-appinspect; ${how})`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-splunk-'));
  const app = join(folder, 'TA-penstock');
  await cp(join(root, 'siem/splunk'), app, { recursive: true });

  const said = await run(appinspect, ['inspect', app, '--mode', 'precert']);
  await rm(folder, { recursive: true });

  expect(said).toMatch(/ error: +0\n +failure: +0\n/);
});

it.skipIf(sigma === undefined).each(['siem/sigma', 'siem/sigma-correlations'])(
  `has no issue in %s and makes queries of it (sigma; ${how})`,
  async (folder) => {
    const checked = await run(sigma, ['check', folder]);
    const splunk = await run(sigma, ['convert', '-t', 'splunk', '-p', 'siem/sigma-pipelines/penstock-splunk.yml', folder]);
    const elastic =
      folder === 'siem/sigma'
        ? await run(sigma, ['convert', '-t', 'lucene', '-p', 'siem/sigma-pipelines/penstock-ecs.yml', folder])
        : '';

    expect(checked).toContain('Found 0 errors, 0 condition errors and 0 issues.');
    expect(splunk).toContain('ocsf.metadata.event_code');
    expect(elastic.includes('event.code:')).toBe(folder === 'siem/sigma');
  },
);
