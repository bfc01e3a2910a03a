// Where a poll begins, when clocks were wrong meanwhile.
import { dayMs, iso } from '../../base/quantity.ts';
import { checkpointAt, firstStart, type LiveCheckpoint, openLiveCheckpoint } from '../checkpoint.ts';
import { type SourceContext, vendorNow } from '../context.ts';
import { mostSkewMs } from '../memory/vendor-clock.ts';
import { align } from './windows.ts';

/** Reads the live checkpoint, and sets it right where our clock or the vendor's turned out to be wrong. */
export async function beginLive(context: SourceContext): Promise<LiveCheckpoint> {
  const start = align(context, firstStart(context.settings, context.seams.clock.now()));
  const live = await openLiveCheckpoint(context, start, (former) =>
    checkpointAt(context.settings, overlapBefore(context, former)),
  );
  context.memory.vendorClock.remember(live, context.seams.clock);
  return await following(context, await rewound(context, live));
}

/** Where a poll after a checkpoint begins to read, milliseconds. */
export function overlapBefore({ settings: { window } }: SourceContext, { start, from, until }: LiveCheckpoint): number {
  return Math.max(start, Math.min(from ?? until, until - window.overlapMs));
}

/** Takes back a checkpoint that lies in the future, where that means that a clock was wrong before and not that ours is behind now. */
async function rewound(context: SourceContext, live: LiveCheckpoint): Promise<LiveCheckpoint> {
  const now = Math.max(context.seams.clock.now(), vendorNow(context));
  const started = await notAhead(context, live, now);
  if (started !== live) return started;
  const { walk, ...withoutWalk } = live;
  if (live.until <= now) return walk !== undefined && walk.to > now ? withoutWalk : live;
  if (live.until === live.start || isPastForVendor(context, live.until)) return live;
  const until = await untilProven(context, live, now);
  if (until === live.until) return live;
  context.log.warn(
    { was: iso(live.until), until: iso(until) },
    'the checkpoint lies in the future, so a clock was wrong; collection goes on after the last record, or the last window before now',
  );
  const { from: _from, ...rest } = withoutWalk;
  return { ...rest, until };
}

/** A first start that was fixed in the future comes from a wrong clock; it is fixed again. */
export async function notAhead(context: SourceContext, live: LiveCheckpoint, now: number): Promise<LiveCheckpoint> {
  const { start } = context.settings;
  const isProven = live.newest !== undefined && live.newest >= live.start;
  if (live.start <= now || isProven || (start !== 'now' && !('backMs' in start))) return live;
  const fields = { start: iso(live.start) };
  context.log.warn(fields, 'the first start was fixed in the future, so a clock was wrong; it is fixed again');
  return await restart(context, firstStart(context.settings, now));
}

/**
 * True for a time in our future that the vendor's clock has passed: then ours is behind, and nothing was read too early. Before the first
 * answer of a process nobody can say so; the overlap is asked for first.
 */
function isPastForVendor({ memory: { vendorClock }, seams: { clock } }: SourceContext, time: number): boolean {
  if (!vendorClock.hasAnswered) return true;
  const there = vendorClock.estimate(clock);
  return there !== undefined && time <= there + leastSkewMs;
}

/** A Date header carries whole seconds and was on its way. */
export const leastSkewMs = 2_000;

/**
 * A first start that was counted back from our clock is moved to the vendor's when that turns out to be behind: what the vendor writes from
 * now on would otherwise lie before the start, and nobody would ever ask for it.
 */
export async function following(context: SourceContext, live: LiveCheckpoint): Promise<LiveCheckpoint> {
  const { start } = context.settings;
  const skewMs = context.memory.vendorClock.skewMs ?? 0;
  if (live.until > live.start || skewMs > -leastSkewMs || skewMs < -mostSkewMs) return live;
  if (start !== 'now' && !('backMs' in start)) return live;
  const backMs = start === 'now' ? 0 : start.backMs;
  if (live.start + backMs <= vendorNow(context) + leastSkewMs) return live;
  const fields = { was: iso(live.start), start: iso(align(context, live.start + skewMs)) };
  context.log.warn(fields, "the vendor's clock is behind ours; the first start is counted back from the vendor's");
  return await restart(context, live.start + skewMs);
}

async function restart(context: SourceContext, start: number): Promise<LiveCheckpoint> {
  const fresh = checkpointAt(context.settings, align(context, start));
  await context.journal.append({ source: context.settings.name, checkpoint: { name: 'live', value: fresh } });
  return fresh;
}

/** How far a checkpoint that lies in the future is sure to have been read, milliseconds: to the last record, or the last window before now. */
export async function untilProven(
  context: SourceContext,
  { start, until, newest }: LiveCheckpoint,
  now: number,
): Promise<number> {
  return Math.min(until, Math.max(start, newest ?? start, (await lastWindowBefore(context, now)) ?? start));
}

async function lastWindowBefore({ journal, settings }: SourceContext, now: number): Promise<number | undefined> {
  for (const days of [1, 8, 64, 512]) {
    const windows = await journal.windows(settings.name, now - days * dayMs, now);
    const ends = windows.flatMap(({ to, complete, lane }) =>
      complete && lane === 'live' && to !== null && to <= now ? [to] : [],
    );
    if (ends.length > 0) return ends.reduce((a, b) => Math.max(a, b));
  }
  return undefined;
}
