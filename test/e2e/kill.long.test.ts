import { setTimeout as pause } from 'node:timers/promises';
import { it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { seed } from '../seed.ts';
import { expectNothingLost, faultyScene } from './kill-scene.ts';
import { penstock } from './penstock.ts';

const kills = 8;

it(`delivers every event although it is killed at random moments (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  await using scene = await faultyScene(seed);

  for (let kill = 0; kill < kills; kill += 1) {
    const daemon = penstock(['run', '-c', scene.file]);
    // The length of a life is the experiment: anywhere from before the first page to well into delivery.
    await pause(300 + random.float() * 2500);
    daemon.child.kill('SIGKILL');
    await daemon.exited;
    await scene.vendors.simulator.download();
  }

  await expectNothingLost(scene);
});
