// A source that is asked for time ranges: windows until it has caught up, then a part of the sweep when one is due.
import { dayMs, formatDuration } from '../../base/quantity.ts';
import type { Reader, WindowReader } from '../../connectors/connector.ts';
import { admit, type Place } from '../admit.ts';
import type { LiveCheckpoint } from '../checkpoint.ts';
import type { Halt, SourceContext } from '../context.ts';
import { type Kind, type Poll, readerOf } from '../kind.ts';
import { grownRow, sharedRow } from '../ledger-row.ts';
import type { Idle } from '../memory/source-memory.ts';
import { usualIntervalMs } from '../schedule.ts';
import { beginLive } from './begin.ts';
import type { WalkedPage } from './scan.ts';
import { Sweep } from './sweep.ts';
import { walk } from './walk.ts';
import { type Stretch, WindowSize } from './windows.ts';

export class WindowKind implements Kind {
  readonly hasWindows = true;
  readonly #context: SourceContext;
  readonly #size: WindowSize;
  readonly #sweep: Sweep;

  constructor(context: SourceContext) {
    this.#context = context;
    this.#size = new WindowSize(context);
    this.#sweep = new Sweep(context);
  }

  async poll(reader: Reader, poll: Poll): Promise<void> {
    const asked = readerOf('http_window', reader);
    const live = await pollWindows(this.#context, asked, this.#size, poll.halt);
    await this.#sweep.goOn(asked, live, poll, this.#size);
  }

  details(): Readonly<Record<string, unknown>> {
    const { memory, settings } = this.#context;
    const ms = memory.lateness.suggestedOverlapMs(settings.window.overlapMs);
    return { ...this.#sweep.details(), ...(ms === undefined ? {} : { suggested_overlap: formatDuration(ms) }) };
  }

  warnings(): readonly string[] {
    return this.#sweep.warnings();
  }
}

async function pollWindows(context: SourceContext, reader: WindowReader, size: WindowSize, halt: Halt): Promise<LiveCheckpoint> {
  const { walk: left, ...begin } = await beginLive(context);
  let live: LiveCheckpoint = begin;
  context.state.cursor = live.until;
  const [beganAt, idle] = [context.seams.clock.now(), idleBefore(context, begin)];
  context.memory.idle = idle ?? context.memory.idle;
  for await (const page of walk(context, reader, { ...stretchOf(context, begin), left }, size, halt)) {
    live = { ...live, ...newestOf(live, page) };
    const next = after(context, live, page);
    const counts = await admit(context, page.facts, {
      ...placeOf(context, live, next, page, closedUntilOf(begin)),
      idle,
    });
    context.log.debug({ page: page.walk.pages + 1, ...counts }, 'page collected');
    context.health.answered();
    context.memory.outsideWindow += outside(context, page);
    if (page.end !== 'complete') continue;
    context.memory.lookedAt = beganAt;
    // A window that only the overlap reads again comes in every poll, also where each of them fails after it.
    if (next.until > live.until) await context.health.succeeded();
    live = next;
    context.state.cursor = live.until;
  }
  return live;
}

function stretchOf(context: SourceContext, { start, from, until }: LiveCheckpoint): Stretch {
  return {
    from: Math.max(start, Math.min(from ?? until, until - overlapOf(context))),
    until: { atLeast: until },
  };
}

/** Where nothing was read yet, nothing is late, not even what happened in the very second of the start. */
const closedUntilOf = ({ start, until }: LiveCheckpoint): number => (until > start ? until : Number.NEGATIVE_INFINITY);

/** How long nobody looked before this poll; undefined where the one before was as long ago as polls are apart, or not much longer. */
function idleBefore({ memory, settings, seams }: SourceContext, { start, until }: LiveCheckpoint): Idle | undefined {
  if (until <= start) return undefined;
  const now = seams.clock.now();
  const lookedAt = memory.lookedAt ?? until + settings.window.settleMs;
  const distanceMs = usualIntervalMs(settings.schedule, lookedAt);
  const ms = now - lookedAt - distanceMs;
  return ms > distanceMs ? { from: lookedAt, ms } : undefined;
}

const overlapOf = ({ settings }: SourceContext): number =>
  Math.max(settings.window.overlapMs, settings.connector.defaults.precisionMs);

function placeOf(
  context: SourceContext,
  live: LiveCheckpoint,
  next: LiveCheckpoint,
  page: WalkedPage,
  closedUntil: number,
): Place {
  return {
    lane: 'live',
    row: isNotThereYet(next, page) ? undefined : sharedRow(context, live.row, page),
    checkpoint: { name: 'live', value: next },
    // A record of a file is as old as it is; the file itself is not late.
    closedUntil: context.settings.connector.defaults.strayMs === Number.POSITIVE_INFINITY ? undefined : closedUntil,
    read: page.read,
    ownRecords: page.ownRecords,
  };
}

/** Empty, and later than the vendor's clock, which ours is far ahead of: each poll asks for such windows again, and a row each would fill the journal. */
function isNotThereYet({ until }: LiveCheckpoint, { walk, facts }: WalkedPage): boolean {
  return facts.length === 0 && walk.from > until;
}

/** The checkpoint after a page. */
function after(context: SourceContext, live: LiveCheckpoint, { walk, next, end }: WalkedPage): LiveCheckpoint {
  if (next !== undefined) return { ...live, walk: next };
  if (end !== 'complete') return live;
  const { window, connector } = context.settings;
  const { to, serverTime, began } = walk;
  // The vendor's clock is known only once it answered: where it is behind ours, the end of the window was still open for it.
  const until = Math.max(live.until, serverTime === undefined ? to : Math.min(to, serverTime - window.settleMs));
  // What the vendor shows after the poll began may lie anywhere within the overlap before that, however long the poll takes.
  const from = Math.min(
    to - connector.defaults.precisionMs,
    Math.min(until, Math.min(began, serverTime ?? began) - window.settleMs) - overlapOf(context),
  );
  return { ...live, until, from: Math.max(live.start, from), row: grownRow(context, live.row, walk) };
}

/** A record that is dated later than its window does not say how late it is for the vendor. */
function newestOf({ newest }: LiveCheckpoint, { facts, walk }: WalkedPage): Pick<LiveCheckpoint, 'newest'> {
  let latest = newest ?? Number.NEGATIVE_INFINITY;
  for (const { time } of facts) if (time !== undefined && time > latest) latest = Math.min(time, Math.max(latest, walk.to));
  return latest === Number.NEGATIVE_INFINITY ? {} : { newest: latest };
}

/** How many records of a page lie so far from its window that no rounding explains it: the vendor did not filter, or a next link lost the window. */
function outside(context: SourceContext, { facts, walk: { from, to } }: WalkedPage): number {
  const marginMs = Math.max(dayMs, overlapOf(context)) + (context.settings.connector.defaults.strayMs ?? 0);
  return facts.filter(({ time }) => time !== undefined && (time < from - marginMs || time > to + marginMs)).length;
}
