// Looks for the shortest history that still breaks a promise: fewer hours, fewer faults, fewer events, by trying again.
import type { Outcome } from './play.ts';
import { hour, type JobPlan, type OfflinePlan, type Scenario } from './scenario.ts';

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

/** Kind of a problem: its words without the names, ids and numbers. */
const kindOf = (problem: string): string =>
  problem
    .slice(25)
    .replace(/[0-9a-f]{16,}|\d+/g, '#')
    .slice(0, 60);

/** A shorter outcome that fails in the same way, found in at most `mostRuns` runs or `mostMs` milliseconds. */
export async function shrink(failing: Outcome, play: Play, mostRuns = 300, mostMs = 120_000): Promise<Outcome> {
  const kinds = new Set(failing.problems.map(kindOf));
  const end = performance.now() + mostMs;
  let best = failing;
  let runs = 0;
  const tryOne = async (scenario: Scenario | undefined): Promise<boolean> => {
    if (scenario === undefined || runs >= mostRuns || performance.now() > end) return false;
    runs += 1;
    const outcome = await play(scenario);
    if (!outcome.problems.some((problem) => kinds.has(kindOf(problem)))) return false;
    best = outcome;
    return true;
  };
  for (let hours = best.scenario.hours / 2; hours >= 0.25; hours /= 2) if (!(await tryOne(shorter(best.scenario, hours)))) break;
  for (const name of lists) {
    for (let size = Math.ceil(best.scenario[name].length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < best.scenario[name].length; ) {
        if (!(await tryOne(without(best.scenario, name, from, size)))) from += size;
      }
    }
  }
  return best;
}
