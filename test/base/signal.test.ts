import { expect, it } from 'vitest';
import { Signal } from '../../src/base/signal.ts';
import { virtualClock } from '../virtual-clock.ts';

const never = new AbortController().signal;

it('wakes everybody who waits, once', async () => {
  const signal = new Signal();
  const woken: string[] = [];
  const first = signal.wait(never).then(() => woken.push('first'));
  const second = signal.wait(never).then(() => woken.push('second'));

  signal.notify();
  await Promise.all([first, second]);
  signal.notify();

  expect(woken).toEqual(['first', 'second']);
  expect(signal.isAwaited).toBe(false);
});

it('forgets a notification that nobody waits for', async () => {
  const signal = new Signal();
  let woken = false;

  signal.notify();
  void signal.wait(never).then(() => {
    woken = true;
  });
  await virtualClock(0).settle();

  expect(woken).toBe(false);
  expect(signal.isAwaited).toBe(true);
});

it('leaves who waits again during a notification for the next one', async () => {
  const signal = new Signal();
  const again = signal.wait(never).then(() => void signal.wait(never));

  signal.notify();
  await again;

  expect(signal.isAwaited).toBe(true);
});

it.each(['before', 'while'])('ends a wait whose signal aborted %s it waits', async (when) => {
  const signal = new Signal();
  const stop = new AbortController();
  if (when === 'before') stop.abort();

  const waiting = Promise.all([signal.wait(stop.signal), signal.waitAtMost(virtualClock(0), 1000, stop.signal)]);
  stop.abort();
  await waiting;

  expect(signal.isAwaited).toBe(false);
});

it('ends a wait with a limit when its time is over, and wakes nobody else', async () => {
  const clock = virtualClock(0);
  const signal = new Signal();
  void signal.wait(never);

  await clock.until(signal.waitAtMost(clock, 1000, never));

  expect({ at: clock.monotonic(), awaited: signal.isAwaited }).toEqual({ at: 1000, awaited: true });
});

it('cancels the timer of a wait that was woken before', async () => {
  const clock = virtualClock(0);
  const signal = new Signal();
  const waiting = signal.waitAtMost(clock, 1000, never);

  signal.notify();
  await waiting;

  expect(clock.pending).toBe(0);
});
