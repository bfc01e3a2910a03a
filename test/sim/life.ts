// One life of Penstock: the real journal, collect, deliver and job runner on the files that an earlier life left, until it ends.
import type { Clock } from '../../src/base/clock.ts';
import { PenstockError } from '../../src/base/errors.ts';
import { canonicalJson } from '../../src/base/json.ts';
import type { Log } from '../../src/base/log.ts';
import type { Seams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { Budgets, idMemoryMs, pinnedIdMemoryMs, startSource } from '../../src/collect/index.ts';
import type { Connector, Reader } from '../../src/connectors/connector.ts';
import type { SourceSettings } from '../../src/connectors/source-settings.ts';
import { startDelivery } from '../../src/deliver/index.ts';
import { openJournal, withPageCache } from '../../src/journal/index.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { JobRunner } from '../../src/operate/jobs/runner.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import { randomAt } from './dice.ts';
import { type Fate, fateOf } from './fate.ts';
import { type CommitFault, type Disk, watchDisk, watchFiles } from './power.ts';
import type { Receiver } from './receivers.ts';
import { day, type EndPlan, hour, restingFrom, type Scenario, type SinkPlan, type SourcePlan, wideFrom } from './scenario.ts';
import type { SimTime } from './time.ts';
import type { Broker, Folder, HttpVendor, Vendor } from './vendors.ts';
import type { Witness } from './witness.ts';

/** A source's vendor with the connector that reads it. */
export interface Feed {
  readonly plan: SourcePlan;
  readonly connector: Connector;
  readonly options: Readonly<Record<string, unknown>>;
  readonly vendor: Vendor & { open?: Broker['open'] | Folder['open']; openHttp?: HttpVendor['openHttp'] };
}

export interface LifeParts {
  readonly number: number;
  readonly dir: string;
  /** Where a power cut leaves its files. */
  readonly nextDir: string;
  readonly scenario: Scenario;
  readonly end: EndPlan | undefined;
  readonly time: SimTime;
  readonly feeds: readonly Feed[];
  readonly receivers: readonly Receiver[];
  readonly witness: Witness;
  readonly log: Log;
  /** Code of the error with which SQLite answers the next commit; undefined: it takes it. */
  readonly diskError: () => 10 | 13 | undefined;
  /** True when the answer of the call that was just done is lost. */
  readonly losesAnswer: () => boolean;
}

export interface Life {
  readonly fate: Fate;
  readonly disk: Disk;
  /** Undefined until it is open. */
  readonly journal: Journal | undefined;
  readonly runtime: Runtime | undefined;
  /** Resolves when it is open; rejects with what kept it from opening. */
  readonly opened: Promise<void>;
  /** True when the journal is open and holds nothing that a sink has to take. */
  isIdle(): Promise<boolean>;
  /** Ends in good order, as SIGTERM does. */
  stop(): Promise<void>;
  /** Closes what a dead life left open in this process. */
  bury(): Promise<void>;
}

const userAgent = 'penstock/sim (0123456789abcdef0123456789abcdef)';
const cacheBytes = 4 * 2 ** 20;

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

function deliveryOf({ name, inFlight, batchEvents }: SinkPlan): SinkSettings {
  return {
    name,
    type: 'sim',
    format: 'ocsf',
    includeRaw: false,
    drop: [],
    sources: undefined,
    filter: {},
    labels: [],
    batch: { events: batchEvents, bytes: 1_000_000, waitMs: 1_000 },
    inFlight,
    timeoutMs: 30_000,
    backoffMaxMs: 60_000,
    holdProbeMs: 15_000,
    stalledAfterMs: 600_000,
    maxDeadLetters: 100_000,
  };
}

const journalMethods = [
  'register',
  'seen',
  'checkpoint',
  'note',
  'noteOfAll',
  'setNote',
  'setNoteIfAbsent',
  'windows',
  'lanes',
  'connectorText',
  'deadLetters',
  'countDeadLetters',
  'discardDeadLetters',
  'openReplay',
  'closeReplay',
  'replayPending',
  'claimJob',
  'insertJob',
  'jobs',
  'updateJob',
  'ledger',
  'setHold',
  'holds',
] as const;

type Work = (...args: readonly never[]) => Promise<unknown>;

/** The journal as a mortal process has it: it may die before each call and before each answer, and nothing reaches the dead. */
function mortal(raw: Journal, fate: Fate, { time, witness, feeds, losesAnswer }: LifeParts): Journal {
  const vendors = new Map(feeds.map(({ plan, vendor }) => [plan.name, vendor]));
  async function between<T>(work: () => Promise<T>, after?: (result: T) => void): Promise<T> {
    await fate.step();
    let result: T;
    try {
      result = await time.track(work());
    } catch (error) {
      await fate.alive();
      throw error;
    }
    if (!fate.dead && losesAnswer()) throw new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'the answer was lost');
    if (!fate.dead) after?.(result);
    await fate.step();
    return result;
  }
  const wrapped = Object.fromEntries(
    journalMethods.map((name) => {
      // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- a union of signatures cannot be called
      const work = raw[name].bind(raw) as Work;
      return [name, (...args: never[]) => between(() => work(...args))];
    }),
  ) as Pick<Journal, (typeof journalMethods)[number]>;
  return {
    ...raw,
    ...wrapped,
    hasRoom: () => !fate.dead && raw.hasRoom(),
    append(commit) {
      const answered = vendors.get(commit.source)?.answered ?? [];
      return between(
        () => {
          witness.onAppending(commit);
          return raw.append(commit);
        },
        () => witness.onAppended(commit, answered),
      );
    },
    read: (sink, lane, after, limit) =>
      between(
        () => raw.read(sink, lane, after, limit),
        (pages) => {
          for (const page of pages) witness.onRead(lane, page);
        },
      ),
    settle: (sink, lane, upTo, letters, counts, resolved, attempt) =>
      between(
        () => raw.settle(sink, lane, upTo, letters, counts, resolved, attempt),
        () => witness.onSettled(sink, lane, upTo, letters, counts),
      ),
    async changed(signal) {
      await raw.changed(signal);
      await fate.alive();
    },
    [Symbol.asyncDispose]: () => time.track(Promise.resolve(raw[Symbol.asyncDispose]())),
  };
}

