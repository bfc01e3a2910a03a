import type { Clock } from '../../base/clock.ts';
import { explainInLine } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { Log } from '../../base/log.ts';
import type { Journal } from '../../journal/journal.ts';
import {
  forNote,
  fromNote,
  type GivenUp,
  hasFailedOften,
  isCount,
  isDue,
  isGivenUp,
  type Noted,
  nothing,
  type Passes,
  whereTaken,
} from './given-up.ts';
import { isLearnt, type SizeLimits } from './size-limits.ts';
import { Untaken } from './untaken.ts';

/** Code of a dead letter that goes again by itself once the receiver took another event. */
export const untilOthersCode = 'not_taken_alone';
// More of them are no single events any more.
const most = 50;
const mostNoted = 500;
// What the receiver does meanwhile is the next process's to know, too.
const noteEveryMs = 60_000;

/** The entries of a note's object that have the form. */
function entriesOf<T>(note: Readonly<Record<string, unknown>>, name: string, is: (value: unknown) => value is T): [string, T][] {
  const entries = Object.entries(isObject(note[name]) ? note[name] : {});
  return entries.flatMap(([key, value]): [string, T][] => (is(value) ? [[key, value]] : []));
}

const noted = <T>(entries: Iterable<readonly [string, T]>): [string, T][] => [...new Map(entries)].slice(-mostNoted);

/**
 * How often events that failed alone were sent, kept in the journal: the next process sends them apart from others, and goes on counting. Those
 * that were given up go again once the receiver takes others: at once the first time, and once more after a rest. And which others failed alone
 * since the receiver took anything. What was learnt of the receiver's limits is kept with it.
 */
export class Suspects {
  readonly #limits: SizeLimits;
  readonly #journal: Pick<Journal, 'note' | 'changeNote' | 'ownership'>;
  readonly #log: Log;
  readonly #name: string;
  /** By uid, of earlier processes, and of those that were given up. */
  readonly #before = new Map<string, number>();
  readonly #copies = new Map<string, number>();
  readonly #givenUp = new Map<string, GivenUp>();
  /** Since the last write: those that have their outcome. */
  readonly #forgotten = new Set<string>();
  readonly #untaken = new Untaken();
  readonly #accused = new Set<string>();
  #inARow = 0;
  /** What the receiver did in all, as far as it was told. */
  #receiver = nothing;
  /** When that was noted last, milliseconds. */
  #notedAt = Number.NEGATIVE_INFINITY;
  #isWriting = false;
  #isStale = false;

  constructor(journal: Pick<Journal, 'note' | 'changeNote' | 'ownership'>, log: Log, sink: string, limits: SizeLimits) {
    this.#limits = limits;
    this.#journal = journal;
    this.#log = log;
    this.#name = `suspects:${sink}`;
  }

  /** Failures of events alone, one or several, since anything was taken. */
  get inARow(): number {
    return this.#inARow;
  }

