// Replicas of the real process while the database fails over to a real standby, and while it refuses what it is asked.
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasPostgres, onServer, runAsServer, startServer, startStandby } from '../../postgres.ts';
import { until } from '../conditions.ts';
import { copies, imbalances, openProxy, openScene, untilShared, untilStill } from './scene.ts';

const sources = 6;
const ctl = (data: string, ...args: string[]): void => runAsServer('pg_ctl', ['-D', data, ...args]);

function stoppedAtEnd(server: { data: string; url: string }): typeof server {
  onTestFinished(() => {
    try {
      ctl(server.data, '-m', 'immediate', 'stop');
    } catch {
      // It was stopped by the test.
    }
  });
  return server;
}

/** A primary and its standby, behind an address that can be switched. */
async function pair(settings: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-pair-'));
  await chmod(folder, 0o755);
  const primary = stoppedAtEnd(await startServer(join(folder, 'primary'), settings));
  const standby = stoppedAtEnd(await startStandby(join(folder, 'standby'), primary.url));
  const proxy = await openProxy(primary.url);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return { folder, primary, standby, proxy };
}

describe.runIf(hasPostgres())('replicas whose database fails over', () => {
  it.each([
    // Far longer than a busy machine keeps a replica from its heartbeats.
    ['after the lease ran out', '10s', true],
    ['within the lease', '60s', false],
  ])('collect and send again what an asynchronous standby lacks, %s', async (_when, lease, runsOut) => {
    const { folder, primary, standby, proxy } = await pair();
    const scene = await openScene({ sources, lease, url: proxy.url, perSecond: 10 });
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two'));
    await untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));
    const sent = (): number => scene.receiver.received.length;

    // What is committed from here on is never shipped.
    ctl(standby.data, '-m', 'fast', '-w', 'stop');
    const shipped = sent();
    await until('much was delivered that the standby lacks', () => sent() > shipped + 200);
    ctl(primary.data, '-m', 'immediate', 'stop');
    // Once the lease is over nothing leaves a replica any more.
    if (runsOut) await untilStill(() => [sent(), scene.polls()].join());
    ctl(standby.data, '-l', join(folder, 'standby', 'log'), '-w', 'start');
    ctl(standby.data, '-w', 'promote');
    proxy.lead(standby.url);
    await untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));
    await scene.finish();

    expect([one, two].map(({ process }) => process.child.exitCode)).toEqual([null, null]);
    expect(copies(scene.receiver)).toBeGreaterThan(0);
    expect(await imbalances(one)).toEqual([]);
  });

  it('lose no commit with a synchronous standby, and wait while it is away', async () => {
    const { primary, standby, proxy, folder } = await pair();
    await onServer(primary.url, async (client) => {
      await client.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
      await client.query('SELECT pg_reload_conf()');
    });
    const scene = await openScene({ sources, url: proxy.url, perSecond: 10 });
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two'));
    const shared = () => untilShared(one, ['one', 'two'], sources, Math.ceil(sources * 0.6));
    await shared();

    ctl(standby.data, '-m', 'fast', '-w', 'stop');
    await untilStill(() => scene.receiver.received.length);
    ctl(standby.data, '-l', join(folder, 'standby', 'log'), '-w', 'start');
    await shared();
    ctl(primary.data, '-m', 'immediate', 'stop');
    ctl(standby.data, '-w', 'promote');
    proxy.lead(standby.url);
    await shared();
    await scene.finish();

    expect([one, two].map(({ process }) => process.child.exitCode)).toEqual([null, null]);
    const said = [one, two].map(({ process }) => process.stdout() + process.stderr()).join('');
    expect(said).not.toContain('the database has less than it confirmed');
    expect(await imbalances(one)).toEqual([]);
  });
});
