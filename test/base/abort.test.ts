import { expect, it } from 'vitest';
import { unlessAborted, unlessCutOff } from '../../src/base/abort.ts';

const never = new Promise<string>(() => undefined);
const reason = new Error('the sink closes');

it('gives what the work gives, a fault of it too', async () => {
  const { signal } = new AbortController();

  await expect(unlessAborted(Promise.resolve('done'), signal)).resolves.toBe('done');
  await expect(unlessCutOff(Promise.resolve('done'), signal)).resolves.toBe('done');
  await expect(unlessCutOff(Promise.reject(reason), signal)).rejects.toBe(reason);
});

it.each(['before', 'meanwhile'])('waits no longer for work when its signal aborts %s', async (when) => {
  const controller = new AbortController();
  if (when === 'before') controller.abort(reason);

  const results = [unlessAborted(never, controller.signal), unlessCutOff(never, controller.signal)];
  controller.abort(reason);

  await expect(Promise.allSettled(results)).resolves.toEqual([
    { status: 'rejected', reason },
    { status: 'fulfilled', value: undefined },
  ]);
});
