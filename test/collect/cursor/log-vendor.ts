// A vendor whose log is followed by cursor, as four real ones let it be followed, read with a connector made of YAML words.
import { seededRandom } from '../../../src/base/random.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import { startSource } from '../../../src/collect/index.ts';
import type { Connector } from '../../../src/connectors/connector.ts';
import type { SourceSettings } from '../../../src/connectors/source-settings.ts';
import type { HttpRequest, HttpResponse } from '../../../src/http/client.ts';
import { vendorConnector } from '../../connectors/vendor.ts';
import { type MemoryJournal, memoryJournal } from '../../journal/memory-journal.ts';
import type { Values } from '../../options/cases.ts';
import type { VirtualClock } from '../../virtual-clock.ts';
import { at, bench, minute, noon, said, settings } from '../fixture.ts';

const pageSize = 3;
const shared: Values = { kind: 'http_cursor', 'cursor.overlap': '20m', 'page.size': pageSize };

/** How the log is followed; each is told apart by the request alone. */
export const forms = {
  /** As 1Password: the first request has a start time, later ones have nothing but the cursor, which is always there. */
  post_body: {
    ...shared,
    'request.method': 'POST',
    'request.body': { limit: '{{ page.limit }}', start_time: '{{ window.from }}', cursor: '{{ page.token }}' },
    'request.later': { body: { limit: null } },
    'page.kind': 'token',
    'page.token': 'cursor',
    'page.more': 'has_more',
  },
  /** As Auth0: the cursor is the id of the last record; an empty page has none. Without one the log begins at its oldest. */
  last_id: {
    ...shared,
    'request.query': { from: '{{ page.token }}', take: '{{ page.limit }}' },
    'page.kind': 'token',
    'page.token': '$[-1].id',
    records: '$',
  },
  /** As Okta: rel="next" is there on every page. */
  polling_link: {
    ...shared,
    'request.query': { since: '{{ window.from }}', limit: '{{ page.limit }}' },
    'page.kind': 'link_header',
    records: '$',
  },
  /** As Box: a position, which stays when nothing is new; 0 is the oldest, and now the end of the log. */
  position: {
    ...shared,
    'request.query': { stream_position: '{{ page.token }}', limit: '{{ page.limit }}' },
    'request.first': { query: { stream_position: 0 } },
    'request.now': { query: { stream_position: 'now' } },
    'page.kind': 'token',
    'page.token': 'next_stream_position',
    records: 'entries',
  },
} as const satisfies Record<string, Values>;
export type Form = keyof typeof forms;
export const formNames = Object.keys(forms) as Form[];

export interface Entry {
  readonly id: string;
  /** Of the record itself, milliseconds. */
  readonly time: number;
  /** When it got into the log, which is ordered by that. */
  readonly visibleAt?: number;
  readonly [field: string]: unknown;
}

export const entry = (id: string, time: number, visibleAt = time): Entry => ({ id, time, visibleAt });

export interface Ask {
  /** The cursor; undefined at a first request. */
  readonly cursor: string | undefined;
  readonly since: number | undefined;
  readonly count: number;
  readonly form: Form;
}

type Answer = Partial<HttpResponse> & { readonly json?: unknown };

function asked(form: Form, { url, body }: HttpRequest, count: number): Ask {
  const query = url.searchParams;
  const sent = typeof body === 'string' ? (JSON.parse(body) as Record<string, string>) : {};
  const cursor = sent['cursor'] ?? query.get('from') ?? query.get('stream_position') ?? query.get('after') ?? undefined;
  const since = sent['start_time'] ?? query.get('since') ?? undefined;
  return { cursor, since: since === undefined ? undefined : Date.parse(since), count, form };
}

/** The log of a vendor and who reads it. */
export interface LogVendor {
  readonly clock: VirtualClock;
  readonly journal: MemoryJournal;
  readonly entries: Entry[];
  readonly asks: Ask[];
  /** Answers in the vendor's place where it gives something. */
  onAsk: (ask: Ask, usual: () => Answer) => Answer | undefined;
  /** Opens a source on the journal as a new process would. */
  open(change?: Partial<SourceSettings>): ReturnType<typeof startSource>;
  /** Ids in the order of the journal, doubles included. */
  ids(): string[];
  readonly lines: Record<string, unknown>[];
  said(text: string): number;
}

