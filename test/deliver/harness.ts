import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets, type Secrets } from '../../src/base/secrets.ts';
import type { DeliverDeps } from '../../src/deliver/deps.ts';
import { startDelivery } from '../../src/deliver/index.ts';
import type { SinkLoop } from '../../src/deliver/loop.ts';
import type { Event, Mapper } from '../../src/event/event.ts';
import type { Journal, StoredRecord } from '../../src/journal/journal.ts';
import type { Batch, Pending, Sink, Verdicts } from '../../src/sinks/sink.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import { type VirtualClock, virtualClock } from '../virtual-clock.ts';

/** What a test's record holds; `action` unknown to the table when it begins with `new.`. */
export interface DemoRecord {
  readonly action?: string;
  readonly severity?: number;
  readonly text?: string;
}

/** A record with a uid that says where it stands. */
export function record(uid: string, fields: DemoRecord = {}, received = 1_000): StoredRecord {
  return { uid, received, record: { action: 'user.login', ...fields } };
}

/** Records `prefix0`, `prefix1`, ... */
export function records(prefix: string, count: number, fields: DemoRecord = {}): StoredRecord[] {
  return Array.from({ length: count }, (_, index) => record(`${prefix}${index}`, fields));
}

/** Maps demo records; counts what it mapped. */
export function demoMapper(): Mapper & { mapped: number } {
  const mapper = {
    table: 'demo',
    mapped: 0,
    map(envelope: Parameters<Mapper['map']>[0], context: Parameters<Mapper['map']>[1]) {
      mapper.mapped += 1;
      const { action = 'user.login', severity = 1, text } = envelope.record as DemoRecord;
      const event: Event = {
        class_uid: 3002,
        type_uid: 300201,
        time: envelope.received,
        severity_id: severity,
        metadata: { uid: envelope.uid, log_name: 'demo', labels: [...context.labels, `source:${context.source}`] },
        ...(text === undefined ? {} : { message: text }),
      };
      const known = { key: action, action, title: action, ecs: { kind: 'event', category: [], type: [] }, cim: { model: null } };
      return {
        event,
        action: action.startsWith('new.') ? undefined : known,
        actionKey: action,
        raw: () => JSON.stringify(envelope.record),
      };
    },
  };
  return mapper;
}

export interface Sent {
  readonly id: string;
  readonly uids: readonly string[];
  readonly endpoint: string;
  readonly attempt: number;
  readonly replay: boolean;
  readonly at: number;
}

/** What a scripted receiver answers. */
export type Answer = (batch: Batch, signal: AbortSignal) => Promise<Verdicts | Pending> | Verdicts | Pending;

export interface Setup {
  readonly clock: VirtualClock;
  readonly loop: SinkLoop;
  /** Every request, in order. */
  readonly sent: Sent[];
  /** How often the sink was opened. */
  readonly opened: () => number;
  readonly secrets: Secrets;
}

/** Settings of a sink that takes everything in batches of ten. */
export function settingsOf(change: Partial<SinkSettings> = {}): SinkSettings {
  return {
    name: 'out',
    type: 'test',
    format: 'ocsf',
    includeRaw: false,
    drop: [],
    sources: undefined,
    filter: {},
    labels: [],
    batch: { events: 10, bytes: 100_000, waitMs: 0 },
    inFlight: 1,
    timeoutMs: 30_000,
    backoffMaxMs: 60_000,
    holdProbeMs: 15_000,
    stalledAfterMs: 600_000,
    maxDeadLetters: 1_000,
    ...change,
  };
}

export interface SetupOptions {
  readonly journal: Journal;
  readonly answer: Answer;
  readonly settings?: Partial<SinkSettings>;
  readonly sink?: Partial<Sink>;
  readonly deps?: Partial<DeliverDeps>;
  readonly clock?: VirtualClock;
  readonly seed?: number;
  readonly openSink?: (sink: Sink) => Promise<Sink>;
}

/** A loop on a virtual clock with a scripted sink, not started. */
export function setUp(options: SetupOptions): Setup {
  const clock = options.clock ?? virtualClock(1_000_000);
  const sent: Sent[] = [];
  const secrets = createSecrets();
  const mapper = demoMapper();
  let opened = 0;
  const sink: Sink = {
    endpoints: ['a'],
    maxInFlight: 8,
    maxEventBytes: 10_000,
    encode: ({ body }) => body,
    async send(batch, signal) {
      const { id, events, endpoint, attempt, replay } = batch;
      sent.push({ id, uids: events.map(({ uid }) => uid), endpoint, attempt, replay, at: clock.monotonic() });
      return options.answer(batch, signal);
    },
    probe: () => Promise.resolve({ ok: true, findings: [] }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...options.sink,
  };
  const deps: DeliverDeps = {
    journal: options.journal,
    seams: { clock, random: seededRandom(options.seed ?? 1), files: systemSeams().files },
    log: silentLog(),
    secrets,
    openSink() {
      opened += 1;
      return options.openSink?.(sink) ?? Promise.resolve(sink);
    },
    mapperFor: () => Promise.resolve(mapper),
    ...options.deps,
  };
  const loop = startDelivery(settingsOf(options.settings), deps);
  return { clock, loop, sent, opened: () => opened, secrets };
}

/** Every event taken. */
export const accepted: Verdicts = { all: { kind: 'accept' } };
