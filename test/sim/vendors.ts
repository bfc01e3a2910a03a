// Vendors that misbehave like real ones: HTTP APIs that the shipped connectors read, a broker, a folder of files. They live by the true time
// and survive every crash of Penstock.
import { PenstockError } from '../../src/base/errors.ts';
import { Semaphore } from '../../src/base/semaphore.ts';
import type { Connector, DirectoryReader, FileIdentity, StreamReader } from '../../src/connectors/connector.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/client.ts';
import type { Dice } from './dice.ts';
import type { Fate } from './fate.ts';
import { type Entry, selfEntry } from './feed.ts';
import { hour, minute, mostStaleMs, type SourcePlan, type VendorFault } from './scenario.ts';
import type { SimTime } from './time.ts';

export interface VendorParts {
  readonly plan: SourcePlan;
  readonly connector: Connector;
  readonly tenant: string | undefined;
  readonly time: SimTime;
  readonly dice: Dice;
  /** True when a fault of this kind strikes now. */
  readonly strikes: (kind: VendorFault) => boolean;
  /** How long no fault strikes, milliseconds; 0 while one does. */
  readonly calmMs: () => number;
  readonly entries: Entry[];
  /** Told when records that came in a page must be on disk: a broker was told that it may forget them. */
  readonly onForgotten: (entries: readonly Entry[]) => void;
}

/** One vendor; `answered` is what it handed out last. */
export interface Vendor {
  readonly plan: SourcePlan;
  readonly entries: Entry[];
  answered: readonly Entry[];
  requests: number;
}

const visible = (vendor: Vendor, time: SimTime): Entry[] => vendor.entries.filter(({ visibleAt }) => visibleAt <= time.now());

/** What the copy that answers has: each request may be for another one. */
function inCopy(vendor: Vendor, { time, dice, strikes }: VendorParts): Entry[] {
  const upTo = time.now() - (strikes('stale') ? dice.between(0, mostStaleMs) : 0);
  return vendor.entries.filter(({ visibleAt, goneAt }) => visibleAt <= upTo && time.now() < goneAt);
}

/** How many records the next page has at most. */
const pageSizeOf = ({ plan, dice, strikes }: VendorParts): number =>
  strikes('short_page') ? dice.between(1, plan.pageSize) : plan.pageSize;

const byTime = (a: Entry, b: Entry): number =>
  a.time - b.time || (a.facts.uid < b.facts.uid ? -1 : a.facts.uid === b.facts.uid ? a.plan.n - b.plan.n : 1);

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly entries?: readonly Entry[];
}

const json = (value: unknown, entries: readonly Entry[] = [], headers: Readonly<Record<string, string>> = {}): Answer => ({
  status: 200,
  body: JSON.stringify(value),
  headers: { 'content-type': 'application/json', ...headers },
  entries,
});
const refused = (status: number, words: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  body: JSON.stringify({ message: words }),
  headers,
});

