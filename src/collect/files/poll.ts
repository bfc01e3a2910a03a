// A source that is a directory: every file that is not known yet is read, one after the other.
import { asPenstockError, consequenceOf } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { DirectoryReader, FileIdentity, FileListing, Reader } from '../../connectors/connector.ts';
import { addCounts, type SourceTotals, zeroCounts } from '../../journal/counts.ts';
import { admit } from '../admit.ts';
import { openLiveCheckpoint } from '../checkpoint.ts';
import { type Halt, type SourceContext, untilRoom } from '../context.ts';
import { examineAll } from '../examine.ts';
import { type Kind, type Poll, readerOf } from '../kind.ts';
import { align } from '../windows/windows.ts';

export class FilesKind implements Kind {
  readonly hasWindows = false;
  readonly #context: SourceContext;
  /** Files that this process knows to be done. */
  readonly #finished = new Map<string, FileIdentity>();
  /** Why, by path. */
  readonly #failed = new Map<string, string>();
  #skipped: ReadonlyMap<string, string> = new Map();
  #files = 0;

  constructor(context: SourceContext) {
    this.#context = context;
  }

  async poll(reader: Reader, { halt }: Poll): Promise<void> {
    const context = this.#context;
    const directory = readerOf('csv_directory', reader);
    // After a reset the start differs, and every file is read again.
    const { start } = await openLiveCheckpoint(context, align(context, context.seams.clock.now()));
    const listing = await directory.list(halt.soft);
    context.health.answered();
    this.#files = listing.files.length;
    this.#noteSkipped(listing);
    this.#forget(listing);
    for (const file of listing.files) {
      const last = this.#finished.get(file.path);
      if (last !== undefined && isSameFile(last, file)) continue;
      await untilRoom(context, halt.soft);
      const listed = { file, listing, lane: 'live' as const, checkpoint: `file:${file.path}`, generation: start };
      await this.#tryFile(directory, listed, halt);
      halt.soft.throwIfAborted();
    }
    if (context.memory.newestTime !== undefined) context.state.cursor = context.memory.newestTime;
  }

