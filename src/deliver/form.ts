import { explainInLine } from '../base/errors.ts';
import { Slices } from '../base/slices.ts';
import type { LaneKind } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import { bury } from './apply.ts';
import { Batch } from './batch.ts';
import type { LoopContext } from './context.ts';
import { openedSink } from './hold/probe.ts';
import type { PreparedEvent } from './prepare.ts';
import { LaneReader, turnOrder } from './read.ts';

/** A batch that is being filled. */
interface Filling {
  readonly prepared: PreparedEvent[];
  bytes: number;
  isReplay: boolean;
  isFull: boolean;
}

/** What a batch is filled from. */
interface Gathering {
  readonly context: LoopContext;
  readonly reader: LaneReader;
  /** Of all batches together: many small ones, or a sink that answers without I/O, must not keep others waiting. */
  readonly slices: Slices;
  readonly order: readonly LaneKind[];
}

// After the journal could not be asked.
const pauseMs = 1000;

/** The batches of a sink, by turn over the kinds of lanes, up to the limits of events, bytes and time; ends when the loop stops. */
export async function* batches(context: LoopContext): AsyncGenerator<Batch> {
  const reader = new LaneReader(context);
  const { signal } = context.ending;
  const slices = new Slices(context.clock, 'delivery');
  for (let turn = 0; !signal.aborted; turn += 1) {
    const filling: Filling = { prepared: [], bytes: 0, isReplay: false, isFull: false };
    const order = turnOrder(turn);
    reader.beginBatch(order);
    await gather({ context, reader, slices, order }, filling);
    if (!signal.aborted && filling.prepared.length > 0) yield new Batch(context, filling.prepared, filling.isReplay);
  }
}

/** Fills until it is full, its time is over, or somebody waits for all to be delivered. */
async function gather(from: Gathering, filling: Filling): Promise<void> {
  const { context } = from;
  const { clock, changed, settings } = context;
  const { signal } = context.ending;
  let since = clock.monotonic();
  while (!signal.aborted) {
    await fill(from, filling);
    if (filling.isFull || signal.aborted) return;
    if (filling.prepared.length === 0) {
      await changed.wait(signal);
      since = clock.monotonic();
      continue;
    }
    const leftMs = settings.batch.waitMs - (clock.monotonic() - since);
    if (leftMs <= 0 || context.draining > 0) return;
    await changed.waitAtMost(clock, leftMs, signal);
  }
}

async function fill(from: Gathering, filling: Filling): Promise<void> {
  const { context, order } = from;
  const sink = await openedSink(context);
  if (sink === undefined) return;
  try {
    for (const kind of order) if (accepts(filling, kind)) await fillFrom(from, filling, kind, sink);
  } catch (error) {
    const known = context.tally.lastError?.reason;
    // Asked again every second: logged once.
    if (context.trouble('journal', explainInLine(error)) !== known) context.log.warn({ err: error }, 'journal could not be read');
    await context.changed.waitAtMost(context.clock, pauseMs, context.stopping.signal);
  }
}

async function fillFrom({ context, reader, slices }: Gathering, filling: Filling, kind: LaneKind, sink: Sink): Promise<void> {
  const { signal } = context.ending;
  const { batch } = context.settings;
  const mostBytes = Math.min(batch.bytes, sink.maxBatchBytes ?? Number.POSITIVE_INFINITY);
  const mostEvents = Math.min(batch.events, sink.maxBatchEvents ?? Number.POSITIVE_INFINITY);
  while (!filling.isFull && !signal.aborted) {
    // Large events are mapped for as long as many small ones.
    const pause = slices.pause();
    if (pause !== undefined) await pause;
    const next = reader.peek(kind);
    if (next === undefined) {
      if (await reader.openPage(kind, sink)) continue;
      return;
    }
    if ('code' in next) {
      // Without room before the loop ends it stays without outcome, and the next process reads it again.
      if (await bury(context, next)) reader.take(kind);
      continue;
    }
    // What does not fit waits for the next batch.
    filling.isFull = filling.prepared.length > 0 && filling.bytes + next.bytes > mostBytes;
    if (filling.isFull) return;
    reader.take(kind);
    filling.prepared.push(next);
    filling.bytes += next.bytes;
    filling.isReplay = kind === 'replay';
    filling.isFull = filling.prepared.length >= mostEvents;
  }
}

/** True for a kind that may be added: `replay` belongs to a whole batch, so replayed events travel by themselves. */
function accepts({ prepared, isReplay }: Filling, kind: LaneKind): boolean {
  return prepared.length === 0 || isReplay === (kind === 'replay');
}
