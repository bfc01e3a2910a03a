import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openByteProxy } from '../../journal/byte-proxy.ts';
import { hasPostgres, postgresUrl, runAsServer, startServer } from '../../postgres.ts';
import { until } from '../conditions.ts';
import { command } from '../penstock.ts';
import { copies, imbalances, openProxy, openScene, type Replica, untilShared, untilStill } from './scene.ts';

const sources = 12;
const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'penstock-server-'));
const names = ['one', 'two', 'three'];
/** What the units in deploy/ give a process to end, and no less. */
const graceMs = 45_000;
/** Where nobody dies: a lease that runs out on a busy machine would make copies. */
const longLease = '60s';

async function threeReplicas(lease?: string) {
  const scene = await openScene({ sources, ...(lease === undefined ? {} : { lease }) });
  const replicas: Replica[] = [];
  for (const name of names) replicas.push(scene.run(name, await scene.configure(name)));
  const [one, two, three] = replicas as [Replica, Replica, Replica];
  await untilShared(one, names, sources, Math.ceil(sources * 0.6));
  return { scene, one, two, three, replicas };
}

/** What tells one kind of statement that changes something from another, in what a client sent at once: how it begins, and the names of its parts. */
function changeIn(sent: Buffer): string | undefined {
  const [text = ''] = /\b(WITH|SELECT|INSERT|UPDATE|DELETE|COMMIT)\b[^\0]*/.exec(sent.toString('latin1')) ?? [];
  if (!/\b(INSERT|UPDATE|DELETE|COMMIT)\b/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\w+) AS (?:MATERIALIZED )?\(/g)].map(([, name]) => name);
  return `${text.slice(0, 60).replaceAll(/\s+/g, ' ')} ${parts.join(' ')}`;
}

/** Those that say that it lives, join, claim sources, store what was collected, and settle what was delivered. */
const gravest = [
  / beat/,
  /^INSERT .*members/,
  /^INSERT .*registrations/,
  / taking/,
  / counted .*checkpoint/,
  / moved added/,
  /^COMMIT/,
];