  details(): Readonly<Record<string, unknown>> {
    return { files: this.#files, skipped_files: shown(this.#skipped), failed_files: shown(this.#failed) };
  }

  warnings(): readonly string[] {
    return [...notices('skipped', this.#skipped), ...notices('cannot be read', this.#failed)];
  }

  /** Reads one file; what is wrong with it alone is noted and keeps no other file waiting. */
  async #tryFile(reader: DirectoryReader, listed: ListedFile, halt: Poll['halt']): Promise<void> {
    const { path } = listed.file;
    try {
      await readFile(this.#context, reader, listed, halt);
      this.#finished.set(path, listed.file);
      this.#failed.delete(path);
    } catch (thrown) {
      const error = asPenstockError(thrown);
      if (halt.soft.aborted || consequenceOf(error).walk !== 'skip_file') throw thrown;
      const isNews = this.#failed.get(path) !== error.message;
      this.#failed.set(path, error.message);
      if (isNews) this.#context.log.warn({ err: error, file: path }, 'file cannot be read, it is tried again at each poll');
    }
  }

  #noteSkipped({ skipped }: FileListing): void {
    for (const { path, reason } of skipped)
      if (this.#skipped.get(path) !== reason) this.#context.log.warn({ file: path, reason }, 'file skipped');
    this.#skipped = new Map(skipped.map(({ path, reason }) => [path, reason]));
  }

  // What is remembered follows the directory: files that went away leave nothing behind.
  #forget({ files }: FileListing): void {
    const present = new Set(files.map(({ path }) => path));
    for (const path of this.#failed.keys()) if (!present.has(path)) this.#failed.delete(path);
    for (const path of this.#finished.keys()) if (!present.has(path)) this.#finished.delete(path);
  }
}

async function readFile(context: SourceContext, reader: DirectoryReader, listed: ListedFile, halt: Poll['halt']): Promise<void> {
  const total = zeroCounts();
  let commits = 0;
  for await (const counts of collectFile(context, reader, listed, halt)) {
    addCounts(total, counts);
    commits += 1;
  }
  if (commits === 0) return;
  await context.health.succeeded();
  context.log.info({ file: listed.file.path, rows: total.fetched, new: total.new }, 'file read');
}

const shownFiles = 20;

function shown(files: ReadonlyMap<string, string>): { path: string; reason: string }[] {
  return [...files].slice(0, shownFiles).map(([path, reason]) => ({ path, reason }));
}

function notices(what: string, files: ReadonlyMap<string, string>): string[] {
  const [first] = files;
  if (first === undefined) return [];
  const more = files.size === 1 ? '' : `, and ${files.size - 1} more`;
  return [`file ${what}: ${first[0]} (${first[1]})${more}`];
}

// One file: unknown -> read chunk by chunk (rows committed so far are remembered) -> done; changed -> read again from the first row.

/** What is remembered of a file, in a checkpoint of its own. */
interface FileCheckpoint extends FileIdentity {
  readonly sha256: string;
  /** Rows committed so far, of this content. */
  readonly rows: number;
  readonly done: boolean;
  readonly generation: number;
}

function parseFile(value: Json): FileCheckpoint | undefined {
  if (!isObject(value)) return undefined;
  const { path, size, mtimeMs, sha256, rows, done, generation } = value;
  if (typeof path !== 'string' || typeof size !== 'number' || typeof mtimeMs !== 'number' || typeof sha256 !== 'string')
    return undefined;
  if (typeof rows !== 'number' || typeof generation !== 'number') return undefined;
  return { path, size, mtimeMs, sha256, rows, done: done === true, generation };
}

/** True when neither size nor time of change differ. */
const isSameFile = (a: FileIdentity, b: FileIdentity): boolean => a.size === b.size && a.mtimeMs === b.mtimeMs;

/** A listed file, and where its rows go. */
interface ListedFile {
  readonly file: FileIdentity;
  readonly listing: FileListing;
  readonly lane: 'live' | 'backfill';
  /** Name of the checkpoint that remembers the file. */
  readonly checkpoint: string;
  /** A file that was remembered under another number is read again. */
  readonly generation: number;
}

/**
 * Reads a file unless it is known, chunk by chunk, and yields the counts of each commit: none for a file that is known. Rejects with what
 * makes it unreadable; chunks committed before stay.
 */
export async function* collectFile(
  context: SourceContext,
  reader: DirectoryReader,
  listed: ListedFile,
  halt: Halt,
): AsyncGenerator<SourceTotals, void, undefined> {
  const { journal, settings } = context;
  const { file, listing, checkpoint: name, generation } = listed;
  const stored = parseFile(await journal.checkpoint(settings.name, name));
  const known = stored?.generation === generation ? stored : undefined;
  if (known?.done === true && isSameFile(known, file)) return;
  const sha256 = await listing.hash(file, halt.hard);
  const isSame = known?.sha256 === sha256;
  const state = { ...file, sha256, rows: isSame ? known.rows : 0, done: false, generation };
  if (isSame && known.done) {
    await journal.append({ source: settings.name, checkpoint: { name, value: { ...state, done: true } } });
    return;
  }
  yield* collectRows(context, reader, listed, state, halt);
}

async function* collectRows(
  context: SourceContext,
  reader: DirectoryReader,
  { file, lane, checkpoint: name }: ListedFile,
  state: FileCheckpoint,
  halt: Halt,
): AsyncGenerator<SourceTotals, void, undefined> {
  const row = { key: `${state.path} ${state.sha256.slice(0, 16)}`, from: null, to: null };
  let rows = 0;
  for await (const chunk of reader.read(file, halt.hard)) {
    const fresh = chunk.slice(Math.max(0, state.rows - rows));
    rows += chunk.length;
    if (fresh.length === 0) continue;
    const facts = await examineAll(context, fresh);
    yield await admit(context, facts, { lane, row, checkpoint: { name, value: { ...state, rows } } });
    halt.soft.throwIfAborted();
  }
  const checkpoint = { name, value: { ...state, rows: Math.max(rows, state.rows), done: true } };
  yield await admit(context, [], { lane, row: { ...row, complete: true }, checkpoint });
}