/** The records behind a cursor, which is the place in the log or the last record's id. */
function page({ entries, clock }: Pick<LogVendor, 'entries' | 'clock'>, { form, cursor, since }: Ask): Answer {
  const log = entries
    .filter(({ time, visibleAt = time }) => visibleAt <= clock.now())
    .sort((a, b) => (a.visibleAt ?? a.time) - (b.visibleAt ?? b.time));
  const start =
    cursor === 'now' ? log.length : form === 'last_id' ? log.findIndex(({ id }) => id === cursor) + 1 : Number(cursor ?? 0);
  const behind = log.slice(start).filter(({ time }) => cursor !== undefined || since === undefined || time >= since);
  const records = behind.slice(0, pageSize).map(({ visibleAt: _visibleAt, time, ...rest }) => ({
    ...rest,
    time: new Date(time).toISOString(),
    action: 'read',
  }));
  const last = behind[records.length - 1];
  const end = last === undefined ? (behind.length === 0 && cursor === undefined ? log.length : start) : log.indexOf(last) + 1;
  if (form === 'last_id') return { json: records };
  if (form === 'position') return { json: { entries: records, next_stream_position: end } };
  if (form === 'post_body') return { json: { data: records, cursor: String(end), has_more: behind.length > records.length } };
  return { json: records, headers: { link: `<https://api.example.com/v1/logs?after=${end}>; rel="next"` } };
}

/** Opens such a vendor, at noon, read every minute; `words` change the connector. */
export function logVendor(form: Form, words: Values = {}, others: Readonly<Record<string, unknown>> = {}): LogVendor {
  const connector: Connector = vendorConnector({ ...forms[form], ...words }, others);
  const clock = at(noon);
  const journal = memoryJournal();
  const lines: Record<string, unknown>[] = [];
  const self: LogVendor = {
    clock,
    journal,
    entries: [],
    asks: [],
    lines,
    onAsk: () => undefined,
    open(change = {}) {
      const seams = { ...systemSeams(), clock, random: seededRandom(1) };
      const http = {
        request(request: HttpRequest): Promise<HttpResponse> {
          const ask = asked(form, request, self.asks.length);
          self.asks.push(ask);
          const usual = (): Answer => page(self, ask);
          const { json, ...answer } = self.onAsk(ask, usual) ?? usual();
          const date = new Date(clock.now()).toUTCString();
          return Promise.resolve({
            status: 200,
            body: Buffer.from(JSON.stringify(json ?? {})),
            ...answer,
            headers: { date, ...answer.headers },
          });
        },
        describeRoute: () => 'direct',
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      const deps = { http, seams, userAgent: 'penstock/test', limit: () => Promise.resolve(), budget: () => undefined };
      const made = bench(clock, journal, () => Promise.resolve(connector.open({}, { ...deps, log: made.deps.log })));
      lines.push({ msg: 'process' });
      const { overlapMs, settleMs, maxMs, minMs } = connector.defaults;
      const base = settings({ connector, tenant: undefined, window: { overlapMs, settleMs, maxMs, minMs } });
      const loop = startSource({ ...base, retentionMs: connector.defaults.retentionMs, ...change }, made.deps);
      Object.defineProperty(self, 'lines', { value: made.lines, configurable: true });
      return loop;
    },
    ids: () => journal.records.map(({ record }) => String((record as { id: unknown }).id)),
    said: (text) => said(self.lines, text).length,
  };
  return self;
}

/** Runs a source for so many minutes, as one process. */
export async function runFor(vendor: LogVendor, minutes: number, change: Partial<SourceSettings> = {}) {
  const loop = vendor.open(change);
  loop.start();
  await vendor.clock.advance(minutes * minute);
  const status = loop.status();
  await vendor.clock.until(loop[Symbol.asyncDispose]());
  return status;
}
