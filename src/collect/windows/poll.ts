import { formatDuration } from '../../base/quantity.ts';
import type { WindowReader } from '../../connectors/connector.ts';
import { checkpointAt, firstStart, type LiveCheckpoint } from '../checkpoint.ts';
import { type SourceContext, vendorNow } from '../context.ts';
import { openLiveCheckpoint } from '../live-checkpoint.ts';
import type { KindLoop, PollSession } from '../loop.ts';
import { grownRow, rowOf } from './ledger-row.ts';
import { createSweep } from './sweep.ts';
import type { WalkStep } from './walk.ts';
import { align, type Span, type WindowSize, walkSpan, windowSize } from './windows.ts';

/** Takes back a checkpoint that lies in the future, which means that a clock was wrong. */
async function rewound(c: SourceContext, live: LiveCheckpoint): Promise<LiveCheckpoint> {
  const now = c.deps.seams.clock.now();
  if (live.start > now && (c.settings.start === 'now' || 'backMs' in c.settings.start)) {
    c.log.warn(
      { start: new Date(live.start).toISOString() },
      'the first start was fixed in the future, so a clock was wrong; it is fixed again',
    );
    const fresh = checkpointAt(c.settings, align(c, firstStart(c.settings, now)));
    await c.deps.journal.append({ source: c.settings.name, checkpoint: { name: 'live', value: fresh } });
    return fresh;
  }
  const { walk, from: _from, ...rest } = live;
  if (live.until > now && live.start <= now) {
    const until = Math.max(live.start, (await lastWindowBefore(c, now)) ?? live.start);
    const fields = { was: new Date(live.until).toISOString(), until: new Date(until).toISOString() };
    c.log.warn(
      fields,
      'the checkpoint lies in the future, so a clock was wrong; collection goes on behind the last window before now',
    );
    return { ...rest, until };
  }
  return walk !== undefined && walk.to > now ? withoutWalk(live) : live;
}

/** By how much the vendor's clock may be behind for a first start to follow it, milliseconds; a Date header beyond that is broken. */
const mostSkewMs = 172_800_000;
/** A Date header carries whole seconds and was on its way. */
const leastSkewMs = 2_000;

/**
 * A first start that was counted back from our clock is moved to the vendor's when that turns out to be behind: what the vendor writes from
 * now on would otherwise lie before the start, and nobody would ever ask for it.
 */
async function following(c: SourceContext, live: LiveCheckpoint): Promise<LiveCheckpoint> {
  const { start } = c.settings;
  const skewMs = c.memory.skew?.ms ?? 0;
  if (live.until > live.start || skewMs > -leastSkewMs || skewMs < -mostSkewMs) return live;
  if (start !== 'now' && !('backMs' in start)) return live;
  const backMs = start === 'now' ? 0 : start.backMs;
  if (live.start + backMs <= vendorNow(c) + leastSkewMs) return live;
  const fresh = checkpointAt(c.settings, align(c, live.start + skewMs));
  const fields = { was: new Date(live.start).toISOString(), start: new Date(fresh.start).toISOString() };
  c.log.warn(fields, "the vendor's clock is behind ours; the first start is counted back from the vendor's");
  await c.deps.journal.append({ source: c.settings.name, checkpoint: { name: 'live', value: fresh } });
  return fresh;
}

function withoutWalk({ walk: _walk, ...live }: LiveCheckpoint): LiveCheckpoint {
  return live;
}

async function lastWindowBefore({ deps, settings }: SourceContext, now: number): Promise<number | undefined> {
  for (const days of [1, 8, 64, 512]) {
    const windows = await deps.journal.windows(settings.name, now - days * 86_400_000, now);
    const ends = windows.flatMap(({ to, complete, lane }) =>
      complete && lane === 'live' && to !== null && to <= now ? [to] : [],
    );
    if (ends.length > 0) return ends.reduce((a, b) => Math.max(a, b));
  }
  return undefined;
}

/** The loop of a source that is asked for time ranges: windows until it has caught up, then a part of the sweep when one is due. */
export function windowKind(c: SourceContext): KindLoop<WindowReader> {
  const size = windowSize(c);
  const sweep = createSweep(c);
  return {
    hasWindows: true,
    async poll(reader, session) {
      const live = await pollWindows(c, reader, session, size);
      await sweep.goOn(reader, live, session, size);
    },
    details: () => ({ ...sweep.details(), ...suggestion(c) }),
    warnings: () => sweep.warnings(),
  };
}

function suggestion({ memory, settings }: SourceContext): Readonly<Record<string, unknown>> {
  const ms = memory.lateness.suggestedOverlapMs(settings.window.overlapMs);
  return ms === undefined ? {} : { suggested_overlap: formatDuration(ms) };
}

async function pollWindows(
  c: SourceContext,
  reader: WindowReader,
  session: PollSession,
  size: WindowSize,
): Promise<LiveCheckpoint> {
  const first = align(c, firstStart(c.settings, c.deps.seams.clock.now()));
  let live = await following(c, await rewound(c, await openLiveCheckpoint(c, first)));
  const { walk } = live;
  live = withoutWalk(live);
  session.onCursor(live.until);
  const span: Span = {
    lane: 'live',
    from: Math.max(live.start, Math.min(live.from ?? live.until, live.until - overlapOf(c))),
    // Never before what is complete: reading the overlap again finds late records and measures the vendor's clock anew.
    target: () => Math.max(live.until, align(c, vendorNow(c) - c.settings.window.settleMs)),
    walk,
    closedUntil: live.until,
    checkpoint: (step) => ({ name: 'live', value: after(c, live, step) }),
    row: (at, isComplete) => rowOf(c, live.row, at, isComplete),
    beforeWindow: () => session.waitForRoom(),
    afterWindow(complete) {
      live = after(c, live, { complete });
      session.onCursor(live.until);
      return true;
    },
    onPage: () => session.onAnswer(),
  };
  await walkSpan(c, reader, span, size, session.halt);
  return live;
}

const overlapOf = ({ settings }: SourceContext): number =>
  Math.max(settings.window.overlapMs, settings.connector.defaults.precisionMs);

function after(c: SourceContext, live: LiveCheckpoint, step: WalkStep): LiveCheckpoint {
  if ('walk' in step) return { ...live, walk: step.walk };
  if (!('complete' in step)) return live;
  const { settleMs } = c.settings.window;
  const { to, serverTime, began } = step.complete;
  // The vendor's clock is known only once it answered: where it is behind ours, the end of the window was still open for it.
  const until = Math.max(live.until, serverTime === undefined ? to : Math.min(to, serverTime - settleMs));
  // What the vendor shows after the poll began may lie anywhere within the overlap before that, however long the poll takes.
  const from = Math.min(
    to - c.settings.connector.defaults.precisionMs,
    Math.min(until, Math.min(began, serverTime ?? began) - settleMs) - overlapOf(c),
  );
  return { ...live, until, from: Math.max(live.start, from), row: grownRow(c, live.row, step.complete) };
}
