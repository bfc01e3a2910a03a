// Plays a history: lives follow each other on what the one before left, until the time of troubles is over; then everything is calm, and the
// oracle judges what became of every record.
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PenstockError } from '../../src/base/errors.ts';
import { type Log, openLog, silentLog } from '../../src/base/log.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { Calm } from './calm.ts';
import { playCrew } from './crew/play.ts';
import { type Dice, diceAt } from './dice.ts';
import { entryOf } from './feed.ts';
import { type Life, startLife } from './life.ts';
import { judge, missing } from './oracle.ts';
import { changeOffline, type Order, ordersOf } from './orders.ts';
import { day, type EndPlan, hour, minute, type OfflinePlan, type Scenario } from './scenario.ts';
import { build, type Outcome, type PlayOptions, startMs, type World } from './world.ts';

export { type Outcome, startMs } from './world.ts';

const defaultCalmMs = 2 * day;
const never: EndPlan | undefined = undefined;

/** Lets lives follow each other. */
class Playing {
  readonly world: World;
  readonly #base: string;
  readonly #log: Log;
  #diskErrors: Scenario['diskErrors'];
  #lostAnswers: Scenario['lostAnswers'];
  #asked = 0;
  readonly #orders: Order[];
  readonly #offline: OfflinePlan[];
  readonly #calm: Calm;
  readonly #dice: Dice;
  readonly #buried: Promise<unknown>[] = [];
  #ends: EndPlan[];
  #number = 0;
  life: Life | undefined;

  constructor(world: World, base: string, log: Log) {
    const { scenario } = world;
    this.world = world;
    this.#base = base;
    this.#log = log;
    this.#ends = [...scenario.ends];
    this.#diskErrors = scenario.diskErrors;
    this.#lostAnswers = scenario.lostAnswers;
    this.#orders = ordersOf(scenario, startMs);
    this.#offline = [...(scenario.offline ?? [])];
    this.#calm = new Calm(scenario, startMs);
    this.#dice = diceAt(scenario.seed, 'calm', () => world.time.elapsed);
  }

  get lives(): number {
    return this.#number;
  }

  /** Goes on until a time or until `isDone`, starting lives as they are needed. */
  async until(elapsed: number, isDone: () => boolean = () => false): Promise<void> {
    const { time } = this.world;
    while (time.elapsed < elapsed && !isDone()) {
      this.life ??= this.#start();
      const { life } = this;
      const end = this.#end;
      const stopAt = end?.kind === 'stop' ? Math.max(time.elapsed, end.at) : Number.POSITIVE_INFINITY;
      let failed: unknown;
      life.opened.catch((error: unknown) => (failed = error));
      const goal = Math.min(elapsed, stopAt);
      await time.until(
        Math.min(goal, time.elapsed + this.#calm.lookMs),
        () => life.fate.dead || failed !== undefined || isDone(),
      );
      if (failed !== undefined && !life.fate.dead) this.#onFailed(failed);
      else if (!life.fate.dead && time.elapsed >= stopAt) await this.#stop(life);
      if (life.fate.dead) await this.#next(life);
      else await this.#leap(life, goal);
    }
  }

  async #leap(life: Life, goal: number): Promise<void> {
    const { time } = this.world;
    const ms = this.#calm.leapFrom(time.elapsed, goal, this.#dice);
    if (ms > 0 && (await time.track(life.isIdle()))) time.leap(ms);
  }

  async stop(): Promise<void> {
    if (this.life !== undefined) await this.#stop(this.life);
    await this.life?.bury();
    await Promise.allSettled(this.#buried);
  }

  /** From here on no process ends any more. */
  calm(): void {
    this.#ends = [];
    this.#diskErrors = [];
    this.#lostAnswers = [];
  }

  /** An operator looks after dead letters that have little room. */
  async tidy(): Promise<void> {
    const { time, receivers } = this.world;
    for (const { plan } of receivers) {
      const { life } = this;
      if (plan.mostDeadLetters === undefined || life?.journal === undefined) continue;
      let isDone = false;
      // A process that dies meanwhile answers nobody; an answer that is lost is asked for at the next look.
      life.journal
        .discardDeadLetters({ sink: plan.name })
        .finally(() => (isDone = true))
        .catch(() => undefined);
      await time.until(time.elapsed + minute, () => isDone || life.fate.dead);
    }
  }

  get #end(): EndPlan | undefined {
    return this.#ends[0] ?? never;
  }

  #dir(number: number): string {
    return join(this.#base, String(number));
  }

  #start(): Life {
    const { scenario, time, feeds, receivers, witness } = this.world;
    mkdirSync(this.#dir(this.#number), { recursive: true });
    const life = startLife({
      number: this.#number,
      dir: this.#dir(this.#number),
      nextDir: this.#dir(this.#number + 1),
      scenario,
      end: this.#end,
      time,
      feeds,
      receivers,
      witness,
      log: this.#log.child({ life: this.#number }),
      diskError: () => this.#diskError(),
      losesAnswer: () => this.#losesAnswer(),
    });
    life.opened.then(
      () => this.#giveOrders(life),
      () => undefined,
    );
    return life;
  }

