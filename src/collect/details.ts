// The details of records that are new: asked for before they are committed, because a record that was delivered without is never looked at again.
import { asPenstockError, PenstockError } from '../base/errors.ts';
import type { DetailReader, RawRecord, RecordFacts } from '../connectors/connector.ts';
import { dayOf } from './admit.ts';
import { isFiltered, type SourceContext } from './context.ts';
import { type Examining, examineAll } from './examine.ts';
import { withoutDetail } from './remember.ts';

/** Polls in which a record fails until it goes without its detail: while others are answered, alone after that, and where the vendor may be away. */
const [failuresBeside, failuresOwn, failuresAlone] = [3, 5, 20];
const almostOne = 0.999;
/** Failures in a row after which the vendor is taken to be away. */
const awayAfter = 3;
/** So many bytes of details are held, whatever the number of records: then those that have theirs are handed on. */
const mostBytes = 16 * 1024 * 1024;

interface Context extends Examining, Partial<Pick<SourceContext, 'journal'>> {
  readonly takesAction?: SourceContext['takesAction'];
}

interface Wanted {
  readonly index: number;
  readonly raw: RawRecord;
  readonly uid: string;
}

/** A record with its detail, which took so many bytes. */
interface Kept {
  readonly raw: RawRecord;
  readonly bytes: number;
}

interface Failed extends Wanted {
  readonly error: PenstockError;
  /** Answers of the vendor in this poll before it failed. */
  readonly answers: number;
}

/** What has come of a page in one poll. */
interface Come {
  /** Answers of the vendor, and failures since the last of them. */
  answers: number;
  inARow: number;
}

/** Records that follow each other in a page, and are handed on together. */
interface Run {
  readonly end: number;
  readonly asked: readonly Wanted[];
  readonly failed: readonly Failed[];
  readonly full: Map<number, RawRecord>;
}

/** Details of one source as far as they have come; one for the life of a reader. */
class Details {
  readonly #reader: DetailReader;
  readonly #kept = new Map<string, Kept>();
  /** How much of what is borne a record has failed, by its uid. */
  readonly #failures = new Map<string, number>();
  /** Records that failed while the vendor was there. */
  readonly #own = new Set<string>();

  constructor(reader: DetailReader) {
    this.#reader = reader;
  }

  /**
   * Facts of records with their details, in runs of as many as memory should hold: each is to be committed before the next is asked for. What is
   * known already, or filtered, needs none. Rejects with PEN_DETAIL_UNAVAILABLE when one cannot be had just now, so that its page is asked for
   * again, and with PEN_SOURCE_REFUSED.
   */
  async *add(
    context: Context,
    raws: readonly RawRecord[],
    facts: readonly RecordFacts[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly RecordFacts[], void, undefined> {
    const indexes = new Set(await this.#wanted(context, facts));
    const wanted = facts.map((one, index): Wanted | undefined => {
      const raw = raws[index];
      return raw === undefined || !indexes.has(index) ? undefined : { index, raw, uid: one.uid };
    });
    const come = { answers: 0, inARow: 0 };
    for (let start = 0; start === 0 || start < facts.length; ) {
      const run = await this.#askOn(wanted, start, come, signal);
      const full = this.#decide(run, come);
      const examined = await examineAll(context, [...full.values()]);
      const byIndex = new Map([...full.keys()].map((index, i) => [index, examined[i]]));
      yield facts.slice(start, run.end).map((one, i) => withDetail(one, byIndex.get(start + i)));
      for (const { uid } of run.asked) this.#forget(uid);
      start = Math.max(run.end, 1);
    }
    this.#kept.clear();
    this.#failures.clear();
    this.#own.clear();
  }

  #forget(uid: string): void {
    this.#kept.delete(uid);
    this.#failures.delete(uid);
    this.#own.delete(uid);
  }

  async #wanted(context: Context, facts: readonly RecordFacts[]): Promise<number[]> {
    const { journal, settings } = context;
    const keys = facts.map(({ time, uid }) => ({ day: dayOf(time), id: uid }));
    const known = journal === undefined || !('name' in settings) ? [] : await journal.seen(String(settings.name), keys);
    return facts.flatMap((one, index) => {
      const isKnown = known[index]?.includes(one.fingerprint) === true;
      const isOut = context.takesAction !== undefined && isFiltered({ takesAction: context.takesAction }, one);
      return isKnown || isOut || one.unreadable !== undefined ? [] : [index];
    });
  }

  /**
   * Asks for the details of records from one on until memory should hold no more. Those that failed before come last: whether others answer
   * decides about them.
   */
  async #askOn(wanted: readonly (Wanted | undefined)[], start: number, come: Come, signal: AbortSignal): Promise<Run> {
    const full = new Map<number, RawRecord>();
    const failed: Failed[] = [];
    const late: Wanted[] = [];
    let [end, bytes] = [start, 0];
    const ask = async (one: Wanted): Promise<number> => {
      if (isAway(come)) return 0;
      const came = await this.#tryDetail(one, come, signal);
      if ('error' in came) failed.push(came);
      else full.set(one.index, came.raw);
      return 'error' in came ? 0 : came.bytes;
    };
    for (; end < wanted.length && bytes < mostBytes; end += 1) {
      const one = wanted[end];
      if (one !== undefined && this.#failures.has(one.uid)) late.push(one);
      else if (one !== undefined) bytes += await ask(one);
    }
    late.sort((a, b) => this.#failed(a) - this.#failed(b));
    for (let one = late.shift(); one !== undefined; one = late.shift()) {
      bytes += await ask(one);
      if (bytes < 2 * mostBytes) continue;
      // Too much for one run: it ends before the first that is still to be asked for, and what has come of later ones is kept until their turn.
      late.sort((a, b) => a.index - b.index);
      if (late[0]?.index !== start) break;
    }
    return this.#run(wanted, start, { end: late[0]?.index ?? end, failed, full });
  }

  #failed({ uid }: Wanted): number {
    return this.#failures.get(uid) ?? 0;
  }

  #run(wanted: readonly (Wanted | undefined)[], start: number, { end, failed, full }: Omit<Run, 'asked'>): Run {
    const asked = wanted.slice(start, end).filter((one) => one !== undefined);
    const isIn = ({ index }: Wanted): boolean => index < end;
    return { end, asked, failed: failed.filter(isIn), full: new Map([...full].filter(([index]) => index < end)) };
  }

