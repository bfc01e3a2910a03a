// One life of a replica: the real membership, engine, runtime, collect and deliver, over a line to the model of the database.
import type { Clock } from '../../../src/base/clock.ts';
import type { Log } from '../../../src/base/log.ts';
import { type Seams, systemSeams } from '../../../src/base/seams.ts';
import { createSecrets } from '../../../src/base/secrets.ts';
import type { Config, SinkConfig, SourceConfig } from '../../../src/config/config.ts';
import { withPageCache } from '../../../src/journal/index.ts';
import type { Commit, Journal, Lane } from '../../../src/journal/journal.ts';
import { openAppend } from '../../../src/journal/postgres/append.ts';
import { Changes, type Core } from '../../../src/journal/postgres/core.ts';
import { Membership } from '../../../src/journal/postgres/membership.ts';
import { Names } from '../../../src/journal/postgres/names.ts';
import { openLanes, settle } from '../../../src/journal/postgres/offsets.ts';
import { closeReplay, openReplay, replayPending } from '../../../src/journal/postgres/replays.ts';
import { openJobs } from '../../../src/journal/postgres/state.ts';
import { JobRunner } from '../../../src/operate/jobs/runner.ts';
import { LiveRuntime } from '../../../src/runtime/live-runtime.ts';
import { userAgentOf } from '../../../src/runtime/open-runtime.ts';
import { type Dice, randomAt } from '../dice.ts';
import type { Fate } from '../fate.ts';
import type { Receiver } from '../receivers.ts';
import { deliveryOf, type Feed, settingsOf } from '../runtime.ts';
import type { Scenario } from '../scenario.ts';
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
  readonly opened: Promise<void>;

  constructor(parts: ReplicaParts) {
    const { time, dice, line: state, onStatement, problem } = parts;
    this.#parts = parts;
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

  /** Ends in good order, as SIGTERM does. */
  async stop(): Promise<void> {
    await this.#jobs?.[Symbol.asyncDispose]();
    await this.#runtime?.stop(graceMs);
    // As the engine does: without the database others take over when the lease has run out.
    await this.#member?.leave().catch(() => undefined);
    this.kill();
  }

  async #open(): Promise<void> {
    const { name, server, log, leaseMs, scenario, time, number } = this.#parts;
    const clock = this.#clock;
    const line = this.#line;
    const { member, journal: shared } = shareJournal({ name, number, leaseMs, server, line, clock, log });
    this.#member = member;
    await this.#untilDone(() => member.join());
    const journal = withPageCache(shared, cacheBytes);
    const now = (): number => clock.now() + member.skew.ms;
    const skewed: Clock = { now, monotonic: () => clock.monotonic(), timer: (ms, callback) => clock.timer(ms, callback) };
    const seams: Seams = {
      clock: skewed,
      random: randomAt(scenario.seed + number, () => time.elapsed),
      files: systemSeams().files,
    };
    const userAgent = await this.#untilDone(() => userAgentOf(journal, seams));
    const runtime = new LiveRuntime(configOf(this.#parts, this.#fate, seams), journal, {
      seams,
      log,
      userAgent,
      secrets: createSecrets(),
    });
    await this.#untilDone(() => runtime.register());
    this.#runtime = runtime;
    runtime.start();
    const hasJobs = scenario.jobs.length + scenario.replays.length > 0;
    if (hasJobs) this.#jobs = new JobRunner(runtime, {}, name);
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
  'ledger',
] as const;

interface Sharing extends Pick<ReplicaParts, 'name' | 'number' | 'leaseMs' | 'server' | 'log'> {
  readonly line: Pick<Line, 'ask' | 'reconnect'>;
  readonly clock: Clock;
}

/** The journal of one replica, which has to join before it is used. */
export function shareJournal({ name, number, leaseMs, server, line, clock, log }: Sharing) {
  const offered = new Offering();
  const asker = () => ({ process: number, wall: clock.now(), offered: offered.asOfNow() });
  const db = databaseOver(line, server, asker, leaseMs);
  const changes: Changes = new Changes(db, clock, () => names.forget());
  const names: Names = new Names(db, () => member.id);
  const member = new Membership(db, clock, log, { name, labels: [], version: 'sim', leaseMs, changes });
  const core: Core = { db, clock, time: { now: () => server.now() } as Core['time'], log, changes, names, member };
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
  return { member, journal: journalOver(core, working, line, server, offered) };
}

/** The journal of one replica, as `journalOf` of the engine puts it together; `working`: for its jobs. */
function journalOver(core: Core, working: Core, line: Pick<Line, 'ask'>, server: SharedServer, offered: Offering): Journal {
  const { member, names, changes } = core as Core & { member: Membership };
  const raw = server.journal;
  const over = Object.fromEntries(
    asked.map((name) => {
      const work = raw[name].bind(raw) as (...args: readonly never[]) => Promise<unknown>;
      return [name, (...args: never[]) => line.ask(() => work(...args))];
    }),
  ) as Pick<Journal, (typeof asked)[number]>;
  const seen = { daysOf: () => [], stored: () => undefined } as unknown as Parameters<typeof openAppend>[1];
  const room = { makeRoom: () => Promise.resolve(), appended: () => undefined } as unknown as Parameters<typeof openAppend>[2];
  const { append, onAppend } = openAppend(core, seen, room);
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
    hasRoom: () => member.lease.isValid,
    skewMs: () => member.skew.ms,
    changed: (signal) => changes.wait(signal),
    async register(sources, sinks) {
      const all = [...sources.map(({ name }) => ['source', name] as const), ...sinks.map(({ name }) => ['sink', name] as const)];
      const { as, ...report } = await core.db.transaction(async (sql) => {
        const life = await member.noteRegistered(sql, all);
        return { as: life, ...server.register(sources, sinks) };
      });
      member.registers(all, as);
      names.forget();
      changes.notify();
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

/** The configuration of a replica: all have the same. */
function configOf({ feeds, receivers, number, log }: ReplicaParts, fate: Fate, seams: Seams): Config {
  const refreshable = {
    key: '',
    options: {},
    http: {},
    resolveOptions: () => Promise.resolve({}),
    resolveHttp: () => Promise.resolve({}),
  };
  const sources = feeds.map((feed): SourceConfig => {
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
    return { ...settingsOf(feed), ...refreshable, connector: opened, enabled: true, validate: 'off', rateLimit: undefined };
  });
  const sinks = receivers.map((receiver): SinkConfig => {
    const sinkType = {
      open: () => receiver.open({ fate, number, seams, log: log.child({ sink: receiver.plan.name }) }),
    } as unknown as SinkConfig['sinkType'];
    return { ...deliveryOf(receiver.plan), ...refreshable, sinkType, enabled: true, start: 'oldest', whenFull: 'wait' };
  });
  return { data_dir: '/nowhere', sources, sinks } as unknown as Config;
}
