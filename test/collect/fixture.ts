import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DestinationStream, pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { PenstockError } from '../../src/base/errors.ts';
import { canonicalJson, isObject } from '../../src/base/json.ts';
import { type Log, openLog, silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import type { SourceEnvironment } from '../../src/collect/source.ts';
import type {
  Connector,
  Page,
  PageRequest,
  PageState,
  RawRecord,
  Reader,
  RecordFacts,
  WindowReader,
} from '../../src/connectors/connector.ts';
import type { ReadDefaults } from '../../src/connectors/read-defaults.ts';
import type { SourceSettings } from '../../src/connectors/source-settings.ts';
import { type Journal, openJournal } from '../../src/journal/index.ts';
import { plain } from '../journal/records.ts';
import { type VirtualClock, virtualClock } from '../virtual-clock.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;
/** When tests begin: 2026-11-21T12:00:00Z. */
export const noon = Date.UTC(2026, 10, 21, 12);

const hex = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

/** The uid of a row without conflict. */
export const uidOf = (id: string): string => hex(id, 32);

/** Rules for rows like `{ id, time, action, ua, ... }`; `volatile` is left out of the fingerprint. */
export function examine(raw: RawRecord): RecordFacts {
  const { value } = raw;
  if (raw.unreadable !== undefined || !isObject(value)) {
    const text = String(value);
    const reason = raw.unreadable ?? 'not an object';
    return facts(raw.id ?? `text ${text}`, text, {
      time: undefined,
      actionKey: undefined,
      record: text,
      unreadable: reason,
      isSelfMade: () => false,
    });
  }
  // The vendor finds the row by its time; `told` is what it writes into the record.
  const { id, time: at, told, action, ua, volatile: _volatile, ...rest } = value;
  const time = told === undefined ? at : told;
  const occurrence = (raw.occurrence ?? 1) > 1 ? `#${raw.occurrence}` : '';
  return facts(`${raw.id ?? String(id)}${occurrence}`, canonicalJson({ id, time, action, ua, ...rest }), {
    time: typeof time === 'number' ? time : undefined,
    ...(typeof time === 'string' ? { hasUnreadableTime: true } : {}),
    actionKey: typeof action === 'string' ? action : undefined,
    record: value,
    isSelfMade: (userAgent) => action === 'read' && ua === userAgent,
  });
}

function facts(id: string, content: string, rest: Omit<RecordFacts, 'uid' | 'conflictUid' | 'fingerprint'>): RecordFacts {
  return { uid: uidOf(id), conflictUid: hex(`${id} ${content}`, 32), fingerprint: hex(content, 16), ...rest };
}

const defaults: ReadDefaults = {
  scheduleMs: minute,
  overlapMs: 5 * minute,
  settleMs: minute,
  maxMs: day,
  minMs: minute,
  precisionMs: 1000,
  retentionMs: undefined,
  ascending: false,
  maxPages: 100,
  seenDays: 10,
};

export function connector(kind: Reader['kind'], change: Partial<ReadDefaults> = {}): Connector {
  return {
    name: 'example',
    hash: '0123456789abcdef',
    text: 'name: example',
    origin: 'test',
    options: {},
    kind,
    defaults: { ...defaults, ...change },
    records: { tellSelfMade: true, split: (raw) => [raw], examine },
    mapper: {
      table: 'example',
      map: () => {
        throw new Error('collect maps nothing');
      },
    },
    actions: [],
    open: () => {
      throw new Error('collect opens readers through its deps');
    },
    tenant: () => 'acme',
    identity: () => ({ origin: 'https://api.example.com' }),
  };
}

/** A source polled every minute with 5 min overlap, 1 min settle, starting an hour back. */
export function settings(
  change: Partial<SourceSettings> = {},
  reading: Partial<ReadDefaults> = {},
  kind: Reader['kind'] = 'http_window',
): SourceSettings {
  const made = connector(kind, reading);
  const { overlapMs, settleMs, maxMs, minMs } = made.defaults;
  return {
    name: 's',
    connector: made,
    tenant: 'acme',
    identity: { origin: 'https://api.example.com' },
    schedule: { everyMs: minute },
    start: { backMs: hour },
    window: { overlapMs, settleMs, maxMs, minMs },
    filter: {},
    selfEvents: 'exclude',
    retentionMs: undefined,
    expectEventsWithinMs: undefined,
    credentialExpires: undefined,
    sweep: undefined,
    labels: ['audit'],
    ...change,
  };
}

/** A row of the vendor's log; it shows up once `visibleAt` has come. */
export interface Row {
  readonly id: string;
  readonly time: number | null;
  readonly visibleAt?: number;
  readonly [field: string]: unknown;
}

export const row = (id: string, time: number, more: Readonly<Record<string, unknown>> = {}): Row => ({
  id,
  time,
  action: 'login',
  ...more,
});

export interface VendorOptions {
  readonly clock: Clock;
  /** `token` counts rows as an offset does; a `keyset` token names the last row, so that it never moves. */
  readonly paging?: 'offset' | 'token' | 'keyset' | 'link' | 'none';
  readonly pageSize?: number;
  /** The vendor's clock minus ours, milliseconds; undefined: it sends no Date header. */
  readonly skewMs?: number;
  /** Says the total on every page (offset paging only; default true). */
  readonly totals?: boolean;
}

/** A vendor with rows that answers windows (both bounds inclusive), sorted by time and id. */
export interface Vendor {
  rows: Row[];
  readonly requests: PageRequest[];
  /** Comes before each answer; may change rows, throw, or return another page. */
  onRequest: (request: PageRequest, number: number) => Page | undefined | Promise<Page | undefined>;
  opened: number;
  readonly open: () => Promise<WindowReader>;
  /** Answers the request without a window; unset: the reader has none. */
  sweep: ((state: PageState | null) => Page) | undefined;
}

export function vendor(rows: Row[], { clock, paging = 'offset', pageSize = 3, skewMs, totals = true }: VendorOptions): Vendor {
  const self: Vendor = {
    rows,
    requests: [],
    onRequest: () => undefined,
    opened: 0,
    sweep: undefined,
    open() {
      self.opened += 1;
      let requestCount = 0;
      const { sweep } = self;
      const sweepPage =
        sweep === undefined ? {} : { sweepPage: ({ state }: { state: PageState | null }) => Promise.resolve(sweep(state)) };
      return Promise.resolve({
        ...sweepPage,
        kind: 'http_window' as const,
        get requestCount() {
          return requestCount;
        },
        async page(request: PageRequest, signal: AbortSignal): Promise<Page> {
          signal.throwIfAborted();
          requestCount += 1;
          self.requests.push(request);
          const other = await self.onRequest(request, self.requests.length);
          return other ?? answer(request);
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  };

  const answer = ({ from, to, state }: PageRequest): Page => {
    const now = clock.now() + (skewMs ?? 0);
    const matching = self.rows
      .filter(({ time, visibleAt }) => time !== null && time >= from && time <= to && (visibleAt ?? 0) <= now)
      .sort((a, b) => Number(a.time) - Number(b.time) || (a.id < b.id ? -1 : 1));
    const offset = offsetOf(matching, state);
    const size = paging === 'none' ? Number.POSITIVE_INFINITY : pageSize;
    const records = matching.slice(offset, offset + size).map(({ visibleAt: _visibleAt, ...value }) => ({ value }));
    const end = offset + records.length;
    const isLast = records.length === 0 || end >= matching.length;
    const next = isLast ? null : placeAfter(matching[end - 1], end, paging);
    return {
      records,
      next,
      ...(paging === 'offset' && totals ? { total: matching.length } : {}),
      ...(skewMs === undefined ? {} : { serverTime: now }),
    };
  };
  return self;
}

function offsetOf(matching: readonly Row[], state: PageState | null): number {
  if (state === null) return 0;
  if (state.kind === 'offset') return state.offset;
  const token = state.kind === 'token' ? state.token : state.path.slice('/rows?after='.length);
  const [time, id] = token.split('|');
  if (id === undefined) return Number(token);
  const after = matching.findIndex((item) => Number(item.time) > Number(time) || (item.time === Number(time) && item.id > id));
  return after === -1 ? matching.length : after;
}

function placeAfter(last: Row | undefined, end: number, paging: string): PageState {
  if (paging === 'offset') return { kind: 'offset', offset: end };
  if (paging === 'link') return { kind: 'link', path: `/rows?after=${end}` };
  return { kind: 'token', token: paging === 'keyset' ? `${last?.time}|${last?.id}` : String(end) };
}

/** A journal of its own in a temporary directory, closed and removed when the test ends. */
export async function realJournal(clock: Clock): Promise<Journal> {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-collect-'));
  const system = systemSeams();
  // Its upkeep runs on the machine's time, its stamps on the test's.
  const seams = { ...system, clock: { ...system.clock, now: () => clock.now() } };
  const journal = await openJournal({
    engine: { kind: 'sqlite', dataDir },
    maxBytes: 64 * 1024 * 1024,
    keepMs: 7 * day,
    seams,
    log: silentLog(),
    lockWaitMs: 0,
  });
  onTestFinished(async () => {
    await journal[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true, force: true });
  });
  await register(journal);
  return journal;
}

/** Registers the source and a sink that takes everything. */
export async function register(journal: Journal): Promise<void> {
  const source = { name: 's', connector: 'example', identity: {}, seenTtlMs: 400 * day, seenPinnedMs: hour };
  await journal.register([source], [{ name: 'sink', type: 'stdout', start: 'oldest', whenFull: 'wait' }]);
}

export interface Bench {
  readonly clock: VirtualClock;
  readonly seams: Seams;
  readonly journal: Journal;
  readonly deps: SourceEnvironment;
  /** Log lines as objects. */
  readonly lines: Record<string, unknown>[];
}

export function collectingLog(): { readonly log: Log; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream: DestinationStream = { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { log: openLog('debug', stream, createSecrets()), lines };
}

// Each bench throws dice of its own: what is to be unique, such as an attempt, stays so beside another one.
let seed = 0;

/** Everything a source needs, on a virtual clock. */
export function bench(
  clock: VirtualClock,
  journal: Journal,
  openReader: () => Promise<Reader>,
  change: Partial<SourceEnvironment> = {},
): Bench {
  const { log, lines } = collectingLog();
  const seams = { ...systemSeams(), clock, random: seededRandom((seed += 1)) };
  return {
    clock,
    seams,
    journal,
    lines,
    deps: { journal, seams, log, openReader, userAgent: 'penstock/test', startJitterMs: 0, ...change },
  };
}

/** What the sink would read: every record, in order, by lane. */
export async function stored(
  journal: Journal,
): Promise<{ lane: string; uid: string; record: unknown; unreadable?: string; labels?: readonly string[] }[]> {
  const all = [];
  for (const { lane, offset } of await journal.lanes('sink')) {
    for (let after = offset; ; ) {
      const pages = await journal.read('sink', lane, after, 1000);
      const last = pages.at(-1)?.positions.at(-1);
      if (last === undefined) break;
      after = last;
      for (const page of pages)
        for (const { received: _received, ...more } of page.records.map(plain)) all.push({ lane: lane.kind, ...more });
    }
  }
  return all;
}

/** Ids of the stored rows, in order. */
export async function storedIds(journal: Journal): Promise<string[]> {
  return (await stored(journal)).map(({ record }) => (isObject(record) ? String(record['id']) : String(record)));
}

export const never = new AbortController().signal;

export function at(ms: number): VirtualClock {
  return virtualClock(ms);
}

export function refused(status: number): PenstockError {
  return new PenstockError('PEN_SOURCE_REFUSED', `the vendor answered ${status}`, { status, fix: 'renew the token' });
}

/** Log lines that say `msg`, without their time. */
export function said(lines: readonly Record<string, unknown>[], msg: string): Record<string, unknown>[] {
  return lines.filter((line) => line['msg'] === msg);
}

export const quiet = pino({ level: 'silent' });
