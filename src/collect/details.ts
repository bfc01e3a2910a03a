// The details of records that are new: asked for before they are committed, because a record that was delivered without is never looked at again.
import { asPenstockError, PenstockError } from '../base/errors.ts';
import type { DetailReader, RawRecord, RecordFacts } from '../connectors/connector.ts';
import { dayOf, withoutDetail } from './admit.ts';
import { isFiltered, type SourceContext } from './context.ts';
import { type Examining, examineAll } from './examine.ts';

/** Polls in which a record fails until it goes without its detail: while others are answered, alone after that, and where the vendor may be away. */
const [failuresBeside, failuresOwn, failuresAlone] = [3, 5, 20];
const almostOne = 0.999;
/** Failures in a row after which the vendor is taken to be away. */
const awayAfter = 3;
/** Details that wait for the rest of their page. */
const mostKept = 10_000;

interface Context extends Examining, Partial<Pick<SourceContext, 'journal'>> {
  readonly takesAction?: SourceContext['takesAction'];
}

interface Wanted {
  readonly index: number;
  readonly raw: RawRecord;
  readonly uid: string;
}

interface Failed extends Wanted {
  readonly error: PenstockError;
  /** Answers of the vendor in this poll before it failed. */
  readonly answers: number;
}

/** Details of one source as far as they have come; one for the life of a reader. */
class Details {
  readonly #reader: DetailReader;
  readonly #kept = new Map<string, RawRecord>();
  /** How much of what is borne a record has failed, by its uid. */
  readonly #failures = new Map<string, number>();
  /** Records that failed while the vendor was there. */
  readonly #own = new Set<string>();

  constructor(reader: DetailReader) {
    this.#reader = reader;
  }

  /**
   * Facts of records with their details: what is known already, or filtered, needs none. Rejects with PEN_DETAIL_UNAVAILABLE when one cannot be
   * had just now, so that its page is asked for again, and with PEN_SOURCE_REFUSED.
   */
  async add(
    context: Context,
    raws: readonly RawRecord[],
    facts: readonly RecordFacts[],
    signal: AbortSignal,
  ): Promise<readonly RecordFacts[]> {
    const wanted = await this.#wanted(context, facts);
    const full = await this.#askAll(
      wanted.flatMap((index) => {
        const [raw, one] = [raws[index], facts[index]];
        return raw === undefined || one === undefined ? [] : [{ index, raw, uid: one.uid }];
      }),
      signal,
    );
    const examined = await examineAll(context, [...full.values()]);
    const byIndex = new Map([...full.keys()].map((index, i) => [index, examined[i]]));
    this.#kept.clear();
    this.#failures.clear();
    this.#own.clear();
    return facts.map((one, index) => withDetail(one, byIndex.get(index)));
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

  /** Those that failed before come last: whether others answer decides about them. */
  async #askAll(wanted: readonly Wanted[], signal: AbortSignal): Promise<ReadonlyMap<number, RawRecord>> {
    const full = new Map<number, RawRecord>();
    const failed: Failed[] = [];
    let [answers, inARow] = [0, 0];
    const order = wanted.toSorted((a, b) => (this.#failures.get(a.uid) ?? 0) - (this.#failures.get(b.uid) ?? 0));
    for (const one of order) {
      if (inARow >= awayAfter && answers === 0) break;
      try {
        const { raw, isAnswer } = await this.#detailed(one, signal);
        full.set(one.index, raw);
        if (isAnswer) [answers, inARow] = [answers + 1, 0];
      } catch (error) {
        signal.throwIfAborted();
        const fault = asPenstockError(error);
        if (fault.code === 'PEN_SOURCE_REFUSED') throw fault;
        inARow += 1;
        failed.push({ ...one, error: fault, answers });
      }
    }
    const [first] = failed;
    if (first === undefined) return full;
    const without = order.filter(({ index }) => !full.has(index));
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
  async #detailed({ raw, uid }: Wanted, signal: AbortSignal): Promise<{ readonly raw: RawRecord; readonly isAnswer: boolean }> {
    const kept = this.#kept.get(uid);
    if (kept !== undefined) return { raw: kept, isAnswer: false };
    const detail = await this.#reader.ask(raw.value, uid, signal);
    const full = 'record' in detail ? { ...raw, value: detail.record } : labelled(raw);
    if (this.#kept.size < mostKept) this.#kept.set(uid, full);
    return { raw: full, isAnswer: 'record' in detail || detail.isAnswer };
  }
}

const opened = new WeakMap<DetailReader, Details>();

/** The details that a reader asks for; undefined where its connector has none. */
export function detailsOf({ details }: { readonly details?: DetailReader }): Details | undefined {
  if (details === undefined) return undefined;
  const known = opened.get(details) ?? new Details(details);
  opened.set(details, known);
  return known;
}

const labelled = (raw: RawRecord): RawRecord => ({ ...raw, labels: [...(raw.labels ?? []), withoutDetail] });

/** A record is named and compared by what the list says of it: its detail may change, and is asked for once. */
function withDetail(listed: RecordFacts, full: RecordFacts | undefined): RecordFacts {
  if (full === undefined) return listed;
  const { uid, conflictUid, fingerprint, time = full.time, isNamedByContent } = listed;
  return {
    ...full,
    uid,
    conflictUid,
    fingerprint,
    time,
    ...(isNamedByContent === undefined ? {} : { isNamedByContent }),
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
