// The one loop over pages: whoever reads a vendor's pages, to collect, to compare or to test a connector, reads them through here.
import { PenstockError } from '../../base/errors.ts';
import type { Page, PageState, RawRecord, RecordFacts, RecordList, WindowReader } from '../../connectors/connector.ts';
import { type SourceContext, vendorNow } from '../context.ts';
import { detailsOf } from '../details.ts';
import { EqualRows, type Examining, examineAll } from '../examine.ts';
import { PageGuard } from './guard.ts';
import type { Window } from './windows.ts';

/** As much of a source's context as reading takes. */
interface PageContext
  extends Examining,
    Pick<SourceContext, 'memory' | 'seams'>,
    Partial<Pick<SourceContext, 'journal' | 'takesAction'>> {}

/** What to read, and from where on. */
interface Reading {
  /** `untimed`: everything, newest first, for rows that no window returns. */
  readonly window: Window | 'untimed';
  /** The page to begin with; null for the first. */
  readonly state: PageState | null;
  /** Pages read of it before. */
  readonly pages: number;
  /** The list alone, to compare it. */
  readonly withoutDetails?: true;
}

interface ReadPage {
  readonly page: Page;
  /** Of the page's records, in order, or of some of them. */
  readonly facts: readonly RecordFacts[];
  /** True where further records of the page follow, which memory should not hold at once; what has come is to be dealt with before. */
  readonly isPart: boolean;
  /** What was met so far, this page included. */
  readonly guard: PageGuard;
}

/**
 * Reads page after page to the last one; the next is asked for only when this one is dealt with. Rejects with the reader's error, and with
 * PEN_PAGE_LOOP when a page comes again or there are more than the connector allows.
 */
export async function* pages(
  context: PageContext,
  reader: WindowReader,
  reading: Reading,
  signal: AbortSignal,
): AsyncGenerator<ReadPage, void, undefined> {
  try {
    yield* pageAfterPage(context, reader, reading, signal);
  } finally {
    reader.rest?.();
  }
}

async function* pageAfterPage(
  context: PageContext,
  reader: WindowReader,
  { window, state, pages: before, withoutDetails }: Reading,
  signal: AbortSignal,
): AsyncGenerator<ReadPage, void, undefined> {
  const { maxPages } = context.settings.connector.defaults;
  const guard = new PageGuard(state);
  const equalRows = new EqualRows();
  for (let [next, count]: [PageState | null, number] = [state, before]; ; count += 1) {
    const what = window === 'untimed' ? 'the sweep' : 'the window';
    if (count >= maxPages) throw new PenstockError('PEN_PAGE_LOOP', `${what} has more than ${maxPages} pages`);
    const page = await askPage(context, reader, window, next, signal);
    context.memory.largestReply = Math.max(context.memory.largestReply, page.count ?? page.records.length);
    context.memory.unpaged = page.next === null ? context.memory.unpaged + (page.mayBeCut === 'unpaged' ? 1 : 0) : 0;
    const details = withoutDetails === true ? undefined : detailsOf(reader);
    let taken = 0;
    for (const raws of partsOf(page.records)) {
      taken += raws.length;
      const plain = await examineAll(context, raws);
      guard.refuseLoop(page, plain, { state: next, isPart: taken < page.records.length });
      const listed = await equalRows.number(context, raws, plain, page.total);
      let left = page.records.length - taken + raws.length;
      for await (const facts of details?.add(context, raws, listed, signal) ?? [listed]) {
        left -= facts.length;
        guard.count(page, facts, next);
        if (window !== 'untimed' && next?.kind === 'offset')
          context.memory.longestWalk = Math.max(context.memory.longestWalk, guard.distinct);
        yield { page, facts, guard, isPart: left > 0 };
      }
    }
    if (page.next === null) return;
    next = page.next;
  }
}

/** Records that are examined and committed at once: a page may hold any number. */
const recordsAtOnce = 5_000;
/** Characters that the events of one record repeat, examined at once. */
const copiedAtOnce = 16 * 1024 * 1024;

/** The records of a page, no more at once than memory should hold; of a page without records, none once. */
export function* partsOf(records: RecordList): Generator<readonly RawRecord[]> {
  for (let start = 0; start === 0 || start < records.length; ) {
    const raws = records.slice(start, start + recordsAtOnce);
    let [count, copied] = [0, 0];
    while (count < raws.length && copied < copiedAtOnce) {
      copied += raws[count]?.copied ?? 0;
      count += 1;
    }
    yield count < raws.length ? raws.slice(0, count) : raws;
    start += Math.max(count, 1);
  }
}

/** How many records of a window the vendor counts, by its first page of one; undefined where it does not say. */
export async function countOf(
  context: PageContext,
  reader: WindowReader,
  window: Window,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    const { total } = await askPage(context, reader, { ...window, limit: 1 }, null, signal);
    return total;
  } finally {
    reader.rest?.();
  }
}

function askPage(
  context: PageContext,
  reader: WindowReader,
  window: (Window & { readonly limit?: number }) | 'untimed',
  state: PageState | null,
  signal: AbortSignal,
): Promise<Page> {
  const ask = () => (window === 'untimed' ? askUntimed(reader, state, signal) : reader.page({ ...window, state }, signal));
  return noted(context, reader, ask);
}

/**
 * Asks for a page. Notes how many requests left this machine, also when they failed: each may show up in the vendor's log; and the time of the
 * answer, which the page lacks where its Date is not that of a clock.
 */
export async function noted<P extends Pick<Page, 'serverTime'>>(
  context: PageContext,
  reader: { readonly requestCount: number },
  ask: () => Promise<P>,
): Promise<P> {
  const before = reader.requestCount;
  try {
    const page = await ask();
    return { ...page, serverTime: measuredTime(context, page) };
  } finally {
    context.memory.requests.add(vendorNow(context), reader.requestCount - before);
  }
}

function askUntimed(reader: WindowReader, state: PageState | null, signal: AbortSignal): Promise<Page> {
  if (reader.sweepPage !== undefined) return reader.sweepPage({ state }, signal);
  throw new PenstockError('PEN_INTERNAL', 'the reader cannot read without a window');
}

const farMs = 60_000;

function measuredTime(
  { memory, seams: { clock }, log }: PageContext,
  { serverTime }: Pick<Page, 'serverTime'>,
): number | undefined {
  memory.vendorClock.hasAnswered = true;
  if (serverTime === undefined) return undefined;
  const wasFar = Math.abs(memory.vendorClock.skewMs ?? 0) > farMs;
  const time = memory.vendorClock.take(serverTime, clock);
  const ms = memory.vendorClock.skewMs ?? 0;
  if (Math.abs(ms) > farMs && !wasFar)
    log.warn({ skewMs: ms }, "the vendor's clock and ours differ; windows follow the slower one");
  return time;
}
