// The second look: due -> windows that were closed are read again, a few per poll -> rows without a time, where the connector can -> done.
import { asPenstockError, PenstockError } from '../../base/errors.ts';
import type { PageState, WindowReader } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import { admit, examineAll } from '../admit.ts';
import { type LiveCheckpoint, parseRange, type RangeCheckpoint } from '../checkpoint.ts';
import { type SourceContext, vendorNow } from '../context.ts';
import type { PollSession } from '../loop.ts';
import { createWalkGuard } from './guard.ts';
import { rangeSpan } from './range.ts';
import { counted, createSelfGuard } from './walk.ts';
import { align, type WindowSize, walkSpan } from './windows.ts';

type SweepSettings = NonNullable<SourceSettings['sweep']>;

/** The sweep of one source. */
export interface Sweep {
  /** Does a part of the sweep when one is due: until it ends or the next poll is due. What fails is noted and tried again later. */
  goOn(reader: WindowReader, live: LiveCheckpoint, session: PollSession, size: WindowSize): Promise<void>;
  /** Times in milliseconds since the epoch. */
  details(): Readonly<Record<string, unknown>>;
  warnings(): readonly string[];
}

const retryMs = 300_000;

/** A sweep that has not looked yet; one that is not configured does nothing. */
export function createSweep(c: SourceContext): Sweep {
  const { sweep } = c.settings;
  const { clock } = c.deps.seams;
  const state: { range?: RangeCheckpoint; error?: PenstockError; retryAt: number } = { retryAt: 0 };
  return {
    async goOn(reader, live, session, size) {
      if (sweep === undefined || clock.monotonic() < state.retryAt) return;
      try {
        state.range = await openRange(c, sweep, live);
        if (state.range.done) return;
        state.range = await sweepOn(c, reader, { live, session, size, range: state.range });
        delete state.error;
      } catch (thrown) {
        if (session.halt.soft.aborted) throw thrown;
        const error = asPenstockError(thrown);
        const isNews = state.error?.message !== error.message;
        state.error = error;
        state.retryAt = clock.monotonic() + retryMs;
        c.log[isNews ? 'warn' : 'debug']({ err: error }, 'sweep interrupted, it goes on later');
      }
    },
    details: () =>
      state.range === undefined ? {} : { sweep: { began: state.range.began, until: state.range.until, done: state.range.done } },
    warnings: () => (state.error === undefined ? [] : [`the sweep does not get on: ${state.error.message}`]),
  };
}

/** The range being swept, or a new one when it is time; a source that never swept waits its first `every`. */
async function openRange(c: SourceContext, { everyMs, backMs }: SweepSettings, live: LiveCheckpoint): Promise<RangeCheckpoint> {
  const { deps, settings } = c;
  const now = deps.seams.clock.now();
  const stored = parseRange(await deps.journal.checkpoint(settings.name, 'sweep'));
  // A beginning in the future comes from a wrong clock.
  const isDue = stored !== undefined && (stored.began > now || now - stored.began >= everyMs);
  if (stored !== undefined && (!stored.done || !isDue)) return stored;
  const from = align(c, Math.max(live.start, vendorNow(c) - backMs));
  const to = live.until - settings.window.overlapMs;
  const fresh = { from, to, until: from, began: now, done: stored === undefined || to <= from };
  await save(c, fresh);
  return fresh;
}

async function save({ deps, settings }: SourceContext, range: RangeCheckpoint): Promise<void> {
  await deps.journal.append({ source: settings.name, checkpoint: { name: 'sweep', value: range } });
}

interface Step {
  readonly live: LiveCheckpoint;
  readonly session: PollSession;
  readonly size: WindowSize;
  readonly range: RangeCheckpoint;
}

async function sweepOn(c: SourceContext, reader: WindowReader, { live, session, size, range }: Step): Promise<RangeCheckpoint> {
  const before = c.counts.new;
  let { until } = range;
  const span = rangeSpan(c, 'sweep', range, {
    lane: 'live',
    closedUntil: live.until,
    beforeWindow: () => session.waitForRoom(),
    onUntil: (time) => {
      until = time;
    },
    goesOn: () => !session.isPollDue(),
    onPage: () => session.onAnswer(),
  });
  await walkSpan(c, reader, span, size, session.halt);
  const { walk: _walk, ...rest } = range;
  if (until < range.to) return { ...rest, until };
  await sweepUntimed(c, reader, session, range);
  const done = { ...rest, until, done: true };
  await save(c, done);
  c.log.info({ late: c.counts.new - before }, 'sweep done');
  return done;
}

/** Reads what no window returns, newest first, until a page is known whole or older than the sweep. */
async function sweepUntimed(
  c: SourceContext,
  reader: WindowReader,
  { halt }: PollSession,
  range: RangeCheckpoint,
): Promise<void> {
  const guard = createWalkGuard(null);
  const selfGuard = createSelfGuard(c, range.from, c.deps.seams.clock.now());
  const window = { key: `sweep ${new Date(range.began).toISOString()}`, from: null, to: null };
  let state: PageState | null = null;
  for (let pages = 0; reader.sweepPage !== undefined; pages += 1) {
    if (pages >= c.settings.connector.defaults.maxPages)
      throw new PenstockError('PEN_PAGE_LOOP', `the sweep has more than ${pages} pages`);
    const page = await untimedPage(c, reader, state, halt.hard);
    const facts = await examineAll(c, page.records);
    guard.take(page, facts);
    const isOld = facts.every(({ time }) => time !== undefined && time < range.from);
    const isLast = page.next === null || isOld;
    const counts = await admit(c, facts, { lane: 'live', window, selfGuard, complete: isLast });
    if (isLast || counts.new === 0) return;
    state = page.next;
    halt.soft.throwIfAborted();
  }
}

function untimedPage(
  c: SourceContext,
  reader: WindowReader,
  state: PageState | null,
  signal: AbortSignal,
): ReturnType<WindowReader['page']> {
  const asked = reader.sweepPage?.bind(reader);
  if (asked === undefined) throw new PenstockError('PEN_INTERNAL', 'the reader cannot sweep without a window');
  return counted(c, reader, () => asked({ state }, signal));
}
