import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { SizeLimits } from '../../src/deliver/blame/size-limits.ts';
import { Suspects } from '../../src/deliver/blame/suspects.ts';
import type { OpenRecord } from '../../src/deliver/lane.ts';
import { SendPlan } from '../../src/deliver/settles-first/send-plan.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { handOver } from '../journal/ownership.ts';
import { records, setUp } from './harness.ts';

const live = { kind: 'live', source: 'acme' } as const;
const accepted: Verdicts = { all: { kind: 'accept' } };

/** A journal that others share: what this process owns is decided by the test. */
function sharedJournal() {
  const memory = memoryJournal();
  const hands = handOver();
  const journal: Journal = new Proxy(memory, {
    get: (target, key) => (key === 'ownership' ? hands.ownership : (Reflect.get(target, key) as unknown)),
  });
  return { memory, journal, ...hands };
}

/** A batch of live records, as far as a plan looks at it. */
const batchOf = (source: string, ...positions: number[]) => ({
  prepared: positions.map((position) => ({
    open: { lane: { name: 'live', lane: { source } }, place: { position } } as OpenRecord,
  })),
});

const uidsOf = (sent: readonly { readonly uids: readonly string[] }[]): string[] => sent.flatMap(({ uids }) => uids);

it('delivers a source from the moment when it is gained', async () => {
  const { memory, journal, gain } = sharedJournal();
  memory.put(live, records('a', 3));
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.advance(30_000);
  const before = uidsOf(sent);

  gain('acme');
  await clock.advance(10_000);

  expect(before).toEqual([]);
  expect(uidsOf(sent)).toEqual(['a0', 'a1', 'a2']);
  await clock.until(loop.stop(0));
});

it('sends nothing more of a source that it lost, and goes on at the offset of the journal when it comes back', async () => {
  const { memory, journal, gain, lose } = sharedJournal();
  gain('acme');
  memory.put(live, records('a', 30));
  const answers: PromiseWithResolvers<Verdicts>[] = [];
  const { loop, clock, sent } = setUp({
    journal,
    answer: () => {
      const answer = Promise.withResolvers<Verdicts>();
      answers.push(answer);
      return answer.promise;
    },
  });
  loop.start();
  await clock.advance(1_000);

  lose('acme');
  answers[0]?.resolve(accepted);
  await clock.advance(60_000);
  const whileLost = uidsOf(sent).length;
  // Another process delivered twenty meanwhile.
  memory.disk.offsets.set('out live acme', 20);
  gain('acme');
  await clock.advance(10_000);

  expect(whileLost).toBe(10);
  expect(memory.settles).toBe(0);
  expect(uidsOf(sent).slice(10)).toEqual(Array.from({ length: 10 }, (_none, index) => `a${20 + index}`));
  await clock.until(loop.stop(0));
});

it('sends nothing of a source that went to another replica while the journal noted what is under way, and leaves that one’s note', async () => {
  const { memory, journal, gain, lose } = sharedJournal();
  gain('acme');
  memory.put(live, records('a', 3));
  const isAnswered = Promise.withResolvers<void>();
  const changeNote = memory.changeNote.bind(memory);
  memory.changeNote = async (...asked) => {
    await isAnswered.promise;
    return changeNote(...asked);
  };
  const { loop, clock, sent } = setUp({ journal, sink: { settlesFirst: true }, answer: () => accepted });
  loop.start();
  await clock.advance(1_000);

  lose('acme');
  await memory.setNote('', 'under_way:out', { 'live\nacme': 9 });
  isAnswered.resolve();
  await clock.advance(60_000);
  const noted = await memory.note('', 'under_way:out');
  gain('acme');
  await clock.advance(60_000);

  expect(noted).toEqual({ 'live\nacme': 9 });
  expect(uidsOf(sent)).toEqual(['a0', 'a1', 'a2']);
  await clock.until(loop.stop(0));
});

