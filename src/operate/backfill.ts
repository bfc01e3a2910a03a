import { PenstockError } from '../base/errors.ts';
import { importCsvFiles, runRange } from '../collect/index.ts';
import type { Operation } from './jobs.ts';
import type { RunningSource, Runtime } from './runtime.ts';

/** Arguments of a backfill: event times in milliseconds, both inclusive. */
export interface BackfillArguments {
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/** Arguments of an import: absolute paths. */
export interface ImportArguments {
  readonly source: string;
  readonly files: readonly string[];
}

/** The enabled source of that name; PEN_NOT_FOUND names those that exist. */
export function runningSource(runtime: Runtime, name: string): RunningSource {
  const source = runtime.sources.get(name);
  if (source !== undefined) return source;
  const known = [...runtime.sources.keys()].join(', ');
  throw new PenstockError('PEN_NOT_FOUND', `no enabled source is called "${name}"`, { fix: `use one of: ${known}` });
}

/** Collects an older time range in its own lane, beside the live loop and within its rate budget. */
export const backfill: Operation = async (job, runtime, report, signal) => {
  const { source, from, to } = job.args as BackfillArguments;
  const { settings, deps } = runningSource(runtime, source);
  const last = await runRange(
    settings,
    deps,
    { job: job.id, from, to },
    { onProgress: (progress) => report({ ...progress, from, to }), signal, lane: 'backfill' },
  );
  return { ...last, from, to };
};

/** Reads files of a directory source that lie elsewhere. */
export const importFiles: Operation = async (job, runtime, report, signal) => {
  const { source, files } = job.args as ImportArguments;
  const { settings, deps } = runningSource(runtime, source);
  return importCsvFiles(settings, deps, files, { job: job.id, onProgress: report, signal });
};
