import { consequenceOf, PenstockError } from '../../base/errors.ts';
import type { Page, PageRequest, PageState, RecordFacts, WindowReader } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import type { LedgerWindow } from '../../journal/journal.ts';
import { dayOf, examineAll } from '../admit.ts';
import { openContext, type SourceContext } from '../context.ts';
import { idMemoryMs } from '../memory/ids.ts';
import type { CollectDeps } from '../source.ts';
import { createWalkGuard } from './guard.ts';
import { windowReader } from './range.ts';
import { counted } from './walk.ts';
import { align, minWindowMs } from './windows.ts';

/** Where a record lies against what was collected: in a finished window, in one that the overlap or sweep still reads again, or in none. */
export type Coverage = 'closed' | 'open' | 'never';

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
  /** False when ids of its day may be forgotten already: then `known` says nothing. */
  readonly withinMemory: boolean;
}

/**
 * Reads a range again without writing anything, page by page. Of what comes with `known: false` and `excluded: false`, `closed` is missing,
 * `open` is late (the overlap or the sweep still fetches it) and `never` was never collected. A record that several pages repeat comes once
 * per walk of a window.
 */
export async function* compareRange(
  settings: SourceSettings,
  deps: CollectDeps,
  range: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): AsyncGenerator<readonly ComparedRecord[], void, undefined> {
  const c = openContext(settings, deps);
  await using reader = windowReader(await deps.openReader(), settings.name);
  const windows = await deps.journal.windows(settings.name, range.from, range.to);
  const covers = coverageOf(c, windows);
  const step = Math.max(1, settings.connector.defaults.precisionMs);
  const end = align(c, range.to + step);
  let size = Math.max(2 * step, align(c, settings.window.maxMs));
  for (let from = align(c, range.from); from < end; ) {
    const to = Math.min(end, from + size);
    try {
      for await (const facts of scanWindow(c, reader, { from, to }, signal)) yield await compare(c, facts, range, covers);
      from = to === end ? end : to - step;
    } catch (error) {
      size = smallerSize(c, error, to - from);
    }
  }
}

/** Half of a window that the vendor refused as too large; throws what is not a matter of size, or when it cannot be smaller. */
function smallerSize(c: SourceContext, error: unknown, was: number): number {
  if (consequenceOf(error).walk !== 'halve' || was <= minWindowMs(c)) throw error;
  return Math.max(minWindowMs(c), align(c, was / 2));
}

async function* scanWindow(
  c: SourceContext,
  reader: WindowReader,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
) {
  const guard = createWalkGuard(null);
  const met = new Set<string>();
  let state: PageState | null = null;
  for (let pages = 0; ; pages += 1) {
    if (pages >= c.settings.connector.defaults.maxPages)
      throw new PenstockError('PEN_PAGE_LOOP', `the window has more than ${pages} pages`);
    const asked: PageRequest = { from, to, state };
    const page: Page = await counted(c, reader, () => reader.page(asked, signal));
    const facts = await examineAll(c, page.records);
    guard.take(page, facts);
    yield facts.filter(({ uid, fingerprint }) => !met.has(uid + fingerprint) && met.add(uid + fingerprint));
    if (page.next === null) return;
    state = page.next;
  }
}

function coverageOf({ settings, deps }: SourceContext, windows: readonly LedgerWindow[]): (time: number) => Coverage {
  const ranges = windows.flatMap(({ from, to, complete }) =>
    complete && from !== null && to !== null ? [[from, to] as const] : [],
  );
  const last = ranges.reduce((newest, [, to]) => Math.max(newest, to), Number.NEGATIVE_INFINITY);
  const openFrom = Math.min(
    last - settings.window.overlapMs,
    settings.sweep === undefined ? last : deps.seams.clock.now() - settings.sweep.backMs,
  );
  return (time) => {
    if (!ranges.some(([from, to]) => from <= time && time <= to)) return 'never';
    return time >= openFrom ? 'open' : 'closed';
  };
}

async function compare(
  c: SourceContext,
  all: readonly RecordFacts[],
  range: { readonly from: number; readonly to: number },
  covers: (time: number) => Coverage,
): Promise<ComparedRecord[]> {
  const { deps, settings } = c;
  const facts = all.filter(({ time }) => time === undefined || (time >= range.from && time <= range.to));
  const known = await deps.journal.seen(
    settings.name,
    facts.map(({ time, uid }) => ({ day: dayOf(time), id: uid })),
  );
  const rememberedFrom = deps.seams.clock.now() - idMemoryMs(settings);
  return facts.map((item, i) => ({
    uid: item.uid,
    time: item.time,
    actionKey: item.actionKey,
    known: known[i]?.includes(item.fingerprint) ?? false,
    excluded: c.isFiltered(item) || (settings.selfEvents === 'exclude' && item.isSelfMade(deps.userAgent)),
    coverage: covers(item.time ?? range.from),
    withinMemory: (item.time ?? range.from) >= rememberedFrom,
  }));
}
