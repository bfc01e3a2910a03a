// What one process runs: the loops of its sources and sinks, as the daemon wires them, over a simulated world.
import type { Clock } from '../../src/base/clock.ts';
import type { Log } from '../../src/base/log.ts';
import type { Seams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { Budgets, idMemoryMs, pinnedIdMemoryMs, startSource } from '../../src/collect/index.ts';
import type { Connector, Reader } from '../../src/connectors/connector.ts';
import type { SourceSettings } from '../../src/connectors/source-settings.ts';
import { startDelivery } from '../../src/deliver/index.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { JobRunner } from '../../src/operate/jobs/runner.ts';
import type { RunningSink, RunningSource, Runtime } from '../../src/runtime/runtime.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import { settingsOf as deliverySettings } from '../deliver/harness.ts';
import type { Fate } from './fate.ts';
import type { Receiver } from './receivers.ts';
import { day, restingFrom, type Scenario, type SinkPlan, type SourcePlan, wideFrom } from './scenario.ts';
import type { Broker, Folder, HttpVendor, Vendor } from './vendors.ts';

/** A source's vendor with the connector that reads it. */
export interface Feed {
  readonly plan: SourcePlan;
  readonly connector: Connector;
  readonly options: Readonly<Record<string, unknown>>;
  readonly vendor: Vendor & { open?: Broker['open'] | Folder['open']; openHttp?: HttpVendor['openHttp'] };
}

const userAgent = 'penstock/sim (0123456789abcdef0123456789abcdef)';

/** The source as `collect` wants it. */
export function settingsOf({ plan, connector, options }: Feed): SourceSettings {
  const { overlapMs, settleMs, maxMs, minMs, scheduleMs, retentionMs } = connector.defaults;
  return {
    name: plan.name,
    connector,
    tenant: connector.tenant(options),
    identity: connector.identity(options),
    schedule: { everyMs: plan.everyMs ?? scheduleMs },
    start: { backMs: plan.backMs },
    window: { overlapMs, settleMs, maxMs, minMs },
    filter: {},
    selfEvents: 'exclude',
    retentionMs,
    expectEventsWithinMs: undefined,
    credentialExpires: undefined,
    sweep: plan.sweepEveryMs === undefined ? undefined : { everyMs: plan.sweepEveryMs, backMs: 14 * day },
    labels: ['sim'],
  };
}

export function deliveryOf({ name, inFlight, batchEvents, mostDeadLetters = 100_000 }: SinkPlan): SinkSettings {
  const batch = { events: batchEvents, bytes: 1_000_000, waitMs: 1_000 };
  return deliverySettings({ name, type: 'sim', inFlight, batch, maxDeadLetters: mostDeadLetters });
}

/** A clock whose timers take longer: for chores that look whether something happened, most of what an idle day consists of. */
export function slower(clock: Clock, factor: number): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    timer: (ms, callback) => clock.timer(ms * factor, callback),
  };
}

// Late seeds play weeks: there, chores that look whether something happened were most of the work.
export const choreFactor = ({ seed }: Scenario): number => (seed < wideFrom ? 10 : 60);
/** `deliver` refreshes its numbers so often, and looks whether it slept through an append. */
const refreshMs = 5_000;
/** `collect` looks so often whether a source needs attention. */
const watchMs = 60_000;

/** A clock on which one chore, known by its interval, is done more seldom. */
function seldom(clock: Clock, choreMs: number, factor: number): Clock {
  const slow = slower(clock, factor);
  return { ...slow, timer: (ms, callback) => (ms === choreMs ? slow : clock).timer(ms, callback) };
}

export interface RuntimeParts {
  readonly journal: Journal;
  readonly seams: Seams;
  readonly log: Log;
  readonly fate: Fate;
  readonly number: number;
  readonly scenario: Scenario;
  readonly feeds: readonly Feed[];
  readonly receivers: readonly Receiver[];
}

const graceMs = 8_000;

export class SimRuntime implements Runtime {
  readonly journal: Journal;
  readonly seams: Seams;
  readonly log: Log;
  readonly sources = new Map<string, RunningSource>();
  readonly sinks = new Map<string, RunningSink>();
  readonly #parts: RuntimeParts;
  readonly #budgets: Budgets;
  #generation = 0;

