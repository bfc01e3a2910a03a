// From a configuration to sources and sinks that can run: the only place where the rooms are wired together.
import { hostname } from 'node:os';
import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { packageVersion } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import { Budgets, idMemoryMs, pinnedIdMemoryMs, startSource } from '../collect/index.ts';
import type { Config, ConnectionConfig, Options, SinkConfig, SourceConfig } from '../config/config.ts';
import type { Reader } from '../connectors/connector.ts';
import { compileConnector } from '../connectors/index.ts';
import { startDelivery } from '../deliver/index.ts';
import type { Mapper } from '../event/event.ts';
import type { HttpClient } from '../http/client.ts';
import { openHttpClient, ReplyMemory } from '../http/index.ts';
import type { Journal, SinkRegistration, SourceRegistration } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import type { RunningSink, RunningSource, Runtime } from './runtime.ts';
import { tellingErrors } from './telling-errors.ts';

/** What opening sources and sinks needs besides their configuration. */
export interface OpenContext {
  readonly seams: Seams;
  readonly log: Log;
  /** Sent with every request to a vendor. */
  readonly userAgent: string;
  /** Of the whole process: what no text may show. */
  readonly secrets: Secrets;
  /** What all replies may take together; each client alone has as much when it is absent. */
  readonly replies?: ReplyMemory;
}

/** The User-Agent without the random part by which a running daemon recognises its own requests. */
export const plainUserAgent = `penstock/${packageVersion}`;

const userAgentNote = 'user_agent_id';

/** The User-Agent of this journal: it carries a random 128-bit id, so that the records of our own requests can be recognised. */
export async function userAgentOf(journal: Journal, seams: Seams): Promise<string> {
  const known = await journal.note('', userAgentNote);
  const id = typeof known === 'string' ? known : seams.random.hex(16);
  if (known !== id) await journal.setNote('', userAgentNote, id);
  return `${plainUserAgent} (${id})`;
}

function openClient(connection: ConnectionConfig, context: OpenContext): Promise<HttpClient> {
  const { seams, userAgent, secrets, replies } = context;
  const { tls, proxy } = connection;
  return openHttpClient({ userAgent, secrets, memory: replies, tls, proxy }, seams);
}

/** The same object, which on disposal also closes the HTTP client that was opened for it. */
function withClient<T extends AsyncDisposable>(opened: T, client: HttpClient): T {
  return Object.create(opened, {
    [Symbol.asyncDispose]: {
      async value() {
        await opened[Symbol.asyncDispose]();
        await client[Symbol.asyncDispose]();
      },
    },
  }) as T;
}

/** Opens a source's reader with secrets and certificates as they are now; `overrides` take the place of options. */
export async function openReader(
  source: SourceConfig,
  context: OpenContext,
  budgets: Budgets,
  overrides: Options = {},
): Promise<Reader> {
  const [resolved, connection] = await Promise.all([source.resolveOptions(), source.resolveHttp()]);
  const options = { ...resolved, ...overrides };
  const http = await openClient(connection, context);
  const { seams, userAgent } = context;
  const log = context.log.child({ source: source.name });
  const reader = source.connector.open(options, { http, seams, log, userAgent, ...budgets.of(source.name, source.rateLimit) });
  return withClient(tellingErrors(reader, context.secrets), http);
}

/** Opens a sink with secrets and certificates as they are now. */
export async function openSink(sink: SinkConfig, context: OpenContext): Promise<Sink> {
  const [options, connection] = await Promise.all([sink.resolveOptions(), sink.resolveHttp()]);
  const http = await openClient(connection, context);
  const { format, timeoutMs, name } = sink;
  const sinkContext = {
    name,
    http,
    seams: context.seams,
    log: context.log.child({ sink: name }),
    hostname: hostname(),
    version: packageVersion,
    format,
    timeoutMs,
  };
  return withClient(await sink.sinkType.open(options, sinkContext), http);
}

/** First polls are spread: hundreds at once would block the event loop and burden the vendors. */
const startJitterMs = (sources: number): number => 10 * sources;

