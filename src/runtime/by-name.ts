import { PenstockError } from '../base/errors.ts';
import type { Config, SourceConfig } from '../config/config.ts';
import type { RunningSink, RunningSource, Runtime } from './runtime.ts';

function orNotFound<T>(found: T | undefined, kind: string, name: string, known: Iterable<string>): T {
  if (found !== undefined) return found;
  const names = [...known].join(', ');
  throw new PenstockError('PEN_NOT_FOUND', `no ${kind} is called "${name}"`, {
    fix: names === '' ? `configure a ${kind.split(' ').at(-1)} first` : `use one of: ${names}`,
  });
}

/** A source of the configuration, enabled or not; throws PEN_NOT_FOUND with the names that there are. */
export function configuredSource({ sources }: Config, name: string): SourceConfig {
  const found = sources.find((source) => source.name === name);
  const names = sources.map((source) => source.name);
  return orNotFound(found, 'source', name, names);
}

/** A source that a job works on; throws PEN_NOT_FOUND with the names that there are. */
export function runningSource({ sources }: Runtime, name: string): RunningSource {
  return orNotFound(sources.get(name), 'enabled source', name, sources.keys());
}

/** A sink that a job works on; throws PEN_NOT_FOUND with the names that there are. */
export function runningSink({ sinks }: Runtime, name: string): RunningSink {
  return orNotFound(sinks.get(name), 'enabled sink', name, sinks.keys());
}
