// One life of a replica: the real membership, engine, runtime, collect and deliver, over a line to the model of the database.
import type { Clock } from '../../../src/base/clock.ts';
import type { Log } from '../../../src/base/log.ts';
import { type Seams, systemSeams } from '../../../src/base/seams.ts';
import { createSecrets } from '../../../src/base/secrets.ts';
import type { Config, SinkConfig, SourceConfig } from '../../../src/config/config.ts';
import { withPageCache } from '../../../src/journal/index.ts';
import type { Commit, Job, Journal, Lane } from '../../../src/journal/journal.ts';
import { openAppend } from '../../../src/journal/postgres/append.ts';
import { Changes, type Core } from '../../../src/journal/postgres/core.ts';
import { Membership } from '../../../src/journal/postgres/membership.ts';
import { Names } from '../../../src/journal/postgres/names.ts';
import { openLanes, settle } from '../../../src/journal/postgres/offsets.ts';
import { openRegistration } from '../../../src/journal/postgres/registration.ts';
import { closeReplay, openReplay, replayPending } from '../../../src/journal/postgres/replays.ts';
import { Room } from '../../../src/journal/postgres/room.ts';
import { openJobs } from '../../../src/journal/postgres/state.ts';
import { Upkeep } from '../../../src/journal/postgres/upkeep.ts';
import { JobRunner } from '../../../src/operate/jobs/runner.ts';
import { LiveRuntime } from '../../../src/runtime/live-runtime.ts';
import { userAgentOf } from '../../../src/runtime/open-runtime.ts';
import { type Dice, randomAt } from '../dice.ts';
import type { Fate } from '../fate.ts';
import type { Receiver } from '../receivers.ts';
import { deliveryOf, type Feed, settingsOf } from '../runtime.ts';
import { runsJobs, type Scenario } from '../scenario.ts';
import type { ProcessClock, SimTime } from '../time.ts';
import { databaseOver, Line, type LineParts, type LineState } from './line.ts';
import type { SharedServer } from './server.ts';
import type { Offered, Settlement } from './tables.ts';

export interface ReplicaParts {
  readonly name: string;
  /** Number of the process among all of the run. */
  readonly number: number;
  readonly scenario: Scenario;
  readonly leaseMs: number;
  /** How far its wall clock is off, milliseconds. */
  readonly offMs: () => number;
  readonly time: SimTime;
  readonly dice: Dice;
  readonly server: SharedServer;
  readonly line: () => LineState;
  readonly onStatement: LineParts['onStatement'];
  readonly feeds: readonly Feed[];
  readonly receivers: readonly Receiver[];
  readonly log: Log;
  readonly problem: (text: string) => void;
  /** What does not stand in its file at first, or is disabled there. */
  readonly without: readonly string[];
  readonly disables: boolean;
  /** Told what it is surely configured with: less as soon as it reads a file that has less, more when the journal knows. */
  readonly onNames: (names: ReadonlySet<string>) => void;
  /** Told what it was configured with and is not any more. */
  readonly onDropped: (names: readonly string[]) => void;
}

/** Fate of a process that may also be held up: whatever reaches it waits until it goes on. */
class StallingFate implements Fate {
  dead = false;
  #going: PromiseWithResolvers<void> | undefined;

  get isStalled(): boolean {
    return this.#going !== undefined;
  }

  async step(): Promise<void> {
    while (this.#going !== undefined && !this.dead) await this.#going.promise;
    if (this.dead) await new Promise<never>(() => undefined);
  }

  alive(): Promise<void> {
    return this.step();
  }

  die(): void {
    this.dead = true;
  }

  stall(): void {
    this.#going ??= Promise.withResolvers();
  }

  goOn(): void {
    this.#going?.resolve();
    this.#going = undefined;
  }
}

const cacheBytes = 4 * 2 ** 20;
const graceMs = 8_000;
const retryMs = 500;

export class Replica {
  readonly number: number;
  readonly #parts: ReplicaParts;
  readonly #clock: ProcessClock;
  readonly #fate = new StallingFate();
  readonly #line: Line;
  /** When it was last able to do its work, milliseconds after the start of the run; undefined: it is not. */
  ableSince: number | undefined;
  #member: Membership | undefined;
  #runtime: LiveRuntime | undefined;
  #jobs: JobRunner | undefined;
  #close: () => Promise<void> = () => Promise.resolve();
  #configOf: (without: readonly string[]) => Config = () => ({}) as Config;
  /** What does not stand in its file or is disabled there, and what was not its to do when it was configured last. */
  #without: readonly string[];
  #disables: boolean;
  #named: readonly string[] = [];
  #changing: Promise<void> = Promise.resolve();
  #isStopping = false;
  readonly opened: Promise<void>;

