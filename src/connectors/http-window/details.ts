// A second request for each record, for vendors whose list says only that something happened.
import { sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { isObject, isRawNumber, type Json } from '../../base/json.ts';
import { durationMs, sizeBytes } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import { compilePath } from '../../event/index.ts';
import type { HttpRequest } from '../../http/client.ts';
import type { Detail, DetailReader } from '../connector.ts';
import { compileUrl } from '../origin.ts';
import type { DetailsSpec } from '../read-section.ts';
import { compileTemplate, type Scope } from '../template.ts';
import { linkState, linkUrl } from './links.ts';
import { compileJson } from './request.ts';
import { compileStorage, type StoredRequest, storedRequest } from './storage.ts';

/** Makes the request for the detail of a record, or says why it cannot be asked for. */
interface DetailsPlan {
  readonly spec: DetailsSpec;
  request(record: Json, list: () => URL, options: Scope, secrets: readonly string[]): StoredRequest | Detail;
  /** The record with what the reply holds. */
  merge(record: Json, reply: unknown): Readonly<Record<string, unknown>> | undefined;
}

/** Compiles `read.details`; `hosts` are those of `read.storage`. */
export function compileDetails(spec: DetailsSpec, hosts?: readonly string[]): DetailsPlan {
  const { url, link, timeout = '30s', max_bytes: maxBytes = '4MiB', record: at, into } = spec;
  const address = url === undefined ? undefined : compileUrl(url);
  const readLink = link === undefined ? undefined : compilePath(link);
  const content = compileContent(spec);
  const storage = compileStorage(hosts);
  const readDetail = at === undefined ? (reply: unknown): unknown => reply : compilePath(at);
  return {
    spec,
    request(record, list, options, secrets) {
      const scope = scopeWith('record', record, options);
      try {
        const asked = { method: 'GET', timeoutMs: durationMs(timeout), maxBytes: sizeBytes(maxBytes) } as const;
        const stored = readLink && storage(options).at(readLink(record), list());
        if (stored !== undefined) return storedRequest({ ...asked, url: stored }, stored);
        const target = address === undefined ? linked(readLink?.(record), list(), secrets) : address.render(scope);
        return { ...asked, url: target, ...content(scope) };
      } catch (error) {
        if (!(error instanceof PenstockError)) throw error;
        return { lack: error.message, isAnswer: false };
      }
    },
    merge(record, reply) {
      const detail = readDetail(reply);
      if (!isObject(record) || detail === undefined || detail === null) return undefined;
      if (into !== undefined) return { ...record, [into]: detail };
      return isObject(detail) ? { ...record, ...detail } : undefined;
    },
  };
}

/** What the request for a detail sends beside its address. */
function compileContent({
  method = 'GET',
  headers = {},
  body,
}: DetailsSpec): (scope: Scope) => Pick<HttpRequest, 'method' | 'headers' | 'body'> {
  const fixed = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), compileTemplate(value)] as const);
  const json = body === undefined ? undefined : compileJson(body);
  return (scope) => {
    const rendered = fixed.flatMap(([name, value]) =>
      [[name, value.render(scope)] as const].filter((pair) => pair[1] !== undefined),
    );
    const own = { accept: 'application/json', ...(json && { 'content-type': 'application/json' }) };
    return {
      method,
      headers: { ...own, ...(Object.fromEntries(rendered) as Record<string, string>) },
      ...(json && { body: JSON.stringify(json(scope)) }),
    };
  };
}

/** Values of the options, and of a value by path under a name: `record.id`. */
export function scopeWith(prefix: 'record' | 'group' | 'reply', held: Json, options: Scope): Scope {
  return (name) => {
    if (!name.startsWith(`${prefix}.`)) return options(name);
    const value: unknown = compilePath(name.slice(prefix.length + 1))(held);
    if (isRawNumber(value)) return value.rawJSON;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
}

/** An address that stands in a record; the credential goes nowhere but to the origin of the list. */
export function linked(target: unknown, list: URL, secrets: readonly string[]): URL {
  if (typeof target !== 'string' || target === '')
    throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'nothing names an address where one was due');
  const state = linkState(target, { kind: 'link' }, { url: list, secrets });
  if (state.kind !== 'link') throw new PenstockError('PEN_INTERNAL', 'a link without a path');
  return linkUrl(state.path, list, secrets);
}

/** What stands in an answer, and how large that is. */
export interface Answered {
  readonly value: unknown;
  readonly bytes: number;
}

/** Asks for one detail; rejects as a page does. */
type Ask = (request: HttpRequest, signal: AbortSignal) => Promise<Answered>;

interface Asking {
  readonly seams: Seams;
  readonly options: Scope;
  /** The address of the list, to which the credential may go. */
  readonly list: () => URL;
  readonly secrets: () => readonly string[];
  readonly ask: Ask;
}

/** Refusals in a row, before anything was answered, after which the credential is taken to lack the right. */
const refusedAtAll = 3;

/** Opens the reader of details for one source. */
export function openDetails(plan: DetailsPlan, { seams, options, list, secrets, ask }: Asking): DetailReader {
  const wait = openRate(plan.spec.rate, seams);
  const refused = new Set<string>();
  let hasAnswered = false;
  return {
    async ask(record, uid, signal) {
      const request = plan.request(record, list, options, secrets());
      if ('lack' in request) return request;
      if (!('url' in request)) return { lack: 'the record names no address of its detail', isAnswer: false };
      await wait(signal);
      try {
        const { value, bytes } = await ask(request, signal);
        const merged = plan.merge(record, value);
        hasAnswered = true;
        return merged === undefined ? { lack: 'the answer holds no detail', isAnswer: true } : { record: merged, bytes };
      } catch (error) {
        // Behind the list's first page a refusal is that of a place: this record's.
        if (!(error instanceof PenstockError) || error.code !== 'PEN_PAGE_TOKEN_REFUSED') throw error;
        // The address may have ended: its page is asked for again, and has another.
        if (request.isStored === true) throw gone(error);
        if (error.status === 403 && !hasAnswered) refused.add(uid);
        if (hasAnswered || refused.size < refusedAtAll) return { lack: error.message, isAnswer: true };
        throw new PenstockError('PEN_SOURCE_REFUSED', error.message, {
          status: 403,
          cause: error,
          fix: 'give the credential the right to read the details of records; collection resumes from the last checkpoint by itself',
        });
      }
    },
  };
}

function gone(error: PenstockError): PenstockError {
  return new PenstockError('PEN_SOURCE_UNAVAILABLE', error.message, {
    cause: error,
    ...(error.status === undefined ? {} : { status: error.status }),
  });
}

/** Lets one request through as often as `10/1s` says, evenly. */
function openRate(rate: string | undefined, { clock }: Seams): (signal: AbortSignal) => Promise<void> {
  const [count = '', per = ''] = rate?.split('/') ?? [];
  const gapMs = rate === undefined ? 0 : durationMs(/^\d/.test(per) ? per : `1${per}`) / Number(count);
  let next = Number.NEGATIVE_INFINITY;
  return async (signal) => {
    const now = clock.monotonic();
    const at = Math.max(now, next);
    next = at + gapMs;
    if (at > now) await sleep(clock, at - now, signal);
  };
}
