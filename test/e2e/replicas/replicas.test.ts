import { describe, expect, it } from 'vitest';
import { hasPostgres } from '../../postgres.ts';
import { command } from '../penstock.ts';
import { copies, imbalances, openScene, untilShared } from './scene.ts';

describe.runIf(hasPostgres())('two replicas on one database', () => {
  it('deliver everything once, and one goes on alone when the other stops', async () => {
    // Nobody dies here: a lease that runs out on a busy machine would be another experiment.
    const scene = await openScene({ sources: 4, lease: '60s' });
    const one = scene.run('one', await scene.configure('one'));
    const two = scene.run('two', await scene.configure('two'));
    await untilShared(one, ['one', 'two'], 4, 2);
    const check = await command(['check', '--json', '-c', two.file]);

    two.process.child.kill('SIGTERM');
    const code = await two.process.exited;
    await untilShared(one, ['one'], 4);
    await scene.finish();

    expect(code).toBe(0);
    expect((JSON.parse(check.stdout) as unknown[])[0]).toMatchObject({
      kind: 'journal',
      ok: true,
      findings: [expect.stringMatching(/^answers within \d+ ms; one, two live$/)],
    });
    expect(copies(scene.receiver)).toBe(0);
    expect(await imbalances(two)).toEqual([]);
  });
});