  constructor(parts: ReplicaParts) {
    const { time, dice, line: state, onStatement, problem } = parts;
    this.#parts = parts;
    this.#without = parts.without;
    this.#disables = parts.disables;
    this.number = parts.number;
    this.#clock = time.process(parts.offMs);
    this.#line = new Line({ time, clock: this.#clock, fate: this.#fate, dice, state, onStatement, problem });
    this.opened = this.#open();
  }

  get isDead(): boolean {
    return this.#fate.dead;
  }

  get isStalled(): boolean {
    return this.#fate.isStalled;
  }

  kill(): void {
    this.#fate.die();
    this.#clock.kill();
  }

  stall(): void {
    this.#fate.stall();
    this.#clock.pause();
  }

  goOn(): void {
    this.#clock.resume();
    this.#fate.goOn();
  }

  /** Its file is another one from now on, which it reads until the journal has taken it. */
  read(without: readonly string[], disables: boolean): void {
    this.#without = without;
    this.#disables = disables;
    this.#changing = this.#changing.then(() => this.opened).then(() => this.#change());
  }

  async #change(): Promise<void> {
    while (!this.#isStopping) {
      const next = this.#without;
      const gone = next.filter((name) => !this.#named.includes(name));
      try {
        const isMeant = ({ args }: Job): boolean => gone.some((name) => Object.values(args as object).includes(name));
        this.#tellNames([...next, ...this.#named]);
        using _suspended = await this.#jobs?.suspend(isMeant);
        await this.#runtime?.change(this.#configOf(next), graceMs);
        this.#named = next;
        this.#tellNames(next);
        this.#parts.onDropped(gone);
        return;
      } catch (error) {
        this.#parts.log.info({ err: error }, 'not configured yet');
        await new Promise<void>((resolve) => void this.#clock.timer(retryMs, resolve));
      }
    }
  }

  #tellNames(without: readonly string[]): void {
    const { feeds, receivers, onNames } = this.#parts;
    const stands = (name: string): boolean => this.#disables || !without.includes(name);
    onNames(new Set([...feeds, ...receivers].map(({ plan }) => plan.name).filter(stands)));
  }

  /** Ends in good order, as SIGTERM does. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#parts.onNames(new Set());
    await this.#jobs?.[Symbol.asyncDispose]();
    await this.#changing;
    await this.#runtime?.stop(graceMs);
    await this.#close();
    // As the engine does: without the database others take over when the lease has run out.
    await this.#member?.leave().catch(() => undefined);
    this.kill();
  }

  async #open(): Promise<void> {
    const { name, server, log, leaseMs, scenario, time, number } = this.#parts;
    const clock = this.#clock;
    const line = this.#line;
    const { maxBytes, crew: { keepMs } = {} } = scenario;
    const limits = keepMs === undefined ? undefined : { maxBytes, keepMs };
    const sharing = shareJournal({ name, number, leaseMs, server, line, clock, log, limits });
    const { member, journal: shared } = sharing;
    this.#member = member;
    this.#close = sharing.close;
    await this.#untilDone(() => member.join());
    await this.#untilDone(() => sharing.start());
    const journal = withPageCache(shared, cacheBytes);
    const now = (): number => clock.now() + member.skew.ms;
    const skewed: Clock = { now, monotonic: () => clock.monotonic(), timer: (ms, callback) => clock.timer(ms, callback) };
    const seams: Seams = {
      clock: skewed,
      random: randomAt(scenario.seed + number, () => time.elapsed),
      files: systemSeams().files,
    };
    const userAgent = await this.#untilDone(() => userAgentOf(journal, seams));
    this.#configOf = (without) => configOf(this.#parts, { without, disables: this.#disables }, this.#fate, seams);
    const runtime = new LiveRuntime(this.#configOf(this.#without), journal, {
      seams,
      log,
      userAgent,
      secrets: createSecrets(),
    });
    await this.#untilDone(() => runtime.register());
    this.#named = this.#without;
    this.#tellNames(this.#named);
    this.#runtime = runtime;
    runtime.start();
    if (runsJobs(scenario)) this.#jobs = new JobRunner(runtime, {}, name);
  }

  /** A daemon whose database does not answer at its start is started again and again. */
  async #untilDone<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        this.#parts.log.info({ err: error }, 'not begun yet');
        await new Promise<void>((resolve) => void this.#clock.timer(retryMs, resolve));
      }
    }
  }
}

