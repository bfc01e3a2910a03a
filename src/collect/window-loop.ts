import { formatDuration } from '../base/quantity.ts';
import type { WindowReader } from '../connectors/connector.ts';
import { checkpointAt, firstStart, type LiveCheckpoint, type WalkState } from './checkpoint.ts';
import { type Collecting, vendorNow } from './collecting.ts';
import { openLiveCheckpoint } from './live-checkpoint.ts';
import type { KindLoop, PollSession } from './loop.ts';
import { align, type Span, type WindowSize, walkSpan, windowSize } from './span.ts';
import { createSweep } from './sweep.ts';
import type { WalkStep } from './walk.ts';

/** Takes back a checkpoint that lies in the future, which means that a clock was wrong. */
async function rewound(c: Collecting, live: LiveCheckpoint): Promise<LiveCheckpoint> {
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
  const { walk, ...rest } = live;
  if (live.until > now && live.start <= now) {
    const until = Math.max(live.start, (await lastWindowBefore(c, now)) ?? live.start);
    const fields = { was: new Date(live.until).toISOString(), until: new Date(until).toISOString() };
    c.log.warn(
      fields,
      'the checkpoint lies in the future, so a clock was wrong; collection goes on behind the last window before now',
    );
    return { ...rest, until };
  }
  return walk !== undefined && walk.to > now ? rest : live;
}

async function lastWindowBefore({ deps, settings }: Collecting, now: number): Promise<number | undefined> {
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
export function windowKind(c: Collecting): KindLoop<WindowReader> {
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

function suggestion({ memory, settings }: Collecting): Readonly<Record<string, unknown>> {
  const ms = memory.lateness.suggestedOverlapMs(settings.window.overlapMs);
  return ms === undefined ? {} : { suggested_overlap: formatDuration(ms) };
}

async function pollWindows(c: Collecting, reader: WindowReader, session: PollSession, size: WindowSize): Promise<LiveCheckpoint> {
  const { window, connector } = c.settings;
  const { walk, ...live } = await rewound(
    c,
    await openLiveCheckpoint(c, align(c, firstStart(c.settings, c.deps.seams.clock.now()))),
  );
  let { until } = live;
  session.onCursor(until);
  const span: Span = {
    lane: 'live',
    from: Math.max(live.start, until - Math.max(window.overlapMs, connector.defaults.precisionMs)),
    // Never before what is complete: reading the overlap again finds late records and measures the vendor's clock anew.
    target: () => Math.max(until, align(c, vendorNow(c) - window.settleMs)),
    walk,
    closedUntil: until,
    checkpoint: (step) => ({ name: 'live', value: { ...live, ...positionAfter(c, until, step) } }),
    beforeWindow: () => session.waitForRoom(),
    afterWindow(complete) {
      until = endOf(c, until, complete);
      session.onCursor(until);
      return true;
    },
    onPage: () => session.onAnswer(),
  };
  await walkSpan(c, reader, span, size, session.halt);
  return { ...live, until };
}

function positionAfter(c: Collecting, until: number, step: WalkStep): Pick<LiveCheckpoint, 'until' | 'walk'> {
  if ('walk' in step) return { until, walk: step.walk };
  return { until: 'complete' in step ? endOf(c, until, step.complete) : until };
}

// The vendor's clock is known only once it answered: where it is behind ours, the end of the window was still open for it.
function endOf({ settings }: Collecting, until: number, { to, serverTime }: WalkState): number {
  return Math.max(until, serverTime === undefined ? to : Math.min(to, serverTime - settings.window.settleMs));
}
