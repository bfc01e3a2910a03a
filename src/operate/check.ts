import { deadline } from '../base/clock.ts';
import { asPenstockError, consequenceOf } from '../base/errors.ts';
import { counted, dayMs, formatDuration, hourMs } from '../base/quantity.ts';
import { Budgets } from '../collect/index.ts';
import type { Config, SinkConfig, SourceConfig } from '../config/config.ts';
import type {
  CursorReader,
  DirectoryReader,
  Page,
  PageRequest,
  RecordFacts,
  StreamReader,
  WindowReader,
} from '../connectors/connector.ts';
import { openHttpClient } from '../http/index.ts';
import { type OpenContext, openReader, openSink, plainUserAgent } from '../runtime/open-runtime.ts';
import { factsOf, oddRecords, otherUnit } from './check-records.ts';
import { describeSize, largestOf } from './largest-event.ts';

/** What a live check found out about one source or sink; field names are stable. */
export interface Finding {
  readonly kind: 'journal' | 'source' | 'sink';
  readonly name: string;
  readonly ok: boolean;
  /** One line each, for people. */
  readonly findings: readonly string[];
  /** How its requests travel. */
  readonly route: readonly string[];
  readonly fix?: string;
}

const weekMs = 7 * dayMs;
const timeoutMs = 30_000;
const sampleSize = 100;

interface Sample {
  readonly count: number;
  readonly more: boolean;
  /** True where the page is full and nothing in it leads to another. */
  readonly isUnpaged: boolean;
  readonly newest: number | undefined;
  readonly backMs: number;
  /** What is wrong with its records, or with its emptiness. */
  readonly odd: readonly string[];
}