/** Decides when a life ends: from the armed time on, steps or commits are counted. */
function ending({ end, time }: LifeParts) {
  let left = end?.nth ?? 0;
  const isArmed = (kind: EndPlan['kind']): boolean => end !== undefined && end.kind === kind && time.elapsed >= end.at;
  const isNext = (kind: EndPlan['kind']): boolean => {
    if (!isArmed(kind)) return false;
    left -= 1;
    return left <= 0;
  };
  return { onStep: () => isNext('step'), onCommit: () => isNext('commit') };
}

function openReader(feed: Feed, fate: Fate, seams: Seams, log: Log, budgets: Budgets): Reader {
  const { vendor, connector, options, plan } = feed;
  if (vendor.openHttp !== undefined)
    return connector.open(options, { http: vendor.openHttp(fate), seams, log, userAgent, ...budgets.of(plan.name) });
  if (vendor.open === undefined) throw new Error(`no reader for ${plan.name}`);
  return vendor.open(fate);
}

function buildRuntime(journal: Journal, fate: Fate, seams: Seams, parts: LifeParts): Runtime {
  const { feeds, receivers, log, number, scenario } = parts;
  const budgets = new Budgets(seams, log);
  const mappers = new Map(feeds.map(({ plan, connector }) => [plan.name, connector.mapper]));
  const sources = feeds.map((feed) => {
    const settings = settingsOf(feed);
    const own = log.child({ source: settings.name });
    const deps = {
      journal,
      seams: scenario.seed < restingFrom ? seams : { ...seams, clock: seldom(seams.clock, watchMs, choreFactor(scenario)) },
      log: own,
      userAgent,
      openReader: () => Promise.resolve(openReader(feed, fate, seams, own, budgets)),
    };
    return [settings.name, { settings, deps, loop: startSource(settings, deps) }] as const;
  });
  const sinks = receivers.map((receiver) => {
    const settings = deliveryOf(receiver.plan);
    const own = log.child({ sink: settings.name });
    const deps = {
      journal,
      seams: { ...seams, clock: seldom(seams.clock, refreshMs, choreFactor(scenario)) },
      log: own,
      secrets: createSecrets(),
      openSink: () => receiver.open({ fate, number, seams, log: own }),
      mapperFor: (_connector: unknown, source: string) => {
        const mapper = mappers.get(source);
        return mapper === undefined ? Promise.reject(new Error(`no mapper for ${source}`)) : Promise.resolve(mapper);
      },
    };
    return [settings.name, { settings, deps, loop: startDelivery(settings, deps) }] as const;
  });
  return { journal, seams, log, sources: new Map(sources), sinks: new Map(sinks) };
}