  async #tryDetail(one: Wanted, come: Come, signal: AbortSignal): Promise<Kept | Failed> {
    try {
      const { isAnswer, ...kept } = await this.#detailed(one, signal);
      if (isAnswer) Object.assign(come, { answers: come.answers + 1, inARow: 0 });
      return kept;
    } catch (error) {
      signal.throwIfAborted();
      const fault = asPenstockError(error);
      if (fault.code === 'PEN_SOURCE_REFUSED') throw fault;
      come.inARow += 1;
      return { ...one, error: fault, answers: come.answers };
    }
  }

  /** The records of a run with their details, or without where waiting is over; throws while one is waited for. */
  #decide({ asked, failed, full }: Run, { answers }: Come): ReadonlyMap<number, RawRecord> {
    const [first] = failed;
    const without = asked.filter(({ index }) => !full.has(index));
    if (without.length === 0 || first === undefined) return full;
    const waiting = this.#waiting(without, failed, answers);
    if (waiting > 0) throw unavailable(first.error, waiting);
    for (const { index, raw } of without) full.set(index, labelled(raw));
    return full;
  }

  /**
   * How many of those without a detail are still waited for, those among them that were not asked for any more. One that fails while the vendor
   * answers for others is at fault itself: when one is answered after it, or when it fails again. Else the vendor may be away.
   */
  #waiting(without: readonly Wanted[], failed: readonly Failed[], answers: number): number {
    for (const one of failed) if (answers > one.answers || (answers > 0 && this.#failures.has(one.uid))) this.#blame(one.uid);
    for (const { uid } of failed) {
      const polls = !this.#own.has(uid) ? failuresAlone : answers > 0 ? failuresBeside : failuresOwn;
      this.#failures.set(uid, (this.#failures.get(uid) ?? 0) + 1 / polls);
    }
    return without.filter(({ uid }) => (this.#failures.get(uid) ?? 0) < almostOne).length;
  }

  /** What it failed before, while the vendor was away, no longer counts. */
  #blame(uid: string): void {
    if (this.#own.has(uid)) return;
    this.#own.add(uid);
    this.#failures.delete(uid);
  }

  /** What an earlier poll was told shows nothing about the vendor of now. */
  async #detailed({ raw, uid }: Wanted, signal: AbortSignal): Promise<Kept & { readonly isAnswer: boolean }> {
    const kept = this.#kept.get(uid);
    if (kept !== undefined) return { ...kept, isAnswer: false };
    const detail = await this.#reader.ask(raw.value, uid, signal);
    const came =
      'record' in detail ? { raw: { ...raw, value: detail.record }, bytes: detail.bytes } : { raw: labelled(raw), bytes: 0 };
    this.#kept.set(uid, came);
    return { ...came, isAnswer: 'record' in detail || detail.isAnswer };
  }
}

const isAway = ({ answers, inARow }: Come): boolean => inARow >= awayAfter && answers === 0;

const opened = new WeakMap<DetailReader, Details>();

/** The details that a reader asks for; undefined where its connector has none. */
export function detailsOf({ details }: { readonly details?: DetailReader }): Details | undefined {
  if (details === undefined) return undefined;
  const known = opened.get(details) ?? new Details(details);
  opened.set(details, known);
  return known;
}

const labelled = (raw: RawRecord): RawRecord => ({ ...raw, value: raw.value, labels: [...(raw.labels ?? []), withoutDetail] });

/** A record is named and compared by what the list says of it: its detail may change, and is asked for once. */
function withDetail(listed: RecordFacts, full: RecordFacts | undefined): RecordFacts {
  if (full === undefined) return listed;
  const { uid, conflictUid, fingerprint, time = full.time, isNamedByContent } = listed;
  const { isFurtherPart, hasUnreadableTime, actionKey, action, json, record, unreadable, labels } = full;
  const told = { isFurtherPart, hasUnreadableTime, actionKey, action, json, record, unreadable, labels };
  return {
    ...told,
    uid,
    conflictUid,
    fingerprint,
    time,
    isNamedByContent: isNamedByContent ?? full.isNamedByContent,
    isSelfMade: (userAgent) => full.isSelfMade(userAgent),
  };
}

// Without the status: what a page does about its own failures is not for those of details.
function unavailable(error: PenstockError, count: number): PenstockError {
  const what = count === 1 ? 'the detail of a record' : `the details of ${count} records`;
  return new PenstockError('PEN_DETAIL_UNAVAILABLE', `${what} cannot be had: ${error.message}`, {
    fix: 'nothing is lost: the records wait for their details, and a record that fails while others do not goes without in the end',
    cause: error,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}
