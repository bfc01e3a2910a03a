// Looks for the shortest history that still breaks a promise, by trying again: what the problem names and what was near it, fewer hours, fewer
// faults, fewer events, simpler ones.
import type { Outcome } from './play.ts';
import { type EventPlan, hour, type JobPlan, type OfflinePlan, type Scenario } from './scenario.ts';

export type Play = (scenario: Scenario) => Promise<Outcome>;

const lists = ['ends', 'faults', 'clock', 'diskErrors', 'lostAnswers', 'replays', 'jobs', 'sinks', 'sources', 'events'] as const;
type ListName = (typeof lists)[number];

function shorter(scenario: Scenario, hours: number): Scenario {
  const end = hours * hour;
  return {
    ...scenario,
    hours,
    events: scenario.events.filter(({ at }) => at <= end),
    faults: scenario.faults.filter(({ from }) => from < end).map((fault) => ({ ...fault, to: Math.min(fault.to, end) })),
    ends: scenario.ends.filter(({ at }) => at < end),
    clock: scenario.clock.filter(({ at }) => at < end),
    diskErrors: scenario.diskErrors.filter(({ at }) => at < end),
    lostAnswers: scenario.lostAnswers.filter(({ at }) => at < end),
    replays: scenario.replays.filter(({ at }) => at < end),
    jobs: scenario.jobs.filter(({ at }) => at < end),
    ...(scenario.offline === undefined ? {} : { offline: scenario.offline.filter(({ at }) => at < end) }),
  };
}

const nameOf = (plan: JobPlan | OfflinePlan): string => ('source' in plan ? plan.source : 'sink' in plan ? plan.sink : plan.name);

/** The history without a run of one of its lists; undefined where something has to stay. */
function without(scenario: Scenario, name: ListName, from: number, count: number): Scenario | undefined {
  const kept = (scenario[name] as readonly unknown[]).filter((_item, index) => index < from || index >= from + count);
  if ((name === 'sinks' || name === 'sources') && kept.length === 0) return undefined;
  const next = { ...scenario, [name]: kept } as Scenario;
  const names = new Set([...next.sources, ...next.sinks].map((item) => item.name));
  return {
    ...next,
    events: next.events.filter(({ source }) => names.has(source)),
    faults: next.faults.filter(({ on }) => names.has(on)),
    replays: next.replays.filter(({ sink }) => names.has(sink)),
    jobs: next.jobs.filter((job) => names.has(nameOf(job))),
    ...(next.offline === undefined ? {} : { offline: next.offline.filter((plan) => names.has(nameOf(plan))) }),
  };
}

/** The records that the problems name, and those that showed up within a time of one of them or of a problem; `startMs`: true time of the start. */
function around({ scenario, problems }: Outcome, withinMs: number, startMs: number): Scenario {
  const named = new Set(
    problems.flatMap((text) => [...text.matchAll(/record (-?\d+) of (\w+)/g)].map(([, n = '', source = '']) => `${source} ${n}`)),
  );
  const isNamed = ({ source, n }: EventPlan): boolean => named.has(`${source} ${n}`);
  const shown = scenario.events.filter(isNamed).map(({ at, late }) => at + late);
  const times = shown.length > 0 ? shown : problems.map((text) => Date.parse(text.slice(0, 24)) - startMs);
  const isNear = ({ at, late }: EventPlan): boolean => times.some((time) => Math.abs(at + late - time) <= withinMs);
  return { ...scenario, events: scenario.events.filter((event) => isNamed(event) || isNear(event)) };
}

/** Each without one of its optional fields. */
function plain<T extends object>(list: readonly T[], field: keyof T): T[] {
  return list.map((item) => Object.fromEntries(Object.entries(item).filter(([name]) => name !== field)) as T);
}