function newestOf(facts: readonly RecordFacts[]): number | undefined {
  const times = facts.map(({ time }) => time).filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** True where the next page begins behind the rows of this one: only then can the last row be asked for. */
const isByRow = ({ next, count, records }: Page): boolean => next?.kind === 'offset' && next.offset === (count ?? records.length);

/** One page of the last days; a second one-record call reads the newest where the API pages by offset. */
async function sample(
  reader: WindowReader,
  source: SourceConfig,
  now: number,
  backMs: number,
  signal: AbortSignal,
): Promise<Sample> {
  const request: PageRequest = { from: now - backMs, to: now, state: null, limit: sampleSize };
  const page = await reader.page(request, signal);
  const count = page.total ?? page.records.length;
  const last =
    page.total !== undefined && page.total > page.records.length && isByRow(page)
      ? { kind: 'offset' as const, offset: page.total - 1 }
      : undefined;
  const end = last === undefined ? page : await reader.page({ ...request, state: last }, signal);
  const isUnpaged = page.mayBeCut === 'unpaged';
  const more = isUnpaged || (page.total === undefined && page.next !== null);
  const facts = factsOf(page, source);
  const newest = newestOf(last === undefined ? facts : factsOf(end, source));
  const odd = count === 0 ? await oddSilence(reader, source, request, signal) : oddRecords(facts, source, now);
  return { count, more, isUnpaged, newest, backMs, odd };
}

async function oddSilence(
  reader: WindowReader,
  source: SourceConfig,
  span: Pick<PageRequest, 'from' | 'to'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const unit = await otherUnit(reader, source, span, signal);
  if (unit === undefined) return [];
  const what = `it has events where the bounds are written as ${unit}, not ${source.connector.defaults.epoch}`;
  return [`${what}: set format: ${unit} under read.window of the connector`];
}

async function sampleWindow(reader: WindowReader, source: SourceConfig, now: number, signal: AbortSignal): Promise<Sample> {
  const { maxMs, minMs } = source.window;
  const spans = [weekMs, maxMs, hourMs, minMs].filter((ms, index, all) => ms < (all[index - 1] ?? Infinity));
  for (const [index, backMs] of spans.entries()) {
    try {
      return await sample(reader, source, now, backMs, signal);
    } catch (error) {
      if (consequenceOf(error).walk !== 'halve' || index + 1 === spans.length) throw error;
    }
  }
  return sample(reader, source, now, minMs, signal);
}

function describeSample({ count, more, isUnpaged, newest, backMs }: Sample, now: number): string {
  const span = `in the last ${formatDuration(backMs)}`;
  if (count === 0) return `answers; no events ${span}`;
  const age = newest === undefined ? '' : `, the newest ${formatDuration(now - newest)} ago`;
  const unpaged = isUnpaged ? '; the page is full and names no next one: see that read.page of the connector leads to it' : '';
  return `answers; ${more ? `${count} or more events` : counted(count, 'event')} ${span}${age}${unpaged}`;
}

async function describeFiles(reader: DirectoryReader, signal: AbortSignal): Promise<string[]> {
  const { files, skipped } = await reader.list(signal);
  return [`${counted(files.length, 'file')} to read`, ...skipped.map(({ path, reason }) => `${path} is skipped: ${reason}`)];
}

type Outcome = Pick<Finding, 'ok' | 'findings' | 'fix'>;

async function describeStream(reader: StreamReader, options: CheckOptions, signal: AbortSignal): Promise<Outcome> {
  if (reader.probe === undefined) return { ok: true, findings: ['connects when the daemon runs; nothing was read'] };
  const { findings, fault } = await reader.probe(signal, options);
  return { ok: fault === undefined, findings, fix: fault?.fix };
}

/** A cursor that begins there: one page, from which no cursor is kept. */
function asWindows(reader: CursorReader): WindowReader {
  return (
    reader.range ?? {
      kind: 'http_window',
      page: async ({ from, limit, state }, signal) => {
        const page = await reader.page({ state, from, ...(limit === undefined ? {} : { limit }) }, signal);
        return page.more === false ? { ...page, next: null } : page;
      },
      requestCount: 0,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  );
}

async function describeReader(
  reader: WindowReader | CursorReader | DirectoryReader,
  source: SourceConfig,
  now: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (reader.kind === 'csv_directory') return describeFiles(reader, signal);
  const asked = reader.kind === 'http_cursor' ? asWindows(reader) : reader;
  const found = await sampleWindow(asked, source, now, signal);
  return [describeSample(found, now), ...found.odd];
}

function failure(error: unknown): { ok: false; findings: string[]; fix?: string } {
  const { message, fix } = asPenstockError(error);
  return { ok: false, findings: [message], fix };
}

interface CheckOptions {
  /** Makes the subscription of a stream when it does not exist. */
  readonly createSubscription?: boolean;
}

/** Asks one source for little, live. Never writes anything, but for the subscription that it is asked to make. */
async function checkSource(
  source: SourceConfig,
  context: OpenContext,
  signal: AbortSignal,
  options: CheckOptions = {},
): Promise<Finding> {
  const route = await routeOf(
    Object.values(source.identity).filter((text) => /^(?:https?|wss?):/.test(text) && URL.canParse(text)),
    source,
    context,
  );
  const base = { kind: 'source', name: source.name, route } as const;
  using limit = deadline(context.seams.clock, timeoutMs, signal);
  try {
    await using reader = await openReader(source, context, new Budgets(context.seams, context.log));
    if (reader.kind === 'pulsar_websocket') return { ...base, ...(await describeStream(reader, options, limit.signal)) };
    const findings = await describeReader(reader, source, context.seams.clock.now(), limit.signal);
    return { ...base, ok: true, findings };
  } catch (error) {
    return { ...base, ...failure(error) };
  }
}

/** Probes one sink, live, with a marked test event at most. */
async function checkSink(config: Config, sink: SinkConfig, context: OpenContext, signal: AbortSignal): Promise<Finding> {
  const route = await routeOf(sink.sinkType.urls(sink.options), sink, context);
  const base = { kind: 'sink', name: sink.name, route } as const;
  using limit = deadline(context.seams.clock, timeoutMs, signal);
  try {
    await using opened = await openSink(sink, context, config.sources);
    const largest = await largestOf(config, sink, opened, context);
    const report = await opened.probe(limit.signal, largest?.bytes);
    const size = describeSize(largest, opened);
    const fix = report.fix ?? size.fix;
    return { ...base, ok: report.ok && size.fix === undefined, findings: [...report.findings, ...size.findings], fix };
  } catch (error) {
    return { ...base, ...failure(error) };
  }
}

async function routeOf(urls: readonly string[], { http }: SourceConfig | SinkConfig, context: OpenContext): Promise<string[]> {
  await using client = await openHttpClient({ userAgent: plainUserAgent, proxy: http.proxy }, context.seams);
  const ways = urls.map((text) => {
    const url = new URL(text);
    const isHttp = url.protocol.startsWith('http') || url.protocol.startsWith('ws');
    return `${url.protocol}//${url.host} ${isHttp ? client.describeRoute(url) : 'direct'}`;
  });
  return [...new Set(ways)];
}

/** Checks everything enabled, sources first, reporting each as it is known. */
export async function* check(
  config: Config,
  context: OpenContext,
  signal: AbortSignal,
  options: CheckOptions = {},
): AsyncGenerator<Finding> {
  for (const source of config.sources.filter(({ enabled }) => enabled)) yield await checkSource(source, context, signal, options);
  for (const sink of config.sinks.filter(({ enabled }) => enabled)) yield await checkSink(config, sink, context, signal);
}
