// A vendor without a network that is read with a connector made of single settings: `{ 'page.kind': 'link' }` stands below `read:`.
import { asPenstockError, type PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { compileBundle } from '../../src/connectors/compile.ts';
import type { BudgetNews, Connector, Page, PageState, WindowReader } from '../../src/connectors/connector.ts';
import type { HttpRequest } from '../../src/http/client.ts';
import { nested, type Values } from '../options/cases.ts';
import { skippingClock } from './open-source.ts';

/** A table without rows. */
export const actions = {
  table: 'penstock.actions/1',
  source: 'vendor',
  vendor: 'Vendor',
  product: 'Product',
  log_name: 'vendor.audit',
  log_provider: 'Audit log',
  log_format: 'JSON',
  versions: { ocsf: '1.8.0', ecs: '9.4.0', cim: '8.5' },
  status: { constant: 'success' },
  classes: { 3001: { name: 'Account Change', category_uid: 3, category_name: 'IAM', activities: { 1: 'Create' } } },
  actions: [],
};

const reading: Values = { schedule: '1m', 'request.url': 'https://api.example.com/v1/logs', records: 'data' };
const windowed: Values = {
  ...reading,
  kind: 'http_window',
  'request.query': { from: '{{ window.from }}' },
  'page.kind': 'none',
  'window.overlap': '5m',
  'window.settle': '30s',
  'window.max': '24h',
};

/** Compiles a connector that reads `https://api.example.com/v1/logs` with other settings below `read:`; `{ token }` is a secret option. */
export function vendorConnector(read: Values, others: Readonly<Record<string, unknown>> = {}): Connector {
  const spec = {
    name: 'vendor',
    options: { token: { type: 'string', secret: true, default: 's3cret' } },
    map: {},
    actions: './actions.yaml',
    record: { id: 'id', time: 'time', action: 'action' },
    ...others,
    read: nested({ ...(read['kind'] === 'http_cursor' ? reading : windowed), ...read }),
  };
  const bundle = {
    name: 'vendor',
    connectors: [{ file: 'connector.yaml', text: JSON.stringify(spec) }],
    actions: [{ file: 'actions.yaml', text: JSON.stringify(actions) }],
  };
  return compileBundle(bundle, 'test');
}

/** What the vendor answers; a body that is text or bytes is sent as it is. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Vendor {
  readonly connector: Connector;
  readonly reader: WindowReader;
  readonly asked: HttpRequest[];
  readonly news: BudgetNews[];
  /** How long was waited between tries, milliseconds. */
  readonly waits: readonly number[];
}

export const from = Date.UTC(2026, 10, 21, 9);
export const to = Date.UTC(2026, 10, 21, 10);

/** Opens the reader of such a connector on a vendor that answers the n-th request, from 0, as told. */
export function openVendor(
  connector: Connector,
  answer: (request: HttpRequest, count: number) => Answer,
  options: Readonly<Record<string, unknown>> = { token: 's3cret' },
): Vendor {
  const asked: HttpRequest[] = [];
  const news: BudgetNews[] = [];
  const clock = skippingClock();
  const reader = connector.open(options, {
    http: {
      request(request) {
        asked.push(request);
        const { status = 200, headers = {}, body = {} } = answer(request, asked.length - 1);
        const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
        return Promise.resolve({ status, headers, body: bytes });
      },
      describeRoute: () => 'direct',
      openSocket: () => Promise.reject(new Error('no sockets')),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    seams: { ...systemSeams(), clock, random: seededRandom(1) },
    log: silentLog(),
    userAgent: 'penstock/0 (x)',
    limit: () => Promise.resolve(),
    budget: (_key, state) => void news.push(state),
  });
  return { connector, reader: reader as WindowReader, asked, news, waits: clock.waits };
}

const never = new AbortController().signal;

/** One page of the window. */
export function pageOf({ reader }: Vendor, state: PageState | null = null): Promise<Page> {
  return reader.page({ from, to, state }, never);
}

/** The error that a page ends with; undefined when it came. */
export async function faultOf(vendor: Vendor, state: PageState | null = null): Promise<PenstockError | undefined> {
  try {
    await pageOf(vendor, state);
    return undefined;
  } catch (error) {
    return asPenstockError(error);
  }
}

/** Walks at most ten pages; gives the ids that came. */
export async function walk(vendor: Vendor): Promise<readonly unknown[]> {
  const ids: unknown[] = [];
  let state: PageState | null = null;
  for (let page = 0; page < 10; page += 1) {
    const { records, next } = await pageOf(vendor, state);
    ids.push(...[...records].map(({ value }) => (value as { id?: unknown }).id));
    if (next === null) return ids;
    state = next;
  }
  throw new Error('the walk does not end');
}

/** Path and query of what was asked. */
export function pathsAsked({ asked }: Vendor): readonly string[] {
  return asked.map(({ url }) => decodeURIComponent(`${url.pathname}${url.search}`));
}