  /** Reads what earlier processes noted of what is this one's to send, or is by now: another replica may have noted more. */
  async recall(clock: Clock): Promise<void> {
    const note = await this.#journal.note('', this.#name);
    if (!isObject(note)) return;
    this.#untaken.restore(note['untaken'], clock);
    for (const [endpoint, learnt] of entriesOf(note, 'limits', isLearnt)) this.#limits.restore(endpoint, learnt);
    for (const [uid, copies] of entriesOf(note, 'copies', isCount))
      if (!this.#copies.has(uid)) this.#before.set(uid, Math.max(copies, this.copiesBefore(uid)));
    for (const [uid, known] of entriesOf(note, 'givenUp', isGivenUp))
      if (this.#isOwn(known) && !this.#givenUp.has(uid)) this.#givenUp.set(uid, fromNote(known, this.#receiver));
  }

  /** What is known of these sources' events is their next owner's, who reads the note. */
  lose(sources: readonly string[]): void {
    const gone = new Set<string | undefined>(sources);
    for (const [uid, { source }] of this.#givenUp) if (source !== undefined && gone.has(source)) this.#givenUp.delete(uid);
  }

  /** Of what was given up, each replica sends again what is of its own sources: two would send it twice. */
  #isOwn({ source }: Pick<GivenUp, 'source'>): boolean {
    return source === undefined || this.#journal.ownership.owns(source);
  }

  get #isEmpty(): boolean {
    return this.#before.size + this.#copies.size + this.#givenUp.size + this.#accused.size === 0;
  }

  /** Copies of the event that earlier processes made, or that were made before it was given up. */
  copiesBefore(uid: string): number {
    // Asked of every event; where nothing is known, not even the hash of its text is made.
    return this.#before.size === 0 ? 0 : (this.#before.get(uid) ?? 0);
  }

  /** How many others failed alone, and have no outcome yet. */
  othersThan(uid: string): number {
    return this.#copies.size - (this.#copies.has(uid) ? 1 : 0);
  }

  /** It failed alone once more; `copies` of this process. */
  failed(uid: string, copies: number): void {
    this.#inARow += 1;
    const [oldest] = this.#copies.keys();
    if (oldest !== undefined && !this.#copies.has(uid) && this.#copies.size >= most) this.#copies.delete(oldest);
    this.#copies.set(uid, this.copiesBefore(uid) + copies);
    this.#save();
  }

  /** A limit was learnt, or is forgotten. */
  learnt(): void {
    this.#save();
  }

  /** It has its outcome. */
  forget(uid: string): void {
    if (this.#isEmpty) return;
    this.#accused.delete(uid);
    const isKnown = [this.#before.delete(uid), this.#copies.delete(uid), this.#givenUp.delete(uid)].includes(true);
    if (!isKnown) return;
    this.#forgotten.add(uid);
    this.#save();
  }

  /** It failed alone while the receiver was there; gives how many did since it took any: those that were given up count as one. */
  untaken(uid: string): number {
    if (this.#untaken.add(uid)) this.#save();
    const isKnown = this.#untaken.count === 1 && [...this.#givenUp.values()].some(({ rests, goes }) => !rests && !goes);
    return this.#untaken.count + (isKnown ? 1 : 0);
  }

  /** A letter that no note names, written at that time: the process ended between the two, or the journal failed. */
  adopt(uid: string, at: number, source?: string): void {
    if (!this.#givenUp.has(uid) && this.#isOwn({ source }))
      this.#givenUp.set(uid, fromNote({ rests: true, at, goes: false, source }, this.#receiver));
  }

  /** A person says that the receiver is well: those that failed alone since it took anything may be given up. */
  accuse(): void {
    for (const uid of this.#untaken.take()) this.#accused.add(uid);
  }

  isAccused(uid: string): boolean {
    return this.#accused.has(uid);
  }

  /**
   * An event that was sent often enough failed once more while nothing is taken: none of those goes again for an hour, then twice as long each
   * time up to four, in the next process too, for one of them shows as well as all. Another that fails meanwhile, sent before the rest began,
   * adds nothing to it.
   */
  rest(clock: Clock): void {
    if (this.#untaken.rest(clock)) this.#save();
  }

  isResting(now: number): boolean {
    return this.#untaken.isResting(now);
  }

  /** True for an event that was given up before. */
  wasGivenUp(uid: string): boolean {
    return this.#givenUp.has(uid);
  }

  /** True for one that went again by itself after its rest: the receiver had taken others for long, and hardly failed. */
  wentRested(uid: string): boolean {
    const known = this.#givenUp.get(uid);
    return known?.goes === true && known.rests;
  }

  /** An event was given up after so many copies, and is to go again; at once, unless that one would be the last of those that may be. */
  giveUp(uid: string, copies: number, mostCopies: number, receiver: Passes, now: number, source?: string): void {
    const sum = this.copiesBefore(uid) + copies;
    const rests = this.#givenUp.has(uid) || sum + 1 >= mostCopies;
    this.#before.set(uid, sum);
    this.#copies.delete(uid);
    this.#accused.delete(uid);
    this.#givenUp.set(uid, { rests, at: now, goes: false, source, since: { ...receiver }, isFresh: true });
    for (const [oldest] of [...this.#givenUp].slice(0, -mostNoted)) this.forget(oldest);
    this.#save();
  }

  /** The receiver took events. Gives those that go again now; true for those that went before and came to no outcome. */
  taken(receiver: Passes, now: number): ReadonlyMap<string, boolean> {
    this.#inARow = 0;
    if (this.#untaken.clear()) this.#save();
    this.#receiver = receiver;
    if (this.#givenUp.size === 0) return new Map();
    for (const [uid, known] of this.#givenUp) this.#givenUp.set(uid, whereTaken(known, receiver, now));
    const due = [...this.#givenUp].filter(([, known]) => isDue(known, receiver, now) && this.#isOwn(known));
    for (const [uid, known] of due) this.#givenUp.set(uid, { ...known, at: now, goes: true });
    // An hour in which the receiver failed says nothing of the next one.
    for (const [uid, known] of this.#givenUp)
      if (hasFailedOften(known, receiver, now)) this.#givenUp.set(uid, { ...known, at: now, since: { ...receiver } });
    if (due.length > 0 || now - this.#notedAt >= noteEveryMs) {
      this.#notedAt = now;
      this.#save();
    }
    return new Map(due.map(([uid, { goes }]) => [uid, goes]));
  }

  /** One write at a time, the newest state last. */
  #save(): void {
    this.#isStale = true;
    if (!this.#isWriting) void this.#write();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const forgotten = [...this.#forgotten];
        await this.#journal.changeNote('', this.#name, (note) => this.#with(isObject(note) ? note : {}));
        for (const uid of forgotten) this.#forgotten.delete(uid);
      }
    } catch (error) {
      this.#log.debug(
        { reason: explainInLine(error) },
        'events that fail alone not noted in the journal; the next process counts anew',
      );
    } finally {
      this.#isWriting = false;
    }
  }

  /** The note with what this process knows put in: several replicas write it, each of its own events. */
  #with(note: Readonly<Record<string, unknown>>): Json {
    const isOpen = ([uid]: readonly [string, unknown]): boolean => !this.#forgotten.has(uid);
    const copies = noted([...entriesOf(note, 'copies', isCount).filter(isOpen), ...this.#before, ...this.#copies]);
    const own = [...this.#givenUp].filter(([, known]) => this.#isOwn(known));
    const ours = own.map(([uid, known]): [string, Noted] => [uid, forNote(known, this.#receiver)]);
    const givenUp = noted([...entriesOf(note, 'givenUp', isGivenUp).filter(isOpen), ...ours]);
    return {
      copies: Object.fromEntries(copies),
      givenUp: Object.fromEntries(givenUp),
      untaken: this.#untaken.noted(),
      limits: this.#limits.learnt(entriesOf(note, 'limits', isLearnt)),
    };
  }
}
