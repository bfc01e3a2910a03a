import type { TSchema } from 'typebox';
import type { Log } from '../base/log.ts';
import type { Opened } from '../base/opened.ts';
import type { Seams } from '../base/seams.ts';
import type { ActionRow, Event, Format } from '../event/event.ts';
import type { HttpClient } from '../http/client.ts';
import type { Encoded, EncodedText } from './encoded.ts';

/** What a sink says of a batch or of one event in it. `reason` is scrubbed by `deliver` before it is shown. */
export type Verdict =
  /**
   * The receiver took responsibility. `slower`: it asks for fewer requests at once. `refused`: how many of the batch it says it refused
   * without telling which, where its protocol forbids to send them again; counted and loud. `isRepeated`: the sink had to send it more than
   * once, so it counts as a possible duplicate. `warning`: what the receiver says besides.
   */
  | {
      readonly kind: 'accept';
      readonly slower?: boolean;
      readonly refused?: number;
      readonly isRepeated?: boolean;
      readonly warning?: string | undefined;
    }
  /** Handed to a transport that knows no acknowledgement. */
  | { readonly kind: 'sent' }
  /**
   * Not stored; send the same bytes again. `retryAfterMs: 0`: at once, nothing is wrong with the endpoint. `fix` and `othersTaken` as below;
   * only with `othersTaken` the cause may lie in the batch. `ofRequest`: the answer to this one request, so that it may after all be meant for
   * what is in it, where others are taken again and again meanwhile.
   */
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly retryAfterMs?: number;
      readonly fix?: string;
      readonly othersTaken?: boolean;
      readonly ofRequest?: boolean;
    }
  /**
   * May or may not be stored; sent again, counted as a possible duplicate. `retryAfterMs` as above. `suspect`: this event may be the cause,
   * so it is sent apart from the others. `blameless`: neither the batch's size nor an event in it can be the cause. `othersTaken`: since the
   * last failure the receiver took something that is no event, so the batch may well be the cause. `fix`: what to change when it does not
   * stop; then the sink holds.
   */
  | {
      readonly kind: 'uncertain';
      readonly reason: string;
      readonly retryAfterMs?: number;
      readonly suspect?: boolean;
      readonly blameless?: boolean;
      readonly othersTaken?: boolean;
      readonly fix?: string;
    }
  /**
   * Too big, or one event in it is bad: halves are sent. A batch of one event turns into `event` with the code. In `each`, the events with
   * `split` leave the batch and are sent apart from the others, without halving them: so one suspect is tried alone before it is refused.
   * `maybeStored`: some of a batch was taken with it, so what goes again counts as a possible duplicate.
   */
  | { readonly kind: 'split'; readonly code: string; readonly reason: string; readonly maybeStored?: boolean }
  /**
   * This event is refused for its content; `isFinal`: or its protocol forbids to send it again, whatever the reason. `cause`: refusals of
   * one code with different causes are not one fault of the configuration; nothing of the event's own values stands in it.
   */
  | {
      readonly kind: 'event';
      readonly code: string;
      readonly reason: string;
      readonly cause?: string | undefined;
      readonly isFinal?: boolean;
    }
  /**
   * Credentials or configuration are wrong; `fix` names what to change. `untilReleased`: no probe, only `sinks release` ends it.
   * `maybeStored`: an earlier answer took the batch, so it counts as a possible duplicate when it is sent again. `retryAfterMs`: no probe
   * before that. `ifReached`: something else refuses the request; where the receiver itself answers {@link Sink.reaches} meanwhile, it refuses
   * what is in the batch, by this code. `ofRequest` as above.
   */
  | {
      readonly kind: 'hold';
      readonly reason: string;
      readonly fix: string;
      readonly untilReleased?: boolean;
      readonly maybeStored?: boolean;
      readonly retryAfterMs?: number;
      readonly ifReached?: string;
      readonly ofRequest?: boolean;
    };

/** One verdict for all events, or one per event in order. */
export type Verdicts = { readonly all: Verdict } | { readonly each: readonly Verdict[] };

/** Handed over, not yet settled: `pending` resolves later, without counting as a request in flight. Never rejects. */
export interface Pending {
  readonly pending: Promise<Verdicts>;
  /** The receiver asks for fewer requests at once; obeyed now, not when `pending` settles. */
  readonly slower?: boolean;
}

/** Where the journal has an event's record, the same for every attempt of this process and of the next. Two records never agree in all of it. */
export interface Place {
  /** `live`, `backfill`, `replay-7`. */
  readonly lane: string;
  /** Grows along the lane of one source. */
  readonly position: number;
  /** Milliseconds. */
  readonly received: number;
}

/** One event on its way out, mapped and encoded once. */
export interface OutgoingEvent {
  readonly uid: string;
  readonly source: string;
  readonly place: Place;
  /** Name of the action table. */
  readonly table: string;
  readonly event: Event;
  readonly action: ActionRow | undefined;
  readonly actionKey: string | undefined;
  /** The body in the sink's format, one line, no line break. */
  readonly body: string;
}

/** What is still known of an event once it is encoded. */
export interface SentEvent extends Pick<OutgoingEvent, 'uid' | 'source' | 'place'> {
  /** Its OCSF time, milliseconds. */
  readonly time: number;
}

