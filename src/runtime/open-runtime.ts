// Opens what a source reads with and what a sink sends with.
import { hostname } from 'node:os';
import type { Durations } from '../base/histogram.ts';
import type { Log } from '../base/log.ts';
import { packageVersion } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Waits } from '../base/waits.ts';
import type { Budgets } from '../collect/index.ts';
import type { ConnectionConfig, Options, Refreshable, SinkConfig, SourceConfig } from '../config/config.ts';
import type { Reader } from '../connectors/connector.ts';
import type { HttpClient } from '../http/client.ts';
import { loadTls, openHttpClient, type ReplyMemory } from '../http/index.ts';
import type { Journal } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import { tellingErrors } from './telling-errors.ts';
import { openTokenStore } from './token-store.ts';

/** What opening sources and sinks needs besides their configuration. */
export interface OpenContext {
  readonly seams: Seams;
  readonly log: Log;
  /** Where refresh tokens are kept that issuers replace; without it a source that has one cannot be opened. */
  readonly dataDir?: string;
  /** Sent with every request to a vendor. */
  readonly userAgent: string;
  /** Of the whole process: what no text may show. */
  readonly secrets: Secrets;
  /** Learns what a source is asked with; those of the whole process without it. */
  readonly ofSource?: Pick<Secrets, 'add' | 'addPassing'>;
  /** What all replies may take together; each client alone has as much when it is absent. */
  readonly replies?: ReplyMemory;
  /** Where what is measured goes. */
  readonly durations?: Durations;
  /** Where a source's requests tell what they wait for. */
  readonly waits?: Waits;
  /** Put around the client that a source is asked with. */
  readonly around?: (http: HttpClient) => HttpClient;
}

/** The User-Agent without the random part by which a running daemon recognises its own requests. */
export const plainUserAgent = `penstock/${packageVersion}`;

const userAgentNote = 'user_agent_id';

/** The User-Agent of this journal: it carries a random 128-bit id, so that the records of our own requests can be recognised. */
export async function userAgentOf(journal: Journal, seams: Seams): Promise<string> {
  const id = await journal.setNoteIfAbsent('', userAgentNote, seams.random.hex(16));
  return `${plainUserAgent} (${String(id)})`;
}

function openClient(connection: ConnectionConfig, context: OpenContext): Promise<HttpClient> {
  const { seams, userAgent, secrets, ofSource = secrets, replies } = context;
  const { tls, proxy } = connection;
  return openHttpClient({ userAgent, secrets: ofSource, memory: replies, tls, proxy }, seams);
}

/** The same object, which on disposal also closes the HTTP client that was opened for it, and knows whether it would be opened otherwise by now. */
function withClient<T extends AsyncDisposable>(opened: T, client: HttpClient, isOutdated: () => Promise<boolean>): T {
  return Object.create(opened, {
    isOutdated: { value: isOutdated },
    [Symbol.asyncDispose]: {
      async value() {
        await opened[Symbol.asyncDispose]();
        await client[Symbol.asyncDispose]();
      },
    },
  }) as T;
}

/** Compares what a source or sink was opened with; where that cannot be used as it is now, half of it may just be written. */
function outdated(block: Refreshable, key: string, { seams }: OpenContext): () => Promise<boolean> {
  const isOutdated = async (): Promise<boolean> => {
    const { key: now, http } = await block.resolve();
    if (now === key) return false;
    await loadTls(http.tls ?? {}, seams.files);
    return true;
  };
  return () => isOutdated().catch(() => false);
}

/** The same client, whose requests are measured. */
function timed(http: HttpClient, connector: string, { durations, seams: { clock } }: OpenContext): HttpClient {
  const taken = durations?.sourceRequests.of(connector);
  if (taken === undefined) return http;
  return {
    ...http,
    async request(request) {
      const since = clock.monotonic();
      try {
        return await http.request(request);
      } finally {
        taken.observe((clock.monotonic() - since) / 1000);
      }
    },
  };
}

/** Opens a source's reader with secrets and certificates as they are now; `overrides` take the place of options. */
export async function openReader(
  source: SourceConfig,
  context: OpenContext,
  budgets: Budgets,
  overrides: Options = {},
): Promise<Reader> {
  const { key, http: connection, ...resolved } = await source.resolve();
  const options = { ...resolved.options, ...overrides };
  const { seams, userAgent, waits, around = (client) => client } = context;
  const http = around(timed(await openClient(connection, context), source.connector.name, context));
  const log = context.log.child({ source: source.name });
  const tokens = context.dataDir === undefined ? {} : { tokens: openTokenStore(context.dataDir, seams) };
  const deps = { http, seams, log, userAgent, ...(waits && { waits }), ...tokens, ...budgets.of(source.name, source.rateLimit) };
  const reader = source.connector.open(options, deps);
  return withClient(tellingErrors(reader, context.secrets, seams.random), http, outdated(source, key, context));
}

// One for all of a sink's openings.
const logs = new WeakMap<SinkConfig, Log>();

function logOf(sink: SinkConfig, { log }: OpenContext): Log {
  const own = logs.get(sink) ?? log.child({ sink: sink.name });
  logs.set(sink, own);
  return own;
}

/** Opens a sink with secrets and certificates as they are now; `sources` are all that are configured, for its probe. */
export async function openSink(sink: SinkConfig, context: OpenContext, sources: readonly SourceConfig[] = []): Promise<Sink> {
  const { key, options, http: connection } = await sink.resolve();
  const http = await openClient(connection, context);
  const { format, timeoutMs, name } = sink;
  const sinkContext = {
    name,
    http,
    seams: context.seams,
    log: logOf(sink, context),
    hostname: hostname(),
    version: packageVersion,
    format,
    timeoutMs,
    sources: sink.sources ?? sources.map((source) => source.name),
    hide: (credential: string) => context.secrets.addPassing(credential),
  };
  return withClient(await sink.sinkType.open(options, sinkContext), http, outdated(sink, key, context));
}
