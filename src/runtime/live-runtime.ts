// From a configuration to sources and sinks that run, and from one configuration to the next: the only place where the rooms are wired together.
import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import { Semaphore } from '../base/semaphore.ts';
import { Waits } from '../base/waits.ts';
import { Budgets, forgetMemory, idMemoryMs, pinnedIdMemoryMs, startSource } from '../collect/index.ts';
import type { Config, Options, SinkConfig, SourceConfig } from '../config/config.ts';
import type { Reader } from '../connectors/connector.ts';
import { startDelivery } from '../deliver/index.ts';
import { ReplyMemory } from '../http/index.ts';
import type { Journal, RegistrationReport, SinkRegistration, SourceRegistration } from '../journal/journal.ts';
import { type Difference, differenceOf } from './difference.ts';
import { type MapperFor, Mappers } from './mappers.ts';
import { type OpenContext, openReader, openSink } from './open-runtime.ts';
import type { RunningSink, RunningSource, Runtime } from './runtime.ts';

/** First polls are spread: hundreds at once would block the event loop and burden the vendors. */
const startJitterMs = (sources: number): number => 10 * sources;
/** So many sources begin at the same time, however slow the machine or the database is: between them there is time for everything else. */
const mostBeginning = 40;
/** Thousands may change hands at once: the log names some. */
const mostNamed = 20;

function buildSource(
  source: SourceConfig,
  journal: Journal,
  context: OpenContext,
  budgets: Budgets,
  start: Pick<Parameters<typeof startSource>[1], 'startJitterMs' | 'beginnings'>,
): RunningSource {
  const log = context.log.child({ source: source.name });
  const { seams, userAgent } = context;
  const waits = new Waits(seams.clock, (text) => context.secrets.tell(text));
  const ofSource = context.secrets.ofOne();
  const open = (overrides?: Options): Promise<Reader> => openReader(source, { ...context, ofSource, waits }, budgets, overrides);
  const deps = {
    journal,
    seams,
    log,
    userAgent,
    secrets: ofSource,
    openReader: () => open(),
    openDirectory: (directory: string) => open({ directory }),
    pauseMs: () => budgets.pauseMs(source.name),
    waits,
    ...start,
  };
  return { settings: source, deps, loop: startSource(source, deps) };
}

function buildSink(sink: SinkConfig, journal: Journal, context: OpenContext, mapperFor: MapperFor): RunningSink {
  const { seams, secrets, durations } = context;
  const log = context.log.child({ sink: sink.name });
  const deps = {
    journal,
    seams,
    log,
    secrets,
    ...(durations === undefined ? {} : { durations }),
    openSink: () => openSink(sink, context),
    mapperFor,
  };
  return { settings: sink, deps, loop: startDelivery(sink, deps) };
}

function sourceRegistration(source: SourceConfig): SourceRegistration {
  const { name, connector, identity, enabled } = source;
  const memory = { seenTtlMs: idMemoryMs(source), seenPinnedMs: pinnedIdMemoryMs(source) };
  return { name, connector: connector.name, identity, ...memory, enabled };
}

function sinkRegistration({ name, type, start, whenFull, enabled }: SinkConfig): SinkRegistration {
  return { name, type, start, whenFull, enabled };
}

/** The sources and sinks of one configuration, which another one can take the place of while what it has not changed runs on. */
export class LiveRuntime implements Runtime {
  readonly journal: Journal;
  readonly seams: Seams;
  readonly log: Log;
  readonly sources = new Map<string, RunningSource>();
  readonly sinks = new Map<string, RunningSink>();
  readonly #context: OpenContext;
  readonly #budgets: Budgets;
  readonly #beginnings = new Semaphore(mostBeginning);
  readonly #mappers: Mappers;
  readonly #watching: Disposable;
  /** Loops that end, by source: another one begins only afterwards. */
  readonly #ending = new Map<string, Promise<void>>();
  #config: Config;
  #isStarted = false;
  #isChanging = false;
  #isAwaited = false;

