// One reading of a window from where its walk stands to the last page, and whether that was all of it.

import { PenstockError } from '../../base/errors.ts';
import { counted, iso } from '../../base/quantity.ts';
import type { Page, RecordFacts, WindowReader } from '../../connectors/connector.ts';
import { isCounted, type WalkState } from '../checkpoint.ts';
import { type Halt, type SourceContext, vendorNow } from '../context.ts';
import type { ReadWindow } from '../memory/shortfalls.ts';
import type { OwnRecords } from '../own-records.ts';
import type { PageGuard } from './guard.ts';
import { countOf, pages } from './pages.ts';
import { align, type Window } from './windows.ts';

/** One page of a walk. Whoever takes it commits it with its place, before asking for the next one. */
export interface WalkedPage {
  readonly facts: readonly RecordFacts[];
  readonly ownRecords: OwnRecords;
  /** The walk that asked for the page. */
  readonly walk: WalkState;
  /** Where the walk goes on after it; undefined when it has ended, the same walk where further records of the page follow. */
  readonly next: WalkState | undefined;
  /** `dropped`: without records; the window is cut anew by the next poll, because resuming would meet the same end. */
  readonly end: 'complete' | 'dropped' | undefined;
  /** The window of which this is the last page, and what it lacks. */
  readonly read?: ReadWindow;
}

export type WalkedPages = AsyncGenerator<WalkedPage, void, undefined>;

/** The walk from its first page again. */
export function begun({
  state: _state,
  pages: _pages,
  read: _read,
  lastTime: _lastTime,
  lastTotal: _lastTotal,
  ...walk
}: WalkState): WalkState {
  return { ...walk, state: null, pages: 0 };
}

/** How a window is scanned. */
export interface Scanning {
  readonly ownRecords: OwnRecords;
  readonly halt: Halt;
  /** Further scans that are left for pages that do not add up, because rows may have moved. */
  readonly rescans: number;
  /** True for a window that cannot be halved: what it lacks is noted, and collection goes on. */
  readonly isSmallest: boolean;
}

/**
 * Scans from where the walk stands to the last page. When the pages did not add up, the last one names the first page as the next; rejects
 * with PEN_WINDOW_TOO_LARGE when no further scan is left.
 */
export async function* scan(
  context: SourceContext,
  reader: WindowReader,
  first: WalkState,
  { ownRecords, halt, rescans, isSmallest }: Scanning,
): WalkedPages {
  let at = first;
  const { state, pages: before } = first;
  const window = { from: first.readFrom, to: first.to };
  const reading = { window, state, pages: before };
  for await (const { page, facts, guard, isPart } of pages(context, reader, reading, halt.hard)) {
    if (at.serverTime === undefined && page.serverTime !== undefined) at = { ...at, serverTime: page.serverTime };
    if (isPart) {
      yield { facts, ownRecords, walk: at, next: at, end: undefined };
      continue;
    }
    const lack = page.next === null ? await lackOf(context, { reader, window, at }, page, guard, halt.hard) : undefined;
    const mayRescan = lack?.mayHaveMoved === true && rescans > 0;
    if (page.next === null && (lack === undefined || ((isSmallest || lack.isOfAnySize === true) && !mayRescan))) {
      // What came in since belongs to the windows after this one.
      const noted = lack?.mayHaveCome === true && isOpen(context, at) ? undefined : lack;
      yield { facts, ownRecords, walk: at, next: undefined, end: 'complete', read: readWindow(context, at, noted) };
      return;
    }
    const next = page.next === null ? begun(at) : advanced(context, at, page, facts);
    yield { facts, ownRecords, walk: at, next, end: undefined };
    if (lack !== undefined && !mayRescan) throw new PenstockError('PEN_WINDOW_TOO_LARGE', lack.why);
    if (lack !== undefined) context.log.warn({ left: rescans - 1 }, `${lack.why}; the window is scanned again`);
    at = next;
  }
}

const openMs = 3_600_000;

/** True for a window so new that what comes in late is in a later one too. */
const isOpen = (context: SourceContext, { to }: WalkState): boolean =>
  to > vendorNow(context) - Math.max(openMs, context.settings.window.overlapMs);

/** The window of a walk that ends here. */
export function readWindow({ log }: SourceContext, { from, to }: WalkState, lack?: Pick<Lack, 'records' | 'why'>): ReadWindow {
  if (lack === undefined) return { from, to, lacking: 0 };
  const fields = { from: iso(from), to: iso(to), records: lack.records };
  log.warn(fields, `the vendor does not show all of its records: ${lack.why}`);
  return { from, to, lacking: lack.records };
}

/** Why a window is not whole. */
interface Lack {
  /** At least so many records. */
  readonly records: number;
  readonly why: string;
  /** True where another scan may find them. */
  readonly mayHaveMoved: boolean;
  /** True where they may have come in while the window was read. */
  readonly mayHaveCome?: boolean;
  /** True where no smaller window shows more. */
  readonly isOfAnySize?: boolean;
  /** True where nothing speaks for it but that the number is round: the vendor's own count, if it names one. */
  readonly roundTotal?: number | undefined;
}

/** What was read to its last page. */
interface ReadToEnd {
  readonly reader: WindowReader;
  readonly window: Window;
  readonly at: Pick<WalkState, 'state' | 'read'>;
}

