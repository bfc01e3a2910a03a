import { mkdir, mkdtemp, rename, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { itInLongTests } from '../thorough.ts';
import { until, untilStatus } from './conditions.ts';
import { command, penstock } from './penstock.ts';
import { expectNothingLostOver, hangUp, idsOf, openReloadScene, timesSaid } from './reload-scene.ts';

itInLongTests(
  'loses and doubles nothing over a dozen reloads that add, change and remove sources and sinks under load',
  async () => {
    await expectNothingLostOver(12);
  },
);

interface Status {
  readonly config: { readonly loaded_at: number; readonly differs_from_file: boolean };
  readonly orphan_sinks: readonly string[];
  readonly jobs: readonly unknown[];
  readonly problems: readonly { readonly level: string; readonly where: string; readonly what: string; readonly fix: string }[];
}

async function statusOf(file: string): Promise<Status> {
  return JSON.parse((await command(['status', '--json', '-c', file])).stdout) as Status;
}

const record = (id: string) => ({
  id,
  occurred_at: new Date().toISOString(),
  event_type: 'user.login',
  actor: { id: 'u-1', login: 'dana' },
});

itInLongTests('sends a removed sink nothing more, names it, and delivers what was kept once it is back', async () => {
  await using scene = await openReloadScene();
  const { api, file } = scene;
  const [lake, soc] = [await scene.receiver(), await scene.receiver()];
  const sources = { feed: scene.source('o-1') };
  const sinks = { lake: { type: 'http', url: lake.url }, soc: { type: 'http', url: soc.url } };
  await scene.write({ sources, sinks });
  const daemon = await scene.start();
  api.records.push(record('e-1'));
  // Once it is acknowledged, nothing of it can be sent again.
  await untilStatus(file, 'the first record at both', ({ sinks: all }) => all.every(({ acknowledged }) => acknowledged === 1));

  await scene.write({ sources, sinks: { lake: sinks.lake } });
  const removed = await command(['reload', '-c', file]);
  api.records.push(record('e-2'));
  await until('the second record', () => lake.received.length === 2);
  const without = await statusOf(file);
  const arrivedMeanwhile = idsOf(soc);
  await scene.write({ sources, sinks });
  const back = await command(['reload', '--json', '-c', file]);
  await until('what was kept', () => soc.received.length === 2);
  const after = await statusOf(file);

  expect(removed).toEqual({
    code: 0,
    stdout: `applied ${file}\nsources: 1 unchanged\nsinks: removed soc; 1 unchanged\n`,
    stderr: '',
  });
  expect(without.orphan_sinks).toEqual(['soc']);
  expect(without.problems).toContainEqual(expect.objectContaining({ level: 'error', where: 'sink soc' }));
  expect(arrivedMeanwhile).toEqual(['o-1 e-1']);
  expect(JSON.parse(back.stdout)).toEqual({
    sources: { added: [], changed: [], removed: [], kept: 1 },
    sinks: { added: ['soc'], changed: [], removed: [], kept: 1 },
  });
  expect([after.orphan_sinks, after.problems]).toEqual([[], []]);
  expect(idsOf(soc)).toEqual(['o-1 e-1', 'o-1 e-2']);
  expect(after.config.loaded_at).toBeGreaterThan(without.config.loaded_at);
  daemon.child.kill('SIGTERM');
  expect(await daemon.exited).toBe(0);
});

it('refuses a faulty file with its faults, by command and at SIGHUP, and runs on as before', async () => {
  await using scene = await openReloadScene();
  const { api, file } = scene;
  const lake = await scene.receiver();
  const blocks = { sources: { feed: scene.source('o-1') }, sinks: { lake: { type: 'http', url: lake.url } } };
  await scene.write(blocks);
  const daemon = await scene.start();
  const before = await statusOf(file);
  const faulty = { ...blocks, sinks: { lake: { type: 'http', urll: lake.url } } };

  await scene.write(faulty);
  const refused = await command(['reload', '-c', file]);
  daemon.child.kill('SIGHUP');
  await daemon.said('configuration refused; the one in force stays');
  const differing = await statusOf(file);
  const text = (await command(['status', '-c', file])).stdout;
  await writeFile(file, 'data_dir: ./data # and then\nsources: [');
  const broken = await statusOf(file);
  const health = await command(['health', '-c', file]);
  await scene.write({ ...blocks, journal: { keep: '3d' } });
  const fixed = await command(['reload', '-c', file]);
  await scene.write(blocks);
  const same = await statusOf(file);
  api.records.push(record('e-1'));
  await until('a record after all of it', () => lake.received.length === 1);

  const validated = await scene.write(faulty).then(() => command(['validate', '-c', file]));
  expect(refused).toEqual(validated);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/:\d+:\d+ \(sinks\.lake\.urll\): unknown option "urll"/),
  });
  expect(daemon.stderr()).toMatch(/"where":"[^"]+:\d+:\d+ \(sinks\.lake\.urll\)","what":"unknown option/);
  expect(before).toMatchObject({ config: { differs_from_file: false }, problems: [] });
  expect(differing.config).toEqual({ loaded_at: before.config.loaded_at, differs_from_file: true });
  expect(differing.jobs).toEqual([]);
  expect(differing.problems).toMatchObject([
    {
      level: 'error',
      where: `configuration ${file}`,
      what: expect.stringMatching(
        /runs than the files say: \S+penstock\.yaml; the last reload was refused: .*unknown option "urll"/s,
      ),
    },
  ]);
  expect([broken.config.differs_from_file, health.code]).toEqual([true, 0]);
  expect(text).toContain('its files say something else now');
  expect(fixed).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('journal.keep cannot change while the daemon runs\n  fix: restart the daemon'),
  });
  const lines = daemon.stderr().split('\n');
  expect(lines.filter((line) => line.includes('journal.keep cannot change'))).toHaveLength(1);
  expect(same).toMatchObject({ config: before.config, problems: [] });
  expect(timesSaid(daemon, 'configuration reloaded')).toBe(0);
});

