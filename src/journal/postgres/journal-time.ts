import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { noSource } from '../records/rows.ts';
import { longestPauseMs } from '../upkeep-rounds.ts';
import type { Database, Sql } from './database.ts';

const timeNote = 'journal_time';

interface Saved {
  readonly at: number;
  readonly wall: number;
}

/**
 * The time by which pages, ids and rows of the ledger age, milliseconds: as in SQLite's engine, but what the wall says is what the server
 * says, so that replicas whose clocks differ agree. It grows with the monotonic clock, never backwards.
 */
export class JournalTime {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #wallAtStart: number;
  readonly #monotonicAtStart: number;

  private constructor(clock: Clock, startedAt: number, wall: number) {
    this.#clock = clock;
    this.#startedAt = startedAt;
    this.#wallAtStart = wall;
    this.#monotonicAtStart = clock.monotonic();
  }

  /** `wall` stands in for the server's clock, in tests. */
  static async resume(db: Database, clock: Clock, keepMs: number, wall?: () => number): Promise<JournalTime> {
    const [row] = await db.query<{ now: number; value: string | null }>(
      `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, (SELECT value FROM ${db.s}.notes WHERE source = ${noSource} AND name = $1) AS value`,
      [timeNote],
    );
    const now = wall?.() ?? row?.now ?? clock.now();
    if (row?.value === undefined || row.value === null) return new JournalTime(clock, now, now);
    const saved = JSON.parse(row.value) as Saved;
    return new JournalTime(clock, saved.at + Math.min(longestPauseMs(keepMs), Math.max(0, now - saved.wall)), now);
  }

  #passedMs(): number {
    return this.#clock.monotonic() - this.#monotonicAtStart;
  }

  now(): number {
    return Math.floor(this.#startedAt + this.#passedMs());
  }

  /** Notes the time for the next process, unless another replica has noted a later one. */
  async save(sql: Sql, s: string): Promise<void> {
    const saved: Saved = { at: this.now(), wall: Math.floor(this.#wallAtStart + this.#passedMs()) };
    await sql.run(
      `INSERT INTO ${s}.notes AS n (source, name, value) VALUES (${noSource}, $1, $2)
       ON CONFLICT (source, name) DO UPDATE SET value = excluded.value WHERE (n.value::json->>'at')::bigint < $3`,
      [timeNote, JSON.stringify(saved), saved.at],
    );
  }
}

const ticksPerLease = 5;
/** However long the lease is, what nobody owns any more is noticed soon. */
const longestTickMs = 2000;
const soonMs = 1000;

/** How long nobody else takes over what this process owns, by the monotonic clock. */
export class Lease implements Disposable {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #onEnd: () => void;
  #until = 0;
  #timer: Disposable | undefined;
  #closed = false;

  constructor(clock: Clock, ms: number, onEnd: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onEnd = onEnd;
  }

  /** False once so much time has passed since the last word from the server that others may own what this process did. */
  get isValid(): boolean {
    return this.#clock.monotonic() < this.#until;
  }

  /** The server knew this process at a time of the monotonic clock; when the lease has passed from there, `onEnd` is called. */
  extend(heardAt: number): void {
    this.#until = heardAt + this.#ms;
    this.#timer?.[Symbol.dispose]();
    if (!this.#closed) this.#timer = this.#clock.timer(Math.max(0, this.#until - this.#clock.monotonic()), this.#onEnd);
  }

  /** When to be heard of next, milliseconds from now; sooner where there is more to be claimed. */
  nextMs(isMore: boolean): number {
    return Math.min(isMore ? soonMs : longestTickMs, this.#ms / ticksPerLease);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }
}

/** Clocks that are kept in time are never that far apart. */
const leastSkewMs = 60_000;
/** What is taken stays taken until the clocks agree far better: one that is a minute off would be set to and fro with each heartbeat. */
const agreedMs = leastSkewMs / 2;
/** How much longer one answer takes than another is no change of a clock. */
const unsteadyMs = 2_000;

/** The server's clock against this machine's: replicas go by one clock, or one would wait for a time that another has long read. */
export class Skew {
  readonly #clock: Clock;
  readonly #log: Log;
  #ms = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** What to add to this machine's clock, milliseconds; 0 until the two are a minute apart, and again when they are less than half of that. */
  get ms(): number {
    return this.#ms;
  }

  /** Takes what the server's clock says at this moment. */
  heard(serverNow: number): void {
    const ms = serverNow - this.#clock.now();
    const was = this.#ms;
    if (Math.abs(ms) < (was === 0 ? leastSkewMs : agreedMs)) this.#ms = 0;
    else if (Math.abs(ms - was) >= unsteadyMs) this.#ms = ms;
    if (this.#ms === 0 && was !== 0) this.#log.info("this machine's clock agrees with the database's again, and is taken");
    if (this.#ms !== 0 && Math.abs(this.#ms - was) >= agreedMs)
      this.#log.warn({ skewMs: this.#ms }, "this machine's clock is not the database's, whose time is taken from now on");
  }
}
