import type { PenstockError } from '../base/errors.ts';
import type { Json, JsonText } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import type { Opened } from '../base/opened.ts';
import type { Seams } from '../base/seams.ts';
import type { Waits } from '../base/waits.ts';
import type { Mapper } from '../event/event.ts';
import type { HttpClient } from '../http/client.ts';
import type { ActionSummary } from './action-tables.ts';
import type { TokenStore } from './oauth.ts';
import type { ReadDefaults } from './read-defaults.ts';

/** A compiled connector: `connector.yaml` with its action table. Holds no state and no secret. */
export interface Connector {
  readonly name: string;
  /** First 16 hex digits of SHA-256 over {@link text}; names this version in the journal. */
  readonly hash: string;
  /** Everything needed to compile this version again (see `compileConnector`), for the journal. */
  readonly text: string;
  /** Where it was loaded from, for the log: a folder, or `the journal`. */
  readonly origin: string;
  /** JSON Schema of `options:` with defaults; `secret: true` and `identity: true` mark properties. */
  readonly options: Json;
  readonly kind: Reader['kind'];
  readonly readsByTime?: boolean;
  /** True where refresh tokens are kept on the machine that got them: no other one can go on. */
  readonly keepsTokens?: boolean;
  readonly defaults: ReadDefaults;
  readonly records: RecordRules;
  readonly mapper: Mapper;
  readonly actions: readonly ActionSummary[];
  /** Options are checked against {@link options}. */
  open(options: Readonly<Record<string, unknown>>, deps: ReaderDeps): Reader;
  /** Tenant of the configured source; undefined when only the records know it. */
  tenant(options: Readonly<Record<string, unknown>>): string | undefined;
  /** Two sources with the same identity collect the same events: API origin and the options marked `identity`. Holds no secret. */
  identity(options: Readonly<Record<string, unknown>>): Readonly<Record<string, string>>;
}

export interface ReaderDeps {
  readonly http: HttpClient;
  readonly seams: Seams;
  readonly log: Log;
  readonly tokens?: TokenStore;
  readonly waits?: Waits;
  /** Identifies our own requests in the vendor's audit log: `penstock/0.1.0 (0f3c...)`. */
  readonly userAgent: string;
  /** Waits for the budget of the host and credential; called before every request, with the budget's key. */
  readonly limit: (key: string, signal: AbortSignal) => Promise<void>;
  readonly budget: (key: string, state: BudgetNews) => void;
}

export type BudgetNews = Readonly<Partial<Record<'remaining' | 'limit' | 'resetMs' | 'pauseMs', number>>>;

/** One record as the vendor sent it. */
export interface RawRecord {
  /** A JSON object; anything else is unreadable, a string is its text. */
  readonly value: Json;
  /** The text of `value` where it lies in a reply: one line without a backslash. Both may be getters, which a copy by `...` lacks. */
  readonly json?: JsonText;
  /** Value and text at once, where there is one: each of them costs as much as both. `isShallow`: known to be nested a few levels deep at most. */
  readonly read?: () => { readonly value: Json; readonly text: string; readonly isShallow: boolean };
  /** For rows without id: the n-th identical row of a file or window (1-based). */
  readonly occurrence?: number;
  /** An id from outside the record: the stream's message id, with `#i` for the i-th element (i > 1). */
  readonly id?: string;
  /** Which of the events it is that the vendor sent in one record; without a key where it has an id of its own. */
  readonly part?: { readonly key?: string; readonly isFurther: boolean };
  /** Why it could not be read; then `value` is its text. */
  readonly unreadable?: string;
  /** Characters of text that it shares with others of its reply, so that each of them takes as many more. */
  readonly copied?: number;
  /** Labels of its event: `mended` when its text was no JSON to the letter. */
  readonly labels?: readonly string[];
}

/** Turns raw records into facts. Pure; hashing happens before redaction. */
export interface RecordRules {
  readonly areNamedByContent?: boolean;
  readonly tellSelfMade?: boolean;
  /** The record, or the events in it one by one. */
  split(raw: RawRecord): readonly RawRecord[];
  /** `scrub` takes out of the record what is secret by its value. */
  examine(raw: RawRecord, tenant: string | undefined, scrub?: (text: string) => string): RecordFacts;
}

