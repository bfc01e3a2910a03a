import { PenstockError } from '../../base/errors.ts';
import { clip } from '../../base/foreign-text.ts';
import { isObject, isRawNumber } from '../../base/json.ts';
import { boundDepth, compilePath, type PathsSpec } from '../../event/index.ts';
import type { Page, PageState, RawRecord } from '../connector.ts';
import type { HttpWindowSpec } from '../read-section.ts';

type PageContent = Pick<Page, 'records' | 'next' | 'total' | 'mayBeCut'>;

interface PagingContext {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly state: PageState | null;
  /** Records asked for. */
  readonly limit: number;
  /** True for the value of a query parameter that is a secret. */
  readonly isSecret: (value: string) => boolean;
}

/** Reads records and the way on out of a parsed reply. */
export type Paging = (reply: unknown, context: PagingContext) => PageContent;

/** Compiles `read.records` and `read.page`. */
export function compilePaging({ records, records_missing: missing = 'error', page }: HttpWindowSpec): Paging {
  const readRecords = compileRecords(records, missing === 'empty');
  const readTotal = page.total === undefined ? undefined : compilePath(page.total);
  const follow = compileNext(page);
  const emptyEnds = (page.empty_page ?? (page.kind === 'token' ? 'continues' : 'ends')) === 'ends';
  return (reply, context) => {
    const found = readRecords(reply);
    const total = readTotal === undefined ? undefined : countOf(readTotal(reply));
    const next = found.length === 0 && emptyEnds ? null : follow(reply, { ...context, count: found.length, total });
    return {
      records: found,
      next,
      total,
      ...(page.kind === 'none' && mayBeCut(found.length, page.size) ? { mayBeCut: true } : {}),
    };
  };
}

const usualSizes: ReadonlySet<number> = new Set([100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000]);

/** True for a reply that nothing follows and that may lack records: vendors cut at a round number, also where a larger size was asked for. */
function mayBeCut(count: number, size = Infinity): boolean {
  return count >= size || usualSizes.has(count);
}

function compileRecords(paths: PathsSpec, mayBeMissing: boolean): (reply: unknown) => readonly RawRecord[] {
  const candidates = typeof paths === 'string' ? [paths] : paths;
  const getters = candidates.map((path) => compilePath(path));
  return (reply) => {
    const found = getters.map((getter) => getter(reply)).find((value) => Array.isArray(value)) as unknown[] | undefined;
    if (found !== undefined) return withinCap(found).map(rawRecord);
    // A value of another kind at the path is never an empty list.
    if (mayBeMissing && isObject(reply) && getters.every((getter) => getter(reply) === undefined)) return [];
    const keys = isObject(reply)
      ? Object.keys(reply)
          .slice(0, 8)
          .map((key) => clip(key, 60))
          .join(', ')
      : Array.isArray(reply)
        ? 'a list'
        : typeof reply;
    throw new PenstockError(
      'PEN_SOURCE_BAD_REPLY',
      `the reply has no list of records at ${candidates.join(' or ')}; it has ${keys || 'nothing'}`,
      {
        fix: 'the API may have changed: add the path to read.records of the connector',
      },
    );
  };
}

// Each record takes a kilobyte of memory while it is examined, however small it is.
const mostRecords = 50_000;

function withinCap(found: readonly unknown[]): readonly unknown[] {
  if (found.length <= mostRecords) return found;
  throw new PenstockError('PEN_WINDOW_TOO_LARGE', `the reply has ${found.length} records, more than ${mostRecords}`, {
    fix: 'set window.max of the source to less, or read.page.size of the connector',
  });
}

function rawRecord(value: unknown): RawRecord {
  if (isObject(value)) return { value };
  return {
    value: typeof value === 'string' ? value : JSON.stringify(boundDepth(value)),
    unreadable: 'the record is not a JSON object',
  };
}

function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && value !== '' ? Number(value) : isRawNumber(value) ? Number(value.rawJSON) : value;
  return typeof count === 'number' && Number.isInteger(count) && count >= 0 ? count : undefined;
}

type Follow = (
  reply: unknown,
  context: PagingContext & { readonly count: number; readonly total: number | undefined },
) => PageState | null;

