import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import type { DirectoryReader, FileIdentity, FileListing } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import { openContext, restoreMemory, type SourceContext } from '../context.ts';
import type { CollectDeps } from '../source.ts';
import { collectFile } from './poll.ts';

/** How far an import is. */
export interface ImportProgress {
  readonly files: number;
  readonly files_done: number;
  /** The file being read. */
  readonly file: string;
  readonly fetched: number;
  readonly new: number;
  readonly duplicate: number;
}

export interface ImportOptions {
  readonly job: number;
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly signal: AbortSignal;
  /** Default `backfill`. */
  readonly lane?: 'live' | 'backfill';
}

/**
 * Reads files (paths as the operator names them) into a directory source, wherever they lie. Goes on within a file where an interrupted run
 * of the same job stopped; rows that the source collected before are filtered as duplicates. Rejects with PEN_FILE_UNREADABLE, naming the
 * file, when one is missing or not what the connector reads; files before it stay imported.
 */
export async function importCsvFiles(
  settings: SourceSettings,
  deps: CollectDeps,
  files: readonly string[],
  options: ImportOptions,
): Promise<ImportProgress> {
  const c = openContext(settings, deps);
  await restoreMemory(c);
  const progress = { files: files.length, files_done: 0, file: '', fetched: 0, new: 0, duplicate: 0 };
  for (const path of files) {
    progress.file = path;
    while (!deps.journal.hasRoom()) await sleep(deps.seams.clock, 1_000, options.signal);
    await importFile(c, path, options, (counts) => {
      progress.fetched += counts.fetched;
      progress.new += counts.new;
      progress.duplicate += counts.duplicate;
      options.onProgress?.({ ...progress });
    });
    progress.files_done += 1;
    options.onProgress?.({ ...progress });
  }
  return progress;
}

type Counts = Pick<ImportProgress, 'fetched' | 'new' | 'duplicate'>;

async function importFile(
  c: SourceContext,
  path: string,
  { job, signal, lane = 'backfill' }: ImportOptions,
  onChunk: (counts: Counts) => void,
): Promise<void> {
  await using reader = await openDirectory(c, dirname(path));
  const listing = await reader.list(signal);
  const file = find(listing, path);
  const checkpoint = `job:${job}:${createHash('sha256').update(path).digest('hex').slice(0, 16)}`;
  await collectFile(c, reader, listing, file, { lane, generation: job, checkpoint, signal, soft: signal, onChunk });
}

async function openDirectory({ deps, settings }: SourceContext, directory: string): Promise<DirectoryReader> {
  const reader = await (deps.openDirectory?.(directory) ?? deps.openReader());
  if (reader.kind === 'csv_directory') return reader;
  await reader[Symbol.asyncDispose]();
  const fix = `collect an older range instead: penstock backfill ${settings.name} --from --to`;
  throw new PenstockError('PEN_OPERATION_FAILED', 'it does not read files', { where: `source ${settings.name}`, fix });
}

function find({ files, skipped }: FileListing, path: string): FileIdentity {
  const name = basename(path);
  const file = files.find((item) => item.path === name);
  if (file !== undefined) return file;
  const reason = skipped.find((item) => item.path === name)?.reason ?? 'there is no such file';
  throw new PenstockError('PEN_FILE_UNREADABLE', reason, {
    where: path,
    fix: 'name regular files that the source can read, with the ending it expects',
  });
}