async function register(journal: Journal, feeds: readonly Feed[], receivers: readonly Receiver[]): Promise<void> {
  const sources = feeds.map((feed) => {
    const settings = settingsOf(feed);
    const { name, connector, identity } = settings;
    return {
      name,
      connector: connector.name,
      identity,
      seenTtlMs: idMemoryMs(settings),
      seenPinnedMs: pinnedIdMemoryMs(settings),
    };
  });
  const sinks = receivers.map(({ plan }) => ({
    name: plan.name,
    type: 'sim',
    start: 'oldest' as const,
    whenFull: 'wait' as const,
  }));
  const { changedSources } = await journal.register(sources, sinks);
  if (changedSources.length > 0) throw new Error(`identity changed: ${canonicalJson(changedSources)}`);
}

/** A clock whose timers take longer: for chores that look whether something happened, most of what an idle day consists of. */
function slower(clock: Clock, factor: number): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    timer: (ms, callback) => clock.timer(ms * factor, callback),
  };
}

// Late seeds play weeks: there, chores that look whether something happened were most of the work.
const choreFactor = ({ seed }: Scenario): number => (seed < wideFrom ? 10 : 60);
/** `deliver` refreshes its numbers so often, and looks whether it slept through an append. */
const refreshMs = 5_000;
/** `collect` looks so often whether a source needs attention. */
const watchMs = 60_000;

/** A clock on which one chore, known by its interval, is done more seldom. */
function seldom(clock: Clock, choreMs: number, factor: number): Clock {
  const slow = slower(clock, factor);
  return { ...slow, timer: (ms, callback) => (ms === choreMs ? slow : clock).timer(ms, callback) };
}

/** Starts a life. */
export function startLife(parts: LifeParts): Life {
  const { time, dir, nextDir, scenario, log, witness, diskError, end } = parts;
  const clock = time.process();
  const seams: Seams = {
    clock,
    random: randomAt(scenario.seed, () => time.elapsed),
    files: watchFiles(),
  };
  const { onStep, onCommit } = ending(parts);
  const fate = fateOf(onStep, () => {
    clock.kill();
    if (!cut) disk.leaveTo(nextDir);
  });
  let cut = false;
  const disk = watchDisk(dir, {
    nextDir,
    onCommit(): CommitFault {
      if (fate.dead) return { kind: 'none' };
      if (end !== undefined && onCommit()) return { kind: 'cut', when: end.when, share: end.share };
      const errcode = diskError();
      return errcode === undefined ? { kind: 'none' } : { kind: 'error', errcode };
    },
    onCut() {
      cut = true;
      fate.die();
    },
  });
  let raw: Journal | undefined;
  let runtime: Runtime | undefined;
  let jobs: AsyncDisposable | undefined;

  async function open(): Promise<void> {
    const { maxBytes } = scenario;
    raw = await time.track(
      openJournal({
        engine: { kind: 'sqlite', dataDir: dir },
        maxBytes,
        keepMs: 6 * hour,
        seams: { ...seams, clock: slower(clock, choreFactor(scenario)) },
        log,
        lockWaitMs: 0,
      }),
    );
    await fate.alive();
    await witness.onReopened(raw);
    raw.onAppend?.((page) => {
      if (!fate.dead) witness.onStored(page);
    });
    const journal = withPageCache(mortal(raw, fate, parts), cacheBytes);
    await register(journal, parts.feeds, parts.receivers);
    runtime = buildRuntime(journal, fate, seams, parts);
    for (const { loop } of runtime.sinks.values()) loop.start();
    for (const { loop } of runtime.sources.values()) loop.start();
    jobs = new JobRunner({ ...runtime, seams: { ...seams, clock: slower(clock, choreFactor(scenario)) } });
  }
  async function stop(): Promise<void> {
    await jobs?.[Symbol.asyncDispose]();
    await Promise.all([...(runtime?.sources.values() ?? [])].map(({ loop }) => loop[Symbol.asyncDispose]()));
    await Promise.all([...(runtime?.sinks.values() ?? [])].map(({ loop }) => loop.stop(8_000)));
    await runtime?.journal[Symbol.asyncDispose]();
    fate.die();
  }
  return {
    fate,
    disk,
    get journal() {
      return runtime?.journal;
    },
    get runtime() {
      return runtime;
    },
    opened: open(),
    async isIdle() {
      if (raw === undefined || runtime === undefined) return false;
      for (const { plan } of parts.receivers) if ((await raw.lanes(plan.name)).some(({ pending }) => pending > 0)) return false;
      return true;
    },
    stop,
    async bury() {
      disk[Symbol.dispose]();
      await raw?.[Symbol.asyncDispose]();
    },
  };
}
