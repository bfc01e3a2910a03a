// Plays a history of replicas that share a journal: all in one virtual time, each with its own wall clock, until the time of troubles is over.
import { hash } from 'node:crypto';
import { type Log, silentLog } from '../../../src/base/log.ts';
import type { Job } from '../../../src/journal/journal.ts';
import { diceAt } from '../dice.ts';
import { entryOf } from '../feed.ts';
import type { Life } from '../life.ts';
import { judge, missing } from '../oracle.ts';
import { ordersOf } from '../orders.ts';
import { type CrewFault, type CrewPlan, cuts, hour, minute, runsJobs, type Scenario, type StatementKind } from '../scenario.ts';
import { build, type Outcome, type PlayOptions, startMs, type World } from '../world.ts';
import type { LineState } from './line.ts';
import { Replica } from './replica.ts';
import { SharedServer } from './server.ts';
import { Watch } from './watch.ts';

/** One place among the replicas, in which lives follow each other. */
interface Post {
  readonly index: number;
  offMs: number;
  replica: Replica | undefined;
  /** What does not stand in its file, or is disabled there. */
  without: readonly string[];
  disables: boolean;
  /** What its process is surely configured with, and still is where that one comes to grief; nothing when it left. */
  names: ReadonlySet<string>;
  /** When its file was written last, true time in milliseconds. */
  changedAt: number;
  cut: { readonly kind: (typeof cuts)[number]; readonly until: number } | undefined;
  losesUntil: number;
  lostShare: number;
  /** Faults that wait for one of its statements. */
  armed: { readonly fault: CrewFault; left: number }[];
  /** When it was last able to work without a break, true time in milliseconds; undefined: it is not. */
  ableSince: number | undefined;
}

const stopMs = 60_000;
/** Jobs that ask a vendor. */
const mayFail: readonly string[] = ['backfill', 'verify'];
const lostShare = 0.33;
const isCut = (kind: CrewFault['kind']): kind is (typeof cuts)[number] => (cuts as readonly string[]).includes(kind);

class Crew {
  readonly world: World;
  readonly #watch: Watch;
  readonly #server: SharedServer;
  readonly #plan: CrewPlan;
  readonly #log: Log;
  readonly #posts: Post[];
  readonly #owned = new Map<string, number>();
  readonly #owners = new Map<string, string | null>();
  #outage: Post['cut'];
  #asked = 0;
  #isCalm = false;
  processes = 0;

