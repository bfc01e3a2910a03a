import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import type { PageState, RecordFacts, WindowReader } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import type { LedgerWindow } from '../../journal/journal.ts';
import { dayOf } from '../admit.ts';
import { isCounted } from '../checkpoint.ts';
import { isFiltered, openContext, type SourceContext, vendorNow } from '../context.ts';
import { idMemoryMs } from '../memory/ids.ts';
import { usualIntervalMs } from '../schedule.ts';
import type { SourceEnvironment } from '../source.ts';
import { pages } from './pages.ts';
import { windowReader } from './range.ts';
import { lackOf } from './scan.ts';
import { endCovering, type Window, WindowSize, windows } from './windows.ts';

/** Where a record lies against what was collected: in a finished window, in one that the overlap or sweep still reads again, or in none. */
type Coverage = 'closed' | 'open' | 'never';

/** One record of the vendor, held against the journal. */
export interface ComparedRecord {
  readonly uid: string;
  /** Its own time, milliseconds; undefined when it has none. */
  readonly time: number | undefined;
  readonly actionKey: string | undefined;
  /** True when this record (same id, same fingerprint) was collected and is still remembered. */
  readonly known: boolean;
  /** True when the source leaves it out on purpose: its filter, or our own requests. */
  readonly excluded: boolean;
  readonly coverage: Coverage;
  /** True for one that was never collected though it is since the start of the source, and some polls ago. */
  readonly isOverdue: boolean;
  /** True for one that was never collected, and is from before the start of the source, or of one that has not begun: live collection does not bring it. */
  readonly isBeforeStart: boolean;
  /** False when ids of its day may be forgotten already: then `known` says nothing. */
  readonly withinMemory: boolean;
}

/**
 * Reads a range again without writing anything, page by page. Of what comes with `known: false` and `excluded: false`, `closed` is missing,
 * `open` is late (the overlap or the sweep still fetches it) and `never` was never collected. A record that several pages repeat comes once
 * per walk of a window. `onUnseen` hears of at least how many records the vendor has and did not show, in windows that cannot be made smaller.
 */
export async function* compareRange(
  settings: SourceSettings,
  environment: SourceEnvironment,
  range: Window,
  signal: AbortSignal,
  onUnseen: (records: number) => void = () => undefined,
): AsyncGenerator<readonly ComparedRecord[], void, undefined> {
  const context = openContext(settings, environment);
  await using reader = windowReader(await context.openReader(), settings.name);
  const live = await liveState(context);
  const covers = coverageOf(context, await collectedWindows(context, range), live?.until);
  const size = new WindowSize(context);
  const stretch = {
    from: range.from,
    until: { atMost: endCovering(context, range.to), isPast: range.to <= context.seams.clock.now() },
  };
  for (const window of windows(context, stretch, size)) {
    try {
      for await (const facts of distinctRecords(context, reader, window, signal))
        yield await compare(context, facts, range, { covers, live });
      size.grow(window);
    } catch (error) {
      const isKnown = error instanceof Unseen && (error.isOfAnySize || size.isSmallest(window.to - window.from));
      if (!isKnown) size.refuse(window, error);
      else onUnseen(error.records);
    }
  }
}

/** The end of a window that was not whole. */
class Unseen extends PenstockError {
  readonly records: number;
  /** True where a token or link was refused: another one may be taken. */
  readonly mayPass: boolean;

  /** True where no smaller window shows more. */
  readonly isOfAnySize: boolean;

  constructor(why: string, records: number, { mayPass = false, isOfAnySize = false } = {}) {
    super('PEN_WINDOW_TOO_LARGE', why);
    this.isOfAnySize = isOfAnySize;
    this.records = records;
    this.mayPass = mayPass;
  }
}

/** The records of a window page by page, each once; a window whose token or link is refused is read once more. */
async function* distinctRecords(context: SourceContext, reader: WindowReader, window: Window, signal: AbortSignal) {
  const met = new Set<string>();
  for (let isAgain = false; ; isAgain = true) {
    try {
      yield* unmetRecords(context, reader, window, met, signal);
      return;
    } catch (error) {
      if (isAgain || !(error instanceof Unseen) || !error.mayPass) throw error;
    }
  }
}

/** The records of one reading that were not met before; throws Unseen when it was not whole. */
async function* unmetRecords(
  context: SourceContext,
  reader: WindowReader,
  window: Window,
  met: Set<string>,
  signal: AbortSignal,
) {
  let state: PageState | null = null;
  let read = 0;
  try {
    for await (const { page, facts, guard, isPart } of pages(
      context,
      reader,
      { window, state: null, pages: 0, withoutDetails: true },
      signal,
    )) {
      yield facts.filter(({ uid, fingerprint }) => !met.has(uid + fingerprint) && met.add(uid + fingerprint));
      if (isPart) continue;
      const at = { state, read };
      const lack = page.next === null ? await lackOf(context, { reader, window, at }, page, guard, signal) : undefined;
      if (lack !== undefined) throw new Unseen(lack.why, lack.records, { isOfAnySize: lack.isOfAnySize === true });
      state = page.next;
      read += page.count ?? page.records.length;
    }
  } catch (error) {
    if (error instanceof Unseen || !(error instanceof PenstockError) || error.status === 429) throw error;
    // The first page came, so that it is the place.
    if (state === null || consequenceOf(error).walk === undefined) throw error;
    throw new Unseen(error.message, 1, { mayPass: !isCounted(state) });
  }
}