  constructor(parts: RuntimeParts) {
    const { journal, seams, log, feeds, receivers } = parts;
    this.journal = journal;
    this.seams = seams;
    this.log = log;
    this.#parts = parts;
    this.#budgets = new Budgets(seams, log);
    for (const feed of feeds) this.#buildSource(feed, settingsOf(feed));
    for (const receiver of receivers) this.#buildSink(receiver, deliveryOf(receiver.plan));
  }

  start(): void {
    for (const { loop } of this.sinks.values()) loop.start();
    for (const { loop } of this.sources.values()) loop.start();
  }

  async register(): Promise<void> {
    const { feeds, receivers } = this.#parts;
    const sources = feeds.map((feed) => {
      const settings = settingsOf(feed);
      const { name, connector, identity } = settings;
      const [seenTtlMs, seenPinnedMs] = [idMemoryMs(settings), pinnedIdMemoryMs(settings)];
      return { name, connector: connector.name, identity, seenTtlMs, seenPinnedMs };
    });
    const sinks = receivers.map(({ plan }) => ({
      name: plan.name,
      type: 'sim',
      start: 'oldest' as const,
      whenFull: plan.skipsWhenFull === true ? ('skip' as const) : ('wait' as const),
    }));
    const { changedSources } = await this.journal.register(sources, sinks);
    if (changedSources.length > 0) throw new Error(`identity changed: ${JSON.stringify(changedSources)}`);
  }

  /** Ends the loop of a source or sink and starts it with another interval, or another size of batches, as a reload does. */
  async reload(name: string, value: number, jobs: JobRunner): Promise<void> {
    const { feeds, receivers } = this.#parts;
    using _suspended = await jobs.suspend(({ args }) => Object.values(args as object).includes(name));
    const feed = feeds.find(({ plan }) => plan.name === name);
    const receiver = receivers.find(({ plan }) => plan.name === name);
    await this.sources.get(name)?.loop[Symbol.asyncDispose]();
    await this.sinks.get(name)?.loop.stop(graceMs);
    await this.register();
    this.#generation += 1;
    if (feed !== undefined) this.#buildSource(feed, { ...settingsOf(feed), schedule: { everyMs: value * 60_000 } }).loop.start();
    if (receiver === undefined) return;
    const settings = deliveryOf(receiver.plan);
    this.#buildSink(receiver, {
      ...settings,
      batch: { ...settings.batch, events: value },
    }).loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sources.values()].map(({ loop }) => loop[Symbol.asyncDispose]()));
    await Promise.all([...this.sinks.values()].map(({ loop }) => loop.stop(graceMs)));
  }

  #openReader({ vendor, connector, options, plan }: Feed, seams: Seams, log: Log): Reader {
    const { fate } = this.#parts;
    if (vendor.openHttp !== undefined)
      return connector.open(options, { http: vendor.openHttp(fate), seams, log, userAgent, ...this.#budgets.of(plan.name) });
    if (vendor.open === undefined) throw new Error(`no reader for ${plan.name}`);
    return vendor.open(fate);
  }

  #buildSource(feed: Feed, settings: SourceSettings): RunningSource {
    const { journal, seams, scenario } = this.#parts;
    const log = this.log.child({ source: settings.name });
    const deps = {
      journal,
      seams: scenario.seed < restingFrom ? seams : { ...seams, clock: seldom(seams.clock, watchMs, choreFactor(scenario)) },
      log,
      userAgent,
      openReader: () => Promise.resolve(this.#openReader(feed, seams, log)),
    };
    const built = { settings, deps, loop: startSource(settings, deps) };
    this.sources.set(settings.name, built);
    return built;
  }

  #buildSink(receiver: Receiver, settings: SinkSettings): RunningSink {
    const { journal, seams, scenario, fate, number, feeds } = this.#parts;
    const log = this.log.child({ sink: settings.name });
    const mappers = new Map(feeds.map(({ plan, connector }) => [plan.name, connector.mapper]));
    // What a loop that ended knew of its requests, the next one does not.
    const process = { fate, number: number + this.#generation / 1000, seams, log };
    const deps = {
      journal,
      seams: { ...seams, clock: seldom(seams.clock, refreshMs, choreFactor(scenario)) },
      log,
      secrets: createSecrets(),
      openSink: () => receiver.open(process),
      mapperFor: (_connector: unknown, source: string) => {
        const mapper = mappers.get(source);
        return mapper === undefined ? Promise.reject(new Error(`no mapper for ${source}`)) : Promise.resolve(mapper);
      },
    };
    const built = { settings, deps, loop: startDelivery(settings, deps) };
    this.sinks.set(settings.name, built);
    return built;
  }
}
