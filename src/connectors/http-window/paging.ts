import { PenstockError } from '../../base/errors.ts';
import { isObject, isRawNumber } from '../../base/json.ts';
import { boundDepth, compileHas, compilePath } from '../../event/index.ts';
import type { CursorPage, PageState, RawRecord } from '../connector.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { compileColumns } from './columns.ts';
import { compileUnpaged, isRound } from './full-page.ts';
import { linkIn, linkState, withoutSecrets } from './links.ts';
import type { IsRecord } from './lists-elsewhere.ts';
import { compileList } from './record-list.ts';
import { answerOf, mostRecords, UnreadableRow } from './reply.ts';
import { ReplyRecord } from './reply-records.ts';
import { compileToldCut } from './told-cut.ts';

/** A page with its records as the vendor sent them, not cut into events. */
export interface WholePage extends CursorPage {
  readonly records: readonly RawRecord[];
}
interface PageContent extends Pick<WholePage, 'records' | 'next' | 'total' | 'mayBeCut' | 'toldCut' | 'more'> {
  /** Names of the values of records that are lists, for later pages of the walk. */
  readonly names?: readonly string[] | undefined;
}

interface PagingContext {
  readonly url: URL;
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly state: PageState | null;
  /** Names of columns that a page before told. */
  readonly names?: readonly string[] | undefined;
  /** Records asked for. */
  readonly limit: number;
  /** True once a page named the one after it. */
  readonly isPaged?: boolean;
  /** The reply with every mended place marked, where it had to be mended. */
  readonly marked?: unknown;
  /** Values that no stored link may hold. */
  readonly secrets: readonly string[];
}

/** Reads records and the way on out of a parsed reply. */
export type Paging = (reply: unknown, context: PagingContext) => PageContent;

interface Taking {
  /** Most records of a reply. */
  readonly most?: number;
  /** True where one object may stand for a list of it. */
  readonly takesOne?: boolean;
  /** What a record is known by. */
  readonly isRecord?: IsRecord | undefined;
}

/** Compiles `read.records` and `read.page`. */
export function compilePaging(spec: HttpWindowSpec, taking: Taking = {}): Paging {
  const { page } = spec;
  const readRecords = compileRecords(spec, taking);
  const readTotal = page.total === undefined ? undefined : compilePath(page.total);
  const follow = compileNext(page);
  const toldCut = compileToldCut(spec);
  const isUnpaged = compileUnpaged(spec);
  const emptyEnds = (page.empty_page ?? (page.kind === 'token' ? 'continues' : 'ends')) === 'ends';
  return (reply, context) => {
    const { names, found } = readRecords(reply, context);
    const told = readTotal === undefined ? undefined : countOf(readTotal(reply));
    // One of fewer records than stand beside it counts something else.
    const total = told !== undefined && told < found.length ? undefined : told;
    const next = found.length === 0 && emptyEnds ? null : follow(reply, { ...context, count: found.length, total });
    const isSuspect = next === null && context.state === null && context.isPaged !== true && total === undefined;
    return {
      records: found,
      names,
      next,
      total,
      ...(page.kind === 'none' && page.whole !== true && (found.length >= (page.size ?? Infinity) || isRound(found.length))
        ? { mayBeCut: true }
        : {}),
      ...(isSuspect && isUnpaged(reply, { ...context, count: found.length }) ? { mayBeCut: 'unpaged' as const } : {}),
      ...(found.length === 0 ? endOf(context.state, page, total) : {}),
      ...(next === null ? { toldCut: toldCut(reply, { ...context, before: readBefore(context.state) }) } : {}),
    };
  };
}