  constructor(world: World, watch: Watch, plan: CrewPlan, log: Log) {
    this.world = world;
    this.#watch = watch;
    this.#plan = plan;
    this.#log = log;
    const { time } = world;
    this.#server = new SharedServer(() => time.now(), watch);
    watch.server = this.#server;
    watch.entries = new Map(world.feeds.map(({ plan: { name }, vendor }) => [name, vendor.entries]));
    this.#posts = plan.clocks.map((offMs, index) => ({
      index,
      offMs,
      replica: undefined,
      without: [],
      disables: false,
      ...this.#firstFile(index),
      names: new Set<string>(),
      changedAt: 0,
      cut: undefined,
      losesUntil: 0,
      lostShare: 0,
      armed: [],
      ableSince: undefined,
    }));
  }

  start(): void {
    const { time } = this.world;
    for (const post of this.#posts) this.#begin(post);
    for (const fault of this.#plan.faults) time.at(fault.at, () => this.#arm(fault));
    for (const { at, replica, without, disables } of this.#plan.files ?? [])
      if (at > 0) time.at(at, () => this.#write(replica, without, disables));
    for (const order of ordersOf(this.world.scenario, startMs)) time.at(order.at, () => void order.give(this.life));
    time.at(1_000, () => this.#sample());
  }

  /** As a life of one process, for who judges, and for commands that leave an order. */
  get life(): Life {
    return { journal: this.#server.beside } as unknown as Life;
  }

  get jobs(): readonly Job[] {
    return this.#server.disk.jobs;
  }

  /** Each job comes to its end, whoever had it when; a vendor may fail one, a replay waits for its receiver. */
  checkJobs(): void {
    if (!runsJobs(this.world.scenario)) return;
    for (const { id, kind, state, error } of this.jobs)
      if (
        state !== 'done' &&
        state !== 'cancelled' &&
        !(state === 'failed' && (mayFail.includes(kind) || this.#wasForNobody(error)))
      )
        this.#watch.problem(`job ${id} (${kind}) is ${state} at the end: ${error ?? 'nobody goes on with it'}`);
  }

  /** A name may leave the files of all for longer than its jobs wait. */
  #wasForNobody(error = ''): boolean {
    const [, name = ''] = /^no replica has been configured with a \w+ called "([^"]+)" for /.exec(error) ?? [];
    const without = (this.#plan.files ?? []).filter((file) => file.without.includes(name)).map(({ replica }) => replica);
    return this.#posts.every(({ index }) => without.includes(index));
  }

  /** From here on nothing happens to anybody any more. */
  calm(): void {
    this.#isCalm = true;
    this.#outage = undefined;
    for (const post of this.#posts) {
      post.cut = undefined;
      post.losesUntil = 0;
      if (post.replica?.isStalled === true) post.replica.goOn();
      if (post.without.length > 0) post.replica?.read([], false);
      post.without = [];
      post.disables = false;
      post.changedAt = this.world.time.now();
      if (post.replica === undefined) this.#begin(post);
    }
  }

  async stop(): Promise<void> {
    for (const post of this.#posts) await this.#stop(post);
  }

  #firstFile(index: number): Pick<Post, 'without' | 'disables'> | undefined {
    const first = this.#plan.files?.find(({ at, replica }) => at <= 0 && replica === index);
    return first && { without: first.without, disables: first.disables === true };
  }

  #begin(post: Post): void {
    if (post.replica !== undefined) return;
    const { scenario, time, feeds, receivers } = this.world;
    this.processes += 1;
    const number = this.processes;
    const replica = new Replica({
      name: `replica${post.index + 1}`,
      number,
      scenario,
      leaseMs: this.#plan.leaseMs,
      offMs: () => post.offMs,
      time,
      dice: diceAt(scenario.seed, `line ${post.index}`, () => time.elapsed),
      server: this.#server,
      line: () => this.#lineOf(post),
      onStatement: (of, when) => this.#onStatement(post, of, when),
      feeds,
      receivers,
      log: this.#log.child({ replica: post.index + 1, life: number }),
      problem: (text) => this.#watch.problem(text),
      without: post.without,
      disables: post.disables,
      onNames: (names) => void (post.names = names),
      onDropped: (names) => this.#watch.onDropped(number, names),
    });
    post.replica = replica;
    this.#continues(post);
    replica.opened.catch((error: unknown) =>
      this.#watch.problem(`process ${number} could not start: ${String((error as Error).stack)}`),
    );
  }

  /** What happens to its line happens to who comes after another, too. */
  #continues({ cut, losesUntil }: Post): void {
    const { time } = this.world;
    const untilMs = Math.max(losesUntil, cut?.until ?? 0) - time.elapsed;
    if (untilMs > 0) this.#watch.incident('cut', this.processes, time.now() + untilMs);
  }

  #lineOf(post: Post): LineState {
    const { elapsed } = this.world.time;
    const isNow = (cut: Post['cut']): boolean => cut !== undefined && elapsed < cut.until;
    const cut = isNow(this.#outage) ? this.#outage : isNow(post.cut) ? post.cut : undefined;
    const losesAnswer = (): boolean =>
      elapsed < post.losesUntil && diceAt(this.world.scenario.seed, 'answers', () => this.#asked++).chance(post.lostShare);
    return { cut, losesAnswer };
  }

  #arm(fault: CrewFault): void {
    const post = this.#posts[fault.replica % this.#posts.length];
    if (fault.statement === undefined) this.#strike(fault);
    else post?.armed.push({ fault, left: fault.statement.nth });
  }

  /** The file of a replica is another one, which is read at once by who lives, and at its start by who comes. */
  #write(index: number, without: readonly string[], disables = false): void {
    const post = this.#posts[index % this.#posts.length];
    if (post === undefined || this.#isCalm) return;
    post.without = without;
    post.disables = disables;
    post.changedAt = this.world.time.now();
    post.replica?.read(without, disables);
  }

  #onStatement({ armed }: Post, of: StatementKind, when: 'asked' | 'done'): void {
    for (const one of armed.slice()) {
      if (one.fault.statement?.when !== when || one.fault.statement.of !== of) continue;
      one.left -= 1;
      if (one.left > 0) continue;
      armed.splice(armed.indexOf(one), 1);
      this.#strike(one.fault);
    }
  }

  #strike({ kind, replica: index, ms, at, statement }: CrewFault): void {
    const post = this.#posts[index % this.#posts.length];
    const { time } = this.world;
    if (post === undefined || this.#isCalm) return;
    const { replica } = post;
    if (kind === 'outage') {
      this.#outage = { kind: cuts[Math.floor(at) % cuts.length] ?? 'refused', until: time.elapsed + ms };
      this.#watch.incident('outage', undefined, time.now() + ms);
    } else if (isCut(kind)) {
      post.cut = { kind, until: time.elapsed + ms };
      if (replica !== undefined) this.#watch.incident('cut', replica.number, time.now() + ms);
    } else if (kind === 'lost') this.#lose(post, ms, statement === undefined ? lostShare : 1);
    else if (kind === 'step') this.#step(post, ms);
    else if (replica === undefined || replica.isStalled) return;
    else if (kind === 'kill') this.#kill(post, ms);
    else if (kind === 'stall') this.#stall(replica, ms);
    else void this.#stop(post).then(() => this.#beginLater(post, ms));
  }

  /** Whose every heartbeat may get lost for as long as its lease is as good as cut off. */
  #lose(post: Post, ms: number, share: number): void {
    const { time } = this.world;
    post.losesUntil = time.elapsed + ms;
    post.lostShare = share;
    if (post.replica !== undefined && ms > this.#plan.leaseMs) this.#watch.incident('cut', post.replica.number, time.now() + ms);
  }

  #step(post: Post, ms: number): void {
    post.offMs -= 2 * hour;
    this.world.time.at(this.world.time.elapsed + ms, () => (post.offMs += 2 * hour));
  }

  #kill(post: Post, ms: number): void {
    if (post.replica === undefined) return;
    this.#watch.incident('kill', post.replica.number, this.world.time.now());
    post.replica.kill();
    post.replica = undefined;
    this.#beginLater(post, ms);
  }

  #beginLater(post: Post, ms: number): void {
    const { time } = this.world;
    time.at(time.elapsed + ms, () => this.#begin(post));
  }

  #stall(replica: Replica, ms: number): void {
    const { time } = this.world;
    this.#watch.incident('stall', replica.number, time.now() + ms);
    replica.stall();
    time.at(time.elapsed + ms, () => {
      if (replica.isStalled) replica.goOn();
    });
  }

  /** A supervisor waits a minute for a process that is to end. */
  async #stop(post: Post): Promise<void> {
    const { replica } = post;
    const { time } = this.world;
    if (replica === undefined) return;
    let isOver = false;
    const stopping = replica.stop().finally(() => (isOver = true));
    stopping.catch((error: unknown) => this.#watch.problem(`process ${replica.number} did not stop: ${String(error)}`));
    await Promise.race([stopping, time.wait(stopMs)]);
    if (post.replica === replica) post.replica = undefined;
    if (isOver) return;
    this.#watch.incident('kill', replica.number, time.now());
    replica.kill();
  }

  #isAble({ replica, losesUntil }: Post, line: LineState): boolean {
    const isReached = line.cut === undefined && losesUntil < this.world.time.elapsed;
    return replica !== undefined && !replica.isDead && !replica.isStalled && isReached;
  }

  /** The database hears of who misses some of the answers; who misses all works no more. */
  #isHeard(post: Post): boolean {
    const isDeaf = post.lostShare === 1 && this.world.time.elapsed < post.losesUntil;
    return !isDeaf && this.#lineOf(post).cut === undefined;
  }

  /** Once a second: no source stays without an owner that lives, and the ledger balances. */
  #sample(): void {
    const { time } = this.world;
    const now = time.now();
    for (const post of this.#posts) {
      const isAble = this.#isAble(post, this.#lineOf(post));
      post.ableSince = isAble ? (post.ableSince ?? now) : undefined;
      this.#watch.onNames(post.names);
    }
    for (const { source, owner } of this.#server.units) this.#checkOwner(source, owner, now);
    if (Math.round(time.elapsed / 1000) % 60 === 0) this.#watch.checkBalance();
    time.at(time.elapsed + 1_000, () => this.#sample());
  }

  /** Those that are to have a source: who is configured with it, and all where nobody is. */
  #meant(source: string): readonly Post[] {
    const named = this.#posts.filter(({ without }) => !without.includes(source));
    return named.length === 0 ? this.#posts : named;
  }

  #checkOwner(source: string, owner: string | null, now: number): void {
    const process = this.#watch.processOf(owner);
    const meant = this.#meant(source);
    const ableSince = Math.min(...meant.flatMap((post) => post.ableSince ?? []), Number.POSITIVE_INFINITY);
    const isOwned = meant.some(
      (post) => post.replica?.number === process && post.replica?.isStalled === false && this.#isHeard(post),
    );
    const isTaken = owner !== null && owner !== this.#owners.get(source);
    this.#owners.set(source, owner);
    // One that took it and came to grief at once owned it.
    const isChanging = this.#posts.some(({ changedAt }) => now - changedAt <= changeMs);
    if (isOwned || isTaken || isChanging || ableSince === Number.POSITIVE_INFINITY) {
      this.#owned.set(source, now);
      return;
    }
    const since = Math.max(this.#owned.get(source) ?? now, ableSince);
    const mostMs = this.#plan.leaseMs + 10_000 + reachMs;
    if (now - since <= mostMs || now - since > mostMs + 1_000) return;
    this.#watch.problem(`source ${source}: nobody who could work has owned it for ${mostMs} ms`);
  }
}

