import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import type { DirectoryReader, FileIdentity, FileListing } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import { openContext, type SourceContext, untilRoom } from '../context.ts';
import { refusedFiles } from '../older-records.ts';
import type { SourceEnvironment } from '../source.ts';
import { collectFile } from './poll.ts';

/** How far an import is. */
interface ImportProgress {
  readonly files: number;
  readonly files_done: number;
  /** The file being read. */
  readonly file: string;
  readonly fetched: number;
  readonly new: number;
  readonly duplicate: number;
}

interface ImportOptions {
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
  environment: SourceEnvironment,
  files: readonly string[],
  options: ImportOptions,
): Promise<ImportProgress> {
  const context = openContext(settings, environment);
  await context.memory.restore(context.journal, settings.name, context.seams.clock);
  const progress = { files: files.length, files_done: 0, file: '', fetched: 0, new: 0, duplicate: 0 };
  for (const path of files) {
    progress.file = path;
    await untilRoom(context, options.signal);
    for await (const counts of importFile(context, path, options)) {
      progress.fetched += counts.fetched;
      progress.new += counts.new;
      progress.duplicate += counts.duplicate;
      options.onProgress?.({ ...progress });
    }
    progress.files_done += 1;
    options.onProgress?.({ ...progress });
  }
  return progress;
}

async function* importFile(context: SourceContext, path: string, { job, signal, lane = 'backfill' }: ImportOptions) {
  await using reader = await openDirectory(context, dirname(path));
  const listing = await reader.list(signal);
  const file = find(listing, path);
  const checkpoint = `job:${job}:${createHash('sha256').update(path).digest('hex').slice(0, 16)}`;
  yield* collectFile(context, reader, { file, listing, lane, checkpoint, generation: job }, { soft: signal, hard: signal });
}

async function openDirectory(context: SourceContext, directory: string): Promise<DirectoryReader> {
  const reader = await (context.openDirectory?.(directory) ?? context.openReader());
  if (reader.kind === 'csv_directory') return reader;
  await reader[Symbol.asyncDispose]();
  throw refusedFiles(context.settings.connector, context.settings.name);
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
