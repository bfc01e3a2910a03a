// What a phase of the benchmark cost, seen from inside its process.
import { setImmediate as turn } from 'node:timers/promises';

/** Per event where it says so; memory in MB (2^20 bytes), stalls in milliseconds. */
export interface Measured {
  readonly wallUs: number;
  /** CPU of the main thread, and of all threads (compression, garbage collection). */
  readonly mainUs: number;
  readonly cpuUs: number;
  readonly peakRssMb: number;
  readonly stallP50Ms: number;
  readonly stallP99Ms: number;
  readonly stallMaxMs: number;
}

const sampleMs = 2;

function mb(bytes: number): number {
  return bytes / 2 ** 20;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Runs `work`, which handles `events` events. A stall is how much later than asked for a timer of 2 ms fires. */
export async function measure(events: number, work: () => Promise<void>): Promise<Measured> {
  const stalls: number[] = [];
  let peak = process.memoryUsage.rss();
  let last = performance.now();
  const sampler = setInterval(() => {
    const now = performance.now();
    stalls.push(Math.max(0, now - last - sampleMs));
    last = now;
    if (stalls.length % 8 === 0) peak = Math.max(peak, process.memoryUsage.rss());
  }, sampleMs);
  await turn();
  const [cpu, main, began] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
  await work();
  const wallMs = performance.now() - began;
  const [allCpu, mainCpu] = [process.cpuUsage(cpu), process.threadCpuUsage(main)];
  clearInterval(sampler);
  stalls.sort((a, b) => a - b);
  return {
    wallUs: (wallMs * 1000) / events,
    mainUs: (mainCpu.user + mainCpu.system) / events,
    cpuUs: (allCpu.user + allCpu.system) / events,
    peakRssMb: mb(Math.max(peak, process.memoryUsage.rss())),
    stallP50Ms: percentile(stalls, 0.5),
    stallP99Ms: percentile(stalls, 0.99),
    stallMaxMs: stalls.at(-1) ?? 0,
  };
}
