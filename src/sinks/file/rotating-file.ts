// The file that is written now. States: closed -> open (repaired, its size and period known) -> closed, by rotation, because somebody
// moved the file, or after a failed write: what follows begins with a fresh look at it.
import type { Log } from '../../base/log.ts';
import { sizeBytes } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import { type LineFile, openLineFile } from './line-file.ts';
import type { FileSinkOptions } from './options.ts';
import { moveAway, periodOf, tidyRotated } from './rotation.ts';

/** Gives the open file, moving it away when its size or its time is over. One caller at a time. */
export class RotatingFile implements AsyncDisposable {
  /** Size that no file passes unless one line alone is larger. */
  readonly maxBytes: number;
  readonly #path: string;
  readonly #options: FileSinkOptions;
  readonly #seams: Pick<Seams, 'clock' | 'files'>;
  readonly #log: Log;
  #current: LineFile | undefined;
  #period = '';
  #tidying: Promise<void> = Promise.resolve();

  constructor(path: string, options: FileSinkOptions, seams: Pick<Seams, 'clock' | 'files'>, log: Log) {
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
    const next = await this.#open();
    this.#period = period;
    return next;
  }

  /** Closes the file after a failure. */
  async giveUp(): Promise<void> {
    try {
      await this.#close();
    } catch (err) {
      this.#log.warn({ err, path: this.#path }, 'cannot close the file');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#tidying;
  }

  async #open(): Promise<LineFile> {
    if (this.#current !== undefined && !(await this.#current.isCurrent())) await this.#close();
    if (this.#current !== undefined) return this.#current;
    const opened = await openLineFile(this.#path, this.#seams.files);
    if (opened.repaired > 0) {
      this.#log.warn(
        { path: this.#path, bytes: opened.repaired },
        'cut off a torn last line; its event was never acknowledged and is sent again',
      );
    }
    this.#period = this.#periodNow(opened.lastWritten);
    this.#current = opened;
    if (this.#options.rotate !== undefined) this.#tidy();
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
    const options = { compress: this.#options.compress_rotated, keep: this.#options.keep_files };
    this.#tidying = this.#tidying
      .then(() => tidyRotated(this.#path, options, this.#seams.files))
      .catch((err: unknown) =>
        this.#log.warn({ err, path: this.#path }, 'cannot tidy up rotated files; tried again at the next rotation'),
      );
  }
}
