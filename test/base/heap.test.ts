import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectGarbage } from '../../src/base/heap.ts';

it('collects what nobody holds any more', async () => {
  const held = { is: 'held' };
  const gone = ((): WeakRef<object> => new WeakRef({ is: 'gone' }))();
  const kept = new WeakRef(held);
  await turn();

  collectGarbage();

  expect({ gone: gone.deref(), kept: kept.deref() }).toEqual({ gone: undefined, kept: held });
});