/** A file is read when the loops of what is gone from it have ended, and what is handed over is waited for. */
const changeMs = minute;
/** What was asked for shortly before the database could be reached again is waited for so long. */
const reachMs = 20_000;
const stepMs = minute;

async function settleDown(crew: Crew, calmMs: number): Promise<void> {
  const { time, witness } = crew.world;
  const limit = time.elapsed + calmMs;
  while (time.elapsed < limit && witness.problems.length === 0) {
    await time.until(Math.min(limit, time.elapsed + 5 * stepMs));
    const isOver = crew.jobs.every(({ finished }) => finished !== undefined);
    if (isOver && (await time.track(missing(crew.world, crew.life))).length === 0) return;
  }
}

function addFresh({ time, feeds }: World): void {
  for (const { plan, vendor, connector, options } of feeds)
    vendor.entries.push(
      entryOf(
        plan.kind,
        connector,
        connector.tenant(options),
        { source: plan.name, n: 900_000, at: time.elapsed, late: 0 },
        startMs,
      ),
    );
}

/** Plays a history of several replicas and judges it. */
export async function playCrew(
  scenario: Scenario,
  plan: CrewPlan,
  log: Log = silentLog(),
  { calmMs = 6 * hour }: PlayOptions = {},
): Promise<Outcome> {
  const began = process.cpuUsage();
  let now = (): number => startMs;
  const watch = new Watch(() => now(), plan.leaseMs, scenario.sinks);
  const world = await build(scenario, (own) => watch.around(own));
  const { time, witness, receivers, feeds } = world;
  now = () => time.now();
  const crew = new Crew(world, watch, plan, log);
  try {
    crew.start();
    await time.until(scenario.hours * hour);
    crew.calm();
    await settleDown(crew, calmMs);
    if (witness.problems.length === 0) addFresh(world);
    await settleDown(crew, calmMs);
    await judge(world, crew.life);
    crew.checkJobs();
    watch.checkBalance();
    const stopping = crew.stop();
    await time.until(time.elapsed + 2 * stepMs);
    await stopping;
  } catch (error) {
    witness.problem(`the run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  const used = process.cpuUsage(began);
  const arrivals = receivers.reduce((sum, { copies }) => sum + copies.length, 0);
  return {
    scenario,
    problems: witness.problems,
    virtualMs: time.elapsed,
    cpuMs: (used.user + used.system) / 1000,
    lives: crew.processes,
    records: feeds.reduce((sum, { plan: { name } }) => sum + (witness.committed.get(name)?.size ?? 0), 0),
    arrivals,
    fingerprint: hash('sha256', `${time.fired} ${arrivals} ${crew.processes} ${time.elapsed}`).slice(0, 12),
  };
}
