import { collectDefaultMetrics, Registry } from 'prom-client';
import { Durations, type Histogram } from '../base/histogram.ts';
import type { Seams } from '../base/seams.ts';
import type { Journal } from '../journal/journal.ts';
import type { Measured } from '../operate/report/metrics.ts';

// Gauges whose names promise counters.
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

function watchProcess(): Registry {
  const registry = new Registry();
  // Often enough to see a stall, and seldom enough to cost an idle process nothing.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return registry;
}

// A process has one memory and one event loop, however many daemons a test opens in it.
let ownProcess: Registry | undefined;

/** Free and whole size of the file system that a folder is on, bytes; undefined where the system does not say. */
async function diskOf(folder: string, files: Seams['files']): Promise<Measured['disk']> {
  try {
    const { bavail, blocks, bsize } = await files.statfs(folder);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}

/** What a daemon measures of itself. */
export class Measures {
  readonly durations = new Durations();
  readonly #clock: Seams['clock'];

  constructor(clock: Seams['clock']) {
    this.#clock = clock;
  }

  /** Begins to watch the process. */
  start(): void {
    ownProcess ??= watchProcess();
  }

  /** The same journal, whose commits are measured. */
  timed(journal: Journal): Journal {
    const [appends, settles] = [this.durations.commits.of('append'), this.durations.commits.of('settle')];
    return {
      ...journal,
      append: (commit) => this.#observed(appends, journal.append(commit)),
      settle: (...settled) => this.#observed(settles, journal.settle(...settled)),
    };
  }

  async read(dataDir: string, files: Seams['files']): Promise<Omit<Measured, 'replicas'>> {
    const disk = await diskOf(dataDir, files);
    return { durations: this.durations, disk, process: ownProcess ?? new Registry() };
  }

  async #observed(taken: Histogram, commit: Promise<void>): Promise<void> {
    const since = this.#clock.monotonic();
    await commit;
    taken.observe((this.#clock.monotonic() - since) / 1000);
  }
}
