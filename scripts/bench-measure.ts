// What a phase of the benchmark cost, seen from inside its process.
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';

/** Microseconds and bytes are per event; memory in MB (2^20 bytes), stalls in milliseconds. */
export interface Measured {
  readonly wallUs: number;
  /** CPU of the busiest thread, and of all threads (compression, garbage collection). */
  readonly busiestUs: number;
  readonly cpuUs: number;
  /** What went to the disk, as the kernel counts it; 0 where it does not tell. */
  readonly writtenBytes: number;
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

/** CPU of each thread, microseconds, by its id; of the main thread only where the kernel does not tell. */
function threadsUs(): Map<string, number> {
  const { user, system } = process.threadCpuUsage();
  const threads = new Map([[String(process.pid), user + system]]);
  try {
    for (const id of readdirSync('/proc/self/task')) {
      const [ranNs] = readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8').split(' ');
      threads.set(id, Number(ranNs) / 1000);
    }
  } catch {
    // A thread may end meanwhile; elsewhere than on Linux there is no such folder.
    return threads;
  }
  return threads;
}

function busiestSince(before: ReadonlyMap<string, number>): number {
  return Math.max(...Array.from(threadsUs(), ([id, us]) => us - (before.get(id) ?? 0)));
}

function bytesWritten(): number {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    // Only Linux counts them.
    return 0;
  }
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
  const [cpu, threads, written, began] = [process.cpuUsage(), threadsUs(), bytesWritten(), performance.now()];
  await work();
  const wallMs = performance.now() - began;
  const [allCpu, busiest, writtenNow] = [process.cpuUsage(cpu), busiestSince(threads), bytesWritten()];
  clearInterval(sampler);
  stalls.sort((a, b) => a - b);
  return {
    wallUs: (wallMs * 1000) / events,
    busiestUs: busiest / events,
    cpuUs: (allCpu.user + allCpu.system) / events,
    writtenBytes: (writtenNow - written) / events,
    peakRssMb: mb(Math.max(peak, process.memoryUsage.rss())),
    stallP50Ms: percentile(stalls, 0.5),
    stallP99Ms: percentile(stalls, 0.99),
    stallMaxMs: stalls.at(-1) ?? 0,
  };
}