/** What is known of a record. Some of it may be getters, which a copy by `...` lacks. */
export interface RecordFacts {
  /** 32 hex digits, the same for the same record however often it is read; `conflictUid` when another record with the same id is known. */
  readonly uid: string;
  readonly conflictUid: string;
  /** True for a record without an id of its own: another one with the same content has the same uid, unless its occurrence says otherwise. */
  readonly isNamedByContent?: boolean | undefined;
  /** True for an event of a record that had others before it. */
  readonly isFurtherPart?: boolean | undefined;
  /** 16 hex digits. */
  readonly fingerprint: string;
  /** The record's own time, milliseconds; undefined when it has none that parses. */
  readonly time: number | undefined;
  /** True when something stands where the time should, but cannot be read. */
  readonly hasUnreadableTime?: boolean | undefined;
  /** Normalised action key, for filters, and the action as the vendor spells it; undefined when there is none. */
  readonly actionKey: string | undefined;
  readonly action?: string | undefined;
  /** What goes into the journal: the redacted record, or its text when unreadable. */
  readonly record: Json;
  /** The text of `record`, where nothing had to be taken out of it; then `record` is parsed each time that somebody reads it. */
  readonly json?: JsonText | undefined;
  readonly unreadable?: string | undefined;
  readonly labels?: readonly string[] | undefined;
  /** True when our own request made it: action and User-Agent match. */
  isSelfMade(userAgent: string): boolean;
}

export type Reader = WindowReader | CursorReader | DirectoryReader | StreamReader;

/** A place in a walk over pages; plain JSON, no secret and no origin. */
export type PageState =
  /** `offset` is a row or the number of a page; `read` counts the rows before it, and `size` is the largest page of the walk. */
  | { readonly kind: 'offset'; readonly offset: number; readonly read?: number; readonly size?: number }
  /** `counts` is true for a place in one of several groups that is an offset or number there. */
  | { readonly kind: 'token'; readonly token: string; readonly counts?: true }
  | { readonly kind: 'link'; readonly path: string };

/** Records in order; those of a long list are made when they are asked for. */
export type RecordList = Pick<readonly RawRecord[], 'length' | 'slice'> & Iterable<RawRecord>;

export interface Page {
  readonly records: RecordList;
  readonly next: PageState | null;
  /** Records of the vendor, where they became more events. */
  readonly count?: number;
  /** The group that they are from; another may show the same ones. */
  readonly group?: string;
  /** Matches in the whole window, when the vendor says so. */
  readonly total?: number;
  /** True for a last page that holds as many records as the vendor sends at most; `lacking` of them at least are not shown, 1 by default. `list`: of groups; `unpaged`: no page named another yet. */
  readonly mayBeCut?: boolean | 'list' | 'unpaged';
  readonly lacking?: number;
  /** How the vendor says of a last page that it does not hold all that is left. */
  readonly toldCut?: string | undefined;
  /** The vendor's Date header and the Age of the answer, milliseconds. */
  readonly serverTime?: number;
}

/**
 * An API that is asked for a time range, page by page. `page` retries passing faults itself (429, 5xx, network), renews tokens and obeys
 * the limits; it rejects with a PenstockError whose code's consequence says what the loop does.
 */
export interface WindowReader extends Opened {
  readonly kind: 'http_window';
  page(request: PageRequest, signal: AbortSignal): Promise<Page>;
  /**
   * Pages over everything, newest first and without a time range, for rows that no window returns (those without a time). Present only
   * where the connector says how; the sweep stops at the first page that it knows whole.
   */
  sweepPage?(request: Pick<PageRequest, 'state' | 'limit'>, signal: AbortSignal): Promise<Page>;
  /** What was read last is stored or given up: its memory is there for others. The next request says so too. */
  rest?(): void;
  /** Where a walk over groups goes on that leaves the rest of one, of which so many records lack at least; with what lacks of all before. */
  passGroup?(state: PageState, lacking: number): { readonly next: PageState | null; readonly lacking: number };
  /** Present where a list says only that something happened. */
  readonly details?: DetailReader;
  /** Requests made so far; each may have left a record in the vendor's log. */
  readonly requestCount: number;
}

/** What became of the question for a record's detail: the record with it and how many bytes that took, or why it has none; `isAnswer` is true where the vendor said so. */
export type Detail = { readonly record: Json; readonly bytes: number } | { readonly lack: string; readonly isAnswer: boolean };

