// Histories that mostly rest. Troubles come in storms of hours, with days of calm between them in which a record shows up now and then. While
// nothing is under way and nothing is to happen, time leaps by hours: as if the process had been stopped meanwhile (SIGSTOP, a paused virtual
// machine), all of its timers are late then and fire in their order. So weeks cost what happens in them.
import type { Dice } from './dice.ts';
import { day, type EventPlan, hour, type JobPlan, minute, type Scenario } from './scenario.ts';
import { fileEnd } from './vendors.ts';

/** A moment of the dense history from which everything is later by `ms`. */
interface Gap {
  readonly at: number;
  readonly ms: number;
}

function drawGaps(dice: Dice, denseHours: number, hours: number): Gap[] {
  const edges: number[] = [];
  for (let at = dice.between(hour, 6 * hour); at < denseHours * hour; at += dice.between(hour, 6 * hour)) edges.push(at);
  edges.push(denseHours * hour);
  const shares = edges.map(() => 0.2 + dice.float());
  const all = shares.reduce((sum, share) => sum + share, 0);
  return edges.map((at, i) => ({ at, ms: Math.floor((((hours - denseHours) * hour) / all) * (shares[i] ?? 0)) }));
}

/** Records that show up while all is calm. */
function drawLone(dice: Dice, { sources, events }: Scenario, gaps: readonly Gap[], later: (at: number) => number): EventPlan[] {
  let n = events.length;
  return gaps.flatMap(({ at, ms }) =>
    sources.flatMap(({ name }) =>
      Array.from({ length: ms < 6 * hour ? 0 : Math.ceil(ms / (2 * day)) }, () => later(at) - dice.between(minute, ms - hour))
        .sort((a, b) => a - b)
        .map((lone) => ({ source: name, n: n++, at: lone, late: dice.between(0, 5_000) })),
    ),
  );
}

/** Spreads a dense history over more hours. */
export function spread(dense: Scenario, hours: number, dice: Dice): Scenario {
  const gaps = drawGaps(dice, dense.hours, hours);
  const later = (at: number): number => gaps.reduce((sum, gap) => (gap.at <= at ? sum + gap.ms : sum), at);
  const moved = <T extends { readonly at: number }>(list: readonly T[]): T[] =>
    list.map((item) => ({ ...item, at: later(item.at) }));
  const span = <T extends { readonly from: number; readonly to: number }>(item: T): T => ({
    ...item,
    from: later(item.from),
    to: later(item.to),
  });
  return {
    ...dense,
    hours,
    leaps: true,
    events: [...moved(dense.events), ...drawLone(dice, dense, gaps, later)],
    // A fault does not last longer for the calm.
    faults: dense.faults.map((fault) => ({ ...fault, from: later(fault.from), to: later(fault.from) + fault.to - fault.from })),
    ends: moved(dense.ends),
    clock: moved(dense.clock),
    diskErrors: moved(dense.diskErrors),
    lostAnswers: moved(dense.lostAnswers),
    replays: moved(dense.replays).map(span),
    jobs: moved(dense.jobs).map((job): JobPlan => {
      if (job.kind === 'backfill') return span(job);
      return job.kind === 'import' ? { ...job, shown: later(job.shown) } : job;
    }),
    ...(dense.offline === undefined ? {} : { offline: moved(dense.offline) }),
  };
}

/** What follows a moment is over by then. */
const unrestMs = 10 * minute;
const shortestLeapMs = 10 * minute;

/** Says how far time may leap. */
export class Calm {
  readonly #moments: Float64Array;
  readonly #isAllowed: boolean;

  /** `startMs` is the true time at which the run began. */
  constructor(scenario: Scenario, startMs: number) {
    const { events, faults, ends, clock, diskErrors, lostAnswers, replays, jobs, sources } = scenario;
    this.#isAllowed = scenario.leaps === true;
    const inFiles = new Set(sources.filter(({ kind }) => kind === 'files').map(({ name }) => name));
    const shows = ({ source, at, late }: EventPlan): number[] =>
      inFiles.has(source) ? [fileEnd(startMs + at + late) - startMs] : [at + late];
    this.#moments = Float64Array.from([
      0,
      ...events.flatMap(shows),
      ...faults.flatMap(({ from, to }) => [from, to]),
      ...[ends, clock, replays, jobs].flatMap((list) => list.map(({ at }) => at)),
      ...[diskErrors, lostAnswers].flatMap((list) => list.flatMap(({ at, ms }) => [at, at + ms])),
    ]).sort();
  }

  /** How long nothing happens from a time on, milliseconds, and at most until `end`; 0 where there is no calm. */
  leapFrom(elapsed: number, end: number, dice: Dice): number {
    if (!this.#isAllowed) return 0;
    const next = this.#moments.findIndex((at) => at > elapsed);
    const last = this.#moments.at(next === -1 ? -1 : next - 1) ?? 0;
    const calmMs = Math.min(end, this.#moments[next] ?? Number.POSITIVE_INFINITY) - elapsed - minute;
    if (elapsed - last < unrestMs || calmMs < shortestLeapMs) return 0;
    return Math.min(calmMs, dice.between(hour, 6 * hour));
  }

  /** How long to go on before looking again, milliseconds. */
  get lookMs(): number {
    return this.#isAllowed ? minute : Number.POSITIVE_INFINITY;
  }
}
