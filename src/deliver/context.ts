import { explain } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { Signal } from '../base/signal.ts';
import type { Job } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import { lettersFull } from './apply.ts';
import { type BatchFormer, createBatchFormer } from './batch.ts';
import { createLetterBox, type LetterBox } from './dead-letters.ts';
import { createEndpointPool, type EndpointPool } from './endpoints.ts';
import { cannotOpen, createHoldGate, type HoldCause, type HoldGate } from './hold.ts';
import { createLetterNews } from './letter-news.ts';
import { createMappers } from './mappers.ts';
import { createSinkSlot, type SinkSlot } from './open-sink.ts';
import { createOutgoing, type EncodeBody, type Unsendable } from './prepare.ts';
import { createLaneReader, type LaneReader } from './read.ts';
import { createRefusalRate, type RefusalRate } from './refusal-rate.ts';
import { createSendLimit, type SendLimit } from './send-limit.ts';
import type { DeliverDeps } from './settings.ts';
import { type Settler, startSettler } from './settle.ts';
import { createTally, type Tally } from './status.ts';
import { createUnknownActions, type UnknownActions } from './unknown-actions.ts';

/** Batches that may wait for a late acknowledgement. */
export const mostPending = 64;

/** What the parts of one loop share. */
export interface LoopBasics {
  readonly settings: SinkSettings;
  readonly deps: DeliverDeps;
  readonly log: Log;
  readonly changed: Signal;
  readonly tally: Tally;
  readonly endpoints: EndpointPool;
  readonly limit: SendLimit;
  readonly letters: LetterBox;
  readonly refusals: RefusalRate;
  readonly unknown: UnknownActions;
  readonly classes: Record<string, number>;
  readonly gate: HoldGate;
  readonly slot: SinkSlot;
}

/** The journal's half of a loop: what is read and what is settled. */
export interface LoopLanes {
  readonly reader: LaneReader;
  readonly settler: Settler;
}

/** The operation behind `dead-letters retry`, as a job, so that it outlives this process. One that has not begun takes these letters too. */
async function queueRetry(
  { journal }: Pick<DeliverDeps, 'journal'>,
  args: { readonly sink: string; readonly code: string },
): Promise<void> {
  const queued = await journal.jobs({ states: ['queued'] });
  const kind = 'retry_dead_letters';
  const isSame = (job: Job): boolean =>
    job.kind === kind && isObject(job.args) && job.args['sink'] === args.sink && job.args['code'] === args.code;
  if (!queued.some(isSame)) await journal.insertJob(kind, args);
}

function createGate(basics: Pick<LoopBasics, 'settings' | 'deps' | 'log' | 'changed' | 'refusals'>): HoldGate {
  const { settings, deps, log, changed, refusals } = basics;
  async function onEnd(cause: HoldCause): Promise<void> {
    if (cause.kind !== 'systematic') return;
    refusals.clear();
    try {
      await queueRetry(deps, { sink: settings.name, code: cause.code });
    } catch (error) {
      log.error(
        { err: error, code: cause.code },
        'dead letters of the ended hold are not retried by themselves; run penstock dead-letters retry',
      );
    }
  }
  return createHoldGate({
    sink: settings.name,
    clock: deps.seams.clock,
    log,
    journal: deps.journal,
    changed,
    probeMs: settings.holdProbeMs,
    onEnd,
    onRelease: (cause) => {
      if (cause.kind === 'systematic') refusals.forgive(cause.code);
    },
  });
}

/** The parts that do not read: gate, endpoints, limits, counters. */
export function createBasics(settings: SinkSettings, deps: DeliverDeps): LoopBasics {
  const { clock, random } = deps.seams;
  const { log } = deps;
  const changed = new Signal();
  const refusals = createRefusalRate();
  const endpoints = createEndpointPool(clock, random, settings.backoffMaxMs);
  const limit = createSendLimit(settings.inFlight);
  const onOpen = (sink: Sink): void => {
    endpoints.replace(sink.endpoints);
    limit.setMost(Math.min(settings.inFlight, sink.maxInFlight));
    changed.notify();
  };
  return {
    settings,
    deps,
    log,
    changed,
    tally: createTally(),
    endpoints,
    limit,
    refusals,
    letters: createLetterBox(deps.journal, settings.name, settings.maxDeadLetters),
    classes: Object.create(null) as Record<string, number>,
    unknown: createUnknownActions({
      journal: deps.journal,
      log,
      now: () => clock.now(),
      tell: (news) => deps.onUnknownAction?.(news),
    }),
    gate: createGate({ settings, deps, log, changed, refusals }),
    slot: createSinkSlot(() => deps.openSink(), log, onOpen),
  };
}

