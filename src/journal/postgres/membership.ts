// A member is one life of a process. joined -> alive as long as it is heard of within the lease, by the server's clock -> lost (the lease ran
// out: what it owned may be another's) -> joined anew, under another id -> left. The lease says only when others may take over; what keeps a
// late member from writing is the fence in every commit.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../../base/clock.ts';
import { sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Database, Sql } from './database.ts';

export interface MembershipOptions {
  /** How people know this process. */
  readonly name: string;
  readonly version: string;
  readonly leaseMs: number;
  /** How long to wait for another member to go, milliseconds. */
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

const ticksPerLease = 5;
const retryMs = 250;

/** This process among those that share the database. */
export class Membership {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: MembershipOptions;
  readonly #onLost: () => void;
  #id = '';
  #validUntil = 0;
  #timer: Disposable | undefined;
  #closed = false;
  #beating: Promise<void> = Promise.resolve();
  #registered: readonly (readonly [kind: 'source' | 'sink', name: string])[] = [];

  private constructor(db: Database, clock: Clock, log: Log, options: MembershipOptions, onLost: () => void) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#onLost = onLost;
  }

  /**
   * Joins, and stays a member until `leave`. `onLost` is called when what it owned may be another's. Throws PEN_JOURNAL_LOCKED where another
   * member lives beyond the wait.
   */
  static async join(db: Database, clock: Clock, log: Log, options: MembershipOptions, onLost: () => void): Promise<Membership> {
    const member = new Membership(db, clock, log, options, onLost);
    const end = clock.monotonic() + options.waitMs;
    for (;;) {
      const other = await member.#enter();
      if (other === undefined) break;
      if (clock.monotonic() >= end) throw lockedError(other, db.where);
      await sleep(clock, Math.min(retryMs, Math.max(1, end - clock.monotonic())), options.signal);
    }
    member.#schedule();
    return member;
  }

  /** The id of this life. */
  get id(): string {
    return this.#id;
  }

  /** False once so much time has passed since the last word from the server that others may own what this one did. */
  get isValid(): boolean {
    return this.#clock.monotonic() < this.#validUntil;
  }

  /** What this process is configured with; told again when it joins anew. */
  registers(sources: readonly { readonly name: string }[], sinks: readonly { readonly name: string }[]): void {
    this.#registered = [
      ...sources.map(({ name }) => ['source', name] as const),
      ...sinks.map(({ name }) => ['sink', name] as const),
    ];
  }

  /** Puts what this process is configured with in place of what it was. Only inside a transaction. */
  noteRegistered(sql: Sql): Promise<void> {
    return this.#note(sql, this.#id);
  }

  async #note(sql: Sql, id: string): Promise<void> {
    const { s } = this.#db;
    await sql.run(`DELETE FROM ${s}.registrations WHERE member = $1`, [id]);
    await sql.run(
      `INSERT INTO ${s}.registrations (member, kind, name) SELECT $1, e.kind, e.name FROM unnest($2::text[], $3::text[]) AS e(kind, name)`,
      [id, this.#registered.map(([kind]) => kind), this.#registered.map(([, name]) => name)],
    );
  }

  /** Gives back what it owns and is no member any more. */
  async leave(): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#beating;
    await this.#db.asMember((sql) => this.#depart(sql));
  }

  /** Who stands in the way; undefined when this process is a member now. */
  async #enter(): Promise<Living | undefined> {
    const asked = this.#clock.monotonic();
    const id = `${this.#options.name}~${randomBytes(8).toString('hex')}`;
    const other = await this.#db.asMember(async (sql) => {
      const { s } = this.#db;
      await sql.query(`SELECT 1 FROM ${s}.meta FOR UPDATE`);
      const [living] = await sql.query<Living>(
        `SELECT name, host, joined FROM ${s}.members WHERE expires > now() AND id <> $1 ORDER BY joined LIMIT 1`,
        [this.#id],
      );
      if (living !== undefined) return living;
      await sql.run(`DELETE FROM ${s}.registrations WHERE member NOT IN (SELECT id FROM ${s}.members WHERE expires > now())`);
      await sql.run(`DELETE FROM ${s}.members WHERE expires <= now()`);
      await sql.run(`INSERT INTO ${s}.members (id, name, expires, host, version) VALUES ($1, $2, now() + $3::interval, $4, $5)`, [
        id,
        this.#options.name,
        `${this.#options.leaseMs} milliseconds`,
        hostname(),
        this.#options.version,
      ]);
      await sql.run(`UPDATE ${s}.units SET owner = $1, epoch = epoch + 1, since = now() WHERE kind = 'source'`, [id]);
      await this.#note(sql, id);
      return undefined;
    });
    if (other !== undefined) return other;
    this.#id = id;
    this.#validUntil = asked + this.#options.leaseMs;
    return undefined;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.timer(this.#options.leaseMs / ticksPerLease, () => {
      this.#beating = this.#beat()
        .catch((error: unknown) => this.#log.warn({ err: error }, 'the database was not told that this replica lives, retrying'))
        .finally(() => this.#schedule());
    });
  }

  async #beat(): Promise<void> {
    const asked = this.#clock.monotonic();
    const alive = await this.#db.asMember((sql) =>
      sql.run(`UPDATE ${this.#db.s}.members SET expires = now() + $2::interval, seen = now() WHERE id = $1 AND expires > now()`, [
        this.#id,
        `${this.#options.leaseMs} milliseconds`,
      ]),
    );
    if (alive > 0) {
      this.#validUntil = asked + this.#options.leaseMs;
      return;
    }
    this.#onLost();
    const other = await this.#enter();
    if (other === undefined) this.#log.warn({ member: this.#id }, 'this replica was not heard of in time and joined anew');
    else throw lockedError(other, this.#db.where);
  }

  async #depart(sql: Sql): Promise<void> {
    const { s } = this.#db;
    await sql.run(`UPDATE ${s}.units SET owner = NULL, since = now() WHERE owner = $1`, [this.#id]);
    await sql.run(`DELETE FROM ${s}.registrations WHERE member = $1`, [this.#id]);
    await sql.run(`DELETE FROM ${s}.members WHERE id = $1`, [this.#id]);
  }
}

interface Living {
  readonly name: string;
  readonly host: string;
  readonly joined: Date;
}

function lockedError({ name, host, joined }: Living, where: string): PenstockError {
  return new PenstockError(
    'PEN_JOURNAL_LOCKED',
    `another penstock uses this journal (${name} on ${host}, since ${joined.toISOString()})`,
    {
      where,
      fix: 'stop it, or give this one a schema of its own with journal.schema',
    },
  );
}
