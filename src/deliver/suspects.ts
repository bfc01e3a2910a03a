import { explainInLine } from '../base/errors.ts';
import { isObject, type Json } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import type { Journal } from '../journal/journal.ts';
import { isLearnt, type SizeLimits } from './size-limits.ts';

/** Code of a dead letter that goes again by itself once the receiver took another event. */
export const untilOthersCode = 'not_taken_alone';
// More of them are no single events any more.
const most = 50;
const mostNoted = 500;

/**
 * How often events that failed alone were sent, kept in the journal: the next process sends them apart from others, and goes on counting. And
 * whether some were given up that are to go again, and which others failed alone since the receiver took anything. What was learnt of the
 * receiver's limits is kept with it.
 */
export class Suspects {
  readonly #limits: SizeLimits;
  readonly #journal: Pick<Journal, 'note' | 'setNote'>;
  readonly #log: Log;
  readonly #name: string;
  /** By uid, of earlier processes. */
  readonly #before = new Map<string, number>();
  readonly #copies = new Map<string, number>();
  /** Since the last write: those that have their outcome, and whether what was waited for came. */
  readonly #forgotten = new Set<string>();
  #hasGone = false;
  readonly #untaken = new Set<string>();
  #inARow = 0;
  #isWaiting = false;
  #isWriting = false;
  #isStale = false;

  constructor(journal: Pick<Journal, 'note' | 'setNote'>, log: Log, sink: string, limits: SizeLimits) {
    this.#limits = limits;
    this.#journal = journal;
    this.#log = log;
    this.#name = `suspects:${sink}`;
  }

  /** Failures of events alone, one or several, since anything was taken. */
  get inARow(): number {
    return this.#inARow;
  }

  async recall(): Promise<void> {
    const note = await this.#journal.note('', this.#name);
    if (!isObject(note)) return;
    this.#isWaiting = note['waiting'] === true;
    for (const [endpoint, learnt] of Object.entries(isObject(note['limits']) ? note['limits'] : {}))
      if (isLearnt(learnt)) this.#limits.restore(endpoint, learnt);
    for (const [uid, copies] of Object.entries(isObject(note['copies']) ? note['copies'] : {}))
      if (typeof copies === 'number') this.#before.set(uid, copies);
  }

  /** Copies that earlier processes made of the event. */
  copiesBefore(uid: string): number {
    return this.#before.get(uid) ?? 0;
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
    const isKnown = this.#before.delete(uid);
    if (!this.#copies.delete(uid) && !isKnown) return;
    this.#forgotten.add(uid);
    this.#save();
  }

  /** It failed alone while the receiver was there; gives how many did since it took any: those that were given up count as one. */
  untaken(uid: string): number {
    if (this.#untaken.size < most) this.#untaken.add(uid);
    const isKnown = this.#isWaiting && this.#untaken.size === 1;
    return this.#untaken.size + (isKnown ? 1 : 0);
  }

  /** An event was given up that is to go again once others are taken. */
  wait(): void {
    this.#isWaiting = true;
    this.#save();
  }

  /** The receiver took events. True when that was waited for, once. */
  taken(): boolean {
    this.#inARow = 0;
    this.#untaken.clear();
    if (!this.#isWaiting) return false;
    this.#isWaiting = false;
    this.#hasGone = true;
    this.#save();
    return true;
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
        const note = await this.#journal.note('', this.#name);
        await this.#journal.setNote('', this.#name, this.#with(isObject(note) ? note : {}));
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
    const noted = Object.entries(isObject(note['copies']) ? note['copies'] : {});
    const others = noted.filter(([uid, copies]) => typeof copies === 'number' && !this.#forgotten.has(uid)) as [string, number][];
    const waiting = this.#isWaiting || (note['waiting'] === true && !this.#hasGone);
    this.#forgotten.clear();
    this.#hasGone = false;
    const copies = Object.fromEntries([...new Map([...others, ...this.#before, ...this.#copies])].slice(-mostNoted));
    return { copies, waiting, limits: this.#limits.learnt() };
  }
}
