// How old something is must not depend on the wall clock, which may be set by two days, or years, in either direction: one step ahead would
// expire everything that is kept, one step back would let a page look older than the page before it. The journal therefore has a time of its
// own. It grows with the monotonic clock while a daemon has the journal open, and by what the wall clock says for the time in which none had,
// never backwards and no further than `longestPauseMs` says: of what is kept one wrong reading takes a seventh of its time at most.
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../../base/clock.ts';
import { longestPauseMs } from '../../upkeep-rounds.ts';
import { one } from './database.ts';

const noteName = 'journal_time';

interface Saved {
  /** Journal time. */
  readonly at: number;
  /** Wall clock when it was saved, milliseconds since the epoch. */
  readonly wall: number;
}

/** The time by which pages, ids and ledger rows age, milliseconds; it began as the wall clock when the journal was made. */
export class JournalTime {
  readonly #clock: Clock;
  readonly #put;
  readonly #startedAt: number;
  readonly #monotonicAtStart: number;

  constructor(db: DatabaseSync, clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#put = db.prepare('INSERT INTO notes (source, name, value) VALUES (0, ?1, ?2) ON CONFLICT DO UPDATE SET value = ?2');
    this.#startedAt = resume(db, clock.now(), longestPauseMs(keepMs));
    this.#monotonicAtStart = clock.monotonic();
  }

  now(): number {
    return Math.floor(this.#startedAt + this.#clock.monotonic() - this.#monotonicAtStart);
  }

  /** Notes the time for the next process. Only inside a write. */
  save(): void {
    const saved: Saved = { at: this.now(), wall: this.#clock.now() };
    this.#put.run(noteName, JSON.stringify(saved));
  }
}

function resume(db: DatabaseSync, wallNow: number, mostMs: number): number {
  const row = one<{ value: string }>(db.prepare('SELECT value FROM notes WHERE source = 0 AND name = ?'), noteName);
  if (row === undefined) return wallNow;
  const { at, wall } = JSON.parse(row.value) as Saved;
  return at + Math.min(mostMs, Math.max(0, wallNow - wall));
}
