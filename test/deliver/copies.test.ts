// How often an event is sent while a cause is found, at the defaults of `in_flight`, for each way to answer and each number of endpoints; over a
// stop as well. Each copy is counted when it is made.
import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import type { Lane } from '../../src/journal/journal.ts';
import type { Batch, Pending, Sink, Verdicts } from '../../src/sinks/sink.ts';
import { emptyDisk, memoryJournal } from '../journal/memory-journal.ts';
import { fewOrMany } from '../thorough.ts';
import { type VirtualClock, virtualClock } from '../virtual-clock.ts';
import { accepted, records, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;
const lost: Verdicts = { all: { kind: 'uncertain', reason: 'the connection was lost' } };
const timeoutMs = 30_000;

interface Receiver {
  readonly sink?: Partial<Sink>;
  /** What is written of a batch that breaks the connection. */
  readonly written?: (batch: Batch) => number;
  readonly answer: (batch: Batch, clock: VirtualClock) => Promise<Verdicts | Pending> | Verdicts | Pending;
}

type Breaks = (batch: Batch) => boolean;

/** HTTP, HEC, Kafka: one answer per request. */
const requests = (breaks: Breaks): Receiver => ({ answer: (batch) => (breaks(batch) ? lost : accepted) });

/** Over connections that were used before: closed just as the request left, it is asked for once more at once. */
const reused = (breaks: Breaks): Receiver => ({
  answer: (batch) =>
    breaks(batch) ? { all: { kind: 'uncertain', reason: 'the connection was lost', retryAfterMs: 0 } } : accepted,
});

/** HEC with acknowledgement: what is taken is acknowledged later. */
const acknowledged = (breaks: Breaks): Receiver => ({
  answer: (batch, clock) => (breaks(batch) ? lost : { pending: sleep(clock, 10_000).then(() => accepted) }),
});

/** TCP, TLS: nothing is acknowledged, a clean close means sent, and a break puts all that is open in doubt. */
function stream(breaks: Breaks, idleMs?: number): Receiver {
  let open: ((verdicts: Verdicts) => void)[] = [];
  const end = (verdicts: Verdicts): void => {
    for (const settle of open.splice(0)) settle(verdicts);
    open = [];
  };
  return {
    sink: { maxInFlight: 1, isStream: true, flush: () => Promise.resolve(end({ all: { kind: 'sent' } })) },
    answer(batch, clock) {
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      open.push(resolve);
      if (breaks(batch)) end(lost);
      else clock.timer(idleMs ?? 60_000, () => resolve(idleMs === undefined ? { all: { kind: 'sent' } } : lost));
      return { pending: promise };
    },
  };
}

/** RELP: each message is answered, and the first without an answer is known. */
function relp(breaks: Breaks): Receiver {
  const breaking = ({ events, ...batch }: Batch): number => events.findIndex((event) => breaks({ ...batch, events: [event] }));
  const window = ({ careful, events }: Batch): number => (careful === true || events.length === 1 ? 1 : 128);
  const written = (batch: Batch): number => (breaking(batch) === -1 ? batch.events.length : breaking(batch) + window(batch));
  return {
    sink: { maxInFlight: 1, isStream: true },
    written,
    answer(batch) {
      const at = breaking(batch);
      if (at === -1) return accepted;
      return {
        each: batch.events.map((_, index) => {
          if (index < at) return { kind: 'accept' };
          if (index >= written(batch)) return { kind: 'retry', reason: 'the connection was lost' };
          return { kind: 'uncertain', reason: 'the connection was lost', suspect: window(batch) === 1 };
        }),
      };
    },
  };
}

/** Stores a batch, and needs so long for each of its events. */
const slow = (msEach: number): Receiver => ({
  async answer({ events }, clock) {
    await sleep(clock, events.length * msEach);
    return accepted;
  },
});

const holds = ({ events }: Batch, uid: string): boolean => events.some((event) => event.uid === uid);
const first = (batch: Batch): boolean => holds(batch, 'e0');
const middle = (batch: Batch): boolean => holds(batch, 'e2');

interface Row {
  readonly what: string;
  readonly most: number;
  readonly endpoints: readonly number[];
  readonly letters: number;
  readonly receiver: () => Receiver;
}

const rows: readonly Row[] = [
  ...[first, middle].flatMap((breaks, at): Row[] => [
    { what: `requests that event ${at} breaks`, most: 10, endpoints: [1, 2, 3], letters: 1, receiver: () => requests(breaks) },
    {
      what: `reused connections that event ${at} breaks`,
      most: 10,
      endpoints: [1, 3],
      letters: 1,
      receiver: () => reused(breaks),
    },
    {
      what: `acknowledged requests that event ${at} breaks`,
      most: 10,
      endpoints: [1, 2, 3],
      letters: 1,
      receiver: () => acknowledged(breaks),
    },
    { what: `a stream that event ${at} breaks`, most: 10, endpoints: [1], letters: 1, receiver: () => stream(breaks) },
    { what: `RELP that event ${at} breaks`, most: 4, endpoints: [1], letters: 1, receiver: () => relp(breaks) },
  ]),
  { what: 'too slow for whole batches', most: 6, endpoints: [1, 2, 3], letters: 0, receiver: () => slow(timeoutMs / 120) },
  { what: 'too slow for all but a few', most: 6, endpoints: [1, 2, 3], letters: 0, receiver: () => slow(timeoutMs / 20) },
  { what: 'single events near the time-out', most: 12, endpoints: [1, 2, 3], letters: 0, receiver: () => slow(timeoutMs * 0.9) },
  { what: 'idle connections that are closed', most: 3, endpoints: [1], letters: 0, receiver: () => stream(() => false, 50_000) },
];

const cases = rows.flatMap(({ endpoints, ...row }) =>
  endpoints.flatMap((count) =>
    [3, 200, 5000].flatMap((queue) => [false, true].map((isStopped) => ({ ...row, count, queue, isStopped }))),
  ),
);

// The largest queues cost most; what differs by two endpoints shows among the long tests.
const isChosen = ({ count, queue }: (typeof cases)[number]): boolean => fewOrMany(0, 1) === 1 || (queue < 5000 && count !== 2);

it.each(cases.filter(isChosen))(
  '$what, $count endpoints, $queue events, stopped in the middle: $isStopped: at most $most copies, each counted',
  async ({ receiver, most, letters, count, queue, isStopped }) => {
    const disk = emptyDisk();
    memoryJournal(disk).put(live, records('e', queue));
    const copies = new Map<string, number>();
    const sum = { letters: 0, taken: 0, counted: 0 };
    const goAgain = new Set<string>();
    let isDrained = false;
    let time = 1_000_000;
    for (const lifeMs of isStopped ? [45_000, 100_000, undefined] : [undefined]) {
      const journal = memoryJournal(disk);
      const clock = virtualClock(time);
      const { sink, answer, written = ({ events }) => events.length } = receiver();
      const { loop } = setUp({
        journal,
        clock,
        seed: 7 + (lifeMs ?? 0),
        settings: { batch: { events: 500, bytes: 10_000_000, waitMs: 0 }, inFlight: 4, timeoutMs },
        sink: { endpoints: ['a', 'b', 'c'].slice(0, count), reaches: () => Promise.resolve(true), ...sink },
        answer(batch) {
          for (const { uid } of batch.events.slice(0, written(batch))) copies.set(uid, (copies.get(uid) ?? 0) + 1);
          return answer(batch, clock);
        },
      });
      loop.start();
      if (lifeMs === undefined) isDrained = await clock.until(loop.drained(never), 20 * 86_400_000);
      else await clock.advance(lifeMs);
      await clock.until(loop.stop(0));
      const { dead_lettered, acknowledged: confirmed, unconfirmed, possible_duplicates } = journal.settled;
      for (const { code, record } of journal.letters) if (code === 'not_taken_alone') goAgain.add(record.uid);
      sum.letters += dead_lettered;
      sum.taken += confirmed + unconfirmed;
      sum.counted += possible_duplicates;
      time += 1_000_000;
    }

    const made = [...copies.values()].reduce((sum, each) => sum + each, 0);
    expect({ isDrained, letters: sum.letters, taken: sum.taken }).toEqual({ isDrained: true, letters, taken: queue - letters });
    expect(sum.counted).toBeGreaterThanOrEqual(made - queue);
    // One at least is left for the dead letter.
    for (const uid of goAgain) copies.set(uid, (copies.get(uid) ?? 0) + 1);
    // A stop cuts off what is under way.
    expect(Math.max(...copies.values())).toBeLessThanOrEqual(isStopped ? most + 2 : most);
  },
);
