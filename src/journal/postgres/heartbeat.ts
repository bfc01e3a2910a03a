import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { Outage } from '../../base/outage.ts';
import type { Database } from './database.ts';
import { type Beat, beat, knock } from './shares.ts';

/** Whose claims have taken that long by now, milliseconds, may not get through with them. */
const longestTickMs = 5_000;

/** One answer may get lost. */
const mostUnanswered = 2;

/** How a member is heard of. A heartbeat says more than that it could be sent: what a member cannot do must not be left to it. */
export class Heartbeat {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #outage: Outage;
  #unanswered = 0;
  #isBeside = false;
  #hasFailed = false;
  #doneAt = 0;

  constructor(db: Database, clock: Clock, log: Log, leaseMs: number) {
    this.#db = db;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#outage = new Outage(log, {
      begins:
        'the database is not told that this replica lives: it is tried again, and after the lease nothing is polled or sent',
      ends: 'the database is told again that this replica lives',
    });
  }

  /** Tells the server that the member lives. Two whose answers did not come are followed by another only after one that did: who hears nothing is dead to the others. */
  async send(id: string): Promise<Beat> {
    if (this.#unanswered >= mostUnanswered) await knock(this.#db);
    this.#unanswered += 1;
    const comes = !this.#hasFailed && this.#clock.monotonic() - this.#doneAt <= longestTickMs;
    const seen = await beat(this.#db, id, this.#leaseMs, comes);
    this.#unanswered = 0;
    return seen;
  }

  /** As `send`, while a tick takes long: nothing where one is under way. */
  async sendBeside(id: string): Promise<Beat | undefined> {
    if (this.#isBeside) return undefined;
    this.#isBeside = true;
    try {
      return await this.send(id);
    } finally {
      this.#isBeside = false;
    }
  }

  /** Runs what follows from a heartbeat, and remembers whether the member got through with it. */
  async around(tick: () => Promise<void>): Promise<void> {
    try {
      await tick();
      this.#outage.worked();
      this.#hasFailed = false;
      this.#doneAt = this.#clock.monotonic();
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }

  /** A heartbeat did not get through; the next one is tried in time. */
  unheard(error: unknown): void {
    this.#outage.failed(error);
  }
}