describe.runIf(hasPostgres())('three replicas', () => {
  it('share the sources, hand them over when one leaves or joins, and send nothing twice', async () => {
    const { scene, one, two, three } = await threeReplicas(longLease);

    three.process.child.kill('SIGTERM');
    const code = await three.process.exited;
    await untilShared(one, ['one', 'two'], sources);
    const again = scene.run('three', three.file);
    await untilShared(two, names, sources, Math.ceil(sources * 0.6));
    await scene.finish();

    expect(code).toBe(0);
    expect(copies(scene.receiver)).toBe(0);
    expect(await imbalances(again)).toEqual([]);
  });

  it('go on with the sources of one that was killed', async () => {
    const { scene, one, two } = await threeReplicas();

    two.process.child.kill('SIGKILL');
    await untilShared(one, ['one', 'three'], sources);
    const status = await command(['status', '-c', one.file]);
    const again = scene.run('two', two.file);
    await untilShared(one, names, sources);
    const whole = await command(['status', '-c', one.file]);
    await scene.finish();

    const isMissing = /replicas: "two" was last heard of \d+s ago and did not leave; the others have its sources/;
    expect([status.stdout, whole.stdout].map((text) => isMissing.test(text))).toEqual([true, false]);
    expect(await imbalances(again)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(6 * 500);
  });

  it('lose nothing where one is paused beyond its lease after any change that it asks for', async () => {
    const leaseMs = 5_000;
    const scene = await openScene({ sources: 4, lease: `${leaseMs}ms` });
    const proxy = await openByteProxy(scene.server);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two', { url: proxy.url }));
    const shared = (): Promise<void> => untilShared(one, ['one', 'two'], 4, 2);
    await shared();
    const changes = new Set<string>();

    // After each kind once, in the order in which they come: some it sends seldom, others only when it joins anew.
    while (!gravest.every((kind) => [...changes].some((change) => kind.test(change)))) {
      let isPaused = false;
      proxy.onSent((sent) => {
        const change = changeIn(sent);
        if (isPaused || change === undefined || changes.has(change)) return;
        two.process.child.kill('SIGSTOP');
        changes.add(change);
        isPaused = true;
      });
      await until('it sends what it was not paused after yet', () => isPaused, { seen: () => [...changes].join('\n') });
      await Promise.all([pause(leaseMs), untilShared(one, ['one'], 4)]);
      two.process.child.kill('SIGCONT');
    }
    proxy.onSent(() => undefined);
    await shared();
    await scene.finish();

    expect(await imbalances(one)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(changes.size * 6 * 500);
  });

  it('fence one that was paused beyond its lease, which joins anew', async () => {
    const { scene, one, two } = await threeReplicas();

    two.process.child.kill('SIGSTOP');
    await untilShared(one, ['one', 'three'], sources);
    two.process.child.kill('SIGCONT');
    await untilShared(one, names, sources, Math.ceil(sources * 0.6));
    await scene.finish();

    expect(await imbalances(one)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(6 * 500);
  });

  it('lose one that is cut off from the database, which sends nothing meanwhile and joins anew', async () => {
    const url = (await postgresUrl()) ?? '';
    await using proxy = await openProxy(url);
    const scene = await openScene({ sources, url });
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two', { url: proxy.url }));
    await untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));

    proxy.cut();
    await untilShared(one, ['one'], sources);
    proxy.mend();
    await untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));
    await scene.finish();

    expect(two.process.child.exitCode).toBe(null);
    expect(await imbalances(one)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(6 * 500);
  });

  it('send at most in_flight and two batches again where one hears nothing of the database any more, or dies, with much to send', async () => {
    const [events, inFlight] = [10, 2];
    // Copies of what is sent by who is not struck would count: a busy machine must not keep that one from its heartbeats.
    const scene = await openScene({ sources: 4, lease: '15s', sink: { batch: { events, wait: '100ms' }, in_flight: inFlight } });
    const proxy = await openByteProxy(scene.server);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two', { url: proxy.url }));
    const made: number[] = [];
    const incident = async (strike: () => void, mend: () => void): Promise<void> => {
      await untilShared(one, ['one', 'two'], 4, 2);
      const [before, received] = [copies(scene.receiver), scene.receiver.received.length];
      scene.burst(1_500);
      await until('much is sent', () => scene.receiver.received.length > received + 1_000);
      strike();
      await untilShared(one, ['one'], 4);
      mend();
      await untilShared(one, ['one', 'two'], 4, 2);
      made.push(copies(scene.receiver) - before);
    };

    await incident(
      () => proxy.holdFrom(/[^]/),
      () => proxy.letGo(),
    );
    await incident(
      () => two.process.child.kill('SIGKILL'),
      () => void scene.run('two', two.file),
    );
    await scene.finish();

    expect(made.filter((copies) => copies > (inFlight + 2) * events)).toEqual([]);
    expect(await imbalances(one)).toEqual([]);
  });

  it('lose nothing while their clocks are hours apart, and take over from each other', async () => {
    const scene = await openScene({ sources });
    const replicas: Replica[] = [];
    const hour = 3_600_000;
    for (const [name, skewMs] of [
      ['one', 0],
      ['two', 2 * hour],
      ['three', -3 * hour],
    ] as const) {
      const replica = scene.run(name, await scene.configure(name), { haste: 1 });
      replica.process.child.stdin?.write(`${skewMs}\n`);
      replicas.push(replica);
    }
    const [one, two] = replicas as [Replica, Replica];
    await untilShared(one, names, sources, Math.ceil(sources * 0.6));
    await until('some was delivered', () => scene.receiver.received.length > 100);

    two.process.child.kill('SIGKILL');
    await untilShared(one, ['one', 'three'], sources);
    await scene.finish();

    expect(await imbalances(one)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(6 * 500);
  });

  it('are replaced one by one by others with another configuration: no copies, and no orphan meanwhile', async () => {
    const { scene, one, two, three, replicas } = await threeReplicas(longLease);
    const orphans: unknown[] = [];

    for (const [index, old] of [one, two, three].entries()) {
      const name = `new-${old.name}`;
      old.process.child.kill('SIGTERM');
      expect(await old.process.exited).toBe(0);
      replicas.push(scene.run(name, await scene.configure(name, { knows: scene.orgs.slice(1), files: ['extra'] })));
      const living = replicas.slice(index + 1);
      await untilShared(
        replicas.at(-1) as Replica,
        living.map((each) => each.name),
        sources,
      );
      for (const { file } of living) {
        const { stdout } = await command(['status', '--json', '-c', file]);
        orphans.push(...(JSON.parse(stdout) as { orphan_sinks: readonly string[] }).orphan_sinks);
      }
      if (index < 2) expect(living.some(({ process }) => process.stderr().includes('no longer configured'))).toBe(false);
    }

    expect(orphans).toEqual([]);
    expect(copies(scene.receiver)).toBe(0);
    expect(await imbalances(replicas.at(-1) as Replica)).toEqual([]);
  });

  it.each([1, 2])(
    'end in order after %s SIGTERM while the database is silent, within the time of an orchestrator',
    async (signals) => {
      const url = (await postgresUrl()) ?? '';
      await using proxy = await openProxy(url);
      const scene = await openScene({ sources: 3, url });
      const one = scene.run('one', await scene.configure('one', { url: proxy.url }));
      await untilShared({ ...one, file: await scene.configure('looks') }, ['one'], 3);

      proxy.cut();
      one.process.child.kill('SIGTERM');
      await one.process.said('"stopping"');
      if (signals === 2) one.process.child.kill('SIGTERM');

      expect(await Promise.race([one.process.exited, pause(graceMs, 'still there')])).toBe(0);
    },
  );

  it('end in order when the database was silent all the time', async () => {
    const url = (await postgresUrl()) ?? '';
    await using proxy = await openProxy(url);
    proxy.cut();
    const scene = await openScene({ sources: 3, url });
    const one = scene.run('one', await scene.configure('one', { url: proxy.url }));
    await one.process.said('waiting for the database');

    one.process.child.kill('SIGTERM');

    expect(await Promise.race([one.process.exited, pause(graceMs, 'still there')])).toBe(0);
  });

  it('go on after a crash of the database, with nothing lost', async () => {
    const { data, url } = await startServer(await temporaryFolder());
    onTestFinished(() => runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']));
    const scene = await openScene({ sources, url });
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two'));
    await untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));

    for (let crash = 0; crash < 2; crash += 1) {
      runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
      // Once the lease is over nothing leaves a replica any more.
      await untilStill(() => [scene.receiver.received.length, scene.polls()].join());
      runAsServer('pg_ctl', ['-D', data, '-l', `${data}.log`, '-w', 'start']);
      await untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));
    }
    await scene.finish();

    expect([one, two].map(({ process }) => process.child.exitCode)).toEqual([null, null]);
    expect(await imbalances(one)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(2 * 3 * 6 * 500);
  });

  it('answer alike with the file of any of them, and do a job where its source is', async () => {
    const { scene, one, two, three, replicas } = await threeReplicas(longLease);
    const range = ['--from', '2h', '--to', '1h'];
    const jobs = await Promise.all(
      scene.orgs.slice(0, 4).map((org) => command(['backfill', `acme-${org}`, ...range, '-c', three.file])),
    );
    const released = await command(['sinks', 'release', 'lake', '-c', two.file]);
    const once = await command(['run', '--once', '-c', one.file]);
    const renamed = await command(['sources', 'rename', 'acme-o-000', 'other', '-c', one.file]);
    await scene.finish();
    for (const { process } of replicas) process.child.kill('SIGTERM');
    const codes = await Promise.all(replicas.map(({ process }) => process.exited));
    const ledgers = await Promise.all(replicas.map(({ file }) => command(['ledger', '--json', '-c', file])));

    expect(jobs.map(({ code, stderr }) => [code, stderr])).toEqual(jobs.map(() => [0, expect.any(String)]));
    expect([released.code, once.code, renamed.code]).toEqual([0, 1, 1]);
    expect([once.stderr, renamed.stderr].join()).toContain('replicas');
    expect(codes).toEqual([0, 0, 0]);
    expect(new Set(ledgers.map(({ stdout }) => stdout)).size).toBe(1);
    expect(copies(scene.receiver)).toBe(0);
  });
});