function startLoopSettler(basics: LoopBasics, reader: () => LaneReader): Settler {
  const { settings, deps, log, changed, tally, letters } = basics;
  const { clock, random } = deps.seams;
  const tell = createLetterNews(log);
  return startSettler({
    sink: settings.name,
    journal: deps.journal,
    clock,
    random,
    log,
    changed,
    onSettled(lane, settlement) {
      tally.acknowledged += settlement.acknowledged;
      tally.unconfirmed += settlement.unconfirmed;
      if (settlement.acknowledged > 0) tally.lastAcknowledged = clock.now();
      tally.journalTrouble = undefined;
      letters.written(settlement.newLetters, settlement.resolved.length);
      tell(settlement.letters);
      reader().settled(lane, settlement.records);
      changed.notify();
    },
    onGone: (lane) => reader().forget(lane),
    onError: (error) => {
      tally.journalTrouble = deps.secrets.scrub(explain(error));
    },
  });
}

// As many records of a lane may be open as fit into all requests and pending batches: more could not be sent anyway.
function laneCap({ batch, inFlight }: SinkSettings): number {
  return batch.events * (mostPending + 2 * inFlight);
}

const largestChunk = 1000;

/** Reader and settler of a loop, which know each other. */
export function createLanes(basics: LoopBasics, encodeBody: EncodeBody): LoopLanes {
  const { settings, deps, log, changed, tally, unknown, classes } = basics;
  const { clock, random } = deps.seams;
  const routed = settings.sources === undefined ? undefined : new Set(settings.sources);
  const onMapFailed = (): void => {
    tally.mapFailed += 1;
  };
  const outgoing = createOutgoing({ settings, unknown, classes, encodeBody, now: () => clock.now(), onMapFailed });
  const settler = startLoopSettler(basics, () => reader);
  const reader: LaneReader = createLaneReader({
    sink: settings.name,
    journal: deps.journal,
    clock,
    random,
    log,
    changed,
    secrets: deps.secrets,
    chunk: Math.min(settings.batch.events, largestChunk),
    laneCap: laneCap(settings),
    routes: (source) => routed?.has(source) !== false,
    mapperFor: createMappers((connector, source) => deps.mapperFor(connector, source)),
    walk: (lane, page, mapper, sink) => outgoing.walk(lane, page, mapper, sink),
    async onPageEnd(lane) {
      settler.poke(lane);
      await unknown.report();
    },
  });
  return { reader, settler };
}

/** Waits for the open sink, opening it where an earlier try failed; undefined when the loop stops. */
async function openSinkOf({ deps, gate, slot }: LoopBasics, signal: AbortSignal): Promise<Sink | undefined> {
  for (;;) {
    if (slot.sink !== undefined) return slot.sink;
    const pass = await gate.pass(signal);
    if (pass === 'stop') return undefined;
    try {
      await slot.reopen();
      if (pass === 'probe') await gate.probed(gate.cause?.kind === 'open' ? 'ended' : 'unclear');
    } catch (error) {
      await gate.enter(cannotOpen(deps.secrets.scrub(explain(error))));
      if (pass === 'probe') await gate.probed('refused');
    }
  }
}

const longestText = 1000;

/** Takes a place for a letter, on hold while there is none; false when the loop stops first. */
async function roomForLetter({ gate, letters }: LoopBasics, code: string, signal: AbortSignal): Promise<boolean> {
  while (!letters.reserve()) {
    await gate.enter(lettersFull(letters.count, code));
    const pass = await gate.pass(signal);
    if (pass === 'stop') return false;
    if (pass === 'probe') await gate.probed((await letters.recount().catch(() => false)) ? 'ended' : 'refused');
  }
  return true;
}

/** Makes a dead letter of what cannot be sent; a full box is a hold. */
async function bury(basics: LoopBasics, settler: Settler, { slot, letter }: Unsendable, signal: AbortSignal): Promise<void> {
  const { deps, tally } = basics;
  if (slot.page.letters?.[slot.index] === undefined && !(await roomForLetter(basics, letter.code, signal))) return;
  const text = deps.secrets.scrub(letter.text).slice(0, longestText);
  slot.settle({ ...letter, text });
  tally.lastError = { at: deps.seams.clock.now(), kind: 'event', reason: `${letter.code}: ${text}` };
  settler.poke(slot.lane);
}

/** The former of a loop's batches. */
export function createFormer(basics: LoopBasics, { reader, settler }: LoopLanes, hurry: () => boolean): BatchFormer {
  const { settings, deps, log, changed, tally } = basics;
  const { clock, random } = deps.seams;
  return createBatchFormer({
    clock,
    random,
    changed,
    reader,
    batch: settings.batch,
    hurry,
    sink: (signal) => openSinkOf(basics, signal),
    bury: (unsendable, signal) => bury(basics, settler, unsendable, signal),
    onError(error) {
      const reason = deps.secrets.scrub(explain(error));
      // Asked again every second: told once.
      if (tally.lastError?.reason !== reason) log.warn({ err: error }, 'journal could not be read');
      tally.lastError = { at: clock.now(), kind: 'journal', reason };
    },
  });
}
