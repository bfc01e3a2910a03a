import { exactNumber, parseJson } from '../../base/json.ts';
import { dayMs, durationMs, hourMs, iso, sizeBytes } from '../../base/quantity.ts';
import { openZone } from '../../event/index.ts';
import type { HttpRequest } from '../../http/client.ts';
import { compileUrl } from '../origin.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import type { WindowSpec } from '../request-section.ts';
import { compileTemplate, type Scope, type Template } from '../template.ts';

/** Makes the request of a page out of values; everything else is fixed. */
export interface RequestTemplate {
  origin(scope: Scope): string;
  /** The request for the first page, or for a later one. */
  make(scope: Scope, isFirst: boolean): HttpRequest & { readonly headers: Readonly<Record<string, string>> };
}

type QuerySpec = Readonly<Record<string, unknown>>;
type Part = readonly [name: string, values: readonly Template[]];

/** Compiles `read.request` once per connector; `query` takes the place of its query. */
export function compileRequest(
  { request, window, reply, page }: HttpWindowSpec,
  query: QuerySpec = request.query ?? {},
): RequestTemplate {
  const main = compileUrl(request.url);
  const headers = Object.entries(request.headers ?? {}).map(
    ([name, value]) => [name.toLowerCase(), compileTemplate(value)] as const,
  );
  const content = (variant: Variant = {}): Content => compileContent({ ...request, query }, variant, typesOf({ window, page }));
  const [first, later] = [content(request.first), content(request.later)];
  const timeoutMs = durationMs(request.timeout ?? '30s');
  const maxBytes = sizeBytes(request.max_bytes ?? '16MiB');
  return {
    origin: (scope) => main.origin(scope),
    make(scope, isFirst) {
      const { url, parts, body, method } = isFirst ? first : later;
      const target = url.render(scope);
      const added = fieldsOf(parts, scope);
      if (added !== '') target.search += `${target.search === '' ? '' : '&'}${added}`;
      const rendered = headers.flatMap(([name, template]) => {
        const value = template.render(scope);
        return value === undefined ? [] : [[name, value] as const];
      });
      const fixed = {
        accept: accepted[reply?.format ?? 'json'],
        ...(body === undefined ? {} : { 'content-type': body.type }),
      };
      return {
        method,
        url: target,
        headers: { ...fixed, ...Object.fromEntries(rendered) },
        body: body?.write(scope),
        place: scope('page.token'),
        timeoutMs,
        maxBytes,
      };
    },
  };
}

const accepted = {
  json: 'application/json',
  ndjson: 'application/x-ndjson, application/json',
  csv: 'text/csv, application/json',
};

interface Content {
  readonly url: ReturnType<typeof compileUrl>;
  readonly method: 'GET' | 'POST';
  readonly parts: readonly Part[];
  readonly body: BodyTemplate | undefined;
}

interface BodyTemplate {
  readonly type: string;
  write(scope: Scope): string;
}

type Variant = Partial<Record<'query' | 'body', QuerySpec | undefined>> & {
  readonly method?: 'GET' | 'POST' | undefined;
  readonly url?: string | undefined;
};

/** What a request sends, with what differs in one kind of page; null leaves a parameter or member out. */
function compileContent(
  all: Variant & Pick<HttpWindowSpec['request'], 'url' | 'body_format'>,
  variant: Variant,
  types: BodyTypes,
): Content {
  const merged = (name: 'query' | 'body'): QuerySpec =>
    Object.fromEntries(
      Object.entries({ ...all[name], ...variant[name] }).filter(
        ([key, value]) => value !== null || variant[name]?.[key] !== null,
      ),
    );
  const method = variant.method ?? all.method ?? 'GET';
  const hasBody = method !== 'GET' && (all.body !== undefined || variant.body !== undefined);
  return {
    url: compileUrl(variant.url ?? all.url),
    parts: partsOf(merged('query')),
    method,
    body: hasBody ? compileBody(merged('body'), all.body_format, types) : undefined,
  };
}

