// A member is one life of a process. joined -> alive as long as it is heard of within the lease, by the server's clock -> lost (the lease ran
// out: what it owned may be another's) -> joined anew, under another id -> left. A unit: free -> owned by a member under an epoch -> being
// handed over (nothing new is begun, what is under way may still be written) -> free. The lease says only when others may take over; what
// keeps a late member from writing is the fence in every commit.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Ownership, OwnershipListener, Replica } from '../journal.ts';
import type { Database, Sql } from './database.ts';
import { isLost } from './faults.ts';
import { Lease, Skew } from './journal-time.ts';
import { keepInUse } from './schema.ts';
import * as shares from './shares.ts';

const ticksPerLease = 5;
const closeLookEvery = 10;

/** This process among those that share the database, and the sources that it owns. */
export class Membership implements Ownership {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: shares.MembershipOptions;
  readonly #listeners = new Set<OwnershipListener>();
  readonly lease: Lease;
  readonly skew: Skew;
  #id = '';
  #timer: Disposable | undefined;
  #closed = false;
  #ticking: Promise<void> = Promise.resolve();
  #registered: readonly shares.Registered[] = [];
  /** The life under which the database has `#registered`. */
  #registeredAs = '';
  #owned = new Map<string, shares.Unit>();
  /** Units that are being handed over; `ended` when nothing of them is under way any more. */
  readonly #leaving = new Map<number, 'ending' | 'ended'>();
  /** Sources that begin anew: not this member's until they have another epoch. */
  readonly #renewing = new Set<string>();
  #known: shares.Tick['known'];
  #taken: readonly shares.UnitRow[] | undefined;
  #share: { readonly members: number; readonly want: number } | undefined;
  #ticks = 0;

