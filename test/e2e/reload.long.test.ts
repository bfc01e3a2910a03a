import { it } from 'vitest';
import { expectNothingLostOver } from './reload-scene.ts';

it('loses and doubles nothing over a thousand reloads that add, change and remove sources and sinks under load', async () => {
  await expectNothingLostOver(1000);
}, 1_800_000);
