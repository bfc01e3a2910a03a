// The one cut of a stretch of time into windows: the live loop's way to now, a sweep, a job's range, a comparison.
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { formatDuration } from '../../base/quantity.ts';
import { type SourceContext, vendorNow } from '../context.ts';

/** A range of event time in milliseconds. Whether a bound belongs to it differs between vendors. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** A stretch of time to be cut, milliseconds. */
export interface Stretch {
  readonly from: number;
  /**
   * Where the last window ends, looked at before each. `atLeast` means as far as the vendor's records have settled by now, and never
   * before this time; `atMost` means this time, as far as it is past: `isPast` where it was when the reading began, whatever clocks say since.
   */
  readonly until: { readonly atLeast: number } | { readonly atMost: number; readonly isPast?: boolean };
  /** A window left behind comes first. */
  readonly first?: Window | undefined;
}

type Settings = Pick<SourceContext, 'settings'>;

const precisionOf = ({ settings }: Settings): number => Math.max(1, settings.connector.defaults.precisionMs);

/** Cuts a time down to what the vendor's API can express. */
export function align(context: Settings, time: number): number {
  const precision = precisionOf(context);
  return Math.floor(time / precision) * precision;
}

/** The end of a stretch that covers `to` itself: one step of precision more covers what shares the last instant. */
export function endCovering(context: Settings, to: number): number {
  return align(context, to + precisionOf(context));
}

interface Ends extends Window {
  readonly polls: number;
  readonly since: number;
}

/**
 * The size of windows that the vendor bears just now: halved when it refuses one, doubled back with each that works. The smallest is
 * `window.min`, and at least two steps of precision, because each window begins one step before the end of the one before.
 */
export class WindowSize {
  readonly #context: SourceContext;
  readonly #minMs: number;
  #ms: number;
  #refused: Window | undefined;
  /** Where a poll got stuck, and how long windows are there until it is passed. */
  #stuck: (Window & { readonly ms: number }) | undefined;
  /** Where polls ended behind a first page that came, how many of them in a row, and when the first did, on the monotonic clock. */
  #ends: Ends | undefined;

  constructor(context: SourceContext) {
    const { window } = context.settings;
    this.#context = context;
    this.#minMs = Math.max(window.minMs, 2 * precisionOf(context));
    this.#ms = window.maxMs;
  }

