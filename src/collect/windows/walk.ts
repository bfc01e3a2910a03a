// A stretch of time, window by window and page by page. The walk of a window is new, resumed (token, link), begun again after the last record
// (offset, ascending), scanned again (incomplete by count), restarted (token or link refused, once), and then complete or dropped.
import { asPenstockError, consequenceOf, PenstockError } from '../../base/errors.ts';
import type { WindowReader } from '../../connectors/connector.ts';
import type { WalkState } from '../checkpoint.ts';
import { type Halt, type SourceContext, untilRoom, vendorNow } from '../context.ts';
import { OwnRecords } from '../own-records.ts';
import { begun, readWindow, type Scanning, scan, type WalkedPages } from './scan.ts';
import { type Stretch, type Window, type WindowSize, windows } from './windows.ts';

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
  // Once a poll: two servers of a vendor may tell different times.
  let isCutAnew = false;
  let began = resumed?.began ?? beginning(context, stretch.until);
  for (const window of windows(context, { ...stretch, first: resumed }, size)) {
    halt.soft.throwIfAborted();
    await untilRoom(context, halt.soft);
    const first = window === resumed ? resumed : newWalk(window, began);
    let mayBeCut = !isCutAnew && 'atLeast' in stretch.until && window.to > stretch.until.atLeast;
    for await (const page of walkWindow(context, reader, first, { window, isLeft: window === resumed }, size, halt)) {
      // Rows that come in while others go hide from every count that an offset walk has: a window must have ended for the vendor.
      if (mayBeCut && page.next?.state?.kind === 'offset' && window.to > vendorNow(context)) {
        isCutAnew = true;
        size.cutAnew(window);
        break;
      }
      mayBeCut = false;
      yield page;
      // The first answer tells how far the vendor's clock is behind.
      if (page.end === 'complete') began = Math.min(began, page.walk.serverTime ?? began);
    }
  }
}

/** When a poll begins, milliseconds on the vendor's clock, which has passed what was collected even where ours fell behind that. */
function beginning(context: SourceContext, until: Stretch['until']): number {
  const now = vendorNow(context);
  return 'atLeast' in until ? Math.max(now, until.atLeast + context.settings.window.settleMs) : now;
}

/** The walk of a window that nobody read yet, for a poll that began at a time (milliseconds, the vendor's clock). */
function newWalk({ from, to }: Window, began: number): WalkState {
  return { from, to, readFrom: from, state: null, pages: 0, began };
}

/** Where a walk goes on that an earlier process or poll left behind. */
function resumedWalk({ settings }: SourceContext, left: WalkState): WalkState {
  if (left.state === null) return left;
  // Equal rows are numbered from the first page on.
  if (left.state.kind !== 'offset') return settings.connector.records.areNamedByContent === true ? begun(left) : left;
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
  const lengthMs = first.to - first.readFrom;
  const isSmallest = size.isSmallest(lengthMs);
  // Rows that moved are looked for where it matters: in between, halves are read anyway.
  const maxRescans = size.isShrunk && !isSmallest ? 0 : 2;
  try {
    yield* scans(context, reader, standing, { ownRecords, halt, isSmallest, rescans: maxRescans });
    size.grow(first);
  } catch (error) {
    const unseen = isSmallest ? unseenRecords(context, error, standing) : undefined;
    if (standing.next !== undefined && unseen !== undefined) {
      const read = readWindow(context, standing.next, { records: unseen, why: asPenstockError(error).message });
      yield { facts: [], ownRecords, walk: standing.next, next: undefined, end: 'complete', read };
      size.grow(first);
      return;
    }
    if (!isStuck(error, standing)) {
      size.refuse(window, error, lengthMs);
      return;
    }
    size.shrinkAt(first);
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

/** Failed polls in a row after which a fault of the vendor's server at an offset or number counts as its answer. */
const lastingFailures = 10;

/** How many records at least lie after the place that the vendor refused by offset or number; undefined when something else happened. */
function unseenRecords({ health }: SourceContext, error: unknown, { next }: Standing): number | undefined {
  if (next?.state?.kind !== 'offset') return undefined;
  const isFault = error instanceof PenstockError && error.status !== undefined && error.status >= 500;
  const lasts = isFault && health.failures >= lastingFailures;
  if (!lasts && consequenceOf(error).walk !== 'halve') return undefined;
  return Math.max(1, (next.lastTotal ?? 0) - (next.read ?? 0));
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
async function* scans(context: SourceContext, reader: WindowReader, standing: Standing, scanning: Scanning): WalkedPages {
  const left = standing.next;
  for (let { rescans } = scanning; standing.next !== undefined; ) {
    try {
      for await (const page of scan(context, reader, standing.next, { ...scanning, rescans })) {
        standing.next = page.next;
        yield page;
        if (page.next !== undefined) scanning.halt.soft.throwIfAborted();
      }
      rescans -= 1;
    } catch (error) {
      const { next } = standing;
      // What cannot be made smaller is left only when it ends there each time, while the first page still comes.
      if (next !== undefined && scanning.isSmallest && rescans > 0 && unseenRecords(context, error, standing) !== undefined) {
        rescans -= 1;
        standing.next = begun(next);
        continue;
      }
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
