import { expect, it } from 'vitest';
import { steadyTime, systemClock } from '../../src/base/clock.ts';
import { virtualClock } from '../virtual-clock.ts';

it('never calls back before the monotonic clock has reached the time', async () => {
  const clock = systemClock();

  const early = await Promise.all(
    Array.from({ length: 400 }, (_, at) => {
      const due = clock.monotonic() + at * 0.37;
      return new Promise<boolean>((resolve) => {
        clock.timer(due - clock.monotonic(), () => resolve(clock.monotonic() < due));
      });
    }),
  );

  expect(early.filter(Boolean)).toEqual([]);
});

it('calls back no more once the timer is disposed', async () => {
  const clock = systemClock();
  let called = 0;
  const timer = clock.timer(5, () => {
    called += 1;
  });

  timer[Symbol.dispose]();
  await new Promise<void>((resolve) => {
    clock.timer(20, resolve);
  });

  expect(called).toBe(0);
});

it('keeps a steady time while the wall clock steps', async () => {
  const clock = virtualClock(1_000);
  const now = steadyTime(clock);

  clock.step(-500);
  await clock.advance(20);

  expect([now(), clock.now()]).toEqual([1_020, 520]);
});
