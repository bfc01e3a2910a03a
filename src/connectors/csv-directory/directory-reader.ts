import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '../../base/clock.ts';
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { saveAs } from '../../base/file-text.ts';
import type { Log } from '../../base/log.ts';
import { formatSize, sizeBytes } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import type { DirectoryReader, FileIdentity, FileListing } from '../connector.ts';
import type { CsvDirectorySpec } from '../read-section.ts';
import { openListed } from './opened-file.ts';
import { type FolderFiles, fileFault, patientFiles } from './patient-files.ts';
import { readRows } from './rows.ts';

/** A file that nobody has written to for this long counts as complete when it is first seen. */
const restMs = 10_000;
/** Between two checks of a fresh file. */
const lookMs = 1_000;

type Skipped = FileListing['skipped'][number];
type Look = { readonly file: FileIdentity } | { readonly skipped: Skipped } | undefined;

/** Opens the reader of one folder. Reads only: nothing in the folder is written, moved or locked. */
export function openDirectoryReader(
  spec: CsvDirectorySpec,
  directory: string,
  { seams, log }: { readonly seams: Seams; readonly log: Log },
): DirectoryReader {
  const watch = new Watch(spec, directory, seams.clock);
  const source = { directory, log, columns: spec.columns, required: spec.required ?? [] };
  const files = (signal: AbortSignal): FolderFiles => patientFiles(directory, seams.files, seams.clock, signal);
  return {
    kind: 'csv_directory',
    list: async (signal) => ({
      ...(await watch.list(files(signal), signal)),
      hash: (file, hashSignal) => hashOf(directory, file, files(hashSignal), hashSignal),
    }),
    read: (file, signal) => readRows({ ...source, files: files(signal) }, file, signal),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Looks at the folder and remembers the last look: a file counts as whole when two looks saw the same. */
class Watch {
  readonly #spec: CsvDirectorySpec;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  #seen = new Map<string, FileIdentity>();
  /** What the first bytes of a file say, by path; undefined means a table. */
  readonly #kinds = new Map<string, { readonly file: FileIdentity; readonly reason: string | undefined }>();

  constructor(spec: CsvDirectorySpec, directory: string, clock: Clock) {
    this.#spec = spec;
    this.#directory = directory;
    this.#clock = clock;
    this.#maxBytes = sizeBytes(spec.max_bytes ?? '1GiB');
  }

  async list(files: FolderFiles, signal: AbortSignal): Promise<Omit<FileListing, 'hash'>> {
    const names = await this.#names(files);
    const looks: Look[] = [];
    for (const name of names) looks.push(await this.#look(files, name));
    const found = looks.flatMap((look) => (look !== undefined && 'file' in look ? [look.file] : []));
    const fresh = found.filter((file) => !this.#isResting(file));
    if (fresh.length > 0) await sleep(this.#clock, lookMs, signal);
    const growing = new Set<string>();
    for (const file of fresh) if (!(await this.#isUnchanged(files, file))) growing.add(file.path);
    this.#seen = new Map(found.map((file) => [file.path, file]));
    for (const path of this.#kinds.keys()) if (!this.#seen.has(path)) this.#kinds.delete(path);
    const whole = found.filter(({ path }) => !growing.has(path));
    const typed = await this.#sortOut(files, whole);
    const skipped = looks.flatMap((look) => (look !== undefined && 'skipped' in look ? [look.skipped] : []));
    const stillGrowing = [...growing].map((path) => ({ path, reason: 'it is still being written' }));
    return {
      files: typed.files.sort((a, b) => a.mtimeMs - b.mtimeMs || (a.path < b.path ? -1 : 1)),
      skipped: [...skipped, ...stillGrowing, ...typed.skipped],
    };
  }

  async #names(files: FolderFiles): Promise<string[]> {
    try {
      return (await files.readdir(this.#directory)).filter((name) => !name.startsWith('.')).sort();
    } catch (error) {
      fileFault(error);
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown fault';
      throw new PenstockError('PEN_FILE_UNREADABLE', `cannot list the folder "${this.#directory}": ${code}`, {
        fix: 'create the folder, and let the user of this process read it',
        cause: error,
      });
    }
  }

  async #look(files: FolderFiles, name: string): Promise<Look> {
    const stats = await files.lstat(join(this.#directory, name)).catch(fileFault);
    if (stats === undefined) return undefined;
    const reason = this.#reasonToSkip(name, stats);
    if (reason !== undefined) return { skipped: { path: name, reason } };
    return { file: { path: name, size: stats.size, mtimeMs: stats.mtimeMs } };
  }

  #reasonToSkip(name: string, stats: Stats): string | undefined {
    if (stats.isSymbolicLink()) return 'it is a link; links are not followed';
    if (stats.isDirectory()) return 'it is a folder; only the folder itself is read';
    if (!stats.isFile()) return 'it is not a regular file';
    const ending = this.#spec.pattern ?? '.csv';
    if (!name.toLowerCase().endsWith(ending.toLowerCase())) return `its name does not end in ${ending}`;
    if (stats.size === 0) return 'it is empty';
    return stats.size > this.#maxBytes ? `it has ${formatSize(stats.size)}, more than ${formatSize(this.#maxBytes)}` : undefined;
  }

  #isResting(file: FileIdentity): boolean {
    const last = this.#seen.get(file.path);
    if (last !== undefined) return last.size === file.size && last.mtimeMs === file.mtimeMs;
    return this.#clock.now() - file.mtimeMs > restMs;
  }

  async #isUnchanged(files: FolderFiles, file: FileIdentity): Promise<boolean> {
    const now = await this.#look(files, file.path);
    return now !== undefined && 'file' in now && now.file.size === file.size && now.file.mtimeMs === file.mtimeMs;
  }

  async #sortOut(files: FolderFiles, found: readonly FileIdentity[]): Promise<{ files: FileIdentity[]; skipped: Skipped[] }> {
    const tables: FileIdentity[] = [];
    const skipped: Skipped[] = [];
    for (const file of found) {
      const known = this.#kinds.get(file.path);
      const isKnown = known !== undefined && known.file.size === file.size && known.file.mtimeMs === file.mtimeMs;
      const reason = isKnown ? known.reason : await this.#reasonInside(files, file);
      this.#kinds.set(file.path, { file, reason });
      if (reason === undefined) tables.push(file);
      else skipped.push({ path: file.path, reason });
    }
    return { files: tables, skipped };
  }

  async #reasonInside(files: FolderFiles, file: FileIdentity): Promise<string | undefined> {
    try {
      await using opened = await openListed(this.#directory, file, files);
      return foreignContent(await opened.head(512));
    } catch (error) {
      if (error instanceof PenstockError && consequenceOf(error).walk === 'skip_file') return error.message;
      throw error;
    }
  }
}

async function hashOf(directory: string, file: FileIdentity, files: FolderFiles, signal: AbortSignal): Promise<string> {
  await using opened = await openListed(directory, file, files);
  const hash = createHash('sha256');
  for await (const chunk of opened.bytes(signal)) hash.update(chunk);
  await opened.verify();
  return hash.digest('hex');
}

/** Why these first bytes are not those of a text in UTF-8; undefined when they are. */
function foreignContent(head: Buffer): string | undefined {
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return `it is UTF-16 text: ${saveAs('UTF-16')}`;
  if (first === 0x1f && second === 0x8b) return 'it is compressed (gzip): unpack it';
  if (head.subarray(0, 4).toString('latin1') === 'PK\u0003\u0004')
    return 'it is a ZIP archive or a spreadsheet: unpack it, or save it as CSV';
  // What is below the header a user may have written: one odd character there must not hide the file.
  const lineEnd = head.indexOf(0x0a);
  return head.subarray(0, lineEnd === -1 ? head.length : lineEnd).includes(0) ? 'it is not text in UTF-8' : undefined;
}