  constructor(config: Config, journal: Journal, opening: OpenContext) {
    this.journal = journal;
    this.seams = opening.seams;
    this.log = opening.log;
    this.#context = { dataDir: config.data_dir, ...opening, replies: new ReplyMemory() };
    this.#budgets = new Budgets(opening.seams, opening.log);
    this.#mappers = new Mappers(journal);
    this.#config = config;
    this.#build(config);
    this.#watching = journal.ownership.watch({
      gained: (names) => this.#gain(names),
      lost: (names) => void this.#give(names),
      releasing: (names) => this.#give(names),
    });
  }

  /** Starts the sinks, for commands that host a job. */
  startSinks(): void {
    for (const { loop } of this.sinks.values()) loop.start();
  }

  /** Starts every loop, and from now on those of sources that this process comes to own. */
  start(): void {
    this.#isStarted = true;
    this.startSinks();
    for (const { loop } of this.sources.values()) loop.start();
  }

  /** Ends every loop, sources first: what they still commit, the sinks may still deliver. Then gives back what this process owned. */
  async stop(graceMs: number): Promise<void> {
    this.#watching[Symbol.dispose]();
    await Promise.all([...this.sources.values()].map(({ loop }) => loop[Symbol.asyncDispose]()));
    await Promise.all(this.#ending.values());
    await Promise.all([...this.sinks.values()].map(({ loop }) => loop.stop(graceMs)));
    // Without the journal the others take over when they have heard nothing for a lease.
    await this.journal.ownership
      .leave()
      .catch((error: unknown) => this.log.warn({ err: error }, 'the other replicas were not told that this one leaves'));
  }

  /** Tells the journal what is configured; sinks that are new get their starting offsets. */
  register(): Promise<RegistrationReport> {
    return registerIn(this.journal, this.#config);
  }

  /**
   * Ends what has changed or is gone, each after its requests under way or `graceMs`, registers, and starts what has changed or is new. When
   * the journal refuses, what was ended is started as it was, and the journal's error is thrown.
   */
  async change(next: Config, graceMs: number): Promise<RegistrationReport> {
    this.#isChanging = true;
    try {
      await this.#end(differenceOf(this.#config, next), graceMs);
      const report = await registerIn(this.journal, next);
      this.#config = next;
      return report;
    } finally {
      this.#isChanging = false;
      const { sources, sinks } = this.#build(this.#config);
      for (const { loop } of [...sinks, ...sources]) loop.start();
    }
  }

  /** These sources are this process's from now on; where their loops still end here, they begin after that. */
  #gain(names: readonly string[]): void {
    this.#tell(names, 'sources came to this replica');
    for (const name of names) void this.#ending.get(name)?.then(() => this.#beginSoon());
    this.#begin();
  }

  #tell(names: readonly string[], what: string): void {
    if (names.length > 0) this.log.info({ count: names.length, sources: [...names].sort().slice(0, mostNamed) }, what);
  }

  /** Thousands of loops that end together are followed together. */
  #beginSoon(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    setImmediate(() => {
      this.#isAwaited = false;
      this.#begin();
    });
  }

  #begin(): void {
    if (this.#isChanging) return;
    const { sources } = this.#build(this.#config);
    if (this.#isStarted) for (const { loop } of sources) loop.start();
  }

  async #endOne({ loop }: RunningSource): Promise<void> {
    await loop[Symbol.asyncDispose]();
    this.#ending.delete(loop.name);
    forgetMemory(this.journal, loop.name);
  }

  /** These sources are another's, or about to be. Resolves when their loops have ended here. */
  async #give(names: readonly string[]): Promise<void> {
    this.#tell(
      names.filter((name) => this.sources.has(name)),
      'sources left this replica',
    );
    for (const name of names) {
      const source = this.sources.get(name);
      if (source === undefined) continue;
      this.sources.delete(name);
      this.#ending.set(name, this.#endOne(source));
    }
    await Promise.all(names.map((name) => this.#ending.get(name) ?? Promise.resolve()));
  }

  async #end({ sources, sinks }: Difference, graceMs: number): Promise<void> {
    const endingSources = [...sources.changed, ...sources.removed];
    const endingSinks = [...sinks.changed, ...sinks.removed];
    await Promise.all([
      ...endingSources.map((name) => this.sources.get(name)?.loop[Symbol.asyncDispose]()),
      ...endingSinks.map((name) => this.sinks.get(name)?.loop.stop(graceMs)),
    ]);
    for (const name of endingSources) this.sources.delete(name);
    for (const name of endingSinks) this.sinks.delete(name);
  }

  /** Builds what is enabled and not there, in the order of the file; returns what it built. */
  #build(config: Config): { readonly sources: readonly RunningSource[]; readonly sinks: readonly RunningSink[] } {
    this.#mappers.use(config.sources);
    const { ownership } = this.journal;
    const missing = config.sources.filter(
      ({ enabled, name }) => enabled && !this.sources.has(name) && !this.#ending.has(name) && ownership.owns(name),
    );
    const start = { startJitterMs: startJitterMs(missing.length), beginnings: this.#beginnings };
    const sources = missing.map((source) => buildSource(source, this.journal, this.#context, this.#budgets, start));
    const sinks = config.sinks
      .filter(({ enabled, name }) => enabled && !this.sinks.has(name))
      .map((sink) => buildSink(sink, this.journal, this.#context, this.#mappers.mapperFor));
    inOrder(this.sources, sources, config.sources);
    inOrder(this.sinks, sinks, config.sinks);
    return { sources, sinks };
  }
}

/** Adds to a map of what runs, and brings it into the order of the file, which is that of the status. */
function inOrder<T extends { readonly settings: { readonly name: string } }>(
  running: Map<string, T>,
  built: readonly T[],
  blocks: readonly { readonly name: string }[],
): void {
  const all = new Map([...running, ...built.map((one) => [one.settings.name, one] as const)]);
  running.clear();
  for (const { name } of blocks) {
    const one = all.get(name);
    if (one !== undefined) running.set(name, one);
  }
}

function registerIn(journal: Journal, { sources, sinks }: Config): Promise<RegistrationReport> {
  return journal.register(sources.map(sourceRegistration), sinks.map(sinkRegistration));
}
