// One sink over the loops that all replicas have of it.
import type { SinkStatus } from '../../deliver/report/status.ts';
import type { LedgerReport } from './ledger.ts';

type Counts = Readonly<Record<string, number>>;
type Invalid = NonNullable<SinkStatus['invalid_events']>;
type Endpoints = SinkStatus['endpoints'];

/** What each replica counted since its start, together. */
function summed(all: readonly (Counts | undefined)[]): Counts {
  const sums = new Map<string, number>();
  for (const [name, count] of all.flatMap((counts) => Object.entries(counts ?? {})))
    sums.set(name, (sums.get(name) ?? 0) + count);
  return Object.fromEntries(sums);
}

/** A source may have been with several replicas, each of which counted what it mapped. */
function allInvalid(live: readonly SinkStatus[]): Invalid {
  const found = new Map<string, Invalid[number]>();
  for (const one of live.flatMap(({ invalid_events = [] }) => invalid_events)) {
    const key = `${one.source}\n${one.action}`;
    found.set(key, { ...one, count: one.count + (found.get(key)?.count ?? 0) });
  }
  return [...found.values()];
}

/** Each endpoint once, as the replica sees it that has the most trouble with it. */
function worstOfEach(endpoints: Endpoints): Endpoints {
  const worst = new Map<string, Endpoints[number]>();
  for (const one of endpoints) if (one.failures >= (worst.get(one.endpoint)?.failures ?? 0)) worst.set(one.endpoint, one);
  return [...worst.values()];
}

const unlessEmpty = <K extends string, T extends object>(name: K, value: T): Partial<Record<K, T>> =>
  Object.keys(value).length === 0 ? {} : ({ [name]: value } as Record<K, T>);

/** States of a sink, the worst first: the sink of one replica that holds needs a person, whatever the others do. */
const states: readonly SinkStatus['state'][] = ['hold', 'retrying', 'starting', 'delivering', 'idle', 'stopped', 'disabled'];

function worst(all: readonly SinkStatus[]): SinkStatus['state'] {
  return states.find((state) => all.some((one) => one.state === state)) ?? 'idle';
}

/** A sink as one replica has it. */
export type AtReplica = SinkStatus & { readonly replica: string };

/** Each text once; what only some of the replicas say is said of them: the sink of another may take its events meanwhile. */
function warningsOf(live: readonly AtReplica[]): { readonly warnings: string[]; readonly errors: string[] } {
  const told = new Map<string, string>();
  for (const text of live.flatMap(({ warnings }) => warnings)) {
    const sayers = live.filter(({ warnings }) => warnings.includes(text));
    told.set(text, sayers.length === live.length ? text : `${text} (at ${sayers.map(({ replica }) => replica).join(', ')})`);
  }
  const isError = ([text]: readonly [string, string]): boolean => live.some(({ errors = [] }) => errors.includes(text));
  return { warnings: [...told.values()], errors: [...told].filter(isError).map(([, shown]) => shown) };
}

const latest = (times: readonly (number | undefined)[]): number | undefined =>
  times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);

/** One sink over the loops that all replicas have of it; counts are the ledger's. */
export function folded(stored: SinkStatus, live: readonly AtReplica[]): SinkStatus {
  if (live.length === 0) return stored;
  const hold = live.find((one) => one.hold !== undefined)?.hold;
  const error = live.flatMap(({ last_error }) => last_error ?? []).sort((a, b) => b.at - a.at)[0];
  const { warnings, errors } = warningsOf(live);
  const taken = latest(live.map(({ last_acknowledged }) => last_acknowledged));
  return {
    ...stored,
    state: worst(live),
    hold,
    in_flight: live.reduce((sum, { in_flight }) => sum + in_flight, 0),
    ...(taken === undefined ? {} : { last_acknowledged: taken }),
    ...(error === undefined ? {} : { last_error: error }),
    map_failed: live.reduce((sum, { map_failed }) => sum + map_failed, 0),
    unknown_actions: summed(live.map(({ unknown_actions }) => unknown_actions)),
    ...unlessEmpty('invalid_events', allInvalid(live)),
    classes: summed(live.map(({ classes }) => classes)),
    ...unlessEmpty('counters', summed(live.map(({ counters }) => counters))),
    endpoints: worstOfEach(live.flatMap(({ endpoints }) => endpoints)),
    warnings,
    ...unlessEmpty('errors', errors),
  };
}

/** A sink that the asked file does not name, as those say that have it. */
export function foreign(live: readonly AtReplica[], { sinks }: LedgerReport): SinkStatus[] {
  const [one] = live;
  if (one === undefined) return [];
  const { replica: _at, ...first } = one;
  const { pending = 0, dead_lettered = 0, acknowledged = 0, unconfirmed = 0 } = sinks[first.name] ?? {};
  const lag = Math.max(...live.map(({ lag_seconds }) => lag_seconds));
  return [folded({ ...first, lag_seconds: lag, pending, dead_letters: dead_lettered, acknowledged, unconfirmed }, live)];
}
