import { expect, it } from 'vitest';
import { atOnce, inTurns, nextTurn, Slices, type Steps } from '../../src/base/slices.ts';

/** A clock that moves on by so many milliseconds each time that it is asked. */
const clockOf = (stepMs: number) => {
  let now = 0;
  return { monotonic: () => (now += stepMs) };
};

function* steps(count: number, done: (step: number) => void): Steps<string> {
  for (let step = 1; step <= count; step += 1) {
    done(step);
    yield;
  }
  return 'all';
}

it('serves one of all that queue in each turn of the event loop, in their order', async () => {
  let loops = 0;
  const count = (): void => {
    loops += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const served: string[] = [];
  let last = 0;
  const work = async (name: string): Promise<void> => {
    for (let slice = 0; slice < 3; slice += 1) {
      await nextTurn();
      served.push(loops > last ? name : `${name} in the same turn`);
      last = loops;
    }
  };

  await Promise.all(['a', 'b', 'c'].map(work));
  clearImmediate(next);

  expect(served).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c']);
});

it('serves what delivers beside all that queue otherwise, not behind them', async () => {
  const served: string[] = [];
  const work = async (name: string, queue?: 'delivery'): Promise<void> => {
    for (let slice = 0; slice < 2; slice += 1) {
      await nextTurn(queue);
      served.push(name);
    }
  };

  await Promise.all([...['a', 'b', 'c'].map((name) => work(name)), work('delivery', 'delivery')]);

  expect(served.slice(0, 4).filter((name) => name === 'delivery')).toHaveLength(2);
});

it('lets other work come in between once a slice has lasted', async () => {
  const seen: (number | string)[] = [];
  const other = async (): Promise<void> => {
    await nextTurn();
    seen.push('other');
  };

  const [, result] = await Promise.all([
    other(),
    inTurns(
      steps(4, (step) => seen.push(step)),
      clockOf(5),
    ),
  ]);

  expect(result).toBe('all');
  expect(seen).toEqual([1, 2, 'other', 3, 4]);
});

it('ends between two slices when it is stopped', async () => {
  const seen: number[] = [];
  const stop = new AbortController();
  const work = inTurns(
    steps(4, (step) => seen.push(step)),
    clockOf(5),
    stop.signal,
  );

  stop.abort(new Error('stopped'));

  await expect(work).rejects.toThrow('stopped');
  expect(seen).toEqual([1, 2]);
});

it('goes on without a pause while a slice lasts, or where nobody can wait', () => {
  const seen: number[] = [];

  expect(new Slices(clockOf(1)).pause()).toBeUndefined();
  expect(atOnce(steps(2, (step) => seen.push(step)))).toBe('all');
  expect(seen).toEqual([1, 2]);
});