function compileBody(body: QuerySpec, format: HttpWindowSpec['request']['body_format'], types: BodyTypes): BodyTemplate {
  if (format === 'form') {
    const parts = partsOf(body);
    return { type: 'application/x-www-form-urlencoded', write: (scope) => fieldsOf(parts, scope) };
  }
  const json = compileJson(body, types);
  return { type: 'application/json', write: (scope) => JSON.stringify(json(scope)) };
}

function partsOf(fields: QuerySpec): Part[] {
  // What is null is left out.
  const itemsOf = (value: unknown): unknown[] => listOf(value).filter((item) => item !== null);
  return Object.entries(fields).map(([name, value]) => [name, itemsOf(value).map((item) => compileTemplate(String(item)))]);
}

/** The query of the sweep: that of the request with some parameters replaced and those that are null left out. */
export function sweepQuery({ request, sweep }: HttpWindowSpec): QuerySpec {
  return Object.fromEntries(Object.entries({ ...request.query, ...sweep?.query }).filter(([, value]) => value !== null));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [value];
}

// Written by hand: URLSearchParams would write a blank as `+`, which some vendors take literally.
function fieldsOf(parts: readonly Part[], scope: Scope): string {
  return parts
    .flatMap(([name, templates]) =>
      templates.flatMap((template) => {
        const value = template.render(scope);
        return value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value.toWellFormed())}`];
      }),
    )
    .join('&');
}

type JsonTemplate = (scope: Scope) => unknown;

/** Compiles a body of JSON: at any depth texts are templates, and what has no value now is left out. */
export function compileJson(value: unknown, types: BodyTypes = new Map()): JsonTemplate {
  if (typeof value === 'string') return compileText(value, types);
  if (Array.isArray(value)) {
    const items = value.map((item) => compileJson(item, types));
    return (scope) => items.map((item) => item(scope)).filter((item) => item !== undefined);
  }
  if (typeof value !== 'object' || value === null) return () => value;
  const members = Object.entries(value).map(([key, inner]) => [key, compileJson(inner, types)] as const);
  return (scope) => Object.fromEntries(members.map(([key, inner]) => [key, inner(scope)]));
}

/** How a value is written in JSON, by its name: vendors that take a JSON body refuse as text what is a number or a list. Others are texts. */
type BodyTypes = ReadonlyMap<string, (rendered: string) => unknown>;

function typesOf({ window: { format = 'rfc3339' }, page }: Pick<HttpWindowSpec, 'window' | 'page'>): BodyTypes {
  const bounds = format.startsWith('epoch_') ? ['window.from', 'window.to'] : [];
  const numbers = ['page.offset', 'page.limit', 'page.number', ...bounds];
  const isJson = page.token_is === 'json';
  return new Map([
    ...numbers.map((name) => [name, exactNumber] as const),
    ...(isJson ? [['page.token', readTold] as const] : []),
  ]);
}

/** A token that a header told may be no JSON: then it is a text. */
function readTold(token: string): unknown {
  try {
    return parseJson(token);
  } catch (error) {
    if (error instanceof SyntaxError) return token;
    throw error;
  }
}

// A text that is nothing but the place of such a value has its type.
function compileText(text: string, types: BodyTypes): JsonTemplate {
  const template = compileTemplate(text);
  const type = template.parts.length === 1 ? types.get(template.names[0] ?? '') : undefined;
  return (scope) => {
    const rendered = template.render(scope);
    return type === undefined || rendered === undefined ? rendered : type(rendered);
  };
}

/**
 * Writes a window bound (milliseconds) as the vendor reads it. Of finer digits than it takes, RFC 3339 and epochs cut off; a date or a
 * pattern ends the window at the next that can be written, so that no record falls behind it.
 */
export type BoundFormat = (ms: number, edge: 'from' | 'to') => string;

/** Granularity of window bounds in milliseconds. */
export function precisionMs({ precision = 'ms', format = 'rfc3339' }: WindowSpec): number {
  return precision === 's' || format === 'epoch_s' ? 1000 : 1;
}

/** Compiles the format once for a connector. Always UTC with `Z`: a plus sign would need care in a query. */
export function compileBound({ precision = 'ms', format = 'rfc3339', zone }: WindowSpec): BoundFormat {
  if (format === 'epoch_s') return (ms) => String(Math.floor(ms / 1000));
  if (format === 'epoch_ms') return (ms) => String(Math.floor(ms));
  if (format === 'epoch_us') return (ms) => `${Math.floor(ms)}000`;
  if (format === 'epoch_ns') return (ms) => `${Math.floor(ms)}000000`;
  if (format === 'date') return compilePattern('yyyy-MM-dd', zone);
  if (format !== 'rfc3339') return compilePattern(format, zone);
  if (precision === 's') return (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  if (precision === 'us') return (ms) => `${new Date(ms).toISOString().slice(0, 23)}000Z`;
  return (ms) => iso(ms);
}

/** Where each part of a pattern stands in `2026-11-20T10:15:30.123Z`. */
const patternParts: Readonly<Record<string, readonly [start: number, end: number]>> = {
  yyyy: [0, 4],
  MM: [5, 7],
  dd: [8, 10],
  HH: [11, 13],
  mm: [14, 16],
  ss: [17, 19],
  SSS: [20, 23],
};
/** Names of days and months, as mail and web servers write them: `Sat, 28 Nov 2026`. */
const namedParts: Readonly<Record<string, (text: string) => string>> = {
  EEE: (text) => new Date(text).toUTCString().slice(0, 3),
  MMM: (text) => new Date(text).toUTCString().slice(8, 11),
};
const patternSteps = [
  ['SSS', 1],
  ['ss', 1000],
  ['mm', 60_000],
  ['HH', 3_600_000],
] as const;

const piecesOf = (pattern: string): readonly string[] => pattern.match(/'[^']*'|EEE|MMM|yyyy|MM|dd|HH|mm|ss|SSS|[\s\S]/g) ?? [];
const stepOf = (pieces: readonly string[]): number => patternSteps.find(([part]) => pieces.includes(part))?.[1] ?? dayMs;

/** What is wrong with a pattern in which letters stand for nothing, or the month for the minute: bounds would be written that the vendor misreads. */
export function patternFault(pattern: string): readonly [what: string, fix: string] | undefined {
  if (/^(?:rfc3339|date|epoch_\w+)$/.test(pattern)) return undefined;
  if (/HH\W?MM/.test(pattern)) return ['"MM" stands where the minute belongs', 'MM is the month and mm the minute'];
  const rest = piecesOf(pattern)
    .map((piece) => (piece.length > 1 ? ' ' : piece))
    .join('');
  const word = rest.match(/[A-Za-z]+/g)?.find((letters) => letters !== 'T' && letters !== 'Z');
  if (word === undefined) return undefined;
  const meant = pattern.replaceAll('hh', 'HH').replaceAll('DD', 'dd').replaceAll('YYYY', 'yyyy');
  return [
    `"${word}" stands for nothing`,
    meant === pattern ? `put text that stands for itself into single quotes: '${word}'` : `write ${meant}`,
  ];
}

/** How far apart bounds are that a date or pattern can tell, in milliseconds; 0 for formats that tell them as they are. */
export function boundStepMs({ format = 'rfc3339' }: Pick<WindowSpec, 'format'>): number {
  if (format === 'date') return dayMs;
  return format === 'rfc3339' || format.startsWith('epoch_') ? 0 : stepOf(piecesOf(format));
}

function compilePattern(pattern: string, zoneName = '+00:00'): BoundFormat {
  const zone = openZone(zoneName);
  const pieces = piecesOf(pattern);
  const step = stepOf(pieces);
  return (ms, edge) => {
    // Where clocks are put back an hour comes twice, and the vendor may take it for the other one.
    const around = [ms - hourMs, ms, ms + hourMs].map((at) => zone.toWall(at) - at);
    const isTurning = around.some((offset) => offset !== around[0]);
    const wall = zone.toWall(ms) + (isTurning ? (edge === 'from' ? -hourMs : hourMs) : 0);
    const bound = (edge === 'from' ? Math.floor(wall / step) : Math.ceil(wall / step)) * step;
    const text = iso(bound);
    return pieces
      .map((piece) => {
        const place = patternParts[piece];
        if (place !== undefined) return text.slice(...place);
        if (namedParts[piece] !== undefined) return namedParts[piece](text);
        return piece.length > 1 && piece.startsWith("'") ? piece.slice(1, -1) : piece;
      })
      .join('');
  };
}
