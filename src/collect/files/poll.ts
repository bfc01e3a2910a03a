// Files: unknown -> read chunk by chunk (rows committed so far are remembered) -> done; changed -> read again from the first row.
import { asPenstockError, consequenceOf } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { DirectoryReader, FileIdentity, FileListing, RawRecord } from '../../connectors/connector.ts';
import { type AdmissionCounts, admit, examineAll } from '../admit.ts';
import type { LiveCheckpoint } from '../checkpoint.ts';
import type { SourceContext } from '../context.ts';
import { openLiveCheckpoint } from '../live-checkpoint.ts';
import type { KindLoop, PollSession } from '../loop.ts';
import { align } from '../windows/windows.ts';

/** What is remembered of a file, in checkpoint `file:<path>`. */
interface FileCheckpoint extends FileIdentity {
  readonly sha256: string;
  /** Rows committed so far, of this content. */
  readonly rows: number;
  readonly done: boolean;
  /** The live checkpoint's start: after a reset every file is read again. */
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

const isSameFile = (a: FileIdentity, b: FileIdentity): boolean => a.size === b.size && a.mtimeMs === b.mtimeMs;

/** How rows of a file are read into the journal; shared by the loop and by imports. */
export interface FileRun {
  readonly lane: 'live' | 'backfill';
  readonly generation: number;
  /** Name of the checkpoint that remembers the file. */
  readonly checkpoint: string;
  readonly signal: AbortSignal;
  /** Stops between chunks. */
  readonly soft: AbortSignal;
  onChunk(counts: AdmissionCounts): void;
}

/** Reads a file unless it is known; true when rows were read. Rejects with what makes it unreadable; chunks committed before stay. */
export async function collectFile(
  c: SourceContext,
  reader: DirectoryReader,
  listing: FileListing,
  file: FileIdentity,
  run: FileRun,
): Promise<boolean> {
  const { journal } = c.deps;
  const stored = parseFile(await journal.checkpoint(c.settings.name, run.checkpoint));
  const known = stored?.generation === run.generation ? stored : undefined;
  if (known?.done === true && isSameFile(known, file)) return false;
  const sha256 = await listing.hash(file, run.signal);
  const isSame = known?.sha256 === sha256;
  const state = { ...file, sha256, rows: isSame ? known.rows : 0, done: false, generation: run.generation };
  if (isSame && known.done) {
    await journal.append({ source: c.settings.name, checkpoint: { name: run.checkpoint, value: { ...state, done: true } } });
    return false;
  }
  await readRows(c, reader.read(file, run.signal), state, run);
  return true;
}

async function readRows(
  c: SourceContext,
  chunks: AsyncIterable<readonly RawRecord[]>,
  state: FileCheckpoint,
  run: FileRun,
): Promise<void> {
  let row = 0;
  let rows = state.rows;
  const commit = async (raws: readonly RawRecord[], done: boolean): Promise<void> => {
    const key = `${state.path} ${state.sha256.slice(0, 16)}`;
    const checkpoint = { name: run.checkpoint, value: { ...state, rows, done } };
    const facts = await examineAll(c, raws);
    run.onChunk(await admit(c, facts, { lane: run.lane, window: { key, from: null, to: null }, checkpoint, complete: done }));
  };
  for await (const chunk of chunks) {
    const first = row;
    row += chunk.length;
    if (row <= state.rows) continue;
    const fresh = first >= state.rows ? chunk : chunk.slice(state.rows - first);
    rows = row;
    await commit(fresh, false);
    run.soft.throwIfAborted();
  }
  await commit([], true);
}

interface DirectoryFacts {
  skipped: Map<string, string>;
  failed: Map<string, string>;
  files: number;
}

/** The loop of a directory source. */
export function directoryKind(c: SourceContext): KindLoop<DirectoryReader> {
  const facts: DirectoryFacts = { skipped: new Map(), failed: new Map(), files: 0 };
  const finished = new Map<string, FileIdentity>();
  return {
    hasWindows: false,
    poll: (reader, session) => pollDirectory(c, reader, session, facts, finished),
    details: () => ({ files: facts.files, skipped_files: shown(facts.skipped), failed_files: shown(facts.failed) }),
    warnings: () => [...notices('skipped', facts.skipped), ...notices('cannot be read', facts.failed)],
  };
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

async function pollDirectory(
  c: SourceContext,
  reader: DirectoryReader,
  session: PollSession,
  facts: DirectoryFacts,
  finished: Map<string, FileIdentity>,
): Promise<void> {
  const { soft } = session.halt;
  const live = await openLiveCheckpoint(c, align(c, c.deps.seams.clock.now()));
  const listing = await reader.list(soft);
  session.onAnswer();
  facts.files = listing.files.length;
  noteSkipped(c, facts, listing);
  forget(facts.failed, finished, listing);
  for (const file of listing.files) {
    const last = finished.get(file.path);
    if (last !== undefined && isSameFile(last, file)) continue;
    await session.waitForRoom();
    await tryFile(c, reader, { listing, file, live, session, facts, finished });
    soft.throwIfAborted();
  }
  if (c.memory.newestTime !== undefined) session.onCursor(c.memory.newestTime);
}

interface FileTry {
  readonly listing: FileListing;
  readonly file: FileIdentity;
  readonly live: LiveCheckpoint;
  readonly session: PollSession;
  readonly facts: DirectoryFacts;
  readonly finished: Map<string, FileIdentity>;
}

/** Reads one file; what is wrong with it alone is noted and keeps no other file waiting. */
async function tryFile(
  c: SourceContext,
  reader: DirectoryReader,
  { listing, file, live, session, facts, finished }: FileTry,
): Promise<void> {
  const { soft, hard } = session.halt;
  const total = { rows: 0, new: 0 };
  try {
    const isRead = await collectFile(c, reader, listing, file, {
      lane: 'live',
      generation: live.start,
      checkpoint: `file:${file.path}`,
      signal: hard,
      soft,
      onChunk(counts) {
        total.rows += counts.fetched;
        total.new += counts.new;
      },
    });
    finished.set(file.path, file);
    facts.failed.delete(file.path);
    if (isRead) c.log.info({ file: file.path, ...total }, 'file read');
  } catch (thrown) {
    const error = asPenstockError(thrown);
    if (soft.aborted || consequenceOf(error).walk !== 'skip_file') throw thrown;
    const isNews = facts.failed.get(file.path) !== error.message;
    facts.failed.set(file.path, error.message);
    if (isNews) c.log.warn({ err: error, file: file.path }, 'file cannot be read, it is tried again at each poll');
  }
}

function noteSkipped({ log }: SourceContext, facts: DirectoryFacts, { skipped }: FileListing): void {
  for (const { path, reason } of skipped)
    if (facts.skipped.get(path) !== reason) log.warn({ file: path, reason }, 'file skipped');
  facts.skipped = new Map(skipped.map(({ path, reason }) => [path, reason]));
}

// What is remembered follows the directory: files that went away leave nothing behind.
function forget(failed: Map<string, string>, finished: Map<string, FileIdentity>, { files }: FileListing): void {
  const present = new Set(files.map(({ path }) => path));
  for (const path of failed.keys()) if (!present.has(path)) failed.delete(path);
  for (const path of finished.keys()) if (!present.has(path)) finished.delete(path);
}
