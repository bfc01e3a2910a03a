// Where a reading by cursor begins: at its first start, and again when the vendor takes its cursor no more.

import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { dayMs, iso } from '../../base/quantity.ts';
import type { CursorReader, CursorRequest } from '../../connectors/connector.ts';
import { zeroCounts } from '../../journal/counts.ts';
import { type CursorState, checkpointAt, firstStart, type LiveCheckpoint, openLiveCheckpoint } from '../checkpoint.ts';
import { type SourceContext, vendorNow } from '../context.ts';
import { idMemoryMs } from '../memory/ids.ts';
import { leastSkewMs, notAhead, overlapBefore, untilProven } from '../windows/begin.ts';
import { align } from '../windows/windows.ts';

export type CursorCheckpoint = LiveCheckpoint & { readonly cursor: CursorState };

/** Reads the live checkpoint, that of a reading by windows too. */
export async function beginCursor(context: SourceContext, reader: CursorReader): Promise<CursorCheckpoint> {
  const { settings, log } = context;
  const start = align(context, firstStart(settings, context.seams.clock.now()));
  const opened = await openLiveCheckpoint(context, start, (former) => goingOn(context, former));
  context.memory.vendorClock.remember(opened, context.seams.clock);
  const now = Math.max(context.seams.clock.now(), vendorNow(context));
  const live = await notAhead(context, opened, now);
  const { walk: _walk, from: _from, ...rest } = live;
  const kept = live.cursor;
  if (kept === undefined) {
    // Also where our clock is behind now: there is no later poll that would look before it.
    const until = live.until > now ? await untilProven(context, live, now) : live.until;
    const from = overlapBefore(context, { ...live, until });
    return { ...rest, until, cursor: { place: null, from, isCaughtUp: false } };
  }
  if (kept.place !== null && kept.place.kind !== reader.cursor) {
    const again = begunAgain(context, { ...rest, cursor: kept }, reader);
    log.warn(
      { from: iso(again.cursor.from) },
      'the stored cursor is of another kind than the connector uses now, reading begins again',
    );
    return again;
  }
  // Equal rows are numbered from where reading began.
  const isCut = settings.connector.records.areNamedByContent === true && !kept.isCaughtUp;
  return { ...rest, cursor: isCut ? { ...kept, place: null } : kept };
}

/** The place in the vendor's log is as good under another name. */
function goingOn(context: SourceContext, former: LiveCheckpoint): LiveCheckpoint {
  const { cursor, newest } = former;
  const fresh = checkpointAt(context.settings, overlapBefore(context, former));
  return { ...fresh, ...(cursor !== undefined && { cursor }), ...(newest !== undefined && { newest }) };
}

const justMs = 60_000;
/** Vendors refuse a time before the oldest record; a request takes its time, and clocks differ. */
const onTheWayMs = 60_000;

/** The request that reading begins with, where it is `now` for the vendor. */
export function firstRequest(
  context: SourceContext,
  live: CursorCheckpoint,
  { begins }: CursorReader,
  now: number = vendorNow(context),
): CursorRequest {
  const { settings } = context;
  const isNew = live.until === live.start && live.newest === undefined && !live.cursor.isCaughtUp;
  // Only right after the start was fixed: what happened since would be passed over.
  const atEnd = settings.start === 'now' && begins.atEnd && isNew && Math.abs(now - live.start) < justMs;
  if (atEnd) return { state: null, atEnd };
  if (!begins.atTime) return { state: null };
  const kept = settings.retentionMs === undefined ? 0 : now - settings.retentionMs + onTheWayMs;
  const from = Math.max(live.cursor.from, kept);
  return { state: null, from: from <= 0 ? undefined : align(context, from) };
}

/** True for what reaches further back than another. */
export function reachesBefore({ from = 0 }: Pick<CursorRequest, 'from'>, { from: other }: Pick<CursorRequest, 'from'>): boolean {
  return other !== undefined && from < other - leastSkewMs;
}

/** Records before this time are not wanted of a reading that could not begin there, milliseconds; undefined when all of them are. */
export function floorOf({ cursor: { from, isCaughtUp } }: CursorCheckpoint, { begins }: CursorReader): number | undefined {
  return begins.atTime || isCaughtUp || from <= 0 ? undefined : from;
}

/** True where the vendor may have refused a cursor for good, so that reading has to begin again. */
export function isCursorAtFault({ health }: SourceContext, error: unknown): boolean {
  if (!(error instanceof PenstockError) || error.status === 429) return false;
  if (error.code === 'PEN_PAGE_TOKEN_REFUSED') return true;
  const { walk } = consequenceOf(error);
  // Anything else may pass: it counts when the poll before this one failed too.
  return health.failures > 0 && walk !== undefined && walk !== 'skip_file';
}

/**
 * The checkpoint of a reading that begins again: before the newest record, by the overlap, with the vendor's oldest, or where it began if it never
 * got to the end of the log. Never so far back that ids are forgotten there: what had been collected would be taken for new.
 */
export function begunAgain(
  context: SourceContext,
  live: CursorCheckpoint,
  { begins }: CursorReader,
  now: number = context.seams.clock.now(),
): CursorCheckpoint {
  const { settings } = context;
  const remembered = Math.min(now - idMemoryMs(settings) + dayMs, live.until);
  // Where nothing came yet, how far the vendor got is only what a clock says.
  const settled = live.newest === undefined ? live.start : Math.min(live.newest, live.until) - settings.window.overlapMs;
  // On the way to the end of a log in the order of storing, no record's time says how far it was read.
  const since = live.cursor.isCaughtUp ? settled : live.cursor.from;
  const from = Math.max(live.start, remembered, begins.atTime ? since : live.start);
  return { ...live, cursor: { place: null, from, isCaughtUp: false, begunAgain: { at: now, from } } };
}

/** Says in the log and in the ledger that reading begins again. */
export async function tellBegunAgain(
  { journal, settings, seams, log }: SourceContext,
  { cursor }: CursorCheckpoint,
  { begins }: CursorReader,
  error: unknown,
): Promise<void> {
  const from = begins.atTime ? iso(cursor.from) : 'the oldest that the vendor has';
  log.warn({ err: error, from }, 'the vendor does not take the cursor any more, reading begins again');
  const key = `cursor lost ${iso(seams.clock.now())}, read again from ${from}`;
  const window = { key, from: null, to: null, lane: 'live' as const, ...zeroCounts(), complete: true };
  await journal.append({ source: settings.name, window });
}

/** Nothing smaller can be asked for where reading begins: a person must see why the vendor refuses. */
export function refusedAtStart(error: unknown): unknown {
  if (!(error instanceof PenstockError) || consequenceOf(error).walk !== 'halve') return error;
  const { status } = error;
  if (status === undefined || status >= 500) return error;
  return new PenstockError('PEN_SOURCE_REFUSED', error.message, {
    status,
    cause: error,
    fix: 'check the options, and what the vendor says about the first request of this API',
  });
}
