// starting (notes read, sink opened) -> running (batches formed, sent, settled) -> stopping (nothing new begins, requests under way get
// their grace, what is pending is flushed) -> stopped. A hold is a part of running: see hold.ts.
import { deadline } from '../base/clock.ts';
import { explain } from '../base/errors.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import { createOutcomes } from './apply.ts';
import { createBasics, createFormer, createLanes, type LoopBasics, type LoopLanes } from './context.ts';
import { createDispatcher, type Dispatcher } from './dispatch.ts';
import { cannotOpen } from './hold.ts';
import { type EncodeBody, shareEvents } from './prepare.ts';
import { createPartDelivery, type PartDelivery, type PartDeliveryDeps } from './send.ts';
import type { DeliverDeps, SinkLoop } from './settings.ts';
import { readStatus, type StatusParts } from './status.ts';

interface Loop {
  readonly basics: LoopBasics;
  readonly lanes: LoopLanes;
  readonly dispatcher: Dispatcher;
  /** Ends waits: nothing new begins. */
  readonly waiting: AbortController;
  /** Ends requests under way. */
  readonly sending: AbortController;
  draining: number;
  phase: StatusParts['phase'];
}

/** What the log hears of a receiver: changes, never single requests. */
function newsOf({ log, tally }: LoopBasics): Pick<PartDeliveryDeps, 'onAway' | 'onBack' | 'onUnlocated'> {
  return {
    onAway: (endpoint, reason) =>
      log.warn({ endpoint, reason }, 'the receiver does not take events; they wait in the journal and are sent again'),
    onBack: (endpoint, failures) => log.info({ endpoint, failures }, 'the receiver takes events again'),
    onUnlocated(events) {
      if (tally.unlocated === 0)
        log.error(
          { events },
          'the receiver took a batch and refused some of its events without telling which; they are not sent again',
        );
      tally.unlocated += events;
    },
  };
}

function createDelivery(loop: Omit<Loop, 'dispatcher'>, dispatcher: () => Dispatcher): PartDelivery {
  const { basics, lanes, waiting, sending } = loop;
  const { settings, deps, changed, tally, gate, slot, endpoints, limit, letters, refusals } = basics;
  const { clock, random } = deps.seams;
  const { secrets } = deps;
  const note = (kind: string, reason: string): void => {
    tally.lastError = { at: clock.now(), kind, reason };
  };
  const onRefused = (code: string, text: string): void => note('event', `${code}: ${text}`);
  const outcomes = createOutcomes({ clock, random, secrets, refusals, letters, settler: lanes.settler, onRefused });
  return createPartDelivery({
    clock,
    changed,
    secrets,
    gate,
    slot,
    endpoints,
    limit,
    letters,
    timeoutMs: settings.timeoutMs,
    holdProbeMs: settings.holdProbeMs,
    waiting: waiting.signal,
    sending: sending.signal,
    carryOut: (part, decision) => outcomes.carryOut(part, decision),
    onPending: (part, pending, claim, use) => dispatcher().addPending(part, pending, claim, use),
    onTrouble: note,
    ...newsOf(basics),
    onInFlight(change) {
      tally.inFlight += change;
    },
  });
}

function createLoop(settings: SinkSettings, deps: DeliverDeps, encodeBody: EncodeBody): Loop {
  const basics = createBasics(settings, deps);
  const lanes = createLanes(basics, encodeBody);
  const waiting = new AbortController();
  const base = { basics, lanes, waiting, sending: new AbortController() };
  const state = { ...base, draining: 0, phase: 'starting' as StatusParts['phase'] };
  const former = createFormer(basics, lanes, () => state.draining > 0);
  const delivery = createDelivery(state, () => dispatcher);
  const dispatcher: Dispatcher = createDispatcher({
    basics,
    waiting: waiting.signal,
    form: (signal) => former.form(signal),
    delivery: () => delivery,
  });
  return Object.assign(state, { dispatcher });
}

/** What an earlier process left: a hold, and how many dead letters there are. */
async function recall({ basics }: Loop): Promise<void> {
  const { deps, settings, gate, letters, log, tally } = basics;
  try {
    const held = (await deps.journal.holds()).find(({ kind, name }) => kind === 'sink' && name === settings.name);
    if (held !== undefined) gate.restore(held.hold);
    await letters.recount();
  } catch (error) {
    log.warn({ err: error }, 'state of the sink could not be read from the journal');
    tally.journalTrouble = deps.secrets.scrub(explain(error));
  }
}

async function openFirst({ basics }: Loop): Promise<void> {
  try {
    await basics.slot.reopen();
  } catch (error) {
    await basics.gate.enter(cannotOpen(basics.deps.secrets.scrub(explain(error))));
  }
}

