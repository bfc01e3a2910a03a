// What all loops, walks and jobs of one source share.
import type { Log } from '../base/log.ts';
import type { RecordFacts } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import { zeroCounts } from '../journal/counts.ts';
import type { Journal } from '../journal/journal.ts';
import { createLateness, type Lateness } from './memory/lateness.ts';
import { createRequestLog, type RequestLog } from './memory/own-requests.ts';
import { createUnknownActions, type UnknownActions, unknownActionsNote } from './memory/unknown-actions.ts';
import { createLock, type Lock } from './queue.ts';
import type { CollectDeps } from './source.ts';

/** What one process knows of a source beside its checkpoint; shared by its live loop and its jobs. */
export interface SourceMemory {
  /** Held from looking ids up until they are committed, so that two lanes never both take a record for new. */
  readonly lock: Lock;
  readonly requests: RequestLog;
  readonly lateness: Lateness;
  readonly unknown: UnknownActions;
  /** True once a record of our own making was met: from then on the request log is kept in the journal. */
  meetsOwnRecords: boolean;
  /** Resolves when the notes of an earlier process are read. */
  restored: Promise<void> | undefined;
  skew: { readonly ms: number; readonly at: number } | undefined;
  /** Wall time of the newest new record's receipt, and of the newest record itself. */
  lastEvent: number | undefined;
  newestTime: number | undefined;
}

/** One source at work. */
export interface SourceContext {
  readonly settings: SourceSettings;
  readonly deps: CollectDeps;
  readonly log: Log;
  readonly memory: SourceMemory;
  readonly counts: ReturnType<typeof zeroCounts>;
  /** True for a record that the source's filter keeps out. */
  readonly isFiltered: (facts: RecordFacts) => boolean;
}

/** Stops work in two steps: `soft` between requests, `hard` in the middle of one. */
export interface Halt {
  readonly soft: AbortSignal;
  readonly hard: AbortSignal;
}

const memories = new WeakMap<Journal, Map<string, SourceMemory>>();

/** The memory of a source in this process: one per journal and name, whoever asks. */
export function memoryOf(journal: Journal, source: string): SourceMemory {
  let bySource = memories.get(journal);
  if (bySource === undefined) {
    bySource = new Map();
    memories.set(journal, bySource);
  }
  let memory = bySource.get(source);
  if (memory === undefined) {
    memory = {
      lock: createLock(),
      requests: createRequestLog(),
      lateness: createLateness(),
      unknown: createUnknownActions(),
      meetsOwnRecords: false,
      restored: undefined,
      skew: undefined,
      lastEvent: undefined,
      newestTime: undefined,
    };
    bySource.set(source, memory);
  }
  return memory;
}

async function restore(memory: SourceMemory, journal: Journal, source: string): Promise<void> {
  const requests = await journal.note(source, 'requests');
  memory.meetsOwnRecords = requests !== undefined;
  memory.requests.load(requests);
  memory.lateness.load(await journal.note(source, 'lateness'));
  memory.unknown.load(await journal.note(source, unknownActionsNote));
  const activity = await journal.note(source, 'activity');
  if (Array.isArray(activity) && typeof activity[0] === 'number' && typeof activity[1] === 'number') {
    memory.lastEvent = activity[0];
    memory.newestTime = activity[1];
  }
}

/** Reads what earlier processes noted, once per process; rejects with the journal's error and tries again next time. */
export async function restoreMemory({ memory, deps, settings }: SourceContext): Promise<void> {
  memory.restored ??= restore(memory, deps.journal, settings.name);
  try {
    await memory.restored;
  } catch (error) {
    memory.restored = undefined;
    throw error;
  }
}

function compileFilter({ exclude_actions, only_actions }: SourceSettings['filter']): (facts: RecordFacts) => boolean {
  const excluded = new Set(exclude_actions);
  const only = only_actions === undefined ? undefined : new Set(only_actions);
  return ({ actionKey, unreadable }) => {
    // What has no action cannot be judged by its action, and every record counts.
    if (actionKey === undefined || unreadable !== undefined) return false;
    return excluded.has(actionKey) || (only !== undefined && !only.has(actionKey));
  };
}

/** Puts together what the loops of a source share. */
export function openContext(settings: SourceSettings, deps: CollectDeps): SourceContext {
  return {
    settings,
    deps,
    log: deps.log,
    memory: memoryOf(deps.journal, settings.name),
    counts: zeroCounts(),
    isFiltered: compileFilter(settings.filter),
  };
}

/** What time it is for the vendor as far as its Date header told within the last 15 minutes: never ahead of our own clock. */
export function vendorNow({ memory, deps }: SourceContext): number {
  const now = deps.seams.clock.now();
  const { skew } = memory;
  // A skew that is not confirmed any more must not stop the windows for ever.
  if (skew === undefined || deps.seams.clock.monotonic() - skew.at > 900_000) return now;
  return Math.min(now, now + skew.ms);
}
