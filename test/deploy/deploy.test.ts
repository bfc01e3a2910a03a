import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { packageVersion } from '../../src/base/package.ts';
import { penstock } from '../cli/terminal.ts';

type Tree = Readonly<Record<string, unknown>>;

const deploy = resolve(import.meta.dirname, '../../deploy');
const read = (path: string): Promise<string> => readFile(join(deploy, path), 'utf8');
const compose = parse(await read('compose/compose.yaml')) as { readonly services: { readonly penstock: Tree } };
const objects = parseAllDocuments(await read('kubernetes/penstock.yaml')).map((doc) => doc.toJS() as Tree);
const values = parse(await read('helm/penstock/values.yaml')) as Tree;
const ofKind = (kind: string): Tree => objects.find((one) => one['kind'] === kind) ?? {};

describe('the systemd unit', () => {
  it('starts, reloads and stops the daemon in its own time', async () => {
    const lines = (await read('systemd/penstock.service')).split('\n');

    expect(lines).toEqual(
      expect.arrayContaining([
        'ExecStart=/usr/local/bin/penstock run -c /etc/penstock/penstock.yaml',
        'ExecReload=/usr/local/bin/penstock reload -c /etc/penstock/penstock.yaml',
        'RestartPreventExitStatus=2',
        'TimeoutStopSec=45s',
        'DynamicUser=yes',
        'StateDirectory=penstock',
        'ProtectSystem=strict',
        'CapabilityBoundingSet=',
      ]),
    );
    expect(lines.filter((line) => line.startsWith('MemoryDenyWriteExecute='))).toEqual([]);
  });
});

describe('compose', () => {
  it('takes from the container what the daemon does not need', () => {
    expect(compose.services.penstock).toMatchObject({
      image: `penstock:${packageVersion}`,
      user: '1000:1000',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      stop_grace_period: '45s',
      healthcheck: { test: ['CMD', 'penstock', 'health', '-c', '/etc/penstock/penstock.yaml'] },
      deploy: { resources: { reservations: { memory: '256M' }, limits: { memory: '512M' } } },
    });
  });
});

describe('the Kubernetes manifests', () => {
  it('take from the pod what the daemon does not need', () => {
    expect(ofKind('StatefulSet')).toMatchObject({
      spec: {
        replicas: 1,
        template: {
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 60,
            securityContext: { runAsNonRoot: true, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } },
            containers: [
              {
                image: `penstock:${packageVersion}`,
                startupProbe: { httpGet: { path: '/healthz', port: 'admin' } },
                livenessProbe: { httpGet: { path: '/healthz', port: 'admin' } },
                readinessProbe: { httpGet: { path: '/readyz', port: 'admin' } },
                resources: { requests: { memory: '256Mi' }, limits: { memory: '512Mi' } },
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
});

const shared = (await read('kubernetes/penstock-replicas.yaml')).split('\n---\n').map((text) => parse(text) as Tree);
const ofShared = (kind: string): Tree => shared.find((one) => one['kind'] === kind) ?? expect.fail(`no ${kind}`);

describe('the manifests of several replicas', () => {
  it('differ from those of one in what a database instead of a volume allows', () => {
    expect(ofShared('Deployment')).toMatchObject({
      spec: {
        replicas: 3,
        minReadySeconds: 15,
        strategy: { rollingUpdate: { maxUnavailable: 1 } },
        template: { spec: { topologySpreadConstraints: [{}, {}], containers: [{ image: `penstock:${packageVersion}` }] } },
      },
    });
    expect(ofShared('PodDisruptionBudget')).toMatchObject({
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
    });
  });
});

it('mounts what the configuration of several replicas reads', () => {
  const { 'penstock.yaml': text } = ofShared('ConfigMap')['data'] as { 'penstock.yaml': string };
  const { spec } = (ofShared('Deployment')['spec'] as { template: { spec: Tree } }).template as unknown as {
    readonly spec: {
      readonly volumes: readonly Tree[];
      readonly containers: readonly { readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[] }[];
    };
  };
  const mounts = spec.containers[0]?.volumeMounts ?? [];

  const read = [...text.matchAll(/(?:\$\{file:|ca_file: )(\/[^ }]+)/g)].map(([, path]) => path ?? '');
  expect(read.map((path) => mounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`))?.name)).toEqual([
    'secrets',
    'db-ca',
  ]);
  expect(new Set(spec.volumes.map(({ name }) => name))).toEqual(new Set(mounts.map(({ name }) => name)));
});

describe.each([
  { place: 'replicas', text: (ofShared('ConfigMap')['data'] as { 'penstock.yaml': string })['penstock.yaml'] },
  { place: 'compose', text: await read('compose/penstock.yaml') },
  { place: 'kubernetes', text: (ofKind('ConfigMap')['data'] as { 'penstock.yaml': string })['penstock.yaml'] },
  { place: 'helm', text: stringify(values['config']) },
])('the configuration of $place', ({ text }) => {
  it('is valid, and answers the probes from outside', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'penstock-deploy-'));
    await writeFile(join(folder, 'penstock.yaml'), text);

    const { code, err } = await penstock(['validate', '--without-secrets', '-c', join(folder, 'penstock.yaml')]);
    await rm(folder, { recursive: true });

    expect([code, err]).toEqual([0, '']);
    expect(parse(text)).toMatchObject({ data_dir: '/var/lib/penstock', admin: { listen: '0.0.0.0:8690' } });
  });
});

describe('the Helm chart', () => {
  it('is of this release, and has values for several replicas', async () => {
    const chart = parse(await read('helm/penstock/Chart.yaml')) as Tree;
    const several = parse(await read('helm/penstock/values-ha.yaml')) as Tree;

    expect(chart).toMatchObject({ version: packageVersion, appVersion: packageVersion });
    expect(values).toMatchObject({ replicas: 1, adminPort: 8690, podDisruptionBudget: { enabled: false } });
    expect(several).toEqual({
      replicas: 3,
      config: {
        journal: {
          url: 'postgres://penstock@db.example.com:5432/penstock',
          password: '${env:PENSTOCK_DB_PASSWORD}',
          max_bytes: '50GiB',
        },
      },
      persistence: { enabled: false, size: '64Mi' },
      podDisruptionBudget: { enabled: true, maxUnavailable: 1 },
      topologySpread: { enabled: true },
    });
  });
});

interface Alert {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Tree;
}

describe('the alerts', () => {
  it('say how bad it is, what it is and what to do, and each is tested to fire and to be silent', async () => {
    const { groups } = parse(await read('prometheus/alerts.yaml')) as { readonly groups: { readonly rules: readonly Alert[] }[] };
    const { tests } = parse(await read('prometheus/alerts.test.yaml')) as {
      readonly tests: readonly {
        readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: unknown[] }[];
      }[];
    };
    const alerts = groups.flatMap(({ rules }) => rules);
    const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    const tested = (fires: boolean): string[] => [
      ...new Set(cases.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname)),
    ];

    expect(alerts.length).toBeGreaterThanOrEqual(6);
    for (const { labels, annotations } of alerts) {
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations).toEqual({ summary: expect.any(String) as string, description: expect.any(String) as string });
    }
    expect(tested(true)).toEqual(alerts.map(({ alert }) => alert));
    expect(tested(false)).toEqual(alerts.map(({ alert }) => alert));
  });
});