/** What one request carries. A retry has the same id and the same `encoded`, so the same bytes. */
export interface Batch {
  /** Stable over retries; a split or a re-formed batch gets new ones. */
  readonly id: string;
  readonly events: readonly SentEvent[];
  /** What {@link Sink.encode} gave for each event. */
  readonly encoded: Encoded;
  /** One of the sink's `endpoints`. */
  readonly endpoint: string;
  /** Attempts before this one. */
  readonly attempt: number;
  /** An event in it may be why an earlier attempt got no answer: to be sent so that it shows which. */
  readonly careful?: boolean;
  /** A replay overwrites where the receiver would swallow a known id. */
  readonly replay: boolean;
}

/** An open sink. It never batches, retries, limits, logs per event or touches the journal: it classifies. */
export interface Sink extends Opened {
  /** Interchangeable places to send to; back-off is kept per endpoint by `deliver`. Never empty. */
  readonly endpoints: readonly string[];
  /** Most requests at once. `deliver` also obeys the configured `in_flight`. */
  readonly maxInFlight: number;
  /**
   * Its messages go one after the other over one connection or into one file, each for itself: one of them may be too large for the receiver
   * or break it, their number never is, and what was taken counts message by message.
   */
  readonly isStream?: boolean;
  /** Most bytes of one encoded event; a larger one is dead-lettered unsent with code `too_large`. */
  readonly maxEventBytes: number;
  /** Most bytes and events of one batch, where the protocol has a limit below what is configured. */
  readonly maxBatchBytes?: number;
  readonly maxBatchEvents?: number;
  /**
   * The next batch is sent only when the journal has the offset after the last one, and knows how far this one reaches: so the next process
   * sends at most one batch again, and begins with the same events. No event is overtaken. For a sink that names what it writes after that.
   */
  readonly settlesFirst?: boolean;
  /**
   * Takes back what may be stored under the name of an event that became a dead letter after it was sent. Only for a sink that names what it
   * writes, and only once the journal has the letter: the name is never used for that event again.
   */
  withdraw?(event: SentEvent, signal: AbortSignal): Promise<Verdict>;
  /** The event's share of a request; its UTF-8 length counts towards the batch's bytes. Pure. */
  encode(event: OutgoingEvent): EncodedText;
  /** Bytes that the protocol adds to it. */
  bytesAround?(event: OutgoingEvent): number;
  /** Sends one batch. An exception counts as `uncertain`. */
  send(batch: Batch, signal: AbortSignal): Promise<Verdicts | Pending>;
  /** Settles what is pending as soon as that can honestly be done (a clean close, a last poll); at shutdown and for `run --once`. */
  flush?(signal: AbortSignal): Promise<void>;
  /** Named counts since the sink was opened, for status and metrics: `truncated`. */
  counters?(): Readonly<Record<string, number>>;
  /** What its receivers cut without a word, the smallest first. */
  readonly receiverLimits?: readonly ReceiverLimit[];
  /**
   * Asks whether the receiver at one of the `endpoints` is there and answers, by something that delivers nothing. False: it breaks off, or a
   * stranger answers. Rejects where the question does not leave this machine, or waits for a person. Absent: that cannot be asked.
   */
  reaches?(endpoint: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Proves as much as can be proved without delivering real events; for `check`. `largestBytes`: of the largest event that the sink has met;
   * where a test event is sent it is as large.
   */
  probe(signal: AbortSignal, largestBytes?: number): Promise<ProbeReport>;
}

/** What a kind of receiver takes of one event unless somebody changed it; beyond that it cuts, and acknowledges all the same. */
export interface ReceiverLimit {
  /** Of an encoded event. */
  readonly bytes: number;
  /** `Splunk keeps 10,000 bytes of an event (TRUNCATE) and answers that all is well`. */
  readonly says: string;
  readonly fix: string;
}

export interface ProbeReport {
  readonly ok: boolean;
  /** One line each, in words an admin understands: `token accepted`, `index "audit" refused: ...`. */
  readonly findings: readonly string[];
  readonly fix?: string;
}

export interface SinkContext {
  /** The sink's configured name. */
  readonly name: string;
  readonly http: HttpClient;
  readonly seams: Seams;
  readonly log: Log;
  /** Host name for syslog headers and HEC `host`. */
  readonly hostname: string;
  readonly version: string;
  /** What {@link OutgoingEvent.body} holds; the kind's default format when absent. */
  readonly format?: Format;
  /** The configured time for one exchange, milliseconds; 30,000 when absent. */
  readonly timeoutMs?: number;
  /** Names of the sources that it takes, for `probe`. */
  readonly sources?: readonly string[];
  /** Makes a credential known to what keeps secrets out of texts, where it leaves by another way than `http`. */
  hide?(credential: string): void;
}

/** A kind of sink. `options` holds only what is the kind's own; what all sinks have is `commonSinkOptions`. */
export interface SinkType {
  readonly name: string;
  /** Object schema, `additionalProperties: false`, with descriptions and defaults; properties with `secret: true` are never printed. */
  readonly options: TSchema;
  readonly defaultFormat: 'ocsf' | 'cim';
  /** `proxy` of the sink is used. */
  readonly speaksHttp?: boolean;
  /** What acknowledged means here, in the words of the README's table. */
  readonly acknowledges: string;
  open(options: Readonly<Record<string, unknown>>, context: SinkContext): Promise<Sink>;
  /** Faults that a schema cannot express, as `[path, what, fix]`; no I/O. */
  check?(options: Readonly<Record<string, unknown>>): readonly (readonly [string, string, string])[];
  /** URLs that must not be plain text beyond loopback unless `allow_plaintext`. */
  urls(options: Readonly<Record<string, unknown>>): readonly string[];
}
