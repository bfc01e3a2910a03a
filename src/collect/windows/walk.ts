// A stretch of time, window by window and page by page. The walk of a window is new, resumed (token, link), begun again after the last record
// (offset, ascending), scanned again (incomplete by count), restarted (token or link refused, once), and then complete or dropped.
import { asPenstockError, consequenceOf, PenstockError } from '../../base/errors.ts';
import type { WindowReader } from '../../connectors/connector.ts';
import { isCounted, type WalkState } from '../checkpoint.ts';
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
      if (mayBeCut && isCounted(page.next?.state ?? null) && window.to > vendorNow(context)) {
        isCutAnew = true;
        size.cutAnew(window);
        break;
      }
      mayBeCut &&= page.next === page.walk;
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
  if (!isCounted(left.state)) return settings.connector.records.areNamedByContent === true ? begun(left) : left;
  // Rows may have moved since: an offset names another row now.
  const first = { ...begun(left), readFrom: left.from };
  // Group after group, the last time is that of one of them.
  if (left.state.kind !== 'offset' || left.lastTime === undefined || !settings.connector.defaults.ascending) return first;
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
  const isSmallest = size.isSmallest(first.to - first.readFrom);
  // Rows that moved are looked for where it matters: in between, halves are read anyway.
  const maxRescans = size.isShrunk && !isSmallest ? 0 : 2;
  try {
    yield* scans(context, reader, standing, { ownRecords, halt, isSmallest, rescans: maxRescans }, size);
    size.grow(first);
  } catch (error) {
    yield* ended(context, reader, { window, first, standing, ownRecords, isSmallest, error }, size);
  }
}

interface Ended extends Pick<Scanning, 'ownRecords' | 'isSmallest'> {
  readonly window: Window;
  readonly first: WalkState;
  readonly standing: Standing;
  readonly error: unknown;
}

/** What comes of a walk that did not get to its last page: it is left there, read in halves, or ends the poll with what ended it. */
async function* ended(
  context: SourceContext,
  reader: WindowReader,
  { window, first, standing, ownRecords, isSmallest, error }: Ended,
  size: WindowSize,
): WalkedPages {
  const lengthMs = first.to - first.readFrom;
  const records = isSmallest ? unseenRecords(context, error, standing, size) : undefined;
  if (standing.next !== undefined && records !== undefined) {
    const lacking = past(reader, standing.next, records)?.lacking ?? records;
    const read = readWindow(context, standing.next, { records: lacking, why: asPenstockError(error).message });
    yield { facts: [], ownRecords, walk: standing.next, next: undefined, end: 'complete', read };
    size.grow(first);
    return;
  }
  if (!isSmallest && isMatterOfSize(context, error, standing, size)) {
    yield { facts: [], ownRecords, walk: first, next: undefined, end: 'dropped' };
    size.halve(window, error, lengthMs);
    return;
  }
  if (standing.next !== undefined && isNoPage(error, standing.next)) size.endAt(first);
  if (isSmallest && standing.next !== undefined && isCounted(standing.next.state) && isToldFailure(error)) {
    size.endAt(first);
    throw passing(error);
  }
  // A vendor that fails at a first page again may be asked for too much; whether it is away, the next poll tells.
  if (standing.next?.state === null && failuresOf(context) > 0 && isFault(error)) size.shrink(lengthMs);
  if (!isStuck(error, standing)) {
    size.refuse(window, error, lengthMs);
    return;
  }
  size.shrinkAt(first);
  yield { facts: [], ownRecords, walk: first, next: undefined, end: 'dropped' };
  throw withWayOut(asPenstockError(error));
}

/** True where going on with the walk would meet the same end: a smaller window is cut by the next poll. */
function isStuck(error: unknown, { next, isLeft, isRestarted }: Standing): boolean {
  const { walk } = consequenceOf(error);
  if (walk === 'drop_and_halve') return true;
  if (next === undefined || next.state === null || isRateLimit(error)) return false;
  if (!isCounted(next.state)) return isRestarted && (walk === 'restart' || walk === 'restart_stored');
  return walk === 'restart' || (isLeft && walk === 'restart_stored');
}

/**
 * True where half of the window may come though the whole does not: a counted place that is answered with no page, or fails again and again, and
 * a first page that is larger than an answer may be.
 */
function isMatterOfSize(context: SourceContext, error: unknown, { next, isLeft }: Standing, size: WindowSize): boolean {
  if (next === undefined || isRateLimit(error)) return false;
  const { walk } = consequenceOf(error);
  if (next.state === null) return error instanceof PenstockError && error.code === 'PEN_HTTP_TOO_LARGE';
  if (!isCounted(next.state)) return false;
  return walk === 'restart' || (walk === 'restart_stored' && (isLeft || failuresOf(context) > 0 || size.isShrunk));
}

const failuresOf = ({ health, state }: SourceContext): number => Math.max(health.failures, state.failures);

/** Polls or attempts in a row that ended at an offset or number before a fault there counts as the vendor's answer. */
const lastingPolls = 10;
/** And for how long they did, where no further page comes at all: that may be an outage. */
const lastingMs = 3_600_000;

