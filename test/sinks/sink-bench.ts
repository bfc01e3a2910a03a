// What a sink needs in a test: a context, options with their defaults, events and batches.
import { Ajv } from 'ajv';
import { silentLog } from '../../src/base/log.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import type { Event } from '../../src/event/event.ts';
import { Encoded } from '../../src/sinks/encoded.ts';
import type { Batch, OutgoingEvent, Pending, Sink, SinkContext, SinkType, Verdict, Verdicts } from '../../src/sinks/sink.ts';

export const bodyOf = (uid: string, text = 'héllo'): string => JSON.stringify({ uid, text });

/** An event on its way out; every part can be replaced. */
export function outgoing(changes: Partial<OutgoingEvent> & { time?: number; severity?: number } = {}): OutgoingEvent {
  const uid = changes.uid ?? '0123456789abcdef0123456789abcdef';
  const event: Event = {
    class_uid: 3002,
    type_uid: 300_201,
    time: changes.time ?? 1_795_254_300_123,
    severity_id: changes.severity ?? 1,
    metadata: { uid, log_name: 'audit' },
  };
  return {
    uid,
    source: 'acme',
    place: { lane: 'live', position: 1, received: 1_795_254_300_500 },
    table: 'demo',
    event,
    action: undefined,
    actionKey: 'user.login',
    body: bodyOf(uid),
    ...changes,
  };
}

/** `count` events whose uid is their number. */
export function numbered(count: number, from = 0): OutgoingEvent[] {
  return Array.from({ length: count }, (_, index) => outgoing({ uid: `e${String(from + index).padStart(6, '0')}` }));
}

let batches = 0;

/** A batch as `deliver` forms it. */
export function batchOf(sink: Sink, events: readonly OutgoingEvent[]): Batch {
  batches += 1;
  return {
    id: `batch-${batches}`,
    events: events.map((event) => ({ ...event, time: event.event.time })),
    encoded: Encoded.of(events.map((event) => sink.encode(event))),
    endpoint: sink.endpoints[0] ?? '',
    attempt: 0,
    replay: false,
  };
}

export function contextFor(changes: Partial<SinkContext> = {}): SinkContext {
  return {
    name: 'test',
    // No sink under test here speaks HTTP.
    http: {
      request: () => Promise.reject(new Error('no HTTP in this test')),
      describeRoute: () => 'direct',
      [Symbol.asyncDispose]: async () => undefined,
    },
    seams: systemSeams(),
    log: silentLog(),
    hostname: 'host1',
    version: '0.0.0',
    ...changes,
  };
}

/** Opens a kind of sink with its schema's defaults, as the configuration does. Throws when the options do not fit. */
export async function openSink(
  kind: SinkType,
  options: Record<string, unknown>,
  changes: Partial<SinkContext> = {},
): Promise<Sink> {
  const filled = structuredClone(options);
  const ajv = new Ajv({ strict: false, useDefaults: true, allErrors: true, validateFormats: false });
  if (!ajv.validate(kind.options, filled)) throw new Error(ajv.errorsText());
  const faults = kind.check?.(filled) ?? [];
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  return await kind.open(filled, contextFor(changes));
}

export const never = (): AbortSignal => new AbortController().signal;

export function isPending(answer: Verdicts | Pending): answer is Pending {
  return 'pending' in answer;
}

/** One verdict kind per event, whatever the form of the answer. */
export function kindsOf(verdicts: Verdicts, count: number): Verdict['kind'][] {
  return 'all' in verdicts ? Array.from({ length: count }, () => verdicts.all.kind) : verdicts.each.map(({ kind }) => kind);
}

/** Seams whose clock the test moves by hand. */
export function manualClock(): { readonly seams: Seams; readonly advance: (ms: number) => void } {
  let now = 1_795_254_300_000;
  let passed = 0;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    seams: {
      ...systemSeams(),
      clock: {
        now: () => now,
        monotonic: () => passed,
        timer(ms, callback) {
          const timer = { at: passed + ms, callback };
          timers.add(timer);
          return { [Symbol.dispose]: () => timers.delete(timer) };
        },
      },
    },
    advance(ms) {
      now += ms;
      passed += ms;
      for (const timer of [...timers].sort((a, b) => a.at - b.at)) {
        if (timer.at > passed || !timers.delete(timer)) continue;
        timer.callback();
      }
    },
  };
}

/** Waits until the claim holds; fails after four minutes, or `withinMs`, with what was last seen. */
export async function until<T>(
  look: () => T | Promise<T>,
  holds: (value: T) => boolean = Boolean,
  withinMs = 240_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms; last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The machine's time, which jumps by `standStill`, as for a process that was stopped; says how many timers were asked for, so that a test sees that somebody waits. */
export function watchedClock(): {
  readonly seams: Seams;
  readonly standStill: (ms: number) => void;
  readonly timers: () => number;
} {
  const { clock, ...seams } = systemSeams();
  let stoodMs = 0;
  let timers = 0;
  return {
    seams: {
      ...seams,
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic() + stoodMs,
        timer(ms, callback) {
          timers += 1;
          return clock.timer(ms, callback);
        },
      },
    },
    standStill(ms) {
      stoodMs += ms;
    },
    timers: () => timers,
  };
}
