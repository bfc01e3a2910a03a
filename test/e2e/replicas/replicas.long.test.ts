import { describe, expect, it } from 'vitest';
import { hasPostgres } from '../../postgres.ts';
import { copies, imbalances, openScene, type Replica, untilShared } from './scene.ts';

const sources = 12;
const names = ['one', 'two', 'three'];

async function threeReplicas(lease?: string) {
  const scene = await openScene({ sources, ...(lease === undefined ? {} : { lease }) });
  const replicas: Replica[] = [];
  for (const name of names) replicas.push(scene.run(name, await scene.configure(name)));
  const [one, two, three] = replicas as [Replica, Replica, Replica];
  await untilShared(one, names, sources, Math.ceil(sources * 0.6));
  return { scene, one, two, three, replicas };
}

describe.runIf(hasPostgres())('three replicas', () => {
  it('share the sources, hand them over when one leaves or joins, and send nothing twice', async () => {
    const { scene, one, two, three } = await threeReplicas();

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
    await scene.finish();

    expect(await imbalances(one)).toEqual([]);
    expect(copies(scene.receiver)).toBeLessThanOrEqual(6 * 500);
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
});