const keyOf = (sink: string, { source, kind, job = 0 }: Lane): string => `${sink} ${source} ${kind} ${job}`;

/** What is being stored: the commits of a source in their order, and one settlement for a sink and a lane. */
class Offering {
  readonly #commits = new Map<string, Commit[]>();
  readonly #settlements = new Map<string, Settlement>();

  asOfNow(): Offered {
    const commits = new Map([...this.#commits].map(([source, [first]]) => [source, first]));
    const settlements = new Map(this.#settlements);
    return {
      commit: (source) => commits.get(source),
      settlement: (sink, lane) => settlements.get(keyOf(sink, lane)),
    };
  }

  async withCommit(commit: Commit, work: () => Promise<void>): Promise<void> {
    const own = this.#commits.get(commit.source) ?? [];
    this.#commits.set(commit.source, own);
    own.push(commit);
    try {
      await work();
    } finally {
      own.splice(own.indexOf(commit), 1);
    }
  }

  async withSettlement(settlement: Settlement, work: () => Promise<void>): Promise<void> {
    this.#settlements.set(keyOf(settlement.sink, settlement.lane), settlement);
    await work();
  }
}

const asked = [
  'checkpoint',
  'note',
  'noteOfAll',
  'setNote',
  'setNoteIfAbsent',
  'windows',
  'connectorText',
  'seen',
  'read',
  'deadLetters',
  'countDeadLetters',
  'discardDeadLetters',
  'givenUp',
  'ledger',
] as const;

interface Sharing extends Pick<ReplicaParts, 'name' | 'number' | 'leaseMs' | 'server' | 'log'> {
  readonly line: Pick<Line, 'ask' | 'reconnect'>;
  readonly clock: Clock;
  /** Without them nothing is deleted, and there is always room. */
  readonly limits?: { readonly maxBytes: number; readonly keepMs: number } | undefined;
}

type OpenRoom = Pick<Room, 'hasRoom' | 'makeRoom' | 'appended'> & Partial<Pick<Room, 'usage'>>;

/** What the model leaves out of what is done with ids: the disk in memory knows them for ever. */
const seen = { daysOf: () => [], stored: () => undefined, expire: () => Promise.resolve(0) } as unknown as Parameters<
  typeof openAppend
>[1];

/** The journal of one replica, which has to join before it is used. */
export function shareJournal({ name, number, leaseMs, server, line, clock, log, limits }: Sharing) {
  const offered = new Offering();
  const asker = () => ({ process: number, wall: clock.now(), offered: offered.asOfNow() });
  const db = databaseOver(line, server, asker, leaseMs);
  const changes: Changes = new Changes(db, clock, () => names.forget());
  const names: Names = new Names(db, () => member.id);
  const member = new Membership(db, clock, log, { name, labels: [], version: 'sim', leaseMs, changes });
  const journalTime = { now: () => server.disk.now(), save: () => Promise.resolve() } as unknown as Core['time'];
  const core: Core = { db, clock, time: journalTime, log, changes, names, member };
  const forget = (sources: readonly string[]): void => {
    for (const source of sources) names.forgetOwned(source);
    changes.notify();
  };
  member.watch({ gained: forget, lost: forget });
  const stamping: Clock = {
    now: () => server.disk.now(),
    monotonic: () => clock.monotonic(),
    timer: (ms, call) => clock.timer(ms, call),
  };
  const working = { ...core, clock: stamping, db: databaseOver(line, server, asker, leaseMs, 'job') };
  const keeping = { ...core, db: databaseOver(line, server, asker, leaseMs, 'upkeep') };
  const endless: OpenRoom = { hasRoom: () => member.lease.isValid, makeRoom: () => Promise.resolve(), appended: () => undefined };
  const room = limits === undefined ? undefined : new Room(keeping, limits.maxBytes);
  let upkeep: Upkeep | undefined;
  const start = async (): Promise<void> => {
    if (room === undefined || limits === undefined) return;
    await room.start();
    upkeep = new Upkeep({ core: keeping, room, seen, keepMs: limits.keepMs });
  };
  const close = async (): Promise<void> => {
    room?.close();
    await upkeep?.close();
  };
  const registered = (): void => upkeep?.registered();
  const journal = journalOver({ core, working, line, server, offered, room: room ?? endless, registered });
  return { member, journal, start, close };
}

interface Over {
  readonly core: Core;
  /** For its jobs. */
  readonly working: Core;
  readonly line: Pick<Line, 'ask'>;
  readonly server: SharedServer;
  readonly offered: Offering;
  readonly room: OpenRoom;
  readonly registered: () => void;
}

/** The journal of one replica, as `journalOf` of the engine puts it together. */
function journalOver({ core, working, line, server, offered, room, registered }: Over): Journal {
  const { member, changes } = core as Core & { member: Membership };
  const raw = server.journal;
  const over = Object.fromEntries(
    asked.map((name) => {
      const work: (...args: readonly never[]) => Promise<unknown> = raw[name].bind(raw);
      return [name, (...args: never[]) => line.ask(() => work(...args))];
    }),
  ) as Pick<Journal, (typeof asked)[number]>;
  const { append, onAppend } = openAppend(core, seen, room as Room);
  const registration = openRegistration(core);
  // Each replica has holds of its own for its sinks.
  const heldAs = (kind: 'source' | 'sink', name: string): string => (kind === 'sink' ? `${name}@${member.name}` : name);
  return {
    ...raw,
    ...over,
    ownership: member,
    onAppend,
    append: (commit) => offered.withCommit(commit, () => append(commit)),
    ...openJobs(working),
    openReplay: (job, sink, what) => openReplay(working, job, sink, what),
    replayPending: (job) => replayPending(working, job),
    closeReplay: (job) => closeReplay(working, job),
    lanes: openLanes(core),
    settle: (sink, lane, upTo, letters, counts, resolved = [], attempt) =>
      offered.withSettlement({ sink, lane, upTo, letters, counts, resolved }, () =>
        settle(core, sink, { lane, upTo, letters, counts, resolved, attempt }),
      ),
    hasRoom: () => room.hasRoom(),
    usage: () => room.usage?.() ?? raw.usage(),
    ledger: async () => ({ ...(await over.ledger()), skipped: server.pages.skipped }),
    skewMs: () => member.skew.ms,
    changed: (signal) => changes.wait(signal),
    async register(sources, sinks) {
      const report = await registration.register(sources, sinks);
      registered();
      await member.tick().catch(() => undefined);
      return report;
    },
    setHold: (kind, name, hold) => line.ask(() => raw.setHold(kind, heldAs(kind, name), hold)),
    holds: async () => {
      const own = `@${member.name}`;
      const all = await line.ask(() => raw.holds());
      const mine = all.filter(({ kind, name }) => kind === 'source' || name.endsWith(own));
      return mine.map(({ kind, name, hold }) => ({ kind, name: kind === 'sink' ? name.slice(0, -own.length) : name, hold }));
    },
  };
}

interface FileState {
  readonly without: readonly string[];
  readonly disables: boolean;
}

/** The configuration of a replica, without what does not stand in its file. */
function configOf(
  { feeds, receivers, number, log }: ReplicaParts,
  { without, disables }: FileState,
  fate: Fate,
  seams: Seams,
): Config {
  const isEnabled = (name: string): boolean => !without.includes(name);
  const stands = ({ plan }: { readonly plan: { readonly name: string } }): boolean => disables || isEnabled(plan.name);
  const resolved = { key: '', options: {}, http: {} };
  const refreshable = { ...resolved, resolve: () => Promise.resolve(resolved) };
  const sources = feeds.filter(stands).map((feed): SourceConfig => {
    const { vendor, connector, options } = feed;
    const opened: typeof connector = Object.create(connector, {
      open: {
        value: (_options: unknown, context: Parameters<typeof connector.open>[1]) => {
          if (vendor.openHttp !== undefined) return connector.open(options, { ...context, http: vendor.openHttp(fate) });
          if (vendor.open === undefined) throw new Error(`no reader for ${feed.plan.name}`);
          return vendor.open(fate);
        },
      },
    }) as typeof connector;
    return {
      ...settingsOf(feed),
      ...refreshable,
      connector: opened,
      enabled: isEnabled(feed.plan.name),
      validate: 'off',
      rateLimit: undefined,
    };
  });
  const sinks = receivers.filter(stands).map((receiver): SinkConfig => {
    const sinkType = {
      open: () => receiver.open({ fate, number, seams, log: log.child({ sink: receiver.plan.name }) }),
    } as unknown as SinkConfig['sinkType'];
    const whenFull = receiver.plan.skipsWhenFull === true ? 'skip' : 'wait';
    return {
      ...deliveryOf(receiver.plan),
      ...refreshable,
      sinkType,
      enabled: isEnabled(receiver.plan.name),
      start: 'oldest',
      whenFull,
    };
  });
  return { data_dir: '/nowhere', sources, sinks } as unknown as Config;
}