function shuffled<T>(items: readonly T[], dice: Dice): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i -= 1) {
    const j = dice.between(0, i);
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

type Pager = (url: URL) => Answer;

const values = (entries: readonly Entry[]): unknown[] => entries.map(({ raw }) => raw.value);

/** Offset and total; both bounds inclusive; without bounds newest first. */
function offsetPager(vendor: Vendor, parts: VendorParts): Pager {
  const { dice, strikes } = parts;
  return (url) => {
    const query = url.searchParams;
    const all = inCopy(vendor, parts).sort(byTime);
    const [from, to] = [Date.parse(query.get('from_date') ?? ''), Date.parse(query.get('to_date') ?? '')];
    const matching = Number.isNaN(from) ? all.toReversed() : all.filter((e) => e.time >= from && e.time <= to);
    if (!Number.isNaN(from) && to - from > hour && strikes('too_large')) return refused(413, 'range too large');
    const offset = Number(query.get('offset') ?? 0);
    const page = matching.slice(offset, offset + Math.min(pageSizeOf(parts), Number(query.get('limit') ?? 100)));
    const extra = strikes('large_total') ? dice.between(1, 5) : 0;
    return json({ items: values(page), total_count: matching.length + extra }, page);
  };
}

/** Numbered pages and a total, the newest first: what comes in meanwhile moves all that is older on. */
function numberPager(vendor: Vendor, parts: VendorParts): Pager {
  const { plan, dice, strikes } = parts;
  return (url) => {
    const query = url.searchParams;
    const [from, to] = [Date.parse(query.get('minDate') ?? ''), Date.parse(query.get('maxDate') ?? '')];
    if (to - from > hour && strikes('too_large')) return refused(413, 'range too large');
    const matching = inCopy(vendor, parts)
      .filter((e) => e.time >= from && e.time <= to)
      .sort((a, b) => byTime(b, a));
    const size = Math.min(plan.pageSize, Number(query.get('itemsPerPage')));
    const start = (Number(query.get('pageNum')) - 1) * size;
    const page = matching.slice(start, start + size);
    const extra = strikes('large_total') ? dice.between(1, 5) : 0;
    return json({ results: values(page), totalCount: matching.length + extra }, page);
  };
}

const keyOf = (entry: Entry): string => `${entry.time}|${entry.facts.uid}|${entry.plan.n}`;

function after(matching: readonly Entry[], key: string): Entry[] {
  const [time = '0', uid = '', n = '0'] = key.split('|');
  return matching.filter(
    (e) =>
      e.time > Number(time) || (e.time === Number(time) && (e.facts.uid > uid || (e.facts.uid === uid && e.plan.n > Number(n)))),
  );
}

/** A token names the last record of its page. */
function tokenPager(vendor: Vendor, parts: VendorParts): Pager {
  const { dice, strikes } = parts;
  return (url) => {
    const query = url.searchParams;
    const token = query.get('next_token');
    if (token !== null && strikes('token_refused')) return refused(400, 'the token has expired');
    const [from, to] = [Date.parse(query.get('start_timestamp') ?? ''), Date.parse(query.get('end_timestamp') ?? '')];
    const matching = inCopy(vendor, parts)
      .filter((e) => e.time >= from && e.time <= to)
      .sort(byTime);
    const key = token === null ? undefined : Buffer.from(token, 'base64url').toString().replace(/~\d+$/, '');
    const rest = key === undefined ? matching : after(matching, key);
    const sign = (of: string): string => Buffer.from(of).toString('base64url');
    if (strikes('empty_page')) {
      const again = sign(`${key ?? '0||0'}~${vendor.requests}`);
      return json({ audit_logs: [], next_token: again });
    }
    const page = rest.slice(0, pageSizeOf(parts));
    const last = page.at(-1);
    const next = last !== undefined && rest.length > page.length ? sign(keyOf(last)) : null;
    const repeated = strikes('repeat') ? matching.filter(() => dice.chance(0.1)) : [];
    const shown = strikes('reorder') ? shuffled([...page, ...repeated], dice) : [...page, ...repeated];
    return json({ audit_logs: values(shown), next_token: next }, shown);
  };
}

/** A link leads on from every page: by time where both ends of a range are asked for, else in the order in which records showed up. */
function linkPager(vendor: Vendor, parts: VendorParts): Pager {
  return (url) => (url.searchParams.has('until') ? bounded(url, vendor, parts) : polled(url, vendor, parts));
}

/** The upper bound does not belong to the range. */
function bounded(url: URL, vendor: Vendor, parts: VendorParts): Answer {
  const { dice, strikes } = parts;
  const query = url.searchParams;
  const [since, until] = [Date.parse(query.get('since') ?? ''), Date.parse(query.get('until') ?? '')];
  if (until - since > hour && strikes('too_large')) return refused(413, 'range too large');
  const matching = inCopy(vendor, parts)
    .filter((e) => e.time >= since && e.time < until)
    .sort(byTime);
  const key = query.get('after');
  const rest = key === null ? matching : after(matching, key);
  const page = rest.slice(0, pageSizeOf(parts));
  const last = page.at(-1);
  const next = new URL(url);
  if (last !== undefined) next.searchParams.set('after', keyOf(last));
  const headers: Record<string, string> = last === undefined ? {} : { link: `<${next.href}>; rel="next"` };
  const shown = strikes('reorder') ? shuffled(page, dice) : page;
  return json(values(shown), shown, headers);
}

const byShowing = (a: Entry, b: Entry): number => a.visibleAt - b.visibleAt || a.plan.n - b.plan.n;

/** The cursor counts the records that showed up; the first request begins with those of a time. */
function polled(url: URL, vendor: Vendor, parts: VendorParts): Answer {
  const { time, connector, dice, strikes } = parts;
  const query = url.searchParams;
  const cursor = query.get('after');
  if (cursor !== null && strikes('token_refused')) return refused(dice.pick([400, 404, 410]), 'unknown cursor');
  const log = inCopy(vendor, parts).sort(byShowing);
  const since = Date.parse(query.get('since') ?? '');
  const first = log.findIndex(({ visibleAt }) => visibleAt >= since);
  const start = cursor === null ? (first === -1 ? log.length : first) : Number(cursor.split('~')[0]);
  const page = strikes('empty_page') ? [] : log.slice(start, start + pageSizeOf(parts));
  const next = new URL(url);
  next.searchParams.set(
    'after',
    page.length === 0 && strikes('empty_page') ? `${start}~${vendor.requests}` : String(start + page.length),
  );
  // Older ones may be forgotten where the journal is full, and come once more by design.
  const recent = log.slice(0, start).filter((e) => e.time > time.now() - connector.defaults.overlapMs);
  const repeated = strikes('repeat') ? recent.filter(() => dice.chance(0.1)) : [];
  const shown = strikes('reorder') ? shuffled([...page, ...repeated], dice) : [...page, ...repeated];
  return json(values(shown), shown, { link: `<${next.href}>; rel="next"` });
}

const pagers = { offset: offsetPager, page: numberPager, token: tokenPager, link: linkPager };

interface Login {
  /** The refusal of a request without a valid credential. */
  refuse(request: HttpRequest): Answer | undefined;
  /** The answer of the token endpoint. */
  mint(): Answer;
}

/** Tokens live 900 s; a rotation makes all that were given out void. */
function openLogin({ plan, time, strikes }: VendorParts): Login {
  const tokens = new Map<string, number>();
  let minted = 0;
  return {
    refuse({ headers }) {
      if (strikes('unauthorized')) return refused(401, 'invalid credentials');
      if (plan.kind !== 'offset' && plan.kind !== 'page') return undefined;
      if (strikes('revoke')) tokens.clear();
      const token = (headers?.['authorization'] ?? '').replace('Bearer ', '');
      return (tokens.get(token) ?? 0) > time.now() ? undefined : refused(401, 'token expired');
    },
    mint() {
      if (strikes('unauthorized')) return refused(401, 'invalid_client');
      minted += 1;
      tokens.set(`token-${minted}`, time.now() + 900_000);
      return json({ access_token: `token-${minted}`, expires_in: 900 });
    },
  };
}

function troubled(answer: () => Answer, { strikes, dice }: VendorParts): Answer {
  if (strikes('unavailable')) return refused(dice.pick([500, 502, 503, 504]), 'try later');
  if (strikes('rate_limit')) return refused(429, 'slow down', { 'retry-after': String(dice.between(1, 120)) });
  if (strikes('html'))
    return { status: 200, body: '<!doctype html><title>Sign in</title>', headers: { 'content-type': 'text/html' } };
  const good = answer();
  if (good.status === 200 && strikes('cut_body'))
    return { status: 200, body: good.body.slice(0, Math.floor(good.body.length * dice.float() * 0.99)) };
  return good;
}

/** An HTTP API; each process opens a client of its own. */
export interface HttpVendor extends Vendor {
  openHttp(fate: Fate): HttpClient;
}

export function httpVendor(parts: VendorParts): HttpVendor {
  const { plan, time, dice, strikes, connector, tenant } = parts;
  const vendor: HttpVendor = { plan, entries: parts.entries, answered: [], requests: 0, openHttp };
  const page = pagers[plan.kind as keyof typeof pagers](vendor, parts);
  const login = openLogin(parts);

  function note(request: HttpRequest): void {
    vendor.requests += 1;
    if (plan.logsReads !== true) return;
    const entry = selfEntry(connector, tenant, plan.name, vendor.requests, time.now(), request.headers?.['user-agent'] ?? '');
    vendor.entries.push({ ...entry, visibleAt: entry.visibleAt + dice.between(0, 30_000) });
  }
  function reply(request: HttpRequest): Answer {
    if (request.url.pathname.endsWith('/token')) return troubled(() => login.mint(), parts);
    note(request);
    return troubled(() => login.refuse(request) ?? page(request.url), parts);
  }
  async function exchange(request: HttpRequest): Promise<{ answer: Answer; at: number }> {
    const { signal, timeoutMs } = request;
    const ms = strikes('slow') ? dice.between(2_000, minute) : dice.between(20, 400);
    if (strikes('hang') || ms > timeoutMs) {
      await orAborted(time.wait(timeoutMs), signal);
      throw new PenstockError('PEN_HTTP_TIMEOUT', `no answer within ${timeoutMs} ms`);
    }
    await orAborted(time.wait(ms / 2), signal);
    const answer = reply(request);
    const at = time.now();
    await orAborted(time.wait(ms / 2), signal);
    if (strikes('reset')) throw new PenstockError('PEN_HTTP_RESET', 'the connection was reset');
    return { answer, at };
  }
  function openHttp(fate: Fate): HttpClient {
    return {
      async request(request): Promise<HttpResponse> {
        await fate.step();
        try {
          const { answer, at } = await exchange(request);
          await fate.step();
          // A refusal hands out nothing: what was handed out before may be committed behind it.
          if (answer.entries !== undefined) vendor.answered = answer.entries;
          return {
            status: answer.status,
            headers: { date: new Date(at).toUTCString(), ...answer.headers },
            body: Buffer.from(answer.body),
          };
        } catch (error) {
          await fate.alive();
          throw error;
        }
      },
      describeRoute: () => 'simulated',
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  return vendor;
}

/** A broker that keeps messages until they are acknowledged, and forgets them then. */
export interface Broker extends Vendor {
  open(fate: Fate): StreamReader;
}

/** A broker that lost an acknowledgement sends a message once more soon after; for what is older a small journal gives ids up. */
const repeatedWithinMs = 30 * minute;
const lookMs = 5_000;
/** New records may come by then. */
const mostIdleMs = 5 * minute;

export function broker(parts: VendorParts): Broker {
  const { plan, time, dice, strikes } = parts;
  const acknowledged = new Map<Entry, number>();
  const vendor: Broker = { plan, entries: parts.entries, answered: [], requests: 0, open };

  /** A look every five seconds, without those at which there is nothing to see. */
  async function nextLook(signal: AbortSignal): Promise<void> {
    const from = time.elapsed;
    const isDue = (entry: Entry): boolean => !acknowledged.has(entry);
    const shows = vendor.entries.filter(isDue).map(({ visibleAt }) => visibleAt - time.now());
    const idleMs = Math.min(mostIdleMs, parts.calmMs(), ...shows);
    const looks = Math.max(1, Math.ceil(idleMs / lookMs));
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => time.at(from + Math.ceil((time.elapsed - from + 1) / lookMs) * lookMs, aborted.resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    await Promise.race([time.wait(looks * lookMs), aborted.promise]);
    signal.removeEventListener('abort', onAbort);
  }
  async function serve(fate: Fate, onMessages: (entries: readonly Entry[]) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await (strikes('slow') ? time.wait(dice.between(2_000, minute)) : nextLook(signal));
      await fate.alive();
      if (signal.aborted) return;
      if (strikes('unauthorized'))
        throw new PenstockError('PEN_SOURCE_REFUSED', 'answered 401', { status: 401, fix: 'renew the token' });
      if (strikes('reset')) return;
      const due = visible(vendor, time).filter((e) => !acknowledged.has(e));
      const recent = [...acknowledged].flatMap(([entry, at]) => (time.elapsed - at < repeatedWithinMs ? [entry] : []));
      const again = strikes('repeat') ? recent.filter(() => dice.chance(0.02)) : [];
      const batch = (strikes('reorder') ? shuffled(due, dice) : due).slice(0, plan.pageSize);
      if (batch.length + again.length > 0) await hand(fate, [...batch, ...again], onMessages);
    }
  }
  async function hand(
    fate: Fate,
    batch: readonly Entry[],
    onMessages: (entries: readonly Entry[]) => Promise<void>,
  ): Promise<void> {
    await fate.step();
    vendor.requests += 1;
    vendor.answered = batch;
    await onMessages(batch);
    await fate.step();
    if (strikes('reset')) return;
    for (const entry of batch) acknowledged.set(entry, time.elapsed);
    parts.onForgotten(batch);
  }
  function open(fate: Fate): StreamReader {
    const topic = 'persistent://acme/default/audit';
    return {
      kind: 'pulsar_websocket',
      async run(handlers, signal) {
        for (; !signal.aborted; await time.wait(1_000)) {
          await fate.alive();
          handlers.onState({ topic, connected: true });
          await serve(
            fate,
            (entries) =>
              handlers.onMessages(
                entries.map((e) => ({
                  topic,
                  messageId: `1:${e.plan.n}`,
                  publishTime: e.time,
                  redelivered: false,
                  records: [e.raw],
                })),
              ),
            signal,
          );
          handlers.onState({ topic, connected: false, error: 'closed' });
        }
        await fate.alive();
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  return vendor;
}

/** A folder in which a file with the records of two hours appears at their end. */
export interface Folder extends Vendor {
  open(fate: Fate): DirectoryReader;
}

const fileSpanMs = 2 * hour;
/** When the file appears that holds what showed up at a time; true times, milliseconds. */
export const fileEnd = (visibleAt: number): number => (Math.floor(visibleAt / fileSpanMs) + 1) * fileSpanMs;
export const fileName = (end: number): string => `${new Date(end).toISOString().slice(0, 13)}.csv`;

export function folder(parts: VendorParts): Folder {
  const { plan, time, strikes } = parts;
  const vendor: Folder = { plan, entries: parts.entries, answered: [], requests: 0, open };
  const fileOf = (e: Entry): number => fileEnd(e.visibleAt);

  function files(): FileIdentity[] {
    const ends = [...new Set(vendor.entries.map(fileOf))].filter((end) => end <= time.now()).sort((a, b) => a - b);
    return ends.map((end) => ({
      path: fileName(end),
      size: rowsOf(end).length,
      mtimeMs: end,
    }));
  }
  const rowsOf = (end: number): Entry[] => vendor.entries.filter((e) => fileOf(e) === end);
  /** A poll and an import of one process read beside each other; `answered` tells of one page at a time. */
  const turns = new WeakMap<Fate, Semaphore>();

  function open(fate: Fate): DirectoryReader {
    const turn = turns.get(fate) ?? new Semaphore(1);
    turns.set(fate, turn);
    return {
      kind: 'csv_directory',
      async list() {
        await fate.step();
        if (strikes('unavailable')) throw new PenstockError('PEN_FILE_UNREADABLE', 'the folder cannot be listed');
        return { files: files(), skipped: [], hash: (file) => Promise.resolve(`${file.mtimeMs}`.padStart(64, '0')) };
      },
      async *read(file) {
        const rows = rowsOf(file.mtimeMs);
        for (let at = 0; at < rows.length; at += plan.pageSize) {
          await fate.step();
          if (strikes('cut_body')) throw new PenstockError('PEN_FILE_UNREADABLE', 'the file ends in the middle of a row');
          await turn.take();
          try {
            vendor.answered = rows.slice(at, at + plan.pageSize);
            vendor.requests += 1;
            yield vendor.answered.map(({ raw }) => raw);
          } finally {
            turn.give();
          }
        }
        await fate.alive();
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  return vendor;
}
