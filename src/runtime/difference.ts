import { PenstockError } from '../base/errors.ts';
import { canonicalJson } from '../base/json.ts';
import type { Config } from '../config/config.ts';

/** Names of sources or of sinks that run under one configuration or under both; what is not enabled does not run. */
export interface Changes {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

export interface Difference {
  readonly sources: Changes;
  readonly sinks: Changes;
}

interface Runnable {
  readonly name: string;
  readonly key: string;
  readonly enabled: boolean;
}

function changesOf(before: readonly Runnable[], after: readonly Runnable[]): Changes {
  const keys = (all: readonly Runnable[]): Map<string, string> =>
    new Map(all.filter(({ enabled }) => enabled).map(({ name, key }) => [name, key]));
  const [old, next] = [keys(before), keys(after)];
  const both = [...next.keys()].filter((name) => old.has(name));
  return {
    added: [...next.keys()].filter((name) => !old.has(name)),
    changed: both.filter((name) => old.get(name) !== next.get(name)),
    removed: [...old.keys()].filter((name) => !next.has(name)),
    kept: both.filter((name) => old.get(name) === next.get(name)),
  };
}

/** What starts, ends and goes on when one configuration takes the place of another. */
export function differenceOf(before: Config, after: Config): Difference {
  return { sources: changesOf(before.sources, after.sources), sinks: changesOf(before.sinks, after.sinks) };
}

/** Settings that only a new process can take, by their name in the file. */
function fixedSettings({ data_dir, admin, journal, replica }: Config): Readonly<Record<string, unknown>> {
  return {
    data_dir,
    ...Object.fromEntries(Object.entries(admin).map(([key, value]) => [`admin.${key}`, value])),
    'journal.max_bytes': journal.maxBytes,
    'journal.keep': journal.keepMs,
    'journal.url': journal.database?.url,
    'journal.schema': journal.database?.schema,
    'journal.lease': journal.database?.leaseMs,
    'journal.connections': journal.database?.connections,
    'replica.name': replica.name,
    'replica.labels': replica.labels,
  };
}

/** Throws PEN_CONFIG_INVALID, with the keys, when the configurations differ in what cannot change while the daemon runs. */
export function refuseFixed(before: Config, after: Config): void {
  const [old, next] = [fixedSettings(before), fixedSettings(after)];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(next)])];
  const differing = keys.filter((key) => canonicalJson(old[key]) !== canonicalJson(next[key]));
  if (differing.length === 0) return;
  throw new PenstockError('PEN_CONFIG_INVALID', `${differing.join(' and ')} cannot change while the daemon runs`, {
    where: after.file,
    fix: 'restart the daemon, or take this change back',
  });
}
