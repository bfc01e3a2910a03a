import { silentLog } from '../../src/base/log.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import type { Event, Format } from '../../src/event/event.ts';
import type { HttpClient, HttpClientSettings } from '../../src/http/client.ts';
import { openHttpClient } from '../../src/http/index.ts';
import { Encoded } from '../../src/sinks/encoded.ts';
import type { Batch, OutgoingEvent, Pending, Sink, SinkContext, Verdict, Verdicts } from '../../src/sinks/sink.ts';

/** An event on its way out, as `deliver` makes it. */
export function outgoing(uid: string, over: Partial<OutgoingEvent> & { readonly time?: number } = {}): OutgoingEvent {
  const event: Event = {
    class_uid: 3001,
    type_uid: 300_101,
    time: over.time ?? 1_795_254_300_123,
    severity_id: 1,
    metadata: { uid, log_name: 'audit' },
  };
  return {
    uid,
    source: 'anaconda-acme',
    place: { lane: 'live', position: 1, received: 1_795_254_300_500 },
    table: 'anaconda',
    event,
    action: undefined,
    actionKey: 'user-created',
    body: JSON.stringify(event),
    ...over,
  };
}

let batches = 0;

/** A batch of these events, encoded by the sink. */
export function batchOf(sink: Sink, events: readonly OutgoingEvent[], over: Partial<Batch> = {}): Batch {
  batches += 1;
  const encoded = Encoded.of(events.map((event) => sink.encode(event)));
  const sent = events.map((event) => ({ ...event, time: event.event.time }));
  return { id: `batch-${batches}`, events: sent, encoded, endpoint: sink.endpoints[0] ?? '', attempt: 0, replay: false, ...over };
}

/** Events with the uids `e0`, `e1` ... */
export function numbered(count: number): OutgoingEvent[] {
  return Array.from({ length: count }, (_, at) => outgoing(`e${at}`));
}

export interface TestContext extends SinkContext, AsyncDisposable {}

/** A sink's context with a real HTTP client. */
export async function openContext(
  over: { readonly format?: Format; readonly timeoutMs?: number; readonly seams?: Seams; readonly log?: SinkContext['log'] } = {},
  settings: Partial<HttpClientSettings> = {},
): Promise<TestContext> {
  const seams = over.seams ?? systemSeams();
  const http: HttpClient = await openHttpClient({ userAgent: 'penstock-test/1', ...settings }, seams, {});
  return {
    name: 'test',
    http,
    seams,
    log: silentLog(),
    hostname: 'collector-1',
    version: '1.2.3',
    ...over,
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

/** The verdicts of an answer that must be final at once. */
export function settled(result: Verdicts | Pending): Verdicts {
  if ('pending' in result) throw new Error('the batch waits for an acknowledgement');
  return result;
}

/** Just the kinds: `['accept', 'event']`, or one word for all. */
export function kinds(verdicts: Verdicts): string | string[] {
  return 'all' in verdicts ? verdicts.all.kind : verdicts.each.map(({ kind }: Verdict) => kind);
}
