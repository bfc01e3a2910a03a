import { setFlagsFromString } from 'node:v8';

// Left alone, V8 lets garbage grow to several times of what is alive, as long as the machine has memory; beside other workloads that memory
// is theirs. Collecting more often costs CPU, most of it on other threads: docs/performance.md.
const growingPercent = 100;

/** Keeps the heap within twice of what is alive after each collection. Called once, where a process starts. */
export function boundHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}