export interface DetailReader {
  /** Asks for the detail of a record. Rejects as a page does where asking again may help, and where the credential is refused. */
  ask(record: Json, uid: string, signal: AbortSignal): Promise<Detail>;
}

export interface PageRequest {
  /** Window in milliseconds, both bounds as the vendor's contract reads them. */
  readonly from: number;
  readonly to: number;
  /** null for the first page. */
  readonly state: PageState | null;
  /** For cheap probes: ask for so few records if the API can. */
  readonly limit?: number;
}

/** A page behind a cursor; `next` is the cursor behind it, null where the reply names none; `more` whether it says that more can be read at once. */
export interface CursorPage extends Page {
  readonly more?: boolean | undefined;
}

export interface CursorRequest extends Pick<PageRequest, 'limit'> {
  /** The cursor; null where reading begins. */
  readonly state: PageState | null;
  /** Where reading begins, milliseconds; undefined: at the oldest that the vendor has. `atEnd`: at the end of the log, where the connector says how. */
  readonly from?: number | undefined;
  readonly atEnd?: boolean;
}

/** An API that goes on from a cursor. `page` rejects as {@link WindowReader} does. */
export interface CursorReader extends Opened {
  readonly kind: 'http_cursor';
  /** The kind of its cursors; one of another kind was stored by an older connector. */
  readonly cursor: 'token' | 'link';
  /** Where reading can begin beside the vendor's oldest record. */
  readonly begins: { readonly atTime: boolean; readonly atEnd: boolean };
  /** True where a page without records, whose cursor moved, does not end a poll. */
  readonly emptyPageContinues: boolean;
  /** Records of a full page; undefined when unknown. */
  readonly pageSize: number | undefined;
  rest?(): void;
  page(request: CursorRequest, signal: AbortSignal): Promise<CursorPage>;
  readonly details?: DetailReader;
  /** Asks for ranges of time, where the API has them too. */
  readonly range?: WindowReader;
  /** Those for ranges included. */
  readonly requestCount: number;
}

/** A folder in which files appear. */
export interface DirectoryReader extends Opened {
  readonly kind: 'csv_directory';
  /** Regular files whose size did not change between two looks, oldest first; others come with the reason in `skipped`. */
  list(signal: AbortSignal): Promise<FileListing>;
  /** Reads one file from its first row in chunks; throws PEN_FILE_UNREADABLE when it is not what was listed or not a table. */
  read(file: FileIdentity, signal: AbortSignal): AsyncIterable<readonly RawRecord[]>;
}

export interface FileIdentity {
  /** Path below the directory. */
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

export interface FileListing {
  readonly files: readonly FileIdentity[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** SHA-256 of a listed file, hex. */
  hash(file: FileIdentity, signal: AbortSignal): Promise<string>;
}

/** A subscription that pushes. */
export interface StreamReader extends Opened {
  readonly kind: 'pulsar_websocket';
  /**
   * Connects, reconnects with back-off, and calls `onMessages` with what arrived; the messages are acknowledged after its promise
   * resolved. Resolves when the signal aborts; rejects with a hold (401, 403) or what ends the stream.
   */
  run(handlers: StreamHandlers, signal: AbortSignal): Promise<void>;
  /** For `check`, without taking a message: topic and subscription exist, policies that lose data. Creates a subscription only when asked to. */
  probe?(signal: AbortSignal, options?: { readonly createSubscription?: boolean }): Promise<StreamProbe>;
}

/** What a probe learned about all topics, and the first reason why one of them cannot be read. */
export interface StreamProbe {
  readonly findings: readonly string[];
  readonly fault?: PenstockError;
}

export interface StreamHandlers {
  onMessages(messages: readonly StreamMessage[]): Promise<void>;
  onState(state: StreamState): void;
}

export interface StreamMessage {
  readonly topic: string;
  readonly messageId: string;
  readonly publishTime: number | undefined;
  readonly redelivered: boolean;
  readonly records: readonly RawRecord[];
}

export interface StreamState {
  readonly topic: string;
  readonly connected: boolean;
  readonly error?: string;
  /** Publish time of the oldest message not yet acknowledged. */
  readonly oldestUnacked?: number;
}
