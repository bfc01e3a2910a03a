import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from './clock.ts';

// Left alone, V8 lets garbage grow to several times of what is alive, as long as the machine has memory; beside other workloads that memory
// is theirs. Collecting more often costs CPU, most of it on other threads: docs/performance.md. So how much may grow depends on how much there is to do.
const [calmPercent, busyPercent] = [100, 200];
const busyShare = 0.6;
const lookMs = 500;
/** First polls are over by then. */
const startedMs = 2000;

/** Tells how busy the event loop was since it was asked last, from 0 to 1. */
function openBusyness(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}

/**
 * Keeps the heap within twice of what is alive after each collection, three times while the event loop is busy most of the time. Called once, where
 * a process starts.
 */
export function boundHeap(): void {
  let grows = 0;
  const busyness = openBusyness();
  const bound = (percent: number): void => {
    if (percent !== grows) setFlagsFromString(`--heap-growing-percent=${percent}`);
    grows = percent;
  };
  bound(calmPercent);
  setInterval(() => bound(busyness() > busyShare ? busyPercent : calmPercent), lookMs).unref();
}

/**
 * Collects all garbage once and gives its memory back, after a start and as soon as the event loop has little to do: most of the heap is then what
 * reading and checking the configuration left, and a daemon that is idle would keep it for hours. A busy one would have to compile its code again.
 */
export function collectWhenCalm(clock: Clock): Disposable {
  const busyness = openBusyness();
  const look = (): void => {
    if (busyness() > busyShare) timer = clock.timer(lookMs, look);
    else collectGarbage();
  };
  let timer = clock.timer(startedMs, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (how: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;
  collect({ type: 'major', flavor: 'last-resort' });
}