async function watchJournal({ basics, lanes, waiting }: Loop): Promise<void> {
  const { journal } = basics.deps;
  let changed = journal.changed(waiting.signal);
  while (!waiting.signal.aborted) {
    await changed;
    // Asked again before anything is read, so that no append falls between the two.
    changed = journal.changed(waiting.signal);
    lanes.reader.stale();
    basics.changed.notify();
  }
  await changed;
}

// Keeps pending and lag true while nothing is read, and finds what a wake-up missed.
const refreshEveryMs = 5000;

async function refreshNow({ basics, lanes }: Loop): Promise<void> {
  try {
    lanes.reader.stale();
    await lanes.reader.refresh();
    await basics.letters.recount();
  } catch (error) {
    basics.log.debug({ err: error }, 'lanes not refreshed');
  }
  basics.changed.notify();
}

function keepFresh(loop: Loop): void {
  if (loop.waiting.signal.aborted) return;
  const timer = loop.basics.deps.seams.clock.timer(refreshEveryMs, () => {
    void refreshNow(loop).finally(() => keepFresh(loop));
  });
  loop.waiting.signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true });
}

async function run(loop: Loop): Promise<void> {
  using _shared = shareEvents();
  await recall(loop);
  await openFirst(loop);
  if (loop.waiting.signal.aborted) return;
  loop.phase = 'running';
  keepFresh(loop);
  await Promise.all([loop.dispatcher.run(), watchJournal(loop)]);
}

/** True when neither memory nor journal has anything for the sink. */
async function isEmpty({ basics, lanes, dispatcher }: Loop): Promise<boolean> {
  if (dispatcher.busy > 0 || dispatcher.pending > 0 || lanes.reader.openRecords() > 0 || !lanes.settler.idle) return false;
  return (await basics.deps.journal.lanes(basics.settings.name)).every(({ pending }) => pending === 0);
}

async function flush({ basics, dispatcher }: Loop, signal: AbortSignal): Promise<void> {
  if (dispatcher.pending === 0) return;
  using use = basics.slot.use();
  try {
    await use?.sink.flush?.(signal);
  } catch (error) {
    basics.log.warn({ err: error }, 'sink not flushed; what is pending is sent again later');
  }
}

async function drained(loop: Loop, signal: AbortSignal): Promise<boolean> {
  const { basics, lanes, dispatcher } = loop;
  loop.draining += 1;
  try {
    lanes.reader.stale();
    basics.changed.notify();
    while (!signal.aborted && loop.phase !== 'stopped') {
      if (loop.phase === 'running' && (await isEmpty(loop))) return true;
      if (dispatcher.busy === 0 && dispatcher.pending > 0) await flush(loop, signal);
      await basics.changed.waitAtMost(basics.deps.seams.clock, drainLookMs, signal);
    }
    return false;
  } finally {
    loop.draining -= 1;
  }
}

const drainLookMs = 250;

async function stop(loop: Loop, graceMs: number): Promise<void> {
  const { basics, lanes, dispatcher, waiting, sending } = loop;
  waiting.abort(new DOMException('the sink loop stops', 'AbortError'));
  using grace = deadline(basics.deps.seams.clock, graceMs);
  const cut = (): void => sending.abort(new DOMException('the sink loop stops', 'AbortError'));
  if (grace.signal.aborted) cut();
  else grace.signal.addEventListener('abort', cut, { once: true });
  await dispatcher.settledDown();
  await flush(loop, grace.signal);
  await dispatcher.pendingDone(grace.signal);
  await lanes.settler.stop();
}

/** A loop that delivers to one sink, not started yet. `encodeBody` comes from the event room. */
export function createSinkLoop(settings: SinkSettings, deps: DeliverDeps, encodeBody: EncodeBody): SinkLoop {
  const loop = createLoop(settings, deps, encodeBody);
  const { basics, lanes } = loop;
  let running: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  async function end(graceMs: number): Promise<void> {
    await stop(loop, graceMs);
    // An opening that was under way ends first, so that no sink is left open.
    await running;
    await basics.slot[Symbol.asyncDispose]();
    loop.phase = 'stopped';
    basics.changed.notify();
  }

  return {
    name: settings.name,
    status: () => readStatus({ ...basics, clock: deps.seams.clock, phase: loop.phase, reader: lanes.reader }),
    release: () => basics.gate.release(),
    start() {
      running ??= run(loop).catch((error: unknown) => basics.log.fatal({ err: error }, 'sink loop ended'));
    },
    drained: (signal) => drained(loop, signal),
    stop(graceMs) {
      stopping ??= end(graceMs);
      return stopping;
    },
    async [Symbol.asyncDispose]() {
      stopping ??= end(0);
      await stopping;
    },
  };
}
