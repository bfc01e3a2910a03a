// The file that is written now. States: closed -> open (repaired, its size and period known) -> closed, by rotation, because somebody
// moved the file, or after a failed write: what follows begins with a fresh look at it.
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Log } from '../../base/log.ts';
import { unlessGone } from '../../base/own-file.ts';
import { sizeBytes } from '../../base/quantity.ts';
import type { Files, Seams } from '../../base/seams.ts';
import { type LineFile, openLineFile, openUnlinked, syncFolder, writeAll } from './line-file.ts';
import type { FileSinkOptions } from './options.ts';

/** Gives the open file, moving it away when its size or its time is over. One caller at a time. */
export class RotatingFile implements AsyncDisposable {
  /** Size that no file passes unless one line alone is larger. */
  readonly maxBytes: number;
  readonly #path: string;
  readonly #options: FileSinkOptions & { readonly isRaw: boolean };
  readonly #seams: Pick<Seams, 'clock' | 'files'>;
  readonly #log: Log;
  #current: LineFile | undefined;
  #period = '';
  #wasOpened = false;
  #tidying: Promise<void> = Promise.resolve();

  constructor(
    path: string,
    options: FileSinkOptions & { readonly isRaw: boolean },
    seams: Pick<Seams, 'clock' | 'files'>,
    log: Log,
  ) {
    this.maxBytes = options.rotate?.size === undefined ? Number.POSITIVE_INFINITY : sizeBytes(options.rotate.size);
    this.#path = path;
    this.#options = options;
    this.#seams = seams;
    this.#log = log;
  }

