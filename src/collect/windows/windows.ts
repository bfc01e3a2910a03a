// A stretch of time read window after window: the live loop's way to now, a sweep, a job's range.
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import type { WindowReader } from '../../connectors/connector.ts';
import type { AdmissionCounts } from '../admit.ts';
import type { WalkState } from '../checkpoint.ts';
import { type Halt, type SourceContext, vendorNow } from '../context.ts';
import { newWalk, resumedWalk, type WalkPlan, walkWindow } from './walk.ts';

/** What a stretch is and what its commits say. */
export interface Span {
  readonly lane: 'live' | 'backfill';
  /** Where the first window begins, milliseconds. */
  readonly from: number;
  /** Where the last one ends; asked before each window. */
  target(): number;
  /** A walk left behind: it comes first. */
  readonly walk: WalkState | undefined;
  readonly checkpoint: WalkPlan['checkpoint'];
  readonly closedUntil?: number;
  readonly row?: NonNullable<WalkPlan['row']>;
  /** Comes before each window: waits for room in the journal. */
  beforeWindow(): Promise<void>;
  /** Comes after each complete window, which is durable then; false ends the span early. */
  afterWindow?(window: WalkState): boolean;
  readonly onPage?: (counts: AdmissionCounts) => void;
}

/** The size of windows that the vendor bears just now: halved when it refuses one, doubled back with each that works. */
export interface WindowSize {
  ms: number;
}

/** A size that starts at the configured maximum. */
export function windowSize({ settings }: SourceContext): WindowSize {
  return { ms: settings.window.maxMs };
}

/** Cuts a time down to what the vendor's API can express. */
export function align({ settings }: SourceContext, time: number): number {
  const precision = precisionOf(settings.connector.defaults.precisionMs);
  return Math.floor(time / precision) * precision;
}

const precisionOf = (ms: number): number => Math.max(1, ms);

/** Walks the span's windows to its target; rejects with what stopped it. */
export async function walkSpan(c: SourceContext, reader: WindowReader, span: Span, size: WindowSize, halt: Halt): Promise<void> {
  let position = align(c, span.from);
  let pending = span.walk === undefined ? undefined : resumedWalk(c, span.walk);
  let began = pending?.began ?? vendorNow(c);
  for (;;) {
    await span.beforeWindow();
    const target = span.target();
    const window = pending ?? nextWindow(c, { from: position, target, began }, size);
    if (window === undefined) return;
    const walked = await tryWindow(c, reader, span, window, size, halt);
    pending = undefined;
    if (walked === undefined) {
      position = Math.min(position, window.from);
      continue;
    }
    // The first answer tells how far the vendor's clock is behind.
    began = Math.min(began, walked.serverTime ?? began);
    if (span.afterWindow?.(walked) === false || window.to >= target) return;
    halt.soft.throwIfAborted();
    // Whether a bound belongs to the window differs between vendors: the last instant is read again.
    position = Math.max(position, window.to - precisionOf(c.settings.connector.defaults.precisionMs));
  }
}

function nextWindow(
  c: SourceContext,
  { from, target, began }: { readonly from: number; readonly target: number; readonly began: number },
  size: WindowSize,
): WalkState | undefined {
  // At least two steps of precision, because the next window begins one step before this one's end.
  const step = Math.max(2 * precisionOf(c.settings.connector.defaults.precisionMs), align(c, size.ms));
  const to = Math.min(from + step, target);
  return to <= from ? undefined : newWalk(from, to, began);
}

/** Walks a window; undefined when the vendor would not bear it and a smaller one comes next. */
async function tryWindow(
  c: SourceContext,
  reader: WindowReader,
  span: Span,
  window: WalkState,
  size: WindowSize,
  halt: Halt,
): Promise<WalkState | undefined> {
  try {
    const walked = await walkWindow(c, reader, planOf(span, window), halt);
    size.ms = Math.min(c.settings.window.maxMs, size.ms * 2);
    return walked;
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    const { walk } = consequenceOf(error);
    if (walk === 'drop_and_halve') size.ms = Math.max(minWindowMs(c), Math.floor((window.to - window.from) / 2));
    if (walk === 'drop' || walk === 'drop_and_halve') await drop(c, span);
    if (walk !== 'halve') throw error;
    halve(c, window, size, error);
    return undefined;
  }
}

// The next poll cuts the window anew: resuming would meet the same end.
async function drop({ deps, settings }: SourceContext, span: Span): Promise<void> {
  await deps.journal.append({ source: settings.name, checkpoint: span.checkpoint({ dropped: true }) });
}

/** The smallest window worth asking for, milliseconds. */
export const minWindowMs = ({ settings }: SourceContext): number =>
  Math.max(settings.window.minMs, 2 * precisionOf(settings.connector.defaults.precisionMs));

function halve(c: SourceContext, window: WalkState, size: WindowSize, error: PenstockError): void {
  const was = window.to - window.readFrom;
  if (was <= minWindowMs(c)) {
    throw new PenstockError('PEN_SOURCE_REFUSED', `the vendor refuses even a window of ${was} ms: ${error.message}`, {
      fix: 'check the options of the source and what the vendor says about its time ranges; window.min may be too large',
      cause: error,
      ...(error.status === undefined ? {} : { status: error.status }),
    });
  }
  size.ms = Math.max(minWindowMs(c), Math.floor(was / 2));
  c.log.warn({ err: error, windowMs: size.ms }, 'window refused as too large, a smaller one is read');
}

function planOf(span: Span, walk: WalkState): WalkPlan {
  const { lane, checkpoint, closedUntil, onPage, row } = span;
  return {
    lane,
    walk,
    checkpoint,
    ...(closedUntil === undefined ? {} : { closedUntil }),
    ...(onPage === undefined ? {} : { onPage }),
    ...(row === undefined ? {} : { row }),
  };
}