  #diskError(): 10 | 13 | undefined {
    const { elapsed } = this.world.time;
    return this.#diskErrors.find(({ at, ms }) => at <= elapsed && elapsed < at + ms)?.errcode;
  }

  #losesAnswer(): boolean {
    const { elapsed } = this.world.time;
    return this.#lostAnswers.some(
      ({ at, ms, share }) =>
        at <= elapsed && elapsed < at + ms && diceAt(this.world.scenario.seed, 'answers', () => this.#asked++).chance(share),
    );
  }

  #giveOrders(life: Life): void {
    const { time } = this.world;
    for (const order of this.#orders.splice(0)) {
      time.at(Math.max(time.elapsed, order.at), () => {
        if (life.fate.dead || life.journal === undefined) {
          this.#orders.push(order);
          return;
        }
        order.give(life).catch((error: unknown) => this.#log.info({ err: error }, `${order.name} not done`));
      });
    }
  }

  /** The daemon gave up at its start; whoever supervises it starts it again. */
  #onFailed(error: unknown): void {
    const code = error instanceof PenstockError ? error.code : undefined;
    if (code === 'PEN_JOURNAL_CORRUPT' || code === 'PEN_JOURNAL_FOREIGN' || code === undefined)
      this.world.witness.problem(
        `life ${this.#number} could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    this.life?.fate.die();
  }

  async #stop(life: Life): Promise<void> {
    const { time } = this.world;
    let stopped = false;
    const stopping = life.stop().finally(() => (stopped = true));
    await time.until(time.elapsed + 30 * minute, () => stopped || life.fate.dead);
    if (!stopped && !life.fate.dead) {
      this.world.witness.problem(`life ${this.#number} did not stop within 30 minutes`);
      life.fate.die();
    }
    if (stopped) await stopping;
    life.fate.die();
  }

  async #next(life: Life): Promise<void> {
    const { time } = this.world;
    const end = this.#end;
    // A start that failed uses up no end.
    if (end !== undefined && time.elapsed >= end.at) this.#ends.shift();
    const dir = this.#dir(this.#number);
    this.#buried.push(time.track(life.bury().then(() => rmSync(dir, { recursive: true, force: true }))));
    this.#number += 1;
    this.life = undefined;
    await time.until(time.elapsed + (end?.downMs ?? 5_000));
    const due = this.#offline.filter(({ at }) => at <= time.elapsed);
    if (due.length === 0) return;
    for (const plan of due) this.#offline.splice(this.#offline.indexOf(plan), 1);
    await time.track(changeOffline(due, this.#dir(this.#number), this.world.scenario, this.world));
  }
}

function logTo(onLog: PlayOptions['onLog']): Log {
  return onLog === undefined ? silentLog() : openLog('debug', { write: onLog }, createSecrets());
}

const shared = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Plays a history and judges it. */
export async function play(scenario: Scenario, { onLog, calmMs = defaultCalmMs }: PlayOptions = {}): Promise<Outcome> {
  if (scenario.crew !== undefined) return playCrew(scenario, scenario.crew, logTo(onLog));
  const began = process.cpuUsage();
  const world = await build(scenario);
  const { time, witness, receivers, feeds } = world;
  const base = mkdtempSync(join(shared, 'penstock-sim-'));
  const playing = new Playing(world, base, logTo(onLog));
  for (const step of scenario.clock) time.at(step.at, () => (time.wallOffMs += step.byMs));
  try {
    await playing.until(scenario.hours * hour);
    playing.calm();
    time.wallOffMs = 0;
    await settleDown(playing, calmMs);
    await freshEvents(playing, calmMs);
    await judge(world, playing.life);
    await playing.stop();
  } catch (error) {
    witness.problem(`the run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    await playing.stop().catch(() => undefined);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  const used = process.cpuUsage(began);
  const arrivals = receivers.reduce((sum, { copies }) => sum + copies.length, 0);
  return {
    scenario,
    problems: witness.problems,
    virtualMs: time.elapsed,
    cpuMs: (used.user + used.system) / 1000,
    lives: playing.lives + 1,
    records: feeds.reduce((sum, { plan }) => sum + (witness.committed.get(plan.name)?.size ?? 0), 0),
    arrivals,
    fingerprint: hash('sha256', `${time.fired} ${arrivals} ${playing.lives} ${time.elapsed}`).slice(0, 12),
  };
}

/** Waits until everything that was promised is there; what is not there after `calmMs` is lost. */
async function settleDown(playing: Playing, calmMs: number): Promise<void> {
  const { world } = playing;
  const began = world.time.elapsed;
  const limit = began + calmMs;
  while (world.time.elapsed < limit && world.witness.problems.length === 0) {
    // What has not come by then will hardly come: looked for more seldom, so that time may leap.
    const stepMs = world.scenario.leaps === true && world.time.elapsed - began > 6 * hour ? 2 * hour : 5 * minute;
    await playing.until(Math.min(limit, world.time.elapsed + stepMs));
    await playing.tidy();
    const { life } = playing;
    // An end that was due before the calm may come with what the operator asked: the next process answers.
    if (life?.journal === undefined || life.fate.dead) continue;
    if ((await world.time.track(missing(world, life))).length === 0) return;
  }
}

/** One more record of each source has to come through. */
async function freshEvents(playing: Playing, calmMs: number): Promise<void> {
  const { time, feeds } = playing.world;
  if (playing.world.witness.problems.length > 0) return;
  for (const { plan, vendor, connector, options: own } of feeds)
    vendor.entries.push(
      entryOf(plan.kind, connector, connector.tenant(own), { source: plan.name, n: 900_000, at: time.elapsed, late: 0 }, startMs),
    );
  await settleDown(playing, calmMs);
}