it('applies a ConfigMap that Kubernetes swaps, with watch: true', async () => {
  await using scene = await openReloadScene();
  const [first, second] = [await scene.receiver(), await scene.receiver()];
  const mount = await mkdtemp(join(tmpdir(), 'penstock-mount-'));
  const file = join(mount, 'penstock.yaml');
  const swap = async (version: string, url: string): Promise<void> => {
    await mkdir(join(mount, version));
    const text = stringify({
      watch: true,
      data_dir: join(mount, 'data'),
      admin: { listen: '127.0.0.1:0' },
      connectors_dir: join(dirname(scene.file), 'connectors'),
      sources: { feed: scene.source('o-1') },
      sinks: { lake: { type: 'http', url } },
    });
    await writeFile(join(mount, version, 'penstock.yaml'), text);
    await symlink(version, join(mount, '..data_tmp'));
    await rename(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  await swap('..2026_11_28', first.url);
  await symlink('..data/penstock.yaml', file);
  // Its timers run ten times as fast: the file is looked at every 0.2 s.
  await using stack = new AsyncDisposableStack();
  const daemon = penstock(['run', '-c', file], { haste: 10 });
  stack.defer(async () => {
    daemon.child.kill('SIGTERM');
    await daemon.exited;
  });
  await daemon.said('penstock started');
  scene.api.records.push(record('e-1'));
  // Once it is acknowledged, nothing of it can be sent again.
  const isTaken = ({ acknowledged }: { readonly acknowledged: number }): boolean => acknowledged === 1;
  await untilStatus(file, 'the first record', ({ sinks }) => sinks.every(isTaken));

  await swap('..2026_11_29', second.url);
  await daemon.said('configuration reloaded');
  scene.api.records.push(record('e-2'));
  await until('the second record', () => second.received.length === 1);
  const status = await untilStatus(file, 'the new file', ({ config }) => config?.differs_from_file === false);

  expect([idsOf(first), idsOf(second)]).toEqual([['o-1 e-1'], ['o-1 e-2']]);
  expect(status.problems).toEqual([]);
});

itInLongTests('changes the level of the log for a source that runs on', async () => {
  await using scene = await openReloadScene();
  const lake = await scene.receiver();
  const blocks = { sources: { feed: scene.source('o-1') }, sinks: { lake: { type: 'http', url: lake.url } } };
  await scene.write({ ...blocks, log: { level: 'info' } });
  const daemon = await scene.start();
  scene.api.records.push(record('e-1'));
  await until('a poll', () => lake.received.length === 1);
  const before = daemon.stderr();

  await scene.write({ ...blocks, log: { level: 'debug' } });
  await hangUp(daemon);
  await daemon.said(/"level":20[^\n]*"source":"feed"/);

  expect(before).not.toContain('"level":20');
  expect(daemon.stderr()).toContain('"changed":[],"removed":[],"kept":1');
});

it('does not end "run --once" at SIGHUP, and a reload without a daemon says that there is none', async () => {
  await using scene = await openReloadScene();
  const lake = await scene.receiver();
  await scene.write({ sources: { feed: scene.source('o-1') }, sinks: { lake: { type: 'http', url: lake.url } } });
  scene.api.records.push({ ...record('e-1'), occurred_at: new Date(Date.now() - 60_000).toISOString() });

  const once = penstock(['run', '--once', '-c', scene.file]);
  await once.said('penstock started');
  once.child.kill('SIGHUP');
  const code = await once.exited;
  const reload = await command(['reload', '-c', scene.file]);

  expect([code, idsOf(lake)]).toEqual([0, ['o-1 e-1']]);
  expect(reload).toMatchObject({ code: 1, stderr: expect.stringContaining('no daemon runs with this data_dir') });
});
