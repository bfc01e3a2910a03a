import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { nearest } from '../base/nearest.ts';
import { listed } from '../base/quantity.ts';
import type { Seams } from '../base/seams.ts';
import type { SourceEnvironment, SourceLoop } from '../collect/source.ts';
import type { Config, SinkConfig, SourceConfig } from '../config/config.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import type { DeliverDeps } from '../deliver/deps.ts';
import type { SinkLoop } from '../deliver/loop.ts';
import type { Journal } from '../journal/journal.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';

/** A configured source with what operations on it need. */
export interface RunningSource {
  readonly settings: SourceSettings;
  readonly deps: SourceEnvironment;
  readonly loop: SourceLoop;
}

/** A configured sink with its loop. */
export interface RunningSink {
  readonly settings: SinkSettings;
  readonly deps: DeliverDeps;
  readonly loop: SinkLoop;
}

/** What operations work on: the journal and the enabled sources and sinks of one configuration. */
export interface Runtime {
  readonly journal: Journal;
  readonly seams: Seams;
  readonly log: Log;
  readonly sources: ReadonlyMap<string, RunningSource>;
  readonly sinks: ReadonlyMap<string, RunningSink>;
}

const mostNamed = 20;

/** Hands `found` on; throws PEN_NOT_FOUND with the names that there are, and the one that was meant, where it is undefined. */
export function orNotFound<T>(found: T | undefined, kind: string, name: string, known: Iterable<string>): T {
  if (found !== undefined) return found;
  const names = [...known];
  const guess = nearest(name, names);
  const choice = `use one of: ${listed(names, mostNamed)}`;
  throw new PenstockError('PEN_NOT_FOUND', `no ${kind} is called "${name}"`, {
    fix: [
      ...(guess === undefined ? [] : [`did you mean "${guess}"?`]),
      names.length === 0 ? `configure a ${kind.split(' ').at(-1)} first` : choice,
    ].join(' '),
  });
}

/** A source of the configuration, enabled or not; throws PEN_NOT_FOUND with the names that there are. */
export function configuredSource({ sources }: Config, name: string): SourceConfig {
  const found = sources.find((source) => source.name === name);
  const names = sources.map((source) => source.name);
  return orNotFound(found, 'source', name, names);
}

/** A sink of the configuration, enabled or not; throws PEN_NOT_FOUND with the names that there are. */
export function configuredSink({ sinks }: Config, name: string): SinkConfig {
  const found = sinks.find((sink) => sink.name === name);
  const names = sinks.map((sink) => sink.name);
  return orNotFound(found, 'sink', name, names);
}

/** A source that a job works on; throws PEN_NOT_FOUND with the names that there are. */
export function runningSource({ sources }: Runtime, name: string): RunningSource {
  return orNotFound(sources.get(name), 'enabled source', name, sources.keys());
}

/** A sink that a job works on; throws PEN_NOT_FOUND with the names that there are. */
export function runningSink({ sinks }: Runtime, name: string): RunningSink {
  return orNotFound(sinks.get(name), 'enabled sink', name, sinks.keys());
}
