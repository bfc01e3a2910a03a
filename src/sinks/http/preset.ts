import type { Format } from '../../event/event.ts';
import type { Frame } from '../body.ts';
import type { Encoded, EncodedText } from '../encoded.ts';
import type { OutgoingEvent, ReceiverLimit, Verdicts } from '../sink.ts';
import type { HttpOptions } from './options.ts';

/** What an entry's writer knows once, when the sink opens. */
export interface EntryContext {
  readonly format: Format;
  /** The format's body is JSON; otherwise it is a line of text. */
  readonly isJson: boolean;
  readonly hostname: string;
  readonly version: string;
  readonly options: HttpOptions;
}

/** What a status means, for the statuses from `from` to `to`. */
export interface StatusRule {
  readonly from: number;
  readonly to: number;
  /** `disabled`: a hold that only an operator ends. */
  readonly means: 'accept' | 'retry' | 'uncertain' | 'split' | 'event' | 'hold' | 'disabled';
  /** For `hold` and `disabled`. */
  readonly fix?: string;
  /** For `retry`: how long to wait when the answer does not say. */
  readonly waitMs?: number;
}

/** A kind of receiver, as data: everything in which one differs from another. */
export interface Preset {
  /** Options it cannot do without. */
  readonly needs: readonly (keyof HttpOptions)[];
  /** Base URL when `url` is absent; `{option}` stands for an option, percent-encoded, here and in `path`. */
  readonly url?: string;
  /** Path and query after the base URL. */
  readonly path: string;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where `auth.api_key` goes. */
  readonly apiKey?: { readonly header: string; readonly prefix: string };
  /** Scope of `auth.oauth2` and `auth.google_service_account` when none is configured. */
  readonly scope?: string;
  /** What stands around the entries of one request. */
  readonly frame: (context: EntryContext) => Frame;
  /** Makes the writer of one event's share, its separator after it. */
  readonly entry: (context: EntryContext) => (event: OutgoingEvent) => EncodedText;
  /** Rewrites an entry so that a replayed event overwrites, where the receiver would swallow a known id. */
  readonly overwrite?: {
    readonly rewrite: (entry: string) => string;
    /** Found in the answer of a receiver that cannot overwrite: then the entries go as usual. */
    readonly refusedBy: RegExp;
  };
  readonly limits: {
    readonly eventBytes?: number;
    readonly batchBytes?: number;
    readonly batchEvents?: number;
    readonly answerBytes?: number;
  };
  /** When none is configured; `none` when absent. */
  readonly compression?: 'gzip';
  /** Rules that come before the general ones. */
  readonly statuses?: readonly StatusRule[];
  /** The one status by which the receiver says yes, beside a 2xx without a word; absent: every 2xx. */
  readonly successStatus?: number;
  /** Reads a 2xx answer that can say more than yes; undefined when it says just that. */
  readonly success?: (body: Buffer, size: number, isReplay: boolean, sent?: Encoded) => Verdicts | undefined;
  /** A request that delivers nothing and is refused where credentials or the place of the events are wrong. */
  readonly probe?: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body?: string;
    /** Path of a request whose body of white space delivers nothing, where the probe itself has no body. */
    readonly sizePath?: string;
    /** What a 2xx proves to be there, and what a 404 says is not: `index {index}`. */
    readonly proves?: string;
    /** The place is made by the first event. */
    readonly mayBeMissing?: boolean;
  };
  /** What a check has to say of the receiver whatever it answers. */
  readonly notes?: readonly string[];
  readonly receiverLimits?: readonly ReceiverLimit[];
}

/** The event's body as a JSON value: itself, or its text as a string. */
export function jsonValue({ body }: OutgoingEvent, isJson: boolean): string {
  return isJson ? body : JSON.stringify(body.toWellFormed());
}

/** A JSON object of the body with more members before its own; what is no object becomes its member `message`. */
export function jsonObject(event: OutgoingEvent, isJson: boolean, members: string): string {
  const own = isJson && event.body.startsWith('{') ? event.body.slice(1) : `"message":${jsonValue(event, false)}}`;
  return own === '}' ? `{${members}}` : `{${members},${own}`;
}

/** Fills `{option}` of a path or URL, percent-encoded so that a value cannot change the path. */
export function fill(template: string, options: HttpOptions): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = options[name as keyof HttpOptions];
    return typeof value === 'string' ? encodeURIComponent(value) : '';
  });
}

/** An RFC 3339 time with milliseconds; the epoch for a time that has no such form. */
export function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? '1970-01-01T00:00:00.000Z' : date.toISOString();
}
