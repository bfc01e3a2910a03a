// A stretch of time, window by window and page by page. The walk of a window is new, resumed (token, link), begun again after the last record
// (offset, ascending), scanned again (incomplete by count, at most twice), restarted (page token refused, once), and then complete or dropped.
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import type { Page, RecordFacts, WindowReader } from '../../connectors/connector.ts';
import type { WalkState } from '../checkpoint.ts';
import { type Halt, type SourceContext, untilRoom, vendorNow } from '../context.ts';
import { OwnRecords } from '../own-records.ts';
import type { PageGuard } from './guard.ts';
import { pages } from './pages.ts';
import { type Stretch, type Window, type WindowSize, windows } from './windows.ts';

/** One page of a walk. Whoever takes it commits it with its place, before asking for the next one. */
export interface WalkedPage {
  readonly facts: readonly RecordFacts[];
  readonly ownRecords: OwnRecords;
  /** The walk that asked for the page. */
  readonly walk: WalkState;
  /** Where the walk goes on after it; undefined when it has ended. */
  readonly next: WalkState | undefined;
  /** `dropped`: without records; the window is cut anew by the next poll, because resuming would meet the same end. */
  readonly end: 'complete' | 'dropped' | undefined;
}

type WalkedPages = AsyncGenerator<WalkedPage, void, undefined>;

/** Further scans of a window whose pages did not add up. */
const maxRescans = 2;

/**
 * Walks a stretch to its end, first what an earlier process or poll left behind. Waits for room in the journal before each window. Rejects
 * with what ended it; what was committed stays, and the checkpoint says where to go on.
 */
export async function* walk(
  context: SourceContext,
  reader: WindowReader,
  { left, ...stretch }: Omit<Stretch, 'first'> & { readonly left: WalkState | undefined },
  size: WindowSize,
  halt: Halt,
): WalkedPages {
  const resumed = left === undefined ? undefined : resumedWalk(context, left);
  let began = resumed?.began ?? vendorNow(context);
  for (const window of windows(context, { ...stretch, first: resumed }, size)) {
    halt.soft.throwIfAborted();
    await untilRoom(context, halt.soft);
    const first = window === resumed ? resumed : newWalk(window, began);
    for await (const page of walkWindow(context, reader, first, window, size, halt)) {
      yield page;
      // The first answer tells how far the vendor's clock is behind.
      if (page.end === 'complete') began = Math.min(began, page.walk.serverTime ?? began);
    }
  }
}

/** The walk of a window that nobody read yet, for a poll that began at a time (milliseconds, the vendor's clock). */
function newWalk({ from, to }: Window, began: number): WalkState {
  return { from, to, readFrom: from, state: null, pages: 0, began };
}

/** The walk from its first page again. */
function begun({ state: _state, pages: _pages, lastTime: _lastTime, lastTotal: _lastTotal, ...walk }: WalkState): WalkState {
  return { ...walk, state: null, pages: 0 };
}

/** Where a walk goes on that an earlier process or poll left behind. */
function resumedWalk({ settings }: SourceContext, left: WalkState): WalkState {
  if (left.state === null || left.state.kind !== 'offset') return left;
  // Rows may have moved since: an offset names another row now.
  const first = { ...begun(left), readFrom: left.from };
  if (left.lastTime === undefined || !settings.connector.defaults.ascending) return first;
  return { ...first, readFrom: Math.max(left.from, left.lastTime - settings.window.overlapMs) };
}

/** Walks one window, and says what its end means for the size of the next. */
async function* walkWindow(
  context: SourceContext,
  reader: WindowReader,
  first: WalkState,
  window: Window,
  size: WindowSize,
  halt: Halt,
): WalkedPages {
  const ownRecords = new OwnRecords(context, first.from, first.to);
  try {
    yield* scans(context, reader, first, ownRecords, halt);
    size.grow();
  } catch (error) {
    const { walk } = consequenceOf(error);
    if (walk === 'drop_and_halve') size.shrink(first.to - first.from);
    if (walk === 'drop' || walk === 'drop_and_halve')
      yield { facts: [], ownRecords, walk: first, next: undefined, end: 'dropped' };
    size.refuse(window, error, first.to - first.readFrom);
  }
}

/** Scans a window until its pages add up. */
async function* scans(
  context: SourceContext,
  reader: WindowReader,
  first: WalkState,
  ownRecords: OwnRecords,
  halt: Halt,
): WalkedPages {
  let next: WalkState | undefined = first;
  let isRestarted = false;
  for (let rescans = 0; ; ) {
    try {
      for await (const page of scan(context, reader, next, ownRecords, rescans, halt)) {
        next = page.next;
        yield page;
        if (next !== undefined) halt.soft.throwIfAborted();
      }
      if (next === undefined) return;
      rescans += 1;
    } catch (error) {
      if (next === undefined || isRestarted || !isTokenRefused(error)) throw error;
      context.log.warn({ err: error }, 'page token refused, the window is read again from its first page');
      isRestarted = true;
      next = begun(next);
    }
  }
}

const isTokenRefused = (error: unknown): boolean => consequenceOf(error).walk === 'restart';

/** One scan from where the walk stands to the last page; when the pages did not add up, the next scan begins at the first one. */
async function* scan(
  context: SourceContext,
  reader: WindowReader,
  first: WalkState,
  ownRecords: OwnRecords,
  rescans: number,
  halt: Halt,
): WalkedPages {
  let at = first;
  const { state, pages: before } = first;
  const reading = { window: { from: first.readFrom, to: first.to }, state, pages: before };
  for await (const { page, facts, guard } of pages(context, reader, reading, halt.hard)) {
    if (at.serverTime === undefined && page.serverTime !== undefined) at = { ...at, serverTime: page.serverTime };
    const isComplete = page.next === null && isWhole(at, page, guard);
    const next = page.next === null ? begun(at) : advanced(context, at, page, facts);
    yield { facts, ownRecords, walk: at, next: isComplete ? undefined : next, end: isComplete ? 'complete' : undefined };
    if (page.next === null && !isComplete) checkRescan(context, page, guard, rescans);
    at = next;
  }
}

// Only a walk by offset can skip rows unnoticed, and only a total tells.
function isWhole({ state }: WalkState, { total }: Page, { distinct, mostTotal }: PageGuard): boolean {
  const byOffset = state === null || state.kind === 'offset';
  return !byOffset || total === undefined || distinct >= mostTotal;
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
    ...(isSound ? { lastTime: newest } : {}),
    ...(total === undefined ? {} : { lastTotal: total }),
  };
}

function checkRescan({ log }: SourceContext, { total = 0 }: Page, { distinct }: PageGuard, rescans: number): void {
  if (rescans < maxRescans) {
    const fields = { total, fetched: distinct, scan: rescans + 2 };
    log.warn(fields, 'pages moved while they were read, the window is scanned again');
    return;
  }
  throw new PenstockError(
    'PEN_WALK_INCOMPLETE',
    `the vendor counts ${total} records in the window, but its pages hold ${distinct}`,
    {
      fix: 'nothing is lost: the window is read again at the next poll; if it stays so, report it to the vendor',
    },
  );
}