it('lets go of a lane whose settlement is refused because another process owns it', async () => {
  const { memory, journal, gain } = sharedJournal();
  gain('acme');
  memory.put(live, records('a', 10));
  let fences = 0;
  memory.failing.settle = () => {
    fences += 1;
    return fences === 1 ? new PenstockError('PEN_JOURNAL_FENCED', 'another replica has it') : undefined;
  };
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });
  loop.start();

  await clock.advance(30_000);

  // Read anew, since this process owns it after all: the copies are the price.
  expect(uidsOf(sent)).toEqual([...records('a', 10), ...records('a', 10)].map(({ uid }) => uid));
  expect(memory.offsetOf(live)).toBe(10);
  expect(loop.status().warnings).toEqual([]);
  await clock.until(loop.stop(0));
});

it('settles what is under way before a source is given back, and begins nothing new', async () => {
  const { memory, journal, gain, release } = sharedJournal();
  gain('acme');
  memory.put(live, records('a', 30));
  const answer = Promise.withResolvers<Verdicts>();
  const { loop, clock, sent } = setUp({ journal, answer: () => answer.promise });
  loop.start();
  await clock.advance(1_000);

  let isGiven = false;
  const giving = release('acme').then(() => (isGiven = true));
  await clock.advance(5_000);
  const before = isGiven;
  answer.resolve(accepted);
  await clock.until(giving);

  expect(before).toBe(false);
  expect(uidsOf(sent).length).toBe(10);
  expect(memory.offsetOf(live)).toBe(10);
  await clock.until(loop.stop(0));
});

it('counts what was taken behind an event that is not taken in time when a source is given back, for its next owner sends that again', async () => {
  const { memory, journal, gain, release, stopWaiting } = sharedJournal();
  gain('acme');
  memory.put(live, records('a', 6));
  let taken = 0;
  const { loop, clock } = setUp({
    journal,
    settings: { batch: { events: 2, bytes: 100_000, waitMs: 0 }, inFlight: 3 },
    answer: ({ events }) => {
      if (events.some(({ uid }) => uid === 'a0')) return { all: { kind: 'hold', reason: 'denied', fix: 'allow it' } };
      taken += events.length;
      return accepted;
    },
  });
  loop.start();
  await clock.advance(1_000);

  const giving = release('acme');
  await clock.advance(30_000);
  stopWaiting();
  await clock.until(giving);

  expect(taken).toBeGreaterThan(0);
  expect({ offset: memory.offsetOf(live), counted: memory.settled.possible_duplicates }).toEqual({ offset: 0, counted: taken });
  await clock.until(loop.stop(0));
});

it('keeps what each replica noted of events that failed alone, until that one has their outcome', async () => {
  const journal = memoryJournal();
  const { clock } = setUp({ journal, answer: () => accepted });
  const replica = async (): Promise<Suspects> => {
    const suspects = new Suspects(journal, silentLog(), 'out', new SizeLimits(clock));
    await suspects.recall(clock);
    return suspects;
  };
  const [one, other] = [await replica(), await replica()];
  const nothing = { passed: 0, failed: 0 };
  one.giveUp('x', 8, 10, nothing, 0);
  await clock.advance(1);
  other.failed('y', 2);
  await clock.advance(1);
  const next = await replica();
  const known = [next.copiesBefore('x'), next.copiesBefore('y')];

  const again = next.taken(nothing, 1);
  one.forget('x');
  await clock.advance(1);
  other.failed('y', 3);
  await clock.advance(1);
  const last = await replica();

  expect({ known, again }).toEqual({ known: [8, 2], again: new Map([['x', false]]) });
  expect([last.copiesBefore('x'), last.copiesBefore('y'), last.taken(nothing, 1)]).toEqual([0, 3, new Map()]);
});

