import { PenstockError } from '../../base/errors.ts';
import { formatSize } from '../../base/quantity.ts';
import type { JournalUsage, ServerState } from '../journal.ts';
import type { Core } from './core.ts';

/** What an id costs in the table and its index, bytes; measured. */
export const bytesPerId = 124;
/** What a row of a page costs besides its body, bytes. */
export const bytesPerRow = 250;
const bytesPerLetter = 1024;
const refreshMs = 5000;
// After the server's disk was found full, so long until an append is tried again.
const leanMs = 10_000;
// Sources that wait look again seconds after that, and until one has stored something the reason stands.
const refusalShownMs = 60_000;

type Refusal = NonNullable<ServerState['refusal']>;

interface Size {
  readonly bytes: number;
  readonly pages: number;
  readonly records: number;
}

interface Used {
  readonly bytes: number;
  readonly pages: number;
  readonly records: number;
  readonly ids: number;
  readonly letters: number;
  readonly oldest: number | null;
}

/**
 * How full the journal is, as far as this process knows: read every five seconds, with what it appended since. What counts is what is stored,
 * not the size of the tables: a database keeps the space of deleted rows for new ones. Replicas together may go over by what each
 * appends between two readings.
 */
export class Room {
  readonly #core: Core;
  readonly #maxBytes: number;
  readonly #worstPage: number;
  #relieve: (bytes: number) => Promise<void> = () => Promise.resolve();
  #used: Used = { bytes: 0, pages: 0, records: 0, ids: 0, letters: 0, oldest: null };
  #usedBytes = 0;
  #hasRoom = true;
  #answers = true;
  #leanUntil = Number.NEGATIVE_INFINITY;
  /** Why the server stored nothing, as it said last. */
  #refusal: Refusal | undefined;
  #timer: Disposable | undefined;
  #gained: Disposable | undefined;
  #closed = false;

  constructor(core: Core, maxBytes: number) {
    this.#core = core;
    this.#maxBytes = maxBytes;
    this.#worstPage = Math.min(maxBytes / 8, 32 * 1024 * 1024);
  }

  /** Reads how much is stored, now and from here on. */
  async start(): Promise<void> {
    await this.refresh();
    // Who is given sources was heard: those that begin with them need not wait for the next reading.
    this.#gained = this.#core.member?.watch({ gained: () => void (this.#answers = true), lost: () => undefined });
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.#gained?.[Symbol.dispose]();
  }

  async refresh(): Promise<void> {
    const { db } = this.#core;
    const [row] = await db.query<Used>(
      `SELECT coalesce(sum(bytes), 0) AS bytes, coalesce(sum(pages), 0) AS pages, coalesce(sum(records), 0) AS records, coalesce(sum(ids), 0) AS ids,
       (SELECT coalesce(sum(letters), 0) FROM ${db.s}.letter_counts) AS letters, (SELECT received FROM ${db.s}.pages ORDER BY id LIMIT 1) AS oldest FROM ${db.s}.counters`,
    );
    if (row === undefined) return;
    this.#used = row;
    this.#usedBytes = row.bytes + row.pages * bytesPerRow + row.ids * bytesPerId + row.letters * bytesPerLetter;
  }

  /** Sets what frees space: called with the bytes that are wanted. */
  relieveWith(how: (bytes: number) => Promise<void>): void {
    this.#relieve = how;
  }

  fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#maxBytes;
  }

  /** False from the moment that one more large page would not fit until a tenth of the journal is free again, and without the database. */
  hasRoom(): boolean {
    // What the server lacks says nothing of how full the journal is.
    if (this.#refused() !== undefined) return false;
    const wanted = this.#hasRoom ? this.#worstPage : this.#worstPage + this.#maxBytes / 10;
    this.#hasRoom = this.fits(wanted);
    // No append will come to make room while there is none, so what may go has to go from here.
    if (!this.#hasRoom) void this.#relieve(this.#worstPage + this.#maxBytes / 10);
    return this.#hasRoom && this.#isHeard();
  }

  usage(): JournalUsage {
    const { pages, records, oldest } = this.#used;
    return {
      usedBytes: this.#usedBytes,
      maxBytes: this.#maxBytes,
      pages,
      records,
      oldestReceived: oldest ?? undefined,
      hasRoom: this.hasRoom(),
      corrections: [],
      server: {
        answers: this.#isHeard(),
        refusal: this.#refused(refusalShownMs),
      },
    };
  }

  /** Deletes what may go when `bytes` do not fit; throws PEN_JOURNAL_FULL when they do not fit then either. */
  async makeRoom(bytes: number): Promise<void> {
    const refusal = this.#refused();
    if (refusal !== undefined)
      throw new PenstockError('PEN_JOURNAL_FULL', refusal.what, { where: this.#core.db.where, fix: refusal.fix });
    if (this.fits(bytes)) return;
    await this.#relieve(bytes);
    if (this.fits(bytes)) return;
    this.#hasRoom = false;
    throw fullError(this.#core.db.where, this.#usedBytes, this.#maxBytes);
  }

  appended({ bytes, pages, records }: Size): void {
    this.#refusal = undefined;
    this.#usedBytes += bytes;
    this.#used = { ...this.#used, pages: this.#used.pages + pages, records: this.#used.records + records };
  }

  /** Why the server had no room within these last `ms` after it was to be tried again, be it for a page, a heartbeat or a word of how this replica fares. */
  #refused(ms = 0): Refusal | undefined {
    const { clock, db } = this.#core;
    const refusal = db.takeRefusal();
    if (refusal !== undefined) {
      this.#leanUntil = clock.monotonic() + leanMs;
      this.#refusal = refusal;
    }
    return clock.monotonic() < this.#leanUntil + ms ? this.#refusal : undefined;
  }

  #isHeard(): boolean {
    return this.#answers && this.#core.member?.lease.isValid !== false;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#core.clock.timer(refreshMs, () => {
      void this.refresh()
        .then(() => (this.#answers = true))
        // Who asks for room is told that there is none until the database answers again.
        .catch(() => (this.#answers = false))
        .finally(() => this.#schedule());
    });
  }
}

function fullError(where: string, usedBytes: number, maxBytes: number): PenstockError {
  const what = `the journal is full: ${formatSize(usedBytes)} of ${formatSize(maxBytes)} hold events that a sink has not taken yet`;
  const fix =
    'see "penstock status" for the sink that does not take them, or raise journal.max_bytes; collection resumes by itself';
  return new PenstockError('PEN_JOURNAL_FULL', what, { where, fix });
}