  /** The file that the next line of `bytes` belongs into. Throws what the file system says. */
  async ready(bytes: number): Promise<LineFile> {
    const opened = await this.#open();
    const period = this.#periodNow();
    if (opened.size === 0) this.#period = period;
    if (opened.size === 0 || (this.#period === period && opened.size + bytes <= this.maxBytes)) return opened;
    await this.#close();
    await moveAway(this.#path, this.#seams.clock.now(), this.#seams.files);
    this.#tidy();
    const next = await this.#open();
    this.#period = period;
    return next;
  }

  /** Grows while rotated files are compressed, also those of others: they come before or after. */
  get steps(): number {
    return steps;
  }

  /** Closes the file after a failure; true where some of what failed may have stayed in it. */
  async giveUp(): Promise<boolean> {
    const mayStay = this.#current?.mayHoldMore === true;
    try {
      await this.#close();
    } catch (err) {
      this.#log.warn({ err, path: this.#path }, 'cannot close the file');
    }
    return mayStay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#tidying;
  }

  async #open(): Promise<LineFile> {
    if (this.#current !== undefined && !(await this.#current.isCurrent())) await this.#close();
    if (this.#current !== undefined) return this.#current;
    const opened = await openLineFile(this.#path, this.#seams.files, this.#options.isRaw);
    if (opened.repaired > 0) {
      this.#log.warn(
        { path: this.#path, bytes: opened.repaired },
        'cut off a torn last line; its event was never acknowledged and is sent again',
      );
    }
    this.#period = this.#periodNow(opened.lastWritten);
    this.#current = opened;
    // What an earlier process left; a file that is opened again after a failure left nothing.
    if (!this.#wasOpened) this.#tidy();
    this.#wasOpened = true;
    return opened;
  }

  #periodNow(ms = this.#seams.clock.now()): string {
    const every = this.#options.rotate?.every;
    return every === undefined ? '' : periodOf(ms, every);
  }

  async #close(): Promise<void> {
    const last = this.#current;
    this.#current = undefined;
    await last?.[Symbol.asyncDispose]();
  }

  // Compressing a large file takes a while; lines are written meanwhile.
  #tidy(): void {
    if (this.#options.rotate === undefined) return;
    const options = { compress: this.#options.compress_rotated, keep: this.#options.keep_files };
    this.#tidying = tidying = tidying
      .then(() => tidyRotated(this.#path, options, this.#seams.files))
      .catch((err: unknown) =>
        this.#log.warn({ err, path: this.#path }, 'cannot tidy up rotated files; tried again at the next rotation'),
      );
  }
}

/** All sinks take turns: a disk that stands still keeps one thread, and who opens a path anew comes after who had it. */
let tidying: Promise<void> = Promise.resolve();
let steps = 0;

const chunkBytes = 256 * 1024;

/** The UTC hour or day of a time, as a comparable text. */
function periodOf(ms: number, every: 'day' | 'hour'): string {
  return new Date(ms).toISOString().slice(0, every === 'day' ? 10 : 13);
}

/** `audit.ndjson` at 2026-11-21T09:45:00.123Z, second file of that moment -> `audit.20261121T094500.123Z-1.ndjson`. */
function rotatedName(path: string, stamp: string, number: number): string {
  const extension = extname(path);
  return `${basename(path, extension)}.${stamp}${number === 0 ? '' : `-${number}`}${extension}`;
}

/** Matches the names that {@link rotatedName} gives to a path, compressed or not. */
function rotatedPattern(path: string): RegExp {
  const extension = extname(path);
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(
    `^${literal(basename(path, extension))}\\.(\\d{8}T\\d{6}\\.\\d{3}Z)(?:-(\\d+))?${literal(extension)}(\\.gz)?(\\.part)?$`,
  );
}

/**
 * Moves the file away under a name of its time; never over another file. The names alone say which file is older, so where the clock was ahead
 * when the newest of them was moved, or is behind now, it gets that one's time and the next number. Returns the new path.
 */
async function moveAway(path: string, ms: number, files: Files): Promise<string> {
  const folder = dirname(path);
  const now = new Date(ms).toISOString().replace(/[-:]/g, '');
  const newest = (await listRotated(path, files)).at(-1);
  const isFirst = newest === undefined || newest.stamp < now;
  const stamp = isFirst ? now : newest.stamp;
  for (let number = isFirst ? 0 : newest.number + 1; ; number += 1) {
    const target = join(folder, rotatedName(path, stamp, number));
    const taken = [target, `${target}.gz`].map((one) => unlessGone(files.lstat(one)));
    if ((await Promise.all(taken)).some((stat) => stat !== undefined)) continue;
    await files.rename(path, target);
    await syncFolder(folder, files);
    return target;
  }
}

interface Rotated {
  readonly name: string;
  readonly stamp: string;
  readonly number: number;
  readonly isCompressed: boolean;
  readonly isPart: boolean;
}

async function listRotated(path: string, files: Files): Promise<Rotated[]> {
  const pattern = rotatedPattern(path);
  const matches = (await files.readdir(dirname(path))).map((name) => pattern.exec(name)).filter((match) => match !== null);
  return matches
    .map((match) => ({
      name: match[0],
      stamp: match[1] ?? '',
      number: Number(match[2] ?? 0),
      isCompressed: match[3] !== undefined,
      isPart: match[4] !== undefined,
    }))
    .sort((a, b) => (a.stamp === b.stamp ? a.number - b.number : a.stamp < b.stamp ? -1 : 1));
}

/**
 * What is done to files already rotated: half-made `.gz` of a crash are deleted, of the rest the newest `keep` stay, and these are compressed if
 * asked. In this order, so that a full disk gets room; a file that cannot be compressed keeps no other from it. Can be repeated at any time.
 */
async function tidyRotated(path: string, options: { compress: boolean; keep: number | undefined }, files: Files): Promise<void> {
  const folder = dirname(path);
  const listed = await listRotated(path, files);
  for (const { name, isPart } of listed) if (isPart) await files.unlink(join(folder, name));
  const rotated = listed.filter(({ isPart }) => !isPart);
  const surplus = rotated.slice(0, Math.max(0, rotated.length - (options.keep ?? rotated.length)));
  for (const { name } of surplus) await files.unlink(join(folder, name));
  if (!options.compress) return;
  const faults: unknown[] = [];
  for (const { name, isCompressed } of rotated.slice(surplus.length))
    if (!isCompressed) await compress(join(folder, name), files).catch((fault: unknown) => faults.push(fault));
  if (faults.length > 0) throw faults[0];
}

/** Writes `path.gz` beside the file and deletes the file once the copy is on disk. */
async function compress(path: string, files: Files): Promise<void> {
  const part = `${path}.gz.part`;
  try {
    await writeCompressed(path, part, files);
  } catch (error) {
    // On a full disk it would take the room that is left.
    await unlessGone(files.unlink(part));
    throw error;
  }
  await files.rename(part, `${path}.gz`);
  await syncFolder(dirname(path), files);
  await files.unlink(path);
}

async function writeCompressed(path: string, part: string, files: Files): Promise<void> {
  await using source = await openUnlinked(path, files, 'read');
  await using target = await files.open(part, 'wx', 0o600);
  await pipeline(chunksOf(source), createGzip(), async (compressed: AsyncIterable<Buffer>) => {
    for await (const chunk of compressed) {
      await writeAll(target, chunk);
      steps += 1;
    }
  });
  await target.sync();
}

// The handle's own streams would close it, or never end a pipeline when told not to.
async function* chunksOf(source: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { bytesRead, buffer } = await source.read(Buffer.alloc(chunkBytes), 0, chunkBytes, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
