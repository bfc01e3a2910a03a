import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Left alone, V8 lets garbage grow to several times of what is alive, as long as the machine has memory; beside other workloads that memory
// is theirs. Collecting more often costs CPU, most of it on other threads: docs/performance.md.
const growingPercent = 100;

/** Keeps the heap within twice of what is alive after each collection. Called once, where a process starts. */
export function boundHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}

/**
 * Collects all garbage once and gives its memory back. After a start most of the heap is what reading and checking the configuration left, and a
 * daemon that has little to do would keep it for hours.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (how: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;
  collect({ type: 'major', flavor: 'last-resort' });
}
