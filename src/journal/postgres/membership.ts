// A member is one life of a process. joined -> alive as long as it is heard of within the lease, by the server's clock -> lost (the lease ran
// out: what it owned may be another's) -> joined anew, under another id -> left. A unit: free -> owned by a member under an epoch -> being
// handed over (nothing new is begun, what is under way may still be written) -> free. The lease says only when others may take over; what
// keeps a late member from writing is the fence in every commit.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { MissingReplica, Ownership, OwnershipListener, Replica } from '../journal.ts';
import type { Database, Sql } from './database.ts';
import { isLost } from './faults.ts';
import { Heartbeat } from './heartbeat.ts';
import { Lease, Skew } from './journal-time.ts';
import * as members from './members.ts';
import { keepInUse } from './schema.ts';
import * as shares from './shares.ts';

/** What is under way to a slow sink is waited for so long at least, before a source is given back: it would be sent again. */
const leastWaitMs = 30_000;

/** This process among those that share the database, and the sources that it owns. */
export class Membership implements Ownership {
  readonly #db: Database;
  readonly name: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: members.MembershipOptions;
  readonly #listeners = new shares.Listeners();
  readonly lease: Lease;
  readonly skew: Skew;
  #id = '';
  #timer: Disposable | undefined;
  #closed = false;
  #ticking: Promise<void> = Promise.resolve();
  #registered: readonly members.Registered[] = [];
  /** The life under which the database has `#registered`. */
  #registeredAs = '';
  #owned = new Map<string, shares.Unit>();
  /** Units that are being handed over; `ended` when nothing of them is under way any more. */
  readonly #leaving = new Map<number, 'ending' | 'ended'>();
  /** Sources that begin anew: not this member's until they have another epoch. */
  readonly #renewing = new Set<string>();
  readonly #outlook = new shares.Outlook();
  #taken: readonly shares.UnitRow[] | undefined;
  /** Ticks under way or to come. */
  #ticks = 0;
  readonly #heartbeat: Heartbeat;

