// One file: unknown -> read chunk by chunk (rows committed so far are remembered) -> done; changed -> read again from the first row.
import { isObject, type Json } from '../../base/json.ts';
import type { DirectoryReader, FileIdentity, FileListing } from '../../connectors/connector.ts';
import type { SourceTotals } from '../../journal/counts.ts';
import { admit } from '../admit.ts';
import type { Halt, SourceContext } from '../context.ts';
import { examineAll } from '../examine.ts';

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
export const isSameFile = (a: FileIdentity, b: FileIdentity): boolean => a.size === b.size && a.mtimeMs === b.mtimeMs;

/** A listed file, and where its rows go. */
export interface ListedFile {
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