  constructor(db: Database, clock: Clock, log: Log, options: shares.MembershipOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.skew = new Skew(clock, log);
    this.lease = new Lease(clock, options.leaseMs, () => this.#lose());
  }

  /** Joins, and stays a member until `leave`. */
  async join(): Promise<void> {
    await this.#enter();
    this.#schedule();
  }

  /** The id of this life. */
  get id(): string {
    return this.#id;
  }

  get name(): string {
    return this.#options.name;
  }

  owns(source: string): boolean {
    const unit = this.#owned.get(source);
    return unit !== undefined && this.lease.isValid && !this.#leaving.has(unit.unit);
  }

  watch(listener: OwnershipListener): Disposable {
    this.#listeners.add(listener);
    const owned = [...this.#owned.keys()];
    if (owned.length > 0) listener.gained(owned);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** What this process is configured with; told again when it joins anew. */
  registers(named: readonly shares.Registered[], as = ''): void {
    this.#share = undefined;
    this.#registered = named;
    this.#registeredAs = as;
  }

  /** Puts what this process is configured with in place of what it was; returns as whom. Only inside a transaction, `registers` after it. */
  noteRegistered(sql: Sql, named: readonly shares.Registered[]): Promise<string> {
    const id = this.#id;
    return shares.putRegistered(sql, this.#db.s, id, named).then(() => id);
  }

  /** Tells the server that this process lives, and takes and gives what is its share. */
  tick(): Promise<void> {
    this.#ticking = this.#ticking.then(() => (this.#closed ? undefined : this.#tick()));
    return this.#ticking.finally(() => {
      // A tick that failed is no reason for the next not to run.
      this.#ticking = this.#ticking.catch(() => undefined);
    });
  }

  async leave(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.lease[Symbol.dispose]();
    await this.#ticking.catch(() => undefined);
    this.#lose();
    await this.#db.asMember((sql) => shares.depart(sql, this.#db.s, this.#id));
  }

  readonly replicas = (): Promise<readonly Replica[]> => shares.readReplicas(this.#db);

  async report(report: unknown): Promise<void> {
    await this.#db.run(`UPDATE ${this.#db.s}.members SET report = $2 WHERE id = $1`, [this.#id, JSON.stringify(report)]);
  }

  /** False for a source that is not, or under `epoch` no more, this member's, unless nothing says yet what it is to own. */
  mayTake(source: string, epoch = Number.MAX_SAFE_INTEGER): boolean {
    const unit = this.#owned.get(source);
    return unit === undefined ? !this.#registered.some(([kind]) => kind === 'source') : unit.epoch <= epoch;
  }

  /** Memory says other than the database: the source is lost and, under a new epoch, gained, so that all begins from what is durable. */
  renew(source: string): void {
    const unit = this.#owned.get(source);
    if (unit === undefined) return;
    this.#log.warn(
      { source },
      'the database has less than it confirmed, as after a fail-over; the source begins from what it has',
    );
    this.#owned.delete(source);
    this.#renewing.add(source);
    this.#taken = undefined;
    this.#tell('lost', [source]);
    void this.#renew(source, unit).catch((error: unknown) =>
      this.#log.warn({ err: error }, 'a source was not begun anew yet, retrying'),
    );
  }

  async #renew(source: string, unit: shares.Unit): Promise<void> {
    try {
      await shares.renewUnit(this.#db, unit, this.#id);
    } finally {
      // A heartbeat that is under way may say what was before.
      await this.#ticking.catch(() => undefined);
      this.#renewing.delete(source);
    }
    await this.tick();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.timer(this.#options.leaseMs / ticksPerLease, () => {
      void this.tick()
        .catch((error: unknown) => this.#log.warn({ err: error }, 'the database was not told that this replica lives, retrying'))
        .finally(() => this.#schedule());
    });
  }

  async #enter(): Promise<void> {
    const asked = this.#clock.monotonic();
    const id = `${this.#options.name}~${randomBytes(8).toString('hex')}`;
    const { s } = this.#db;
    const registered = this.#registered;
    await this.#db.asMember(async (sql) => {
      await keepInUse(sql, this.#db);
      await shares.arrive(sql, s, id, this.#options);
      await shares.putRegistered(sql, s, id, registered);
    });
    this.#id = id;
    if (registered === this.#registered) this.#registeredAs = id;
    this.#heard(asked);
  }

  async #tick(): Promise<void> {
    const asked = this.#clock.monotonic();
    const registered = this.#registered;
    const tick = await this.#db.asMember((sql) => this.#ask(sql)).catch((error: unknown) => this.#unheard(error));
    if (tick.alive) {
      if (registered === this.#registered) this.#registeredAs = this.#id;
      const wasValid = this.lease.isValid;
      this.#heard(asked);
      // An answer that came after the lease says what was: another may have taken it since. The next one says what is.
      if (!wasValid) return;
      if (tick.known !== undefined) this.#known = tick.known;
      this.#take(tick.mine);
      this.#handOver(tick);
      return;
    }
    this.#lose();
    await this.#enter();
    this.#log.warn({ member: this.#id }, 'this replica was not heard of in time and joined anew');
    await this.#tick();
  }

  /** Where the network went dead, whatever else waits for an answer would wait on long after it is mended. */
  #unheard(error: unknown): never {
    if (!this.lease.isValid && isLost(error)) this.#db.reconnect();
    throw error;
  }

  async #ask(sql: Sql): Promise<shares.Tick> {
    const { s } = this.#db;
    const [alive] = await sql.query<{ now: number }>(
      `UPDATE ${s}.members SET expires = now() + $2::interval, seen = now() WHERE id = $1 AND expires > now()
       RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`,
      [this.#id, `${this.#options.leaseMs} milliseconds`],
    );
    if (alive === undefined) return { alive: false, mine: [], want: 0 };
    this.skew.heard(alive.now);
    const due = [...this.#leaving].filter(([, state]) => state === 'ended').map(([unit]) => unit);
    if (due.length > 0) await shares.giveBack(sql, s, this.#id, due);
    // It joined anew while it was being configured.
    if (this.#registeredAs !== this.#id) await shares.putRegistered(sql, s, this.#id, this.#registered);
    let seen = await shares.glance(sql, s, this.#id);
    const closely = this.#looksClosely(seen, due);
    if (closely) {
      this.#share = { members: seen.members, want: await shares.claim(sql, s, this.#id, due) };
      seen = await shares.glance(sql, s, this.#id);
    }
    const want = this.#share?.want ?? 0;
    const { have, epochs } = seen;
    // Thousands of rows that are known are not read again each time.
    const known = this.#known;
    if (!closely && known !== undefined && known.have === have && known.epochs === epochs)
      return { alive: true, mine: known.mine, want };
    const mine = await shares.readOwned(sql, s, this.#id);
    return { alive: true, mine, want, known: { have, epochs, mine } };
  }

  /** Whether to count and claim: only where a glance shows a reason, and now and then. */
  #looksClosely({ members, free }: shares.Glance, due: readonly number[]): boolean {
    this.#ticks += 1;
    if (this.#registered.length === 0) return false;
    return free || due.length > 0 || members !== this.#share?.members || this.#ticks % closeLookEvery === 0;
  }

  #take(mine: readonly shares.UnitRow[]): void {
    if (mine === this.#taken && this.#owned.size > 0) return;
    this.#taken = mine;
    const taken = mine.filter(({ source }) => !this.#renewing.has(source));
    const now = new Map(taken.map(({ source, unit, epoch }) => [source, { unit, epoch }]));
    const before = this.#owned;
    const isSame = (source: string): boolean => now.get(source)?.epoch === before.get(source)?.epoch;
    this.#owned = now;
    for (const unit of this.#leaving.keys()) if (!mine.some((row) => row.unit === unit)) this.#leaving.delete(unit);
    this.#tell(
      'lost',
      [...before.keys()].filter((source) => !isSame(source)),
    );
    this.#tell(
      'gained',
      [...now.keys()].filter((source) => !isSame(source)),
    );
  }

  #heard(at: number): void {
    // Once `owns` said no, its answer stands until everything was told lost: what was to be sent meanwhile was dropped.
    if (!this.lease.isValid) this.#lose();
    this.lease.extend(at);
  }

  #lose(): void {
    this.#known = undefined;
    this.#share = undefined;
    const lost = [...this.#owned.keys()];
    this.#owned.clear();
    this.#leaving.clear();
    this.#tell('lost', lost);
  }

  /** Begins to hand over what only others are configured with, and what is more than this member's share. */
  #handOver({ mine, want }: shares.Tick): void {
    const going = this.#registered.length === 0 ? [] : shares.excess(mine, want, (unit) => this.#leaving.has(unit));
    if (going.length === 0) return;
    for (const unit of going) this.#leaving.set(unit, 'ending');
    void this.#end(
      going,
      mine.filter(({ unit }) => going.includes(unit)).map(({ source }) => source),
    );
  }

  /** Waits until nothing of what is handed over is under way, a lease at most, and gives it back. */
  async #end(units: readonly number[], sources: readonly string[]): Promise<void> {
    const stopping = new AbortController();
    using _limit = this.#clock.timer(this.#options.leaseMs, () => stopping.abort());
    await Promise.allSettled(
      [...this.#listeners].map((listener) => listener.releasing?.(sources, stopping.signal) ?? Promise.resolve()),
    );
    for (const unit of units) if (this.#leaving.has(unit)) this.#leaving.set(unit, 'ended');
    await this.tick().catch((error: unknown) => this.#log.warn({ err: error }, 'sources were not handed over yet, retrying'));
  }

  #tell(what: 'gained' | 'lost', sources: readonly string[]): void {
    if (sources.length > 0) for (const listener of this.#listeners) listener[what](sources);
  }
}