/** True where no outage explains it: one that failed polls elsewhere says nothing of this place. The last attempt of a job is its tenth. */
function haveLasted({ state }: SourceContext, at: WalkState, size: WindowSize): boolean {
  const { polls, forMs } = size.endsAt(at);
  if (state.failures > 0) return polls >= lastingPolls - 1;
  return polls >= lastingPolls && (at.pages > 1 || forMs >= lastingMs);
}

/** Polls in a row in which a vendor says in a body that it fails before a window is left: a moment's trouble is told like this, too. */
const tellingPolls = 3;

/** True for a success whose body says that it is none. */
const isToldFailure = (error: unknown): error is PenstockError =>
  error instanceof PenstockError && error.code === 'PEN_WINDOW_TOO_LARGE' && error.status !== undefined && error.status < 300;

function passing(error: PenstockError): PenstockError {
  const { message, fix, status } = error;
  return new PenstockError('PEN_SOURCE_BAD_REPLY', message, { fix, status, cause: error });
}

/** True for a place behind the first page that was answered with no page, with one that was read before, or not at all. */
function isNoPage(error: unknown, { state }: WalkState): boolean {
  const { walk } = consequenceOf(error);
  if (state === null || isRateLimit(error)) return false;
  return walk === 'restart' || walk === 'restart_stored' || (walk === 'drop_and_halve' && !isCounted(state));
}

/** How many records at least lie after a place that never brings a page; undefined when something else happened. */
function unseenRecords(
  context: SourceContext,
  error: unknown,
  { next }: Pick<Standing, 'next'>,
  size: WindowSize,
): number | undefined {
  if (next === undefined || next.state === null || isRateLimit(error)) return undefined;
  const lasts = isNoPage(error, next) && (haveLasted(context, next, size) || isKnownToLack(context, next));
  const hasTold = !isToldFailure(error) || size.endsAt(next).polls >= tellingPolls - 1 || isKnownToLack(context, next);
  const isRefused = consequenceOf(error).walk === 'halve' && hasTold;
  return lasts || isRefused ? Math.max(1, (next.lastTotal ?? 0) - (next.read ?? 0)) : undefined;
}

/**
 * True for a window that was left before, when it ended like this for long: for at least half of it, since later polls cut the same time a
 * little elsewhere. A neighbour that shares its last seconds has to end like this for as long itself.
 */
function isKnownToLack({ memory }: SourceContext, { from, to }: Window): boolean {
  return memory.shortfalls.some((one) => 2 * (Math.min(one.to, to) - Math.max(one.from, from)) > to - from);
}

/** True for what a vendor's server or the way to it is at fault for. */
const isFault = (error: unknown): boolean => consequenceOf(error).walk === 'restart_stored' && !isRateLimit(error);

const isRateLimit = (error: unknown): boolean => error instanceof PenstockError && error.status === 429;

function withWayOut({ code, message, status, retryAfterMs, cause }: PenstockError): PenstockError {
  const fix =
    'smaller windows are read, and what the smallest of them does not show after ten polls counts as lacking; where it is so in each window, see that read.page of the connector takes the place of the next page as the vendor means it, and its end';
  return new PenstockError(code, message, { fix, status, retryAfterMs, cause });
}

/** Scans a window until its pages add up. */
async function* scans(
  context: SourceContext,
  reader: WindowReader,
  standing: Standing,
  scanning: Scanning,
  size: WindowSize,
): WalkedPages {
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
      const unseen = scanning.isSmallest ? unseenRecords(context, error, standing, size) : undefined;
      const further = next === undefined ? undefined : onward(reader, next, unseen, rescans);
      if (further !== undefined) {
        rescans -= 1;
        standing.next = further;
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

/** What a walk over groups goes on with that leaves the rest of one; undefined for a walk without groups. */
function past(
  reader: WindowReader,
  { state }: WalkState,
  unseen: number,
): ReturnType<NonNullable<WindowReader['passGroup']>> | undefined {
  return state === null ? undefined : reader.passGroup?.(state, unseen);
}

/** Where a walk goes on that ended in its smallest window with so many records unseen; undefined where it ends. */
function onward(reader: WindowReader, walk: WalkState, unseen: number | undefined, rescans: number): WalkState | undefined {
  if (unseen === undefined) return undefined;
  // What cannot be made smaller is left only when it ends there each time, while the first page still comes.
  if (rescans > 0) return begun(walk);
  const state = past(reader, walk, unseen)?.next ?? null;
  return state === null ? undefined : { ...walk, state };
}

/** True where the token or link is at fault, and the window was not yet begun again. */
function mayRestart(error: unknown, next: WalkState, { isLeft, isRestarted }: Standing, left: WalkState | undefined): boolean {
  if (next.state === null || isCounted(next.state)) return false;
  if (isRestarted || isRateLimit(error)) return false;
  const { walk } = consequenceOf(error);
  // What fails right where it failed before may well fail there for ever.
  return walk === 'restart' || (walk === 'restart_stored' && isLeft && next === left);
}