  /** How long a window is that begins there, milliseconds. */
  at(from: number): number {
    const stuck = this.#stuck;
    if (stuck === undefined || from >= stuck.to || from + this.#ms <= stuck.from) return this.#ms;
    return Math.min(this.#ms, stuck.ms);
  }

  /** True for a window that cannot be halved any more. */
  isSmallest(ms: number): boolean {
    return ms <= this.#minMs;
  }

  /** True while windows are smaller than they may be. */
  get isShrunk(): boolean {
    return this.#ms < this.#context.settings.window.maxMs;
  }

  /** After a window that was read to its end. */
  grow({ from, to }: Window): void {
    if (this.#stuck !== undefined && from <= this.#stuck.to && to >= this.#stuck.to) this.#stuck = undefined;
    if (this.#ends !== undefined && from <= this.#ends.to && to >= this.#ends.to) this.#ends = undefined;
    this.#ms = Math.min(this.#context.settings.window.maxMs, this.#ms * 2);
  }

  shrink(was: number): void {
    this.#ms = Math.max(this.#minMs, Math.floor(was / 2));
  }

  /** After a walk that ended a poll: windows before it work, and would let the next poll meet it in full length again. */
  shrinkAt({ from, to }: Window): void {
    this.shrink(to - from);
    this.#stuck = { from, to, ms: this.#ms };
  }

  /** Takes note of a poll that ended in a window behind its first page. */
  endAt({ from, to }: Window): void {
    const { polls = 0, since = this.#context.seams.clock.monotonic() } = this.#endsAt({ from, to }) ?? {};
    this.#ends = { from, to, polls: polls + 1, since };
  }

  /** How many polls in a row ended in a window behind its first page, and for how long, milliseconds. */
  endsAt(window: Window): { readonly polls: number; readonly forMs: number } {
    const ends = this.#endsAt(window);
    return ends === undefined
      ? { polls: 0, forMs: 0 }
      : { polls: ends.polls, forMs: this.#context.seams.clock.monotonic() - ends.since };
  }

  #endsAt({ from, to }: Window): Ends | undefined {
    return this.#ends !== undefined && from < this.#ends.to && to > this.#ends.from ? this.#ends : undefined;
  }

  /** Halves a window that the vendor refused as too large; throws what is not a matter of size, and PEN_SOURCE_REFUSED when it is the smallest. */
  refuse(window: Window, error: unknown, was = window.to - window.from): void {
    if (!(error instanceof PenstockError) || consequenceOf(error).walk !== 'halve') throw error;
    if (was <= this.#minMs) throw refusedAtAnySize(this.#context, error, window.from, was);
    this.halve(window, error, was);
  }

  /** Has half of a window read in its place. */
  halve(window: Window, error: unknown, was: number): void {
    this.#refused = window;
    this.shrink(was);
    this.#context.log.warn({ err: error, windowMs: this.#ms }, 'window refused as too large, a smaller one is read');
  }

  /** Has a window cut once more, because what is known of the vendor's clock has changed. */
  cutAnew(window: Window): void {
    this.#refused = window;
  }

  /** True for the window that is cut anew: it was refused, or turned out to end in the vendor's future. */
  isRefused(window: Window): boolean {
    return this.#refused === window;
  }
}

/** By then a person has read it: the vendor drops its oldest records meanwhile. */
const readMs = 600_000;

function refusedAtAnySize(context: SourceContext, error: PenstockError, from: number, was: number): PenstockError {
  const { name, retentionMs = Infinity } = context.settings;
  const kept = vendorNow(context) - retentionMs;
  return new PenstockError('PEN_SOURCE_REFUSED', `the vendor refuses even a window of ${was} ms: ${error.message}`, {
    fix:
      from < kept
        ? `the vendor keeps ${formatDuration(retentionMs)} and may refuse what is older: go on with what it still has by: penstock sources reset ${name} --from ${new Date(kept + readMs).toISOString()}`
        : 'check the options of the source and what the vendor says about its time ranges; window.min may be too large',
    cause: error,
    ...(error.status === undefined ? {} : { status: error.status }),
  });
}

/** Cuts window after window, each when the one before was read to its end or refused. */
export function* windows(
  context: SourceContext,
  { from, until, first }: Stretch,
  size: WindowSize,
): Generator<Window, void, undefined> {
  let position = align(context, from);
  for (let left = first; ; left = undefined) {
    const end = 'atLeast' in until ? settledUntil(context, until.atLeast) : pastUntil(context, until);
    const window = left ?? cut(context, position, end, size);
    if (window === undefined) return;
    yield window;
    if (size.isRefused(window)) {
      position = Math.min(position, window.from);
      continue;
    }
    if (window.to >= end) return;
    // The last instant is read again.
    position = Math.max(position, window.to - precisionOf(context));
  }
}

// Never before what is complete: reading the overlap again finds late records and measures the vendor's clock anew.
function settledUntil(context: SourceContext, atLeast: number): number {
  return Math.max(atLeast, align(context, vendorNow(context) - context.settings.window.settleMs));
}

function pastUntil(context: SourceContext, { atMost, isPast = false }: { atMost: number; isPast?: boolean }): number {
  return isPast ? atMost : Math.min(atMost, align(context, context.seams.clock.now()));
}

function cut(context: SourceContext, from: number, end: number, size: WindowSize): Window | undefined {
  const to = Math.min(from + Math.max(2 * precisionOf(context), align(context, size.at(from))), end);
  return to <= from ? undefined : { from, to };
}
