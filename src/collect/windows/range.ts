// A range of time outside the live loop: a job's, with its own retries, or the sweep's.
import { sleep } from '../../base/clock.ts';
import { asPenstockError, consequenceOf, type PenstockError } from '../../base/errors.ts';
import { fullJitterMs } from '../../base/random.ts';
import type { Reader, WindowReader } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import type { SourceTotals } from '../../journal/counts.ts';
import { admit } from '../admit.ts';
import { parseRange, type RangeCheckpoint } from '../checkpoint.ts';
import { type Halt, openContext, type SourceContext } from '../context.ts';
import { ownRow } from '../ledger-row.ts';
import type { Idle } from '../memory/source-memory.ts';
import { refusedRange } from '../older-records.ts';
import type { RangeJob, RangeProgress, SourceEnvironment } from '../source.ts';
import type { WalkedPage } from './scan.ts';
import { walk } from './walk.ts';
import { endCovering, WindowSize } from './windows.ts';

interface RangeOptions {
  readonly onProgress?: (progress: RangeProgress) => void;
  readonly signal: AbortSignal;
  /** Default `backfill`. */
  readonly lane?: 'live' | 'backfill';
}

/** Failures in a row, without a complete window between them, after which a range gives up. */
const maxFailures = 10;

/** A reader that can be asked for a time range; PEN_OPERATION_FAILED for files, streams, and cursors without a range. */
export function windowReader(reader: Reader, source: string): WindowReader {
  if (reader.kind === 'http_window') return reader;
  if (reader.kind === 'http_cursor' && reader.range !== undefined) return reader.range;
  throw refusedRange(reader, source);
}

/**
 * Collects a range beside the live loop, in its own lane and within the same rate budget; what is known already is filtered as a duplicate.
 * Goes on where checkpoint `job:<id>` stands. Passing faults are tried again; rejects with a refusal, with what failed ten times in a row, or
 * with the signal's reason.
 */
export async function runRange(
  settings: SourceSettings,
  environment: SourceEnvironment,
  job: RangeJob,
  { signal, lane = 'backfill', onProgress }: RangeOptions,
): Promise<RangeProgress> {
  const context = openContext(settings, environment);
  await context.memory.restore(context.journal, settings.name, context.seams.clock);
  const progress = { at: job.from, fetched: 0, new: 0, duplicate: 0 };
  const { state } = context;
  const size = new WindowSize(context);
  for (;;) {
    try {
      for await (const { until, counts } of collectJob(context, job, lane, size, signal)) {
        if (until > progress.at) state.failures = 0;
        progress.at = Math.max(progress.at, until);
        progress.fetched += counts.fetched;
        progress.new += counts.new;
        progress.duplicate += counts.duplicate;
        onProgress?.({ ...progress });
      }
      return { ...progress, at: Math.max(progress.at, job.to) };
    } catch (thrown) {
      signal.throwIfAborted();
      state.failures += 1;
      await pauseAfter(context, asPenstockError(thrown), signal);
    }
  }
}

async function pauseAfter(
  { seams, log, state: { failures } }: SourceContext,
  error: PenstockError,
  signal: AbortSignal,
): Promise<void> {
  if (consequenceOf(error).source !== 'fail_poll' || failures >= maxFailures) throw error;
  const waitMs = Math.max(error.retryAfterMs ?? 0, 1_000 + fullJitterMs(seams.random, failures, 1_000, 300_000));
  log.warn({ err: error, waitMs, failures }, 'range interrupted, it is tried again');
  await sleep(seams.clock, waitMs, signal);
}

async function* collectJob(
  context: SourceContext,
  { job, from, to }: RangeJob,
  lane: 'live' | 'backfill',
  size: WindowSize,
  signal: AbortSignal,
): AsyncGenerator<RangeStep, void, undefined> {
  const { journal, settings, seams } = context;
  const name = `job:${job}`;
  const fresh: RangeCheckpoint = { from, to, until: from, began: seams.clock.now(), done: false };
  const stored = parseRange(await journal.checkpoint(settings.name, name)) ?? fresh;
  if (stored.done) return;
  await using reader = windowReader(await context.openReader(), settings.name);
  const halt = { soft: signal, hard: signal };
  yield* collectRange(context, reader, { name, lane, range: stored }, size, halt);
  const { walk: _walk, ...range } = stored;
  await journal.append({ source: settings.name, checkpoint: { name, value: { ...range, until: stored.to, done: true } } });
}

/** A range that keeps its own checkpoint. */
interface Range {
  /** Of the checkpoint. */
  readonly name: string;
  readonly lane: 'live' | 'backfill';
  readonly range: RangeCheckpoint;
  readonly closedUntil?: number;
  readonly idle?: Idle | undefined;
}

/** What one commit of a range brought. */
interface RangeStep {
  readonly counts: SourceTotals;
  /** Windows up to here are complete, milliseconds. */
  readonly until: number;
  /** True after the last page of a window. */
  readonly isComplete: boolean;
}

/** Collects what is left of a range, page by page. */
export async function* collectRange(
  context: SourceContext,
  reader: WindowReader,
  { name, lane, range: { walk: left, ...range }, closedUntil, idle }: Range,
  size: WindowSize,
  halt: Halt,
): AsyncGenerator<RangeStep, void, undefined> {
  let { until } = range;
  // Both ends belong to the range.
  const past = { atMost: endCovering(context, range.to), isPast: range.to <= range.began };
  const stretch = { from: until, until: past, left };
  for await (const page of walk(context, reader, stretch, size, halt)) {
    const value = { ...range, ...positionAfter(page, until, range.to) };
    const { facts, ownRecords, end, read } = page;
    const counts = await admit(context, facts, {
      lane,
      row: ownRow(page),
      checkpoint: { name, value },
      closedUntil,
      idle,
      read,
      ownRecords,
    });
    context.log.debug({ page: page.walk.pages + 1, ...counts }, 'page collected');
    until = value.until;
    yield { counts, until, isComplete: end === 'complete' };
  }
}

function positionAfter({ walk, next, end }: WalkedPage, until: number, to: number): Pick<RangeCheckpoint, 'until' | 'walk'> {
  if (next !== undefined) return { until, walk: next };
  return { until: end === 'complete' ? Math.min(to, Math.max(until, walk.to)) : until };
}
