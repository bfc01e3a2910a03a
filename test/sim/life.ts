// One life of Penstock: the real journal, collect, deliver and job runner on the files that an earlier life left, until it ends.
import { PenstockError } from '../../src/base/errors.ts';
import type { Log } from '../../src/base/log.ts';
import type { Seams } from '../../src/base/seams.ts';
import { openJournal, withPageCache } from '../../src/journal/index.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { JobRunner } from '../../src/operate/jobs/runner.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { randomAt } from './dice.ts';
import { type Fate, fateOf } from './fate.ts';
import { type CommitFault, type Disk, watchDisk, watchFiles } from './power.ts';
import type { Receiver } from './receivers.ts';
import { choreFactor, type Feed, SimRuntime, slower } from './runtime.ts';
import { type EndPlan, hour, type Scenario } from './scenario.ts';
import type { SimTime } from './time.ts';
import type { Witness } from './witness.ts';

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
  /** Gives one source or sink another setting; reloads follow each other. */
  reload(name: string, value: number): Promise<void>;
  /** True when the journal is open and holds nothing that a sink has to take. */
  isIdle(): Promise<boolean>;
  /** Ends in good order, as SIGTERM does. */
  stop(): Promise<void>;
  /** Closes what a dead life left open in this process. */
  bury(): Promise<void>;
}

const cacheBytes = 4 * 2 ** 20;

const journalMethods = [
  'register',
  'formerNames',
  'seen',
  'checkpoint',
  'note',
  'noteOfAll',
  'setNote',
  'setNoteIfAbsent',
  'changeNote',
  'windows',
  'lanes',
  'connectorText',
  'deadLetters',
  'countDeadLetters',
  'discardDeadLetters',
  'givenUp',
  'openReplay',
  'closeReplay',
  'replayPending',
  'claimJob',
  'insertJob',
  'jobs',
  'updateJob',
  'ledger',
  'stored',
  'sinkStarts',
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
  let runtime: SimRuntime | undefined;
  let jobs: JobRunner | undefined;
  let reloading: Promise<void> = Promise.resolve();

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
    runtime = new SimRuntime({ ...parts, journal, fate, seams });
    await runtime.register();
    runtime.start();
    jobs = new JobRunner({
      journal,
      log,
      sources: runtime.sources,
      sinks: runtime.sinks,
      seams: { ...seams, clock: slower(clock, choreFactor(scenario)) },
    });
  }
  async function stop(): Promise<void> {
    await jobs?.[Symbol.asyncDispose]();
    await reloading;
    await runtime?.stop();
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
    reload(name, value) {
      const own = reloading.then(() => (jobs === undefined ? undefined : runtime?.reload(name, value, jobs)));
      reloading = own.catch(() => undefined);
      return own;
    },
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