  constructor(db: Database, clock: Clock, log: Log, options: members.MembershipOptions) {
    this.#db = db;
    this.name = options.name;
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.skew = new Skew(clock, log);
    this.#heartbeat = new Heartbeat(db, clock, log, options.leaseMs);
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

  owns(source: string): boolean {
    return this.mayFinish(source) && !this.#leaving.has(this.#owned.get(source)?.unit ?? 0);
  }

  mayFinish(source: string): boolean {
    const unit = this.#owned.get(source);
    return unit !== undefined && this.lease.isValid && this.#leaving.get(unit.unit) !== 'ended';
  }

  watch(listener: OwnershipListener): Disposable {
    return this.#listeners.add(listener, [...this.#owned.keys()]);
  }

  /** What this process is configured with; told again when it joins anew. */
  registers(named: readonly members.Registered[], as = ''): void {
    this.#outlook.forget();
    this.#registered = named;
    this.#registeredAs = as;
  }

  /** Puts what this process is configured with in place of what it was; returns as whom. Only inside a transaction, `registers` after it. */
  noteRegistered(sql: Sql, named: readonly members.Registered[]): Promise<string> {
    const id = this.#id;
    return members.putRegistered(sql, this.#db.s, id, named).then(() => id);
  }

  /** Tells the server that this process lives, and takes and gives what is its share. */
  tick(): Promise<void> {
    this.#ticks += 1;
    const ticking = this.#ticking.then(() => (this.#closed ? undefined : this.#heartbeat.around(() => this.#tick())));
    // A tick that failed is no reason for the next not to run.
    this.#ticking = ticking.catch(() => undefined).finally(() => (this.#ticks -= 1));
    return ticking;
  }

  async leave(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.lease[Symbol.dispose]();
    await this.#ticking.catch(() => undefined);
    this.#lose();
    await this.#db.asMember((sql) => members.depart(sql, this.#db.s, this.#id));
  }

  readonly replicas = (how?: { reports: true }): Promise<Replica[]> => members.readReplicas(this.#db, this.#id, how);
  readonly isNamed = (kind: 'source' | 'sink', name: string): Promise<boolean> => members.isNamed(this.#db, kind, name);
  readonly missing = (): Promise<MissingReplica[]> => members.readMissing(this.#db);

  async report(report: unknown): Promise<void> {
    await this.#db.run(`UPDATE ${this.#db.s}.members SET report = $2 WHERE id = $1`, [this.#id, JSON.stringify(report)]);
  }

  /** False for a source that is not, or under `epoch` no more, this member's, unless nothing says yet what it is to own. */
  mayTake(source: string, epoch = Number.MAX_SAFE_INTEGER): boolean {
    const unit = this.#owned.get(source);
    return unit === undefined ? !this.#registered.some(([kind]) => kind.endsWith('source')) : unit.epoch <= epoch;
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
    this.#listeners.tell('lost', [source]);
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
      this.#taken = undefined; // What was taken meanwhile was taken without it.
    }
    await this.tick();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.timer(this.lease.nextMs(this.#outlook.isMore), () => void this.#onTime());
  }

  async #onTime(): Promise<void> {
    this.#schedule();
    try {
      await (this.#ticks > 0 ? this.#beatBeside() : this.tick());
      if (this.#outlook.isMore) this.#schedule();
    } catch (error) {
      this.#heartbeat.unheard(error);
    }
  }

  /** While a tick takes long, as on a busy server: what is owned is kept meanwhile. */
  async #beatBeside(): Promise<void> {
    const [asked, id] = [this.#clock.monotonic(), this.#id];
    const seen = await this.#heartbeat.sendBeside(id);
    if (seen?.alive === true && id === this.#id && this.lease.isValid) this.lease.extend(asked);
  }

  async #enter(): Promise<void> {
    const asked = this.#clock.monotonic();
    const id = `${this.#options.name}~${randomBytes(8).toString('hex')}`;
    await this.#db.asMember(async (sql) => {
      await keepInUse(sql, this.#db);
      await members.arrive(sql, this.#db.s, id, this.#options);
    });
    // What it is configured with it says with its first claims: until then nothing is left to it.
    this.#id = id;
    this.#heard(asked);
  }

  async #tick(): Promise<void> {
    const asked = this.#clock.monotonic();
    const id = this.#id;
    const seen = await this.#heartbeat.send(id).catch((error: unknown) => this.#unheard(error));
    if (!seen.alive) {
      this.#lose();
      await this.#enter();
      this.#log.warn({ member: this.#id }, 'this replica was not heard of in time and joined anew');
      return this.#tick();
    }
    this.skew.heard(seen.now);
    this.#options.changes?.heard(seen);
    this.#heard(asked);
    const registered = this.#registered;
    const due = this.#due();
    const isKnown = this.#registeredAs === id && !this.#looksClosely(seen, due);
    const known = isKnown ? this.#outlook.asKnown(seen) : undefined;
    const tick =
      known ?? (await this.#db.asMember((sql) => this.#ask(sql, seen, due)).catch((error: unknown) => this.#unheard(error)));
    if (registered === this.#registered) this.#registeredAs = id;
    // An answer that came after the lease says what was: another may have taken it since. The next one says what is.
    if (!this.lease.isValid) return;
    this.#take(tick.mine);
    this.#handOver(tick);
  }

  /** Where the network went dead, whatever else waits for an answer would wait on long after it is mended. */
  #unheard(error: unknown): never {
    if (!this.lease.isValid && isLost(error)) this.#db.reconnect();
    throw error;
  }

  /** Units whose loops have ended, to be given back. */
  #due(): readonly number[] {
    return [...this.#leaving].filter(([, state]) => state === 'ended').map(([unit]) => unit);
  }

  #looksClosely(seen: shares.Glance, due: readonly number[]): boolean {
    return this.#registered.length > 0 && (due.length > 0 || this.#outlook.isOld(seen));
  }

  async #ask(sql: Sql, glanced: shares.Glance, due: readonly number[]): Promise<shares.Tick> {
    const { s } = this.#db;
    let seen = glanced;
    if (due.length > 0) await shares.giveBack(sql, s, this.#id, due);
    // It joined anew while it was being configured.
    if (this.#registeredAs !== this.#id) {
      await members.putRegistered(sql, s, this.#id, this.#registered);
      seen = await shares.glance(sql, s, this.#id);
    }
    return this.#outlook.look(sql, { s, id: this.#id }, seen, this.#registered.length > 0 ? due : undefined);
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
    this.#listeners.tell(
      'lost',
      [...before.keys()].filter((source) => !isSame(source)),
    );
    this.#listeners.tell(
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
    // What waits to be written is of sources that are another's, or soon are: it would be refused, after all the others.
    this.#db.dropWaiting();
    this.#outlook.forget();
    const lost = [...this.#owned.keys()];
    this.#owned.clear();
    this.#leaving.clear();
    this.#listeners.tell('lost', lost);
  }

  /** Begins to hand over what only others are configured with, and what is more than this member's share. */
  #handOver({ mine, share }: shares.Tick): void {
    const going = this.#registered.length === 0 ? [] : shares.excess(mine, share, (unit) => this.#leaving.has(unit));
    if (going.length === 0) return;
    for (const unit of going) this.#leaving.set(unit, 'ending');
    void this.#end(
      going,
      mine.filter(({ unit }) => going.includes(unit)).map(({ source }) => source),
    );
  }

  /** Waits until nothing of what is handed over is under way, half a minute or a lease at most, and gives it back. */
  async #end(units: readonly number[], sources: readonly string[]): Promise<void> {
    const stopping = new AbortController();
    using _limit = this.#clock.timer(Math.max(leastWaitMs, this.#options.leaseMs), () => stopping.abort());
    await this.#listeners.releasing(sources, stopping.signal);
    for (const unit of units) if (this.#leaving.has(unit)) this.#leaving.set(unit, 'ended');
    await this.tick().catch((error: unknown) => this.#log.warn({ err: error }, 'sources were not handed over yet, retrying'));
  }
}