function buildSource(
  source: SourceConfig,
  journal: Journal,
  context: OpenContext,
  budgets: Budgets,
  jitterMs: number,
): RunningSource {
  const log = context.log.child({ source: source.name });
  const { seams, userAgent } = context;
  const open = (overrides?: Options): Promise<Reader> => openReader(source, context, budgets, overrides);
  const deps = {
    journal,
    seams,
    log,
    userAgent,
    secrets: context.secrets,
    openReader: () => open(),
    openDirectory: (directory: string) => open({ directory }),
    pauseMs: () => budgets.pauseMs(source.name),
    startJitterMs: jitterMs,
  };
  return { settings: source, deps, loop: startSource(source, deps) };
}

function buildSink(sink: SinkConfig, config: Config, journal: Journal, context: OpenContext, mapperFor: MapperFor): RunningSink {
  const { seams } = context;
  const log = context.log.child({ sink: sink.name });
  const deps = { journal, seams, log, secrets: config.secrets, openSink: () => openSink(sink, context), mapperFor };
  return { settings: sink, deps, loop: startDelivery(sink, deps) };
}

export function sourceRegistration(source: SourceConfig): SourceRegistration {
  const { name, connector, identity } = source;
  return { name, connector: connector.name, identity, seenTtlMs: idMemoryMs(source), seenPinnedMs: pinnedIdMemoryMs(source) };
}

export function sinkRegistration({ name, type, start, whenFull }: SinkConfig): SinkRegistration {
  return { name, type, start, whenFull };
}

/** Builds every enabled source and sink; nothing runs before its loop is started. */
export function openRuntime(config: Config, journal: Journal, opening: OpenContext): Runtime {
  const context = { ...opening, replies: new ReplyMemory() };
  const budgets = new Budgets(context.seams, context.log);
  const mapperFor = mappersOf(config.sources, journal);
  const enabled = config.sources.filter((source) => source.enabled);
  const jitterMs = startJitterMs(enabled.length);
  const sources = enabled.map((source) => [source.name, buildSource(source, journal, context, budgets, jitterMs)] as const);
  const sinks = config.sinks
    .filter((sink) => sink.enabled)
    .map((sink) => [sink.name, buildSink(sink, config, journal, context, mapperFor)] as const);
  return { journal, seams: context.seams, log: context.log, sources: new Map(sources), sinks: new Map(sinks) };
}

type ConnectorRef = { readonly name: string; readonly hash: string };

/** Finds the mapper for a stored page: the connector that its source has loaded, else one of that name, else the version it was stored with. */
type MapperFor = (connector: ConnectorRef, source: string) => Promise<Mapper>;

/**
 * So a repaired action table applies to everything that is delivered or replayed after it was loaded, and records of a source that is gone
 * from the configuration keep the mapping of their time.
 */
export function mappersOf(sources: readonly SourceConfig[], journal: Journal): MapperFor {
  const bySource = new Map(sources.map(({ name, connector }) => [name, connector]));
  const byName = new Map(sources.map(({ connector }) => [connector.name, connector]));
  const stored = new Map<string, Promise<Mapper>>();

  async function fromJournal({ name, hash }: ConnectorRef): Promise<Mapper> {
    const text = await journal.connectorText(hash);
    if (text !== undefined) return storedMapper(text, { name, hash });
    throw new PenstockError('PEN_NOT_FOUND', `connector ${name}, version ${hash}, is neither loaded nor in the journal`, {
      fix: `configure a source of connector ${name}`,
    });
  }

  return async (connector, source) => {
    const own = bySource.get(source);
    if (own !== undefined && own.name === connector.name) return own.mapper;
    const sameName = byName.get(connector.name);
    if (sameName !== undefined) return sameName.mapper;
    const known = stored.get(connector.hash) ?? fromJournal(connector);
    stored.set(connector.hash, known);
    known.catch(() => stored.delete(connector.hash));
    return known;
  };
}

/** The text decides what events say: one that is not what was stored maps nothing. */
function storedMapper(text: string, { name, hash }: ConnectorRef): Mapper {
  const connector = compileConnector(text);
  if (connector.hash === hash) return connector.mapper;
  throw new PenstockError('PEN_JOURNAL_CORRUPT', `connector ${name} in the journal is version ${connector.hash}, not ${hash}`, {
    fix: `configure a source of connector ${name}, so that its own text is used`,
  });
}
