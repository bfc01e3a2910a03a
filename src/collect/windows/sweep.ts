// The second look: due -> windows that were closed are read again, a few per poll -> rows without a time, where the connector can -> done.

import { asPenstockError, type PenstockError } from '../../base/errors.ts';
import { iso } from '../../base/quantity.ts';
import type { WindowReader } from '../../connectors/connector.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';
import { admit } from '../admit.ts';
import { type LiveCheckpoint, parseRange, type RangeCheckpoint } from '../checkpoint.ts';
import { type Halt, type SourceContext, vendorNow } from '../context.ts';
import type { Poll } from '../kind.ts';
import { OwnRecords } from '../own-records.ts';
import { pages } from './pages.ts';
import { collectRange } from './range.ts';
import { align, type WindowSize } from './windows.ts';

const retryMs = 300_000;

/** The sweep of one source; where none is configured it does nothing. */
export class Sweep {
  readonly #context: SourceContext;
  #range: RangeCheckpoint | undefined;
  #error: PenstockError | undefined;
  #retryAt = 0;

  constructor(context: SourceContext) {
    this.#context = context;
  }

  /** Does a part of the sweep when one is due: until it ends or the next poll is due. What fails is noted and tried again later. */
  async goOn(reader: WindowReader, live: LiveCheckpoint, poll: Poll, size: WindowSize): Promise<void> {
    const { settings, seams, log } = this.#context;
    if (settings.sweep === undefined || seams.clock.monotonic() < this.#retryAt) return;
    try {
      this.#range = await openRange(this.#context, settings.sweep, live);
      if (this.#range.done) return;
      this.#range = await sweepOn(this.#context, reader, this.#range, live.until, poll, size);
      this.#error = undefined;
    } catch (thrown) {
      if (poll.halt.soft.aborted) throw thrown;
      const error = asPenstockError(thrown);
      const isNews = this.#error?.message !== error.message;
      this.#error = error;
      this.#retryAt = seams.clock.monotonic() + retryMs;
      log[isNews ? 'warn' : 'debug']({ err: error }, 'sweep interrupted, it goes on later');
    }
  }

  /** Times in milliseconds since the epoch. */
  details(): Readonly<Record<string, unknown>> {
    if (this.#range === undefined) return {};
    const { began, until, done } = this.#range;
    return { sweep: { began, until, done } };
  }

  warnings(): readonly string[] {
    return this.#error === undefined ? [] : [`the sweep does not get on: ${this.#error.message}`];
  }
}

/** The range being swept, or a new one when it is time; a source that never swept waits its first `every`. */
async function openRange(
  context: SourceContext,
  { everyMs, backMs }: NonNullable<SourceSettings['sweep']>,
  live: LiveCheckpoint,
): Promise<RangeCheckpoint> {
  const { journal, seams, settings } = context;
  const now = seams.clock.now();
  const stored = parseRange(await journal.checkpoint(settings.name, 'sweep'));
  // What lies in the future comes from a wrong clock: such a sweep would not end before that time comes.
  const isWrong = stored !== undefined && (stored.began > now || stored.to > now);
  if (stored !== undefined && !isWrong && (!stored.done || now - stored.began < everyMs)) return stored;
  const closedUntil = Math.min(live.until, now);
  const from = align(context, Math.max(live.start, Math.max(vendorNow(context), closedUntil) - backMs));
  const to = closedUntil - settings.window.overlapMs;
  const fresh = { from, to, until: from, began: now, done: stored === undefined || to <= from };
  await save(context, fresh);
  return fresh;
}

async function save({ journal, settings }: SourceContext, range: RangeCheckpoint): Promise<void> {
  await journal.append({ source: settings.name, checkpoint: { name: 'sweep', value: range } });
}

async function sweepOn(
  context: SourceContext,
  reader: WindowReader,
  range: RangeCheckpoint,
  closedUntil: number,
  { halt, next }: Poll,
  size: WindowSize,
): Promise<RangeCheckpoint> {
  const before = context.counts.new;
  const { walk: _walk, ...rest } = range;
  let { until } = rest;
  const sweep = { name: 'sweep', lane: 'live', range, closedUntil, idle: context.memory.idle } as const;
  for await (const step of collectRange(context, reader, sweep, size, halt)) {
    until = step.until;
    if (step.isComplete && next.dueIn() <= 0) break;
  }
  if (until < range.to) return { ...rest, until };
  await sweepUntimed(context, reader, range, halt);
  const done = { ...rest, until, done: true };
  await save(context, done);
  context.log.info({ late: context.counts.new - before }, 'sweep done');
  return done;
}

/** Reads what no window returns, newest first, until a page is known whole or older than the sweep. */
async function sweepUntimed(
  context: SourceContext,
  reader: WindowReader,
  { from, began }: RangeCheckpoint,
  halt: Halt,
): Promise<void> {
  if (reader.sweepPage === undefined) return;
  const ownRecords = new OwnRecords(context, from, context.seams.clock.now());
  const row = { key: `sweep ${iso(began)}`, from: null, to: null };
  let [isOld, fresh] = [true, 0];
  for await (const { page, facts, isPart } of pages(context, reader, { window: 'untimed', state: null, pages: 0 }, halt.hard)) {
    isOld &&= facts.every(({ time }) => time !== undefined && time < from);
    const complete = !isPart && (page.next === null || isOld);
    const counts = await admit(context, facts, { lane: 'live', row: { ...row, complete }, ownRecords });
    fresh += counts.new;
    if (isPart) continue;
    if (complete || fresh === 0) return;
    [isOld, fresh] = [true, 0];
    halt.soft.throwIfAborted();
  }
}
