import { isObject, type Json } from '../../base/json.ts';
import { importCsvFiles, runRange } from '../../collect/index.ts';
import type { RangeProgress } from '../../collect/source.ts';
import { runningSource } from '../../runtime/by-name.ts';
import type { Operation } from './operation.ts';

/** Arguments of a backfill: event times in milliseconds, both inclusive. */
interface BackfillArguments {
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/** Arguments of an import: absolute paths. */
interface ImportArguments {
  readonly source: string;
  readonly files: readonly string[];
}

/**
 * Adds what the job had counted before its process ended. Progress is written twice a second, so a process that was killed may have
 * collected a few records more than it counted; none of them is missing.
 */
function countingOn(before: Json): (progress: RangeProgress) => RangeProgress {
  const counted = (name: 'fetched' | 'new' | 'duplicate'): number => (isObject(before) ? Number(before[name] ?? 0) : 0);
  const base = { fetched: counted('fetched'), new: counted('new'), duplicate: counted('duplicate') };
  return ({ at, fetched, new: fresh, duplicate }) => ({
    at,
    fetched: base.fetched + fetched,
    new: base.new + fresh,
    duplicate: base.duplicate + duplicate,
  });
}

/** Collects an older time range in its own lane while the live loop goes on, within the same rate budget. */
export const backfill: Operation = async (job, runtime, report, signal) => {
  const { source, from, to } = job.args as BackfillArguments;
  const { settings, deps } = runningSource(runtime, source);
  const inAll = countingOn(job.progress);
  const last = await runRange(
    settings,
    deps,
    { job: job.id, from, to },
    { onProgress: (progress) => report({ ...inAll(progress), from, to }), signal, lane: 'backfill' },
  );
  return { ...inAll(last), from, to };
};

/** Reads files outside of the directory of a source into the journal. */
export const importFiles: Operation = async (job, runtime, report, signal) => {
  const { source, files } = job.args as ImportArguments;
  const { settings, deps } = runningSource(runtime, source);
  return importCsvFiles(settings, deps, files, { job: job.id, onProgress: report, signal });
};
