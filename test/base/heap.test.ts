import { syncBuiltinESMExports } from 'node:module';
import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import v8 from 'node:v8';
import { expect, it, onTestFinished, vi } from 'vitest';
import { boundHeap, collectWhenCalm } from '../../src/base/heap.ts';
import { virtualClock } from '../virtual-clock.ts';

/** Calls `boundHeap` beside an event loop that is so busy, look by look; gives what V8 was told, by which timers, and since which look each look counts. */
function boundBeside(busy: readonly number[]) {
  const told: string[] = [];
  const since: (readonly [look: number, before: number])[] = [];
  const timers: { readonly ms: number | undefined; readonly look: () => void; isHeld: boolean }[] = [];
  let looks = 0;
  onTestFinished(() => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  });
  vi.spyOn(v8, 'setFlagsFromString').mockImplementation((flag) => void told.push(flag));
  syncBuiltinESMExports();
  vi.spyOn(performance, 'eventLoopUtilization').mockImplementation((now, before) => {
    if (now === undefined) return { idle: (looks += 1), active: 0, utilization: 0 };
    since.push([now.idle, before?.idle ?? 0]);
    return { idle: 0, active: 0, utilization: busy[since.length - 1] ?? 0 };
  });
  vi.spyOn(globalThis, 'setInterval').mockImplementation(((look: () => void, ms?: number) => {
    const timer = { ms, look, isHeld: true };
    timers.push(timer);
    return { unref: () => (timer.isHeld = false) };
  }) as unknown as typeof setInterval);
  boundHeap();
  for (const _ of busy) for (const { look } of timers) look();
  return { told, since, timers: timers.map(({ ms, isHeld }) => ({ ms, isHeld })) };
}

it('lets the heap grow further while the event loop is busy most of the time, and tells V8 only what changes', () => {
  const { told, timers } = boundBeside([0.7, 0.9, 0.6, 0.1, 0.61]);

  expect(told).toEqual([100, 200, 100, 200].map((percent) => `--heap-growing-percent=${percent}`));
  // It keeps no process alive.
  expect(timers).toEqual([{ ms: 500, isHeld: false }]);
});

it('counts how busy the event loop was since the last look, not since the process began', () => {
  const { since } = boundBeside([0, 0, 0]);

  expect(since).toEqual([
    [2, 1],
    [3, 2],
    [4, 3],
  ]);
});

/** An object that nobody holds any more, and one that somebody does. */
async function objects(): Promise<() => readonly string[]> {
  const held = { is: 'held' };
  const gone = ((): WeakRef<{ readonly is: string }> => new WeakRef({ is: 'gone' }))();
  const kept = new WeakRef(held);
  await turn();
  return () => [gone, kept].map((one) => one.deref()?.is ?? 'collected').concat(held.is);
}

/** Looks of a process that has started, beside an event loop that is so busy; gives what is left after each. */
async function collectedBeside(busy: readonly number[]) {
  const clock = virtualClock(0);
  const left = await objects();
  const seen: (readonly string[])[] = [];
  let looks = 0;
  onTestFinished(() => void vi.restoreAllMocks());
  vi.spyOn(performance, 'eventLoopUtilization').mockImplementation((now) => ({
    idle: 0,
    active: 0,
    utilization: now === undefined ? 0 : (busy[looks++] ?? 0),
  }));
  const collecting = collectWhenCalm(clock);
  await clock.advance(1999);
  seen.push(left());
  await clock.advance(1);
  for (const _ of busy) {
    seen.push(left());
    await turn();
    await clock.advance(500);
  }
  return { seen, clock, collecting, looks: () => looks };
}

const [all, rest] = [
  ['gone', 'held', 'held'],
  ['collected', 'held', 'held'],
];

it('collects what nobody holds any more two seconds after the start, once', async () => {
  const { seen, clock, looks } = await collectedBeside([0.2, 0.2]);

  expect(seen).toEqual([all, rest, rest]);
  expect([looks(), clock.pending]).toEqual([1, 0]);
});

it('waits with that until the event loop has little to do', async () => {
  const { seen, clock } = await collectedBeside([0.9, 0.61, 0.6, 0.9]);

  expect(seen).toEqual([all, all, all, rest, rest]);
  expect(clock.pending).toBe(0);
});

it('collects nothing any more when the process ends first', async () => {
  const { clock, collecting } = await collectedBeside([0.9]);

  collecting[Symbol.dispose]();

  expect(clock.pending).toBe(0);
});