/** What was collected of a range; the ledger of a source by cursor tells hours of receipt, so that its checkpoint says it. */
async function collectedWindows({ journal, settings }: SourceContext, range: Window): Promise<readonly Collected[]> {
  const windows = await journal.windows(settings.name, range.from, range.to);
  if (settings.connector.kind !== 'http_cursor') return windows;
  const live = await journal.checkpoint(settings.name, 'live');
  const { start, until } = isObject(live) ? live : {};
  const read = typeof start === 'number' && typeof until === 'number' ? [{ from: start, to: until, complete: true }] : [];
  return [...read, ...windows.filter(({ lane }) => lane === 'backfill')];
}

type Collected = Pick<LedgerWindow, 'from' | 'to' | 'complete'>;

/** `until` is where live collection stands: windows that end later were cut by a wrong clock, and are read again. */
function coverageOf(
  { settings, seams }: SourceContext,
  collected: readonly Collected[],
  until = Number.POSITIVE_INFINITY,
): (time: number) => Coverage {
  const ranges = collected.flatMap(({ from, to, complete }) =>
    complete && from !== null && to !== null ? [[from, to] as const] : [],
  );
  const last = ranges.reduce((newest, [, to]) => Math.max(newest, to), Number.NEGATIVE_INFINITY);
  const openFrom = Math.min(
    Math.min(last, until) - settings.window.overlapMs,
    settings.sweep === undefined ? last : seams.clock.now() - settings.sweep.backMs,
  );
  return (time) => {
    if (!ranges.some(([from, to]) => from <= time && time <= to)) return 'never';
    return time >= openFrom ? 'open' : 'closed';
  };
}

const leastOverdueMs = 900_000;

interface LiveState {
  /** Since when live collection is to bring everything, milliseconds. */
  readonly start: number;
  /** Up to where it did. */
  readonly until: number;
  /** True while it goes on through a backlog: what it has not come to is no cause for concern. */
  readonly isMoving: boolean;
}

/** Where live collection stands; undefined before it has begun. */
async function liveState({ journal, settings, seams }: SourceContext): Promise<LiveState | undefined> {
  const live = await journal.checkpoint(settings.name, 'live');
  const { start, until, cursor } = isObject(live) ? live : {};
  if (typeof start !== 'number' || typeof until !== 'number') return undefined;
  const since = seams.clock.now() - leastOverdueMs;
  const isFollowing = settings.connector.kind === 'http_cursor';
  const isBehind = isFollowing && isObject(cursor) && cursor['isCaughtUp'] === false;
  const rows = await journal.windows(settings.name, isBehind ? since : until, isBehind ? seams.clock.now() : until);
  const isMoving = rows.some(
    ({ lane, complete, to, updated }) => lane === 'live' && updated >= since && (isBehind || (complete && to === until)),
  );
  return { start, until, isMoving: isMoving && (isBehind || !isFollowing) };
}

/** Up to when live collection should have been by now, milliseconds on the vendor's clock, by which records are dated. */
function overdueBefore(context: SourceContext): number {
  const { schedule, window } = context.settings;
  const polls = 3 * usualIntervalMs(schedule, context.seams.clock.now()) + window.settleMs;
  return vendorNow(context) - Math.max(leastOverdueMs, polls);
}

async function compare(
  context: SourceContext,
  all: readonly RecordFacts[],
  range: Window,
  { covers, live }: { readonly covers: (time: number) => Coverage; readonly live: LiveState | undefined },
): Promise<ComparedRecord[]> {
  const { journal, seams, settings, userAgent } = context;
  const facts = all.filter(({ time }) => time === undefined || (time >= range.from && time <= range.to));
  const known = await journal.seen(
    settings.name,
    facts.map(({ time, uid }) => ({ day: dayOf(time), id: uid })),
  );
  const rememberedFrom = seams.clock.now() - idMemoryMs(settings);
  const overdueTo = overdueBefore(context);
  const isOverdue = (time: number): boolean =>
    live !== undefined &&
    covers(time) === 'never' &&
    time >= live.start &&
    time <= overdueTo &&
    !(live.isMoving && time > live.until);
  const isBeforeStart = (time: number): boolean => covers(time) === 'never' && (live === undefined || time < live.start);
  return facts.map((item, i) => ({
    uid: item.uid,
    time: item.time,
    actionKey: item.actionKey,
    known: known[i]?.includes(item.fingerprint) ?? false,
    excluded: isFiltered(context, item) || (settings.selfEvents === 'exclude' && item.isSelfMade(userAgent)),
    coverage: covers(item.time ?? range.from),
    isOverdue: isOverdue(item.time ?? range.from),
    isBeforeStart: isBeforeStart(item.time ?? range.from),
    withinMemory: (item.time ?? range.from) >= rememberedFrom,
  }));
}
