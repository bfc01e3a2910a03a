import { sleep } from '../../base/clock.ts';
import { asPenstockError, consequenceOf, PenstockError } from '../../base/errors.ts';
import { fullJitterMs } from '../../base/random.ts';
import type { Reader, WindowReader } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import type { AdmissionCounts } from '../admit.ts';
import { parseRange, type RangeCheckpoint } from '../checkpoint.ts';
import { openContext, restoreMemory, type SourceContext } from '../context.ts';
import type { CollectDeps, RangeProgress, RangeWalk } from '../source.ts';
import type { WalkStep } from './walk.ts';
import { align, type Span, walkSpan, windowSize } from './windows.ts';

export interface RangeOptions {
  readonly onProgress?: (progress: RangeProgress) => void;
  readonly signal: AbortSignal;
  /** Default `backfill`. */
  readonly lane?: 'live' | 'backfill';
}

const roomCheckMs = 1_000;
/** Failures in a row without a page between them after which a range gives up. */
const maxFailures = 10;

/** A reader that can be asked for a time range; PEN_OPERATION_FAILED for files and streams. */
export function windowReader(reader: Reader, source: string): WindowReader {
  if (reader.kind === 'http_window') return reader;
  throw new PenstockError('PEN_OPERATION_FAILED', `its records cannot be asked for by time (${reader.kind})`, {
    where: `source ${source}`,
    fix:
      reader.kind === 'csv_directory'
        ? `import the files: penstock import ${source} FILE...`
        : 'replay what is stored: penstock replay SINK --from --to',
  });
}

/**
 * Collects a range beside the live loop, in its own lane and within the same rate budget; what is known already is filtered as a duplicate.
 * Goes on where checkpoint `job:<id>` stands. Passing faults are tried again; rejects with a refusal, with what failed ten times in a row, or
 * with the signal's reason.
 */
export async function runRange(
  settings: SourceSettings,
  deps: CollectDeps,
  walk: RangeWalk,
  options: RangeOptions,
): Promise<RangeProgress> {
  const c = openContext(settings, deps);
  await restoreMemory(c);
  const progress: Progress = { at: walk.from, fetched: 0, new: 0, duplicate: 0 };
  const attempts = { failures: 0 };
  for (;;) {
    try {
      await walkRange(c, walk, options, progress, attempts);
      return { ...progress };
    } catch (thrown) {
      options.signal.throwIfAborted();
      await pauseAfter(c, asPenstockError(thrown), attempts, options.signal);
    }
  }
}

type Progress = { -readonly [K in keyof RangeProgress]: RangeProgress[K] };

async function pauseAfter(
  { deps, log }: SourceContext,
  error: PenstockError,
  attempts: { failures: number },
  signal: AbortSignal,
): Promise<void> {
  attempts.failures += 1;
  if (consequenceOf(error).source !== 'fail_poll' || attempts.failures >= maxFailures) throw error;
  const waitMs = Math.max(error.retryAfterMs ?? 0, 1_000 + fullJitterMs(deps.seams.random, attempts.failures, 1_000, 300_000));
  log.warn({ err: error, waitMs, failures: attempts.failures }, 'range interrupted, it goes on after a pause');
  await sleep(deps.seams.clock, waitMs, signal);
}

async function walkRange(
  c: SourceContext,
  walk: RangeWalk,
  { signal, lane = 'backfill', onProgress }: RangeOptions,
  progress: Progress,
  attempts: { failures: number },
) {
  const { deps, settings } = c;
  const name = `job:${walk.job}`;
  const began = deps.seams.clock.now();
  const stored = parseRange(await deps.journal.checkpoint(settings.name, name)) ?? {
    from: walk.from,
    to: walk.to,
    until: walk.from,
    began,
    done: false,
  };
  progress.at = Math.max(progress.at, stored.until);
  if (stored.done) return;
  await using reader = windowReader(await deps.openReader(), settings.name);
  const span = rangeSpan(c, name, stored, {
    lane,
    beforeWindow: () => waitForRoom(deps, signal),
    onUntil(until) {
      progress.at = until;
      onProgress?.({ ...progress });
    },
    onPage(counts) {
      attempts.failures = 0;
      add(progress, counts);
      onProgress?.({ ...progress });
    },
  });
  await walkSpan(c, reader, span, windowSize(c), { soft: signal, hard: signal });
  const { walk: _walk, ...range } = stored;
  await deps.journal.append({ source: settings.name, checkpoint: { name, value: { ...range, until: stored.to, done: true } } });
  progress.at = stored.to;
}

function add(progress: Progress, counts: AdmissionCounts): void {
  progress.fetched += counts.fetched;
  progress.new += counts.new;
  progress.duplicate += counts.duplicate;
}

interface RangeHooks extends Pick<Span, 'lane' | 'beforeWindow' | 'onPage' | 'closedUntil'> {
  readonly onUntil: (until: number) => void;
  /** False when something more urgent comes first. */
  readonly goesOn?: () => boolean;
}

/** The span of a range that keeps its own checkpoint. */
export function rangeSpan(
  c: SourceContext,
  name: string,
  { walk, ...range }: RangeCheckpoint,
  { onUntil, goesOn, ...hooks }: RangeHooks,
): Span {
  let { until } = range;
  // Both ends belong to the range: one step of precision more covers what shares the last instant.
  const step = Math.max(1, c.settings.connector.defaults.precisionMs);
  const end = align(c, range.to + step);
  const lastEnd = (to: number): number => Math.min(range.to, Math.max(until, to));
  return {
    ...hooks,
    from: until,
    target: () => Math.max(until, Math.min(end, align(c, c.deps.seams.clock.now()))),
    walk,
    checkpoint: (step) => ({ name, value: { ...range, ...positionAfter(until, step, lastEnd) } }),
    afterWindow({ to }) {
      until = lastEnd(to);
      onUntil(until);
      return goesOn?.() ?? true;
    },
  };
}

function positionAfter(until: number, step: WalkStep, lastEnd: (to: number) => number): Pick<RangeCheckpoint, 'until' | 'walk'> {
  if ('walk' in step) return { until, walk: step.walk };
  return { until: 'complete' in step ? lastEnd(step.complete.to) : until };
}

async function waitForRoom({ journal, seams }: CollectDeps, signal: AbortSignal): Promise<void> {
  while (!journal.hasRoom()) await sleep(seams.clock, roomCheckMs, signal);
}
