import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { Budgets } from '../../src/collect/index.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { at, collectingLog, day, minute, never, noon, said } from './fixture.ts';

function budgets(log = silentLog()) {
  const clock = at(noon);
  return { clock, budgets: new Budgets({ ...systemSeams(), clock }, log) };
}

/** Asks for `count` requests one after the other; returns when each left, milliseconds. */
async function leave(
  clock: VirtualClock,
  limit: (key: string, signal: AbortSignal) => Promise<void>,
  count: number,
  key = 'k',
): Promise<number[]> {
  const times: number[] = [];
  const all = async (): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      await limit(key, never);
      times.push(clock.monotonic());
    }
  };
  await clock.until(all());
  return times;
}

it('lets requests through while nothing is known', async () => {
  const { clock, budgets: all } = budgets();

  expect(await leave(clock, all.limit, 3)).toEqual([0, 0, 0]);
});

it('never lets more than the rate through in any stretch of its time', async () => {
  const { clock, budgets: all } = budgets();
  const own = all.of('s', { count: 2, perMs: 1000 });
  const times = await leave(clock, own.limit, 2);
  await clock.advance(900);

  times.push(...(await leave(clock, own.limit, 3)));

  expect(times).toEqual([0, 0, 1000, 1000, 2000]);
});

it('gives all readers of a source one rate', async () => {
  const { clock, budgets: all } = budgets();
  await leave(clock, all.of('s', { count: 1, perMs: 1000 }).limit, 1);

  expect(await leave(clock, all.of('s', { count: 1, perMs: 1000 }).limit, 1)).toEqual([1000]);
});

it('pauses every source with the same key until Retry-After is over, and no other', async () => {
  const { log, lines } = collectingLog();
  const { clock, budgets: all } = budgets(log);
  all.of('a').budget('k', { pauseMs: 5000 });
  all.of('b').budget('k', { pauseMs: 3000 });

  expect(await leave(clock, all.of('c').limit, 1, 'other')).toEqual([0]);
  expect(await leave(clock, all.of('b').limit, 1)).toEqual([5000]);
  expect(said(lines, 'rate limited, requests pause')).toMatchObject([{ budget: 'k', waitMs: 5000 }]);
});

it('leaves a tenth of the limit to other tools until the budget is reset', async () => {
  const { clock, budgets: all } = budgets();
  all.budget('k', { limit: 40, remaining: 6, resetMs: 10_000 });

  expect(await leave(clock, all.limit, 3)).toEqual([0, 0, 10_000]);
});

it('uses the last request of a limit too small for a reserve', async () => {
  const { clock, budgets: all } = budgets();
  all.budget('k', { limit: 5, remaining: 1, resetMs: 10_000 });

  expect(await leave(clock, all.limit, 2)).toEqual([0, 10_000]);
});

it('asks again after ten seconds when the vendor does not say when the budget is reset', async () => {
  const { clock, budgets: all } = budgets();
  all.budget('k', { remaining: 0 });

  expect(await leave(clock, all.limit, 1)).toEqual([10_000]);
});

it('waits an hour at most, whatever the vendor says', async () => {
  const { clock, budgets: all } = budgets();
  all.budget('k', { pauseMs: 365 * 24 * 60 * minute });

  expect(await leave(clock, all.limit, 1)).toEqual([60 * minute]);
});

it('lets sources take turns', async () => {
  const { clock, budgets: all } = budgets();
  all.budget('k', { pauseMs: 1000 });
  const order: string[] = [];
  const source = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i += 1) {
      await all.limit('k', never);
      order.push(name);
    }
  };

  await clock.until(Promise.all([source('a'), source('b')]));

  expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
});

it('rejects at once when its caller gives up, and keeps nobody behind it waiting', async () => {
  const { clock, budgets: all } = budgets();
  all.budget('k', { pauseMs: 5000 });
  const first = new AbortController();
  const given = all.limit('k', first.signal);
  const second = new AbortController();
  const queued = all.limit('k', second.signal);
  const third = leave(clock, all.limit, 1);

  second.abort(new Error('second gave up'));
  await expect(queued).rejects.toThrow('second gave up');
  first.abort(new Error('first gave up'));
  await expect(given).rejects.toThrow('first gave up');

  expect(await third).toEqual([5000]);
});

it.each([
  ['two days back', -2 * day],
  ['two days forward', 2 * day],
])('keeps every wait as long as it was when the wall clock steps %s', async (_what, stepMs) => {
  const { clock, budgets: all } = budgets();
  const own = all.of('s', { count: 1, perMs: 1000 });
  await leave(clock, own.limit, 1);
  all.budget('paused', { pauseMs: 5000 });
  all.budget('used up', { remaining: 0, limit: 100, resetMs: 7000 });
  clock.step(stepMs);

  const waits = [leave(clock, own.limit, 1), leave(clock, all.limit, 1, 'paused'), leave(clock, all.limit, 1, 'used up')];

  expect(await Promise.all(waits)).toEqual([[1000], [5000], [7000]]);
});

it('says how long the next request of a source waits, while one waits', async () => {
  const { clock, budgets: all } = budgets();
  const [own, other] = [all.of('s', { count: 1, perMs: 5 * minute }), all.of('t')];
  const before = all.pauseMs('s');
  await own.limit('k', never);
  const aborted = new AbortController();
  const second = own.limit('k', aborted.signal).catch(() => 'aborted');
  other.budget('k', { pauseMs: 3 * minute });
  const third = other.limit('k', never);
  await clock.advance(minute);

  expect([before, all.pauseMs('s'), all.pauseMs('t')]).toEqual([0, 4 * minute, 2 * minute]);
  aborted.abort();
  expect(await second).toBe('aborted');
  await clock.until(third);
  expect([all.pauseMs('s'), all.pauseMs('t')]).toEqual([0, 0]);
});

it('takes another rate of a source at once, and keeps what was used of one that stays', async () => {
  const { clock, budgets: all } = budgets();
  const rate = { count: 1, perMs: 1000 };
  await leave(clock, all.of('s', rate).limit, 1);

  const same = await leave(clock, all.of('s', { ...rate }).limit, 1);
  const faster = await leave(clock, all.of('s', { count: 3, perMs: 1000 }).limit, 3);

  expect([same, faster]).toEqual([[1000], [1000, 1000, 1000]]);
});