function compileNext(page: HttpWindowSpec['page']): Follow {
  const more = page.more === undefined ? undefined : compilePath(page.more);
  const hasMore = (reply: unknown): boolean => more === undefined || more(reply) === true || more(reply) === 'true';
  if (page.kind === 'none') return () => null;
  if (page.kind === 'offset') return (reply, context) => (hasMore(reply) ? nextOffset(context) : null);
  if (page.kind === 'page_number') return (reply, context) => (hasMore(reply) ? nextNumber(context, page.first ?? 1) : null);
  if (page.kind === 'link_header') return (_reply, context) => linkState(nextLink(context.headers['link'] ?? ''), context);
  if (page.kind === 'link') {
    const link = compilePath(page.link ?? []);
    return (reply, context) => linkState(textOf(link(reply)), context);
  }
  const token = compilePath(page.token ?? []);
  return (reply) => tokenState(hasMore(reply) ? token(reply) : undefined);
}

function nextOffset({ state, count, total, limit }: Parameters<Follow>[1]): PageState | null {
  const offset = (state?.kind === 'offset' ? state.offset : 0) + count;
  return offsetState({ state, count, total, limit }, offset, offset);
}

function nextNumber({ state, count, total, limit }: Parameters<Follow>[1], first: number): PageState | null {
  const number = state?.kind === 'offset' ? state.offset : first;
  const before = (state?.kind === 'offset' ? state.read : undefined) ?? (number - first) * limit;
  return offsetState({ state, count, total, limit }, number + 1, before + count);
}

// A short page is not the last one, and the total moves while we read. It is a hint: some vendors count no further than they page. So a walk ends
// at an empty page, or when the total is reached by a page that has room for more.
function offsetState(
  { state, count, total, limit }: Pick<Parameters<Follow>[1], 'state' | 'count' | 'total' | 'limit'>,
  offset: number,
  read: number,
): PageState | null {
  const largest = (state?.kind === 'offset' ? state.size : undefined) ?? limit;
  if (total !== undefined && read >= total && count < largest) return null;
  const size = state?.kind === 'offset' && state.size !== undefined ? Math.max(state.size, count) : count;
  return { kind: 'offset', offset, read, size };
}

function textOf(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Stands in a URL and in the journal; servers take 8 kB of a URL. */
const longestToken = 32_768;

function tokenState(value: unknown): PageState | null {
  const token = textOf(value);
  if (token !== undefined && token.length > longestToken)
    throw new PenstockError('PEN_SOURCE_BAD_REPLY', `the page token has ${token.length} characters, more than ${longestToken}`);
  return token === undefined ? null : { kind: 'token', token };
}

/** The target of `rel="next"` in a Link header. Source: https://www.rfc-editor.org/rfc/rfc8288#section-3 */
export function nextLink(header: string): string | undefined {
  for (const [, target, parameters] of header.matchAll(
    /<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g,
  )) {
    for (const [, name = '', value = ''] of (parameters ?? '').matchAll(
      /;\s*([^\s=;,]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?/g,
    )) {
      if (name.toLowerCase() === 'rel' && value.replaceAll('"', '').toLowerCase().split(/\s+/).includes('next')) return target;
    }
  }
  return undefined;
}

const credentialNames =
  /^(access_?token|api_?key|client_secret|password|secret|sig|signature|jwt|authorization|x-amz-(signature|security-token|credential))$/i;

function linkState(target: string | undefined, { url, isSecret }: PagingContext): PageState | null {
  if (target === undefined) return null;
  if (target.length > longestToken)
    throw new PenstockError(
      'PEN_SOURCE_BAD_REPLY',
      `the link to the next page has ${target.length} characters, more than ${longestToken}`,
    );
  const next = URL.parse(target, url.href);
  if (next === null) throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'the link to the next page is not a URL');
  if (next.origin !== url.origin) {
    throw new PenstockError('PEN_FOREIGN_ORIGIN', `the link to the next page leads from ${url.origin} to ${next.origin}`, {
      fix: `if that host is the vendor's, set the API address in the options to it; credentials are never sent elsewhere`,
    });
  }
  const kept = next.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !isCredential(pair, isSecret));
  return { kind: 'link', path: `${next.pathname}${kept.length === 0 ? '' : `?${kept.join('&')}`}` };
}

function isCredential(pair: string, isSecret: (value: string) => boolean): boolean {
  const [[name, value] = ['', '']] = new URLSearchParams(pair);
  return credentialNames.test(name) || isSecret(value);
}