/** The history with everything of one kind made simple; each is tried for itself. */
const simpler: readonly ((scenario: Scenario) => Scenario)[] = [
  (s) => ({ ...s, offline: [] }),
  (s) => ({ ...s, events: plain(s.events, 'refusedBy') }),
  (s) => ({ ...s, events: s.events.map((event) => ({ ...event, late: 0 })) }),
  (s) => ({ ...s, events: plain(s.events, 'copyOf') }),
  (s) => ({ ...s, events: plain(s.events, 'fat') }),
  (s) => ({ ...s, sources: plain(s.sources, 'sweepEveryMs') }),
  (s) => ({ ...s, sources: plain(s.sources, 'logsReads') }),
  (s) => ({ ...s, sources: s.sources.map((source) => ({ ...source, backMs: 0, pageSize: 200 })) }),
  (s) => ({ ...s, sinks: plain(s.sinks, 'mostEvents') }),
  (s) => ({ ...s, sinks: plain(s.sinks, 'wire') }),
  (s) => ({ ...s, sinks: s.sinks.map((sink) => ({ ...sink, inFlight: 1 })) }),
  (s) => ({ ...s, faults: s.faults.map((fault) => ({ ...fault, share: 1 })) }),
  (s) => ({ ...s, ends: s.ends.map((end) => ({ ...end, downMs: 1_000 })) }),
];

/** The history without one of the things that happen to replicas. */
const calmer = (scenario: Scenario, index: number): Scenario | undefined =>
  scenario.crew === undefined
    ? undefined
    : { ...scenario, crew: { ...scenario.crew, faults: scenario.crew.faults.filter((_fault, at) => at !== index) } };

/** Kind of a problem: its words without the names, ids and numbers. */
const kindOf = (problem: string): string =>
  problem
    .slice(25)
    .replace(/[0-9a-f]{16,}|\d+/g, '#')
    .slice(0, 60);

interface Limits {
  readonly mostRuns?: number;
  /** Milliseconds. */
  readonly mostMs?: number;
}

/** Tries histories, and keeps the last that failed in the same way. */
class Search {
  readonly #play: Play;
  readonly #kinds: ReadonlySet<string>;
  readonly #end: number;
  #runs: number;
  best: Outcome;

  constructor(failing: Outcome, play: Play, { mostRuns = 600, mostMs = 240_000 }: Limits) {
    this.best = failing;
    this.#play = play;
    this.#kinds = new Set(failing.problems.map(kindOf));
    this.#runs = mostRuns;
    this.#end = performance.now() + mostMs;
  }

  async try(scenario: Scenario | undefined): Promise<boolean> {
    if (scenario === undefined || this.#runs <= 0 || performance.now() > this.#end) return false;
    this.#runs -= 1;
    const outcome = await this.#play(scenario);
    if (!outcome.problems.some((problem) => this.#kinds.has(kindOf(problem)))) return false;
    this.best = outcome;
    return true;
  }

  /** Takes out runs of a list, large ones first. */
  async thin(name: ListName): Promise<void> {
    for (let size = Math.ceil(this.best.scenario[name].length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let from = 0; from < this.best.scenario[name].length; )
        if (!(await this.try(without(this.best.scenario, name, from, size)))) from += size;
  }
}

const nearHours = [0, 0.5, 2, 8];

/** A shorter outcome that fails in the same way; `startMs` is the true time at which histories begin. */
export async function shrink(failing: Outcome, play: Play, startMs: number, limits: Limits = {}): Promise<Outcome> {
  const search = new Search(failing, play, limits);
  // What leaps costs less, where it fails as well.
  if (failing.scenario.leaps !== true) await search.try({ ...failing.scenario, leaps: true });
  for (const hours of nearHours) if (await search.try(around(search.best, hours * hour, startMs))) break;
  for (let { hours } = search.best.scenario; hours >= 0.5; hours /= 2)
    if (!(await search.try(shorter(search.best.scenario, hours / 2)))) break;
  for (let size = Number.POSITIVE_INFINITY; sizeOf(search.best.scenario) < size; ) {
    size = sizeOf(search.best.scenario);
    for (const name of lists) await search.thin(name);
    for (let at = 0; at < (search.best.scenario.crew?.faults.length ?? 0); )
      if (!(await search.try(calmer(search.best.scenario, at)))) at += 1;
    for (const change of simpler) {
      const next = change(search.best.scenario);
      if (JSON.stringify(next) !== JSON.stringify(search.best.scenario)) await search.try(next);
    }
  }
  return search.best;
}

const sizeOf = (scenario: Scenario): number =>
  lists.reduce((sum, name) => sum + scenario[name].length, scenario.crew?.faults.length ?? 0);