it('sends again what was given up only from the replica that has its source, also one that has it from now on', async () => {
  const journal = memoryJournal();
  const { clock } = setUp({ journal, answer: () => accepted });
  const nothing = { passed: 0, failed: 0 };
  const replica = async (owned: Set<string>): Promise<Suspects> => {
    const ownership = { ...journal.ownership, owns: (source: string) => owned.has(source) };
    const suspects = new Suspects({ ...journal, ownership }, silentLog(), 'out', new SizeLimits(clock));
    await suspects.recall(clock);
    return suspects;
  };
  const [ofOne, ofOther] = [new Set(['a']), new Set(['b'])];
  const [one, other] = [await replica(ofOne), await replica(ofOther)];
  one.giveUp('x', 3, 10, nothing, 0, 'a');
  await clock.advance(1);
  other.giveUp('y', 3, 10, nothing, 0, 'b');
  await clock.advance(1);
  const third = await replica(ofOther);

  ofOther.add('a');
  ofOne.clear();
  one.lose(['a']);
  await third.recall(clock);

  expect([one, other, third].map((replica) => [...replica.taken(nothing, 1).keys()])).toEqual([[], ['y'], ['y', 'x']]);
});

it('asks again for what another replica noted where the database did not tell it as the source came', async () => {
  const { memory, journal, gain } = sharedJournal();
  let asked = 0;
  const note = memory.note.bind(memory);
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.advance(1_000);
  memory.note = (...of) => {
    asked += 1;
    return asked <= 2 ? Promise.reject(new Error('the database is away')) : note(...of);
  };

  gain('acme');
  await clock.advance(1_000);
  const atOnce = asked;
  await clock.advance(60_000);

  expect({ atOnce, isAsked: asked > 3 }).toEqual({ atOnce: 1, isAsked: true });
  await clock.until(loop.stop(0));
});

it('sends first what another replica had under way of a source that comes from it, however often others noted theirs', async () => {
  const journal = memoryJournal();
  const owned = { one: new Set(['a']), other: new Set(['b']) };
  const planOf = (replica: keyof typeof owned): SendPlan =>
    new SendPlan({ ...journal, ownership: { ...journal.ownership, owns: (source) => owned[replica].has(source) } }, 'out');
  const [one, other] = [planOf('one'), planOf('other')];
  await one.note(batchOf('a', 1, 2));
  await other.note(batchOf('b', 7));
  await other.note(batchOf('b', 8));

  owned.other.add('a');
  await other.recall();

  expect(other.groups(batchOf('a', 1, 2, 3).prepared)).toEqual([[0, 1], [2]]);
});

it('keeps in its note what an earlier process had under way in a lane until it goes beyond that', async () => {
  const journal = memoryJournal();
  const noted = () => journal.note('', 'under_way:out');
  await new SendPlan(journal, 'out').note({ prepared: [...batchOf('a', 5).prepared, ...batchOf('b', 9).prepared] });
  const plan = new SendPlan(journal, 'out');
  await plan.recall();

  await plan.note(batchOf('b', 8, 9));
  const first = await noted();
  await plan.note(batchOf('a', 5));
  await plan.note(batchOf('a', 6));
  await plan.note(batchOf('b', 10));

  expect([first, await noted()]).toEqual([{ 'live\na': 5, 'live\nb': 9 }, { 'live\nb': 10 }]);
});

it('keeps what two replicas note at the same moment: what is under way, and what failed alone', async () => {
  const journal = memoryJournal();
  const { clock } = setUp({ journal, answer: () => accepted });
  const shares = ['one', 'other'].map((source) => ({
    ...journal,
    ownership: { ...journal.ownership, owns: (name: string) => name === source },
  }));
  const suspects = shares.map((share) => new Suspects(share, silentLog(), 'out', new SizeLimits(clock)));

  await Promise.all(
    shares.map((share) => new SendPlan(share, 'out').note(batchOf(share.ownership.owns('one') ? 'one' : 'other', 7))),
  );
  for (const [index, one] of suspects.entries()) one.failed(`event ${index}`, 2);
  await clock.advance(10);

  expect(await journal.note('', 'under_way:out')).toEqual({ 'live\none': 7, 'live\nother': 7 });
  expect(await journal.note('', 'suspects:out')).toMatchObject({ copies: { 'event 0': 2, 'event 1': 2 } });
});

