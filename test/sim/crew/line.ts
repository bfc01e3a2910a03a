// The line between a replica and the database: requests travel, arrive, are done and answered, and each of these may fail. What has left is done even
// when its sender is dead, stalled or cut off by then; nothing reaches the dead, and the stalled hear of it when they wake.
import { PenstockError } from '../../../src/base/errors.ts';
import { answerMs } from '../../../src/journal/postgres/connection.ts';
import { type Database, lockMs, type Sql } from '../../../src/journal/postgres/database.ts';
import { databaseError } from '../../../src/journal/postgres/faults.ts';
import type { Dice } from '../dice.ts';
import type { Fate } from '../fate.ts';
import type { cuts, StatementKind } from '../scenario.ts';
import type { ProcessClock, SimTime } from '../time.ts';
import type { SharedServer } from './server.ts';
import type { Asker, Row } from './tables.ts';

/** How a line is at a moment; `until`: when a cut ends, milliseconds after the start of the run. */
export interface LineState {
  readonly cut: { readonly kind: (typeof cuts)[number]; readonly until: number } | undefined;
  /** True when an answer that is on its way now gets lost. */
  losesAnswer(): boolean;
}

export interface LineParts {
  readonly time: SimTime;
  readonly clock: ProcessClock;
  readonly fate: Fate;
  readonly dice: Dice;
  readonly state: () => LineState;
  /** Told of each statement when it is about to leave, and when it was done. */
  readonly onStatement: (of: StatementKind, when: 'asked' | 'done') => void;
  readonly problem: (text: string) => void;
}

const never = new Promise<never>(() => undefined);

export class Line {
  readonly #parts: LineParts;
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(parts: LineParts) {
    this.#parts = parts;
  }

  /** Has work done on the other side. Rejects as the engine does, after `withinMs` at the latest. */
  async ask<T>(work: () => T | Promise<T>, of: StatementKind = 'other', withinMs: number = answerMs): Promise<T> {
    const { fate } = this.#parts;
    this.#parts.onStatement(of, 'asked');
    await fate.step();
    try {
      const answer = await this.#orGivenUp(this.#travel(work, of), withinMs);
      await fate.step();
      return answer;
    } catch (error) {
      await fate.alive();
      throw databaseError(error, 'the model');
    }
  }

  /** Ends what waits for an answer, as if that was lost. */
  reconnect(): void {
    for (const giveUp of this.#waiting) giveUp(new Error('the connection was closed'));
  }

  async #travel<T>(work: () => T | Promise<T>, of: StatementKind): Promise<T> {
    const { time, dice, state } = this.#parts;
    const ms = dice.between(1, 20);
    if (state().cut?.kind === 'refused') {
      await time.wait(1);
      throw new Error('connect ECONNREFUSED');
    }
    await time.wait(ms / 2);
    const { cut } = state();
    if (cut?.kind === 'refused') throw new Error('read ECONNRESET');
    if (cut?.kind === 'silent') return never;
    // The network comes to itself, and delivers what it held.
    if (cut?.kind === 'late') await time.wait(cut.until - time.elapsed + ms);
    const result = await this.#done(work);
    this.#parts.onStatement(of, 'done');
    await time.wait(ms / 2);
    const after = state();
    if (after.cut?.kind === 'refused' || after.losesAnswer()) throw new Error('read ECONNRESET');
    return after.cut === undefined ? result : never;
  }

  async #done<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PenstockError))
        this.#parts.problem(`the model of the database failed: ${String((error as Error).stack)}`);
      throw error;
    }
  }

  #orGivenUp<T>(answer: Promise<T>, withinMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (error: Error): void => {
        this.#waiting.delete(giveUp);
        timer[Symbol.dispose]();
        reject(error);
      };
      const timer = this.#parts.clock.timer(withinMs, () => giveUp(new Error('Query read timeout')));
      this.#waiting.add(giveUp);
      answer.then(
        (value) => {
          this.#waiting.delete(giveUp);
          timer[Symbol.dispose]();
          resolve(value);
        },
        (error: Error) => giveUp(error),
      );
    });
  }
}

/** The database as the real engine has it, with the model at the other end; `what`: all that is asked for is of that kind. */
export function databaseOver(
  line: Pick<Line, 'ask' | 'reconnect'>,
  server: SharedServer,
  asker: () => Asker,
  leaseMs: number,
  what?: StatementKind,
): Database {
  const rows = (from: Asker, text: string, values: readonly unknown[] = []): Row[] => [...server.answer(text, values, from)];
  const heartbeatMs = Math.min(answerMs, Math.max(leaseMs, lockMs));
  const sqlOf = (from: Asker): Sql => ({
    query: <Row>(text: string, values?: readonly unknown[]) => Promise.resolve(rows(from, text, values) as Row[]),
    run: (text, values) => Promise.resolve(rows(from, text, values).length),
  });
  /** What is offered is what was when it was asked, however late that arrives. */
  const ask = <T>(of: StatementKind, work: (from: Asker) => T | Promise<T>, withinMs?: number): Promise<T> => {
    const from = asker();
    return line.ask(() => work(from), what ?? of, withinMs);
  };
  const model: Partial<Database> = {
    s: 'p',
    where: 'the model',
    query: <Row>(text: string, values?: readonly unknown[]) => ask(kindOf(text), (from) => rows(from, text, values) as Row[]),
    run: (text, values) => ask(kindOf(text), (from) => rows(from, text, values).length),
    transaction: (work) => ask('settle', (from) => work(sqlOf(from))),
    snapshot: (work) => ask('other', (from) => work(sqlOf(from))),
    queryAsMember: <Row>(text: string, values: readonly unknown[]) =>
      ask('beat', (from) => rows(from, text, values) as Row[], heartbeatMs),
    asMember: (work) => ask('beat', (from) => work(sqlOf(from)), heartbeatMs),
    dropWaiting: () => undefined,
    reconnect: () => line.reconnect(),
    takeRefusal: () => undefined,
  };
  return model as Database;
}

/** All transactions but those of the membership are settles, as soon as a replica has registered. */
function kindOf(text: string): StatementKind {
  if (text.includes('counted AS')) return 'append';
  return text.includes('fence AS') ? 'settle' : 'other';
}
