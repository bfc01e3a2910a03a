import { describe, expect, it } from 'vitest';
import { hasPostgres } from '../../postgres.ts';
import { command, penstock } from '../penstock.ts';
import { openScene, untilShared } from './scene.ts';

describe.runIf(hasPostgres())('an operator of replicas', () => {
  it('is shown the whole from the file of each, and told at once what cannot be done beside them', async () => {
    const scene = await openScene({ sources: 2, lease: '60s' });
    const one = scene.run('one', await scene.configure('one', { knows: scene.orgs.slice(0, 1) }));
    const two = scene.run('two', await scene.configure('two', { knows: scene.orgs.slice(1) }));
    await untilShared(one, ['one', 'two'], 2, 1);
    const asked = (...argv: string[]) => command([...argv, '-c', two.file]);
    const range = ['--from', '1h', '--to', '1m'];

    const source = await asked('sources', 'release', 'nowhere');
    const sink = await asked('replay', 'nowhere', ...range);
    const backfill = await asked('backfill', 'nowhere', ...range);
    const rename = await asked('sinks', 'rename', 'lake', 'sea');
    const once = await command(['run', '--once', '-c', await scene.configure('three')]);

    const noSource = 'no replica is configured with a source called "nowhere"\n  fix: see "penstock sources" for the names';
    expect([source, backfill].map(({ code, stderr }) => [code, stderr.includes(noSource)])).toEqual([
      [1, true],
      [1, true],
    ]);
    expect(sink).toMatchObject({ code: 1, stderr: expect.stringContaining('a sink called "nowhere"') });
    expect(rename).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('replicas work on this journal: one, two\n  fix: stop all of them'),
    });
    expect(once).toMatchObject({ code: 1, stderr: expect.stringContaining('replicas work on this journal (one, two)') });
    await expect
      .poll(async () => (await asked('status')).stdout)
      .toMatch(new RegExp(`acme-${scene.orgs[1]} .* two\\n.*acme-${scene.orgs[0]} .* one\\n[^]*replica .*\\none .*\\ntwo `));
  });

  it('cannot start a second one beside a first on the same data_dir, which goes on to answer', async () => {
    const scene = await openScene({ sources: 1, lease: '3s' });
    const one = scene.run('one', await scene.configure('one'));
    await untilShared(one, ['one'], 1);

    // A minute of waiting for the lock passes in a few seconds.
    const second = penstock(['run', '-c', one.file], { haste: 30 });
    const code = await second.exited;

    expect(code).toBe(1);
    expect(second.stderr()).toContain(`another penstock uses this data_dir (process ${one.process.child.pid}`);
    expect(await command(['health', '-c', one.file])).toMatchObject({ code: 0, stdout: 'alive\n' });
    one.process.child.kill('SIGKILL');
    await one.process.exited;
    const status = await command(['status', '-c', one.file]);
    expect(status.stdout).toContain('the replica of this configuration is not running; as the others last said');
    await scene.run('one', one.file).process.said('penstock started');
  });
});