/** Compiles where a log goes on after a page, whether or not there is more now. */
export function compileCursorPaging(spec: HttpWindowSpec, isRecord?: IsRecord): Paging {
  const { page } = spec;
  const readRecords = compileRecords(spec, { most: Number.POSITIVE_INFINITY, isRecord });
  const more = page.more === undefined ? undefined : compilePath(page.more);
  const told = compileTold(page);
  return (reply, context) => {
    const { names, found } = readRecords(reply, context);
    const cursor = told(reply, context);
    return {
      records: found,
      names,
      next: page.kind === 'token' || cursor === undefined ? tokenState(cursor, context) : linkState(cursor, page, context),
      more: more === undefined ? undefined : answerOf(more(reply)),
    };
  };
}

/** A total up to here may be as far as the vendor counts: search engines count to 10,000. */
const longestCount = 10_000;

/**
 * What the page without records is that ends a walk by offset or number: a vendor that pages so far and no further sends it, too. One that counted
 * as many records as were read is believed, unless it may count no further, and so is one of which the connector says that it shows all.
 */
export function endOf(
  state: PageState | null,
  { whole }: Pick<HttpWindowSpec['page'], 'whole'>,
  total?: number,
): Pick<PageContent, 'mayBeCut'> {
  if (state?.kind !== 'offset' || whole === true) return {};
  const { read = 0, size = 0 } = state;
  if (total === read && read > longestCount) return {};
  return read > size && read >= 100 && isRound(read) ? { mayBeCut: true } : {};
}

/** Records of the pages before; behind a token or link any number. */
function readBefore(state: PageState | null): number {
  if (state === null) return 0;
  return state.kind === 'offset' ? (state.read ?? state.offset) : Number.POSITIVE_INFINITY;
}

type ReadRecords = (
  reply: unknown,
  context: Pick<PagingContext, 'marked' | 'names' | 'state'>,
) => { readonly found: readonly RawRecord[] } & Pick<PageContent, 'names'>;

/** The records of a reply, with their names where they are lists of values, and labelled where the reply was mended. */
function compileRecords(spec: HttpWindowSpec, { most = mostRecords, takesOne = false, isRecord }: Taking): ReadRecords {
  const { columns, reply: { trailer } = {} } = spec;
  const listOf = compileList(takesOne ? { ...spec, records_are: 'one' } : spec, most, isRecord);
  const isTrailer = trailer === undefined ? undefined : compileHas(trailer);
  const naming = columns === undefined ? undefined : compileColumns(columns);
  return (reply, { marked, names: before, state }) => {
    const names = naming?.names(reply) ?? before;
    const read = (from: unknown): readonly RawRecord[] => {
      const found = listOf(from);
      const list = isTrailer === undefined ? found : withoutTrailer(found, isTrailer);
      if (naming === undefined || list.length === 0) return list.map(rawRecord);
      if (names === undefined) throw nameless(state);
      return naming.name(list, names).map(rawRecord);
    };
    return { names, found: labelled(read(reply), marked === undefined ? undefined : read(marked)) };
  };
}

function withoutTrailer(list: readonly unknown[], isTrailer: (line: unknown) => boolean): readonly unknown[] {
  if (isTrailer(list.at(-1))) return list.slice(0, -1);
  throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'the reply lacks the last line that says what comes after its records', {
    fix: 'if it was cut off, the next poll repeats it; else correct read.reply.trailer of the connector',
  });
}

// Behind the first page they are those of the page before, which a restart forgets.
function nameless(state: PageState | null): PenstockError {
  const code = state === null ? 'PEN_SOURCE_BAD_REPLY' : 'PEN_PAGE_TOKEN_REFUSED';
  return new PenstockError(code, 'the reply does not name its columns', {
    fix: 'read.columns of the connector must lead to the list of columns, or list them',
  });
}

/** Labels the records that differ from their marked form: they were mended. */
function labelled(records: readonly RawRecord[], marked: readonly RawRecord[] | undefined): readonly RawRecord[] {
  if (marked === undefined) return records;
  const textOf = (record: RawRecord | undefined): string => JSON.stringify(boundDepth(record?.value));
  return records.map((record, index) => (textOf(record) === textOf(marked[index]) ? record : { ...record, labels: ['mended'] }));
}