/** What the pages of a window lack, once the last one came; undefined when nothing says so. */
export async function lackOf(
  context: SourceContext,
  { reader, window, at }: ReadToEnd,
  page: Page,
  guard: PageGuard,
  signal: AbortSignal,
): Promise<Lack | undefined> {
  const lack = suspectedLack(context, at, page, guard);
  if (lack?.roundTotal === undefined) return lack;
  return (await isCountHonest(context, reader, window, lack.roundTotal, signal)) ? undefined : lack;
}

/** Halves that hold all are cut so often before they are read instead. */
const mostCuts = 6;

/**
 * True where a window holds as many records as the vendor counts, though it may count no further: its two halves then hold as many, and each of them
 * fewer. That takes three requests for one record, where to read the halves takes as many pages again.
 */
async function isCountHonest(
  context: SourceContext,
  reader: WindowReader,
  window: Window,
  total: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { precisionMs, strayMs = 0 } = context.settings.connector.defaults;
  const step = Math.max(1, precisionMs, strayMs);
  try {
    let { from, to } = window;
    for (let cuts = 0; cuts < mostCuts; cuts += 1) {
      const middle = align(context, (from + to) / 2);
      if (middle - step <= from || middle >= to) return false;
      // Whether a bound belongs to a window differs between vendors: what both halves may hold is counted, too.
      const halves = [
        { from, to: middle },
        { from: middle - step, to },
        { from: middle - step, to: middle },
      ];
      const counts: number[] = [];
      for (const half of halves) counts.push((await countOf(context, reader, half, signal)) ?? Number.NaN);
      const [left = 0, right = 0, both = 0] = counts;
      if (left < total && right < total) return left + right - both === total;
      if (left === total && right === both) to = middle;
      else if (right === total && left === both) from = middle - step;
      else return false;
    }
    return false;
  } catch (error) {
    signal.throwIfAborted();
    context.log.debug({ err: error }, 'the halves of the window could not be counted');
    return false;
  }
}

function suspectedLack(
  { settings, memory }: Pick<SourceContext, 'settings' | 'memory'>,
  { state, read = 0 }: Pick<WalkState, 'state' | 'read'>,
  page: Page,
  { distinct, mostTotal, grown }: PageGuard,
): Lack | undefined {
  const { cap } = settings.connector.defaults;
  const count = read + (page.count ?? page.records.length);
  // Rows that move between pages come twice; behind a token or link none does, and a part may have been read before.
  const mayHaveMoved = state === null || isCounted(state);
  const met = mayHaveMoved ? distinct : count;
  if (met < mostTotal) {
    const why = `the vendor counts ${mostTotal} records in the window, but its pages hold ${met}`;
    return { records: mostTotal - met, why, mayHaveMoved, mayHaveCome: mostTotal - grown <= met };
  }
  if (cap !== undefined && count >= cap)
    return { records: 1, why: `the window holds ${count} records, and the vendor returns ${cap} at most`, mayHaveMoved: false };
  if (page.mayBeCut === 'list')
    return {
      records: page.lacking ?? 1,
      why: 'the list of groups may be cut: it holds a round number of them, and no other page follows; groups.page of the connector says how it goes on, or whole: true',
      mayHaveMoved: false,
      isOfAnySize: true,
    };
  if (page.toldCut !== undefined)
    return {
      records: page.lacking ?? 1,
      why: `the reply is not whole: ${page.toldCut}; it holds ${counted(count, 'record')}, and no other page follows`,
      mayHaveMoved: false,
    };
  if (page.mayBeCut === undefined || page.mayBeCut === false || isRefuted(memory, { state, count }, page)) return undefined;
  const unpaged =
    page.mayBeCut === 'unpaged' ? ', nor did one after any other reply yet: see that read.page of the connector leads to it' : '';
  return {
    records: page.lacking ?? 1,
    why: `the reply may be cut: it holds ${counted(count, 'record')}, and no other page follows${unpaged}`,
    mayHaveMoved: false,
    ...(state?.kind === 'offset' && page.total === count ? { roundTotal: count } : {}),
  };
}

/** True where another reply or window held more: the vendor does not cut there. */
function isRefuted(
  { largestReply, longestWalk }: SourceContext['memory'],
  { state, count }: Pick<WalkState, 'state'> & { readonly count: number },
  { lacking }: Page,
): boolean {
  if (lacking !== undefined || (state !== null && state.kind !== 'offset')) return false;
  return count < (state === null ? largestReply : longestWalk);
}

function advanced({ settings }: SourceContext, walk: WalkState, page: Page, facts: readonly RecordFacts[]): WalkState {
  const { lastTime, lastTotal, ...rest } = walk;
  const total = page.total ?? lastTotal;
  // A total that shrank means rows went away and others moved up past us: then only a whole scan finds the skipped ones.
  const shrank = page.total !== undefined && lastTotal !== undefined && page.total < lastTotal;
  const wasSound = walk.pages === 0 || lastTime !== undefined;
  const newest = facts.at(-1)?.time ?? lastTime;
  const isSound = wasSound && !shrank && newest !== undefined && settings.connector.defaults.ascending;
  return {
    ...rest,
    state: page.next,
    pages: walk.pages + 1,
    read: (walk.read ?? 0) + (page.count ?? page.records.length),
    ...(isSound ? { lastTime: newest } : {}),
    ...(total === undefined ? {} : { lastTotal: total }),
  };
}
