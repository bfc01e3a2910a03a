// A stretch of time, window by window and page by page. The walk of a window is new, resumed (token, link), begun again after the last record
// (offset, ascending), scanned again (incomplete by count, at most twice), restarted (token or link refused, once), and then complete or dropped.
import { asPenstockError, consequenceOf, PenstockError } from '../../base/errors.ts';
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
    for await (const page of walkWindow(context, reader, first, { window, isLeft: window === resumed }, size, halt)) {
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

/** Where the walk of a window stands. */
interface Standing {
  /** The next page to ask for; undefined after the last one. */
  next: WalkState | undefined;
  /** True for a walk that an earlier poll or process left behind. */
  readonly isLeft: boolean;
  isRestarted: boolean;
}

/** Walks one window, and says what its end means for the size of the next. */
async function* walkWindow(
  context: SourceContext,
  reader: WindowReader,
  first: WalkState,
  { window, isLeft }: { readonly window: Window; readonly isLeft: boolean },
  size: WindowSize,
  halt: Halt,
): WalkedPages {
  const ownRecords = new OwnRecords(context, first.from, first.to);
  const standing: Standing = { next: first, isLeft, isRestarted: false };
  try {
    yield* scans(context, reader, standing, ownRecords, halt);
    size.grow();
  } catch (error) {
    if (!isStuck(error, standing)) {
      size.refuse(window, error, first.to - first.readFrom);
      return;
    }
    size.shrink(first.to - first.from);
    yield { facts: [], ownRecords, walk: first, next: undefined, end: 'dropped' };
    throw withWayOut(context, asPenstockError(error), first);
  }
}

/** True where going on with the walk would meet the same end: a smaller window is cut by the next poll. */
function isStuck(error: unknown, { next, isLeft, isRestarted }: Standing): boolean {
  const { walk } = consequenceOf(error);
  if (walk === 'drop_and_halve') return true;
  if (next === undefined || next.state === null || isRateLimit(error)) return false;
  if (next.state.kind !== 'offset') return isRestarted && (walk === 'restart' || walk === 'restart_stored');
  return walk === 'restart' || (isLeft && walk === 'restart_stored');
}

const isRateLimit = (error: unknown): boolean => error instanceof PenstockError && error.status === 429;

function withWayOut({ settings }: SourceContext, error: PenstockError, { from }: Window): PenstockError {
  const command = `penstock sources reset ${settings.name} --from ${new Date(from).toISOString()}`;
  return new PenstockError(error.code, error.message, {
    fix: `nothing is lost: a smaller window is begun with the next poll; if the source stays so, begin again there with: ${command}`,
    cause: error,
    ...(error.status === undefined ? {} : { status: error.status }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

/** Scans a window until its pages add up. */
async function* scans(
  context: SourceContext,
  reader: WindowReader,
  standing: Standing,
  ownRecords: OwnRecords,
  halt: Halt,
): WalkedPages {
  const left = standing.next;
  for (let rescans = 0; standing.next !== undefined; ) {
    try {
      for await (const page of scan(context, reader, standing.next, ownRecords, rescans, halt)) {
        standing.next = page.next;
        yield page;
        if (page.next !== undefined) halt.soft.throwIfAborted();
      }
      rescans += 1;
    } catch (error) {
      const { next } = standing;
      if (next === undefined || !mayRestart(error, next, standing, left)) throw error;
      context.log.warn(
        { err: error },
        'the place in the window is no longer taken, the window is read again from its first page',
      );
      standing.isRestarted = true;
      standing.next = begun(next);
    }
  }
}

/** True where the token or link is at fault, and the window was not yet begun again. */
function mayRestart(error: unknown, next: WalkState, { isLeft, isRestarted }: Standing, left: WalkState | undefined): boolean {
  if (next.state === null || next.state.kind === 'offset') return false;
  if (isRestarted || isRateLimit(error)) return false;
  const { walk } = consequenceOf(error);
  // What fails right where it failed before may well fail there for ever.
  return walk === 'restart' || (walk === 'restart_stored' && isLeft && next === left);
}

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