function rawRecord(value: unknown): RawRecord {
  if (value instanceof ReplyRecord) return value;
  if (value instanceof UnreadableRow) return { value: value.text, unreadable: value.reason };
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
  // Where nothing says whether there is more, the next page is asked for: an empty one ends the walk.
  const hasMore = (reply: unknown): boolean => more === undefined || (answerOf(more(reply)) ?? true);
  if (page.kind === 'none') return () => null;
  if (page.kind === 'offset') return (reply, context) => (hasMore(reply) ? nextOffset(context) : null);
  if (page.kind === 'page_number') return (reply, context) => (hasMore(reply) ? nextNumber(context, page.first ?? 1) : null);
  const told = compileTold(page);
  const end = page.end === undefined ? undefined : String(page.end);
  if (page.kind === 'token')
    return (reply, context) => {
      const token = hasMore(reply) ? told(reply, context) : undefined;
      return tokenState(token === end ? undefined : token, context);
    };
  return (reply, context) => {
    const target = told(reply, context);
    return target === undefined ? null : linkState(target, page, context);
  };
}

/** Where the token or the address of the next page stands: in a header or in the body. */
function compileTold(page: HttpWindowSpec['page']): (reply: unknown, context: PagingContext) => string | undefined {
  const header = page.header?.toLowerCase();
  if (page.kind === 'link_header') return (_reply, { headers }) => linkIn(headers[header ?? 'link'] ?? '');
  if (header !== undefined) return (_reply, { headers }) => placeText(headers[header]?.trim());
  const path = compilePath((page.kind === 'link' ? page.link : page.token) ?? []);
  if (page.kind === 'token' && page.token_is === 'json') return (reply) => jsonOf(path(reply));
  // A place of several parts is asked for as they are written in a query: with commas between them.
  return (reply) => {
    const told = path(reply);
    const place = Array.isArray(told) && page.kind === 'token' ? told.map((part) => placeText(part) ?? '').join(',') : told;
    const text = placeText(place);
    if (text === undefined && !isNothing(told)) throw noPlace(page);
    return text;
  };
}

/** What vendors write where there is no next page. */
function isNothing(told: unknown): boolean {
  if (typeof told === 'object' && told !== null) return Object.keys(told).length === 0;
  return told !== true;
}

// To take it for the end would lose all that follows.
function noPlace({ kind, link, token }: HttpWindowSpec['page']): PenstockError {
  const name = kind === 'link' ? 'link' : 'token';
  const paths = [(kind === 'link' ? link : token) ?? []].flat();
  const what = `the reply has no text at ${paths.join(' or ')}, where the next page should stand`;
  return new PenstockError('PEN_SOURCE_BAD_REPLY', what, {
    fix: `read.page.${name} of the connector must lead to the ${name} itself, one step further: ${paths[0]}.href, for instance`,
  });
}

/** What the vendor told, as JSON; nothing where that is empty. */
function jsonOf(told: unknown): string | undefined {
  return /^(""|\[\]|\{\})$/.test(JSON.stringify(told ?? '')) ? undefined : JSON.stringify(told);
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
  // As many as the first page has: the total may be that of the page, and the page as large as the vendor sends any.
  const mayBeOfPage = state === null && total === count && isRound(count);
  if (total !== undefined && read >= total && count < largest && !mayBeOfPage) return null;
  const size = state?.kind === 'offset' && state.size !== undefined ? Math.max(state.size, count) : count;
  return { kind: 'offset', offset, read, size };
}

/** A token, link or id as text; undefined where there is none. */
export function placeText(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Stands in a URL and in the journal; servers take 8 kB of a URL. */
const longestToken = 32_768;

function tokenState(token: string | undefined, { secrets }: Pick<PagingContext, 'secrets'>): PageState | null {
  if (token !== undefined && token.length > longestToken)
    throw new PenstockError('PEN_SOURCE_BAD_REPLY', `the page token has ${token.length} characters, more than ${longestToken}`);
  return token === undefined ? null : { kind: 'token', token: withoutSecrets(token, secrets) };
}