it('sends nothing of a source that it gained before it has read what was under way and given up of it', async () => {
  const { memory, journal, gain } = sharedJournal();
  memory.put(live, records('a', 3));
  memory.put({ kind: 'live', source: 'own' }, records('b', 3));
  gain('own');
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.advance(1_000);
  const isTold = Promise.withResolvers<void>();
  const note = memory.note.bind(memory);
  memory.note = async (...of) => {
    await isTold.promise;
    return note(...of);
  };

  gain('acme');
  memory.put({ kind: 'live', source: 'own' }, records('c', 1));
  await clock.advance(30_000);
  const before = uidsOf(sent);
  isTold.resolve();
  await clock.advance(1_000);

  expect(before).toEqual(['b0', 'b1', 'b2', 'c0']);
  expect(uidsOf(sent).slice(4)).toEqual(['a0', 'a1', 'a2']);
  await clock.until(loop.stop(0));
});

it('sends nothing at its start before it has read what was under way and given up, and asks until it is told', async () => {
  const memory = memoryJournal();
  memory.put(live, records('a', 3));
  const note = memory.note.bind(memory);
  let isAway = true;
  memory.note = (...of) => (isAway ? Promise.reject(new Error('the database is away')) : note(...of));
  const { loop, clock, sent } = setUp({ journal: memory, answer: () => accepted });
  loop.start();

  await clock.advance(30_000);
  const before = uidsOf(sent);
  isAway = false;
  await clock.advance(10_000);

  expect([before, uidsOf(sent)]).toEqual([[], ['a0', 'a1', 'a2']]);
  await clock.until(loop.stop(0));
});

it('takes over what another replica learnt of the size of batches, and writes over none of it', async () => {
  const journal = memoryJournal();
  const { clock } = setUp({ journal, answer: () => accepted });
  const events = Array.from({ length: 4 }, () => ({ bytes: 100 }));
  const [one, other] = [new SizeLimits(clock), new SizeLimits(clock)];
  const [ofOne, ofOther] = [one, other].map((limits) => new Suspects(journal, silentLog(), 'out', limits));
  other.failed('second', { events: 2, bytes: 200 }, 0.5);
  one.failed('first', { events: 4, bytes: 400 }, 0.5);
  ofOne?.learnt();
  await clock.advance(10);

  ofOther?.learnt();
  await clock.advance(10);
  await ofOther?.recall(clock);
  await ofOne?.recall(clock);

  const groups = [one, other].map((limits) => ['first', 'second'].map((endpoint) => limits.groups(endpoint, events).length));
  expect(groups).toEqual([
    [2, 4],
    [2, 4],
  ]);
});

it('warns of offsets that cannot be written no longer than it has something to write', async () => {
  const { memory, journal, gain, lose } = sharedJournal();
  gain('acme');
  memory.put(live, records('a', 3));
  memory.failing.settle = () => new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'the database did not answer');
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.advance(10_000);
  const during = loop.status().warnings;

  // The database is back, and what was not written is another replica's by then.
  lose('acme');
  await clock.advance(60_000);

  expect({ during, after: loop.status().warnings }).toEqual({
    during: ['offsets cannot be written: the database did not answer'],
    after: [],
  });
  await clock.until(loop.stop(0));
});

it('holds up no other lane for one that cannot be settled', async () => {
  const memory = memoryJournal();
  const at: number[] = [];
  let now = 0;
  const journal = Object.assign(Object.create(memory) as typeof memory, {
    settle: async (...asked: Parameters<typeof memory.settle>) => {
      if (asked[1].source === 'bad') throw new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'another connection holds a row');
      at.push(now);
      return memory.settle(...asked);
    },
  });
  const { loop, clock } = setUp({ journal, answer: async () => accepted });
  loop.start();
  memory.put({ kind: 'live', source: 'bad' }, records('bad', 1));
  for (; now < 300; now += 1) {
    memory.put({ kind: 'live', source: 'good' }, records(`g${now}-`, 1));
    await clock.advance(1000);
  }
  await clock.until(loop.stop(0));

  const gaps = at.slice(1).map((second, index) => second - (at[index] ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(10);
});
