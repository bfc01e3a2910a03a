import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { Signal } from '../../base/signal.ts';
import { type Database, lockMs, type Sql, type Values } from './database.ts';
import type { JournalTime } from './journal-time.ts';
import type { Membership } from './membership.ts';
import type { Names, OwnedSource } from './names.ts';

/** What every concern of the engine works with. */
export interface Core {
  readonly db: Database;
  readonly clock: Clock;
  /** What ages are measured by; `clock` is for what people read. */
  readonly time: JournalTime;
  readonly log: Log;
  readonly changes: Changes;
  readonly names: Names;
  /** Undefined for who only looks and leaves jobs. */
  readonly member: Membership | undefined;
}

/** A little more than a second: with a heartbeat each second, which says the same, nobody looks besides. */
const pollMs = 1200;

/** Wakes who waits for the journal to have changed, by this process or, about a second later, by another. */
export class Changes {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #signal = new Signal();
  readonly #renamed: () => void;
  #timer: Disposable | undefined;
  #changes: number | undefined;
  #names: number | undefined;
  #closed = false;

  /** `renamed` is called when another process gave something another name. */
  constructor(db: Database, clock: Clock, renamed: () => void) {
    this.#db = db;
    this.#clock = clock;
    this.#renamed = renamed;
  }

  /** Call it after a commit that may have brought something to read. */
  notify(): void {
    this.#signal.notify();
  }

  /** Tells the other processes; part of the transaction that changes something of theirs. */
  static async tell(sql: Sql, s: string, { names = false }: { readonly names?: boolean } = {}): Promise<void> {
    await sql.run(`UPDATE ${s}.meta SET changes = changes + 1${names ? ', names = names + 1' : ''}`);
  }

  /** Resolves at the next change, or when `abort` aborts. */
  wait(abort: AbortSignal): Promise<void> {
    this.#schedule();
    return this.#signal.wait(abort);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.#signal.notify();
  }

  #schedule(): void {
    if (!this.#closed) this.#timer ??= this.#clock.timer(pollMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const [row] = await this.#db
      .query<{ changes: number; names: number }>(`SELECT changes, names FROM ${this.#db.s}.meta`)
      // Nobody can tell now whether something changed: the next look will.
      .catch((): { changes: number; names: number }[] => []);
    if (row === undefined) this.#rest();
    else this.heard(row);
  }

  /** Looks again a while from now, however many asked for that meanwhile. */
  #rest(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#signal.isAwaited) this.#schedule();
  }

  /** The counts as the database has them, read here or with a heartbeat: the next look is a while after either. */
  heard({ changes, names }: { readonly changes: number; readonly names: number }): void {
    if (this.#names !== undefined && names !== this.#names) this.#renamed();
    if (this.#changes !== undefined && changes !== this.#changes) this.#signal.notify();
    this.#changes = changes;
    this.#names = names;
    this.#rest();
  }
}

/** Runs `work` unless another replica does upkeep at this moment. */
export function alone<T>({ db }: Core, otherwise: T, work: (sql: Sql) => Promise<T>): Promise<T> {
  return db.transaction(async (sql) => {
    const held = await sql.query(`SELECT id FROM ${db.s}.units WHERE kind = 'upkeep' FOR NO KEY UPDATE SKIP LOCKED`);
    return held.length === 0 ? otherwise : work(sql);
  });
}

/** The first part of a statement that locks rows: it waits for them as long as a transaction does, and the setting goes with the statement. */
export const waitsPart = `waits AS MATERIALIZED (SELECT set_config('lock_timeout', '${lockMs}', true))`;

/**
 * Nothing is written unless the member still owns the unit; whoever takes it over waits for this statement, or this for them.
 */
export function fencePart(s: string, values: Values, source: OwnedSource): string {
  return `${waitsPart},
    fence AS (SELECT u.id FROM waits, ${s}.units u WHERE u.id = ${values.add(source.unit)} AND u.owner = ${values.add(source.owner)} AND u.epoch = ${values.add(source.epoch)} FOR SHARE OF u)`;
}

/** SQL: an array of attempts with one more, the oldest gone. */
export const withAttempt = (attempts: string, attempt: string): string =>
  `(${attempts} || ${attempt})[greatest(1, cardinality(${attempts}) - 6):]`;

/** A sink's state in a source. */
export interface Place {
  readonly s: string;
  readonly sink: number;
  readonly source: number;
}
