import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { PenstockError } from '../../src/base/errors.ts';
import { JsonText } from '../../src/base/json.ts';
import type { Event } from '../../src/event/event.ts';
import type { Lane, StoredRecord } from '../../src/journal/journal.ts';
import type { Batch, Verdicts } from '../../src/sinks/sink.ts';
import { collectingLog } from '../collect/fixture.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { virtualClock } from '../virtual-clock.ts';
import { accepted, demoMapper, record, records, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const backfill: Lane = { kind: 'backfill', source: 'acme' };
const replay: Lane = { kind: 'replay', source: 'acme', job: 7 };
const never = new AbortController().signal;

const eventsIn = (encoded: Batch['encoded']): Event[] => encoded.texts().map((text) => JSON.parse(text) as Event);

it('sends a live event before a long backfill, behind only the batches under way and formed already', async () => {
  const journal = memoryJournal();
  journal.put(backfill, records('old', 5_000));
  const { loop, clock, sent } = setUp({
    journal,
    async answer() {
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.timer(100, () => resolve());
      await promise;
      return accepted;
    },
  });
  loop.start();
  await clock.advance(1_000);
  journal.put(live, [record('alert')]);

  await clock.advance(1_000);

  const sentAt = sent.find(({ uids }) => uids.includes('alert'))?.at ?? Number.POSITIVE_INFINITY;
  expect(sentAt - 1_000).toBeLessThanOrEqual(300);
  await clock.until(loop.stop(0));
});

it('reads no lane again whose records all wait for an answer, however often another gets some', async () => {
  const memory = memoryJournal();
  const read: string[] = [];
  const journal = Object.assign(Object.create(memory) as typeof memory, {
    read: (...asked: Parameters<typeof memory.read>) => {
      read.push(asked[1].source);
      return memory.read(...asked);
    },
  });
  const { loop, clock } = setUp({ journal, answer: () => new Promise(() => undefined) });
  loop.start();
  memory.put({ kind: 'live', source: 'waits' }, records('first', 3));
  await clock.advance(5_000);
  const before = read.filter((source) => source === 'waits').length;

  for (let n = 0; n < 5; n += 1) {
    memory.put({ kind: 'live', source: 'other' }, records(`more${n}-`, 1));
    await clock.advance(100);
  }

  expect(read.filter((source) => source === 'waits').length).toBe(before);
  expect(read).toContain('other');
  await clock.until(loop.stop(0));
});

it('settles the lanes of a batch together, so that a slow journal makes none of them wait for all the others', async () => {
  const memory = memoryJournal();
  const { clock, loop, settled } = slowSettles(memory);
  for (let n = 0; n < 30; n += 1) memory.put({ kind: 'live', source: `s${n}` }, records(`s${n}-`, 1));
  loop.start();

  await clock.advance(2_000);

  expect(settled()).toBe(30);
  await clock.until(loop.stop(0));
});

/** A journal that takes 50 ms to settle. */
function slowSettles(memory: ReturnType<typeof memoryJournal>) {
  const clock = virtualClock(1_000_000);
  const done = new Set<string>();
  const journal = Object.assign(Object.create(memory) as typeof memory, {
    settle: async (...asked: Parameters<typeof memory.settle>) => {
      await sleep(clock, 50);
      await memory.settle(...asked);
      done.add(asked[1].source);
    },
  });
  const { loop } = setUp({ journal, answer: () => accepted, clock });
  return { clock, loop, settled: () => done.size };
}

it('never starves a backfill under a flood of live events', async () => {
  const journal = memoryJournal();
  journal.put(backfill, records('old', 200));
  journal.put(live, records('new', 4_000));
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.until(loop.drained(never));

  const lastOld = sent.findLastIndex(({ uids }) => uids.some((uid) => uid.startsWith('old')));

  expect(lastOld).toBeLessThan(330);
  expect(sent.slice(0, 15).some(({ uids }) => uids.some((uid) => uid.startsWith('old')))).toBe(true);
  await clock.until(loop.stop(0));
});

it('gives every source of a kind its turn', async () => {
  const journal = memoryJournal();
  journal.put({ kind: 'live', source: 'loud' }, records('loud', 1_000));
  journal.put({ kind: 'live', source: 'quiet' }, records('quiet', 1));
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.until(loop.drained(never));

  expect(sent.findIndex(({ uids }) => uids.includes('quiet0'))).toBeLessThan(2);
  await clock.until(loop.stop(0));
});

/** Loud sources with pages of 400 records of 2,000 bytes each, where a batch takes five; a batch takes 100 ms. */
function loudSources(count: number) {
  const journal = memoryJournal();
  const large = { text: 'x'.repeat(2_000) };
  const loud = Array.from({ length: count }, (_, n): Lane => ({ kind: 'live', source: `loud${n}` }));
  for (const [n, lane] of loud.entries()) journal.put(lane, withBytes(records(`loud${n}-`, 400, large)));
  const set = setUp({
    journal,
    settings: { batch: { events: 500, bytes: 11_000, waitMs: 0 } },
    answer: async () => {
      await sleep(set.clock, 100);
      return accepted;
    },
  });
  return { ...set, journal };
}

const withBytes = (of: readonly StoredRecord[]): StoredRecord[] =>
  of.map((each) => ({ ...each, json: new JsonText(Buffer.from(JSON.stringify(each.record)), 0, 2_000) }));

it('sends what a source with little has behind two batches of one with much, however much that is', async () => {
  const { journal, loop, clock, sent } = loudSources(3);
  loop.start();
  for (const quiet of ['first', 'second', 'third']) {
    await clock.advance(2_000);
    const before = sent.length;
    journal.put({ kind: 'live', source: 'quiet' }, [record(quiet)]);

    await clock.advance(1_000);

    expect([0, 1, 2]).toContain(sent.slice(before).findIndex(({ uids }) => uids.includes(quiet)));
  }
  await clock.until(loop.stop(0));
});

it('gives sources with much turns of a few batches, and all of them the same in the end', async () => {
  const { loop, clock, sent } = loudSources(4);
  loop.start();

  await clock.advance(10_000);

  const turns = sent.map(({ uids }) => uids[0]?.split('-')[0]);
  const [firstTurns, changes] = [new Set(turns.slice(0, 20)), turns.filter((source, n) => source !== turns[n - 1]).length];
  expect(firstTurns).toEqual(new Set(['loud0', 'loud1', 'loud2', 'loud3']));
  expect(changes).toBeLessThan(turns.length / 2);
  const events = [...firstTurns].map(
    (source) => sent.flatMap(({ uids }) => uids).filter((uid) => uid.startsWith(`${source}-`)).length,
  );
  expect(Math.max(...events) - Math.min(...events)).toBeLessThanOrEqual(25);
  await clock.until(loop.stop(0));
});

it('loses nothing and keeps the order of every lane while lanes take turns', async () => {
  const { journal, loop, clock, sent } = loudSources(3);
  for (let n = 0; n < 5; n += 1) journal.put({ kind: 'live', source: `quiet${n}` }, records(`quiet${n}-`, 7));
  loop.start();

  await clock.until(loop.drained(never));

  const bySource = Map.groupBy(
    sent.flatMap(({ uids }) => uids),
    (uid) => uid.split('-')[0],
  );
  for (const [source, uids] of bySource)
    expect(uids).toEqual(Array.from({ length: source?.startsWith('loud') === true ? 400 : 7 }, (_, n) => `${source}-${n}`));
  expect([bySource.size, journal.settled.acknowledged]).toEqual([8, 3 * 400 + 5 * 7]);
  await clock.until(loop.stop(0));
});

it('labels replayed events, sends them by themselves and counts them apart', async () => {
  const journal = memoryJournal();
  journal.put(replay, records('old', 3));
  journal.put(live, records('new', 3));
  const labels = new Map<string, unknown>();
  const { loop, clock, sent } = setUp({
    journal,
    answer({ encoded }) {
      for (const { metadata } of eventsIn(encoded)) labels.set(metadata.uid, metadata.labels);
      return accepted;
    },
  });
  loop.start();
  await clock.until(loop.drained(never));

  expect(sent.map(({ uids, replay: isReplay }) => ({ uids, isReplay }))).toEqual([
    { uids: ['new0', 'new1', 'new2'], isReplay: false },
    { uids: ['old0', 'old1', 'old2'], isReplay: true },
  ]);
  expect({ old: labels.get('old0'), fresh: labels.get('new0') }).toEqual({
    old: ['replayed', 'source:acme'],
    fresh: ['source:acme'],
  });
  expect(journal.settled).toMatchObject({ acknowledged: 3, replayed: 3, not_routed: 0 });
  await clock.until(loop.stop(0));
});

it('resolves the letters that a retry delivers, and keeps those that are refused again', async () => {
  const journal = memoryJournal();
  const letter = (id: number) => ({
    id,
    sink: 'out',
    record: record(`e${id}`),
    source: 'acme',
    connector: { name: 'demo', hash: 'h' },
    tenant: undefined,
    labels: [],
    eventTime: 1,
    action: undefined,
    code: '6',
    text: '',
    attempts: 1,
    first: 1,
    last: 1,
  });
  journal.letters.push(letter(101), letter(102));
  journal.put(replay, [record('e101'), record('e102')], { letters: [101, 102] });
  const { loop, clock } = setUp({
    journal,
    settings: { maxDeadLetters: 2 },
    answer: () => ({ each: [{ kind: 'accept' }, { kind: 'event', code: '6', reason: 'still bad' }] }),
  });
  loop.start();
  await clock.until(loop.drained(never));

  expect({ ids: journal.letters.map(({ record: { uid }, text }) => ({ uid, text })), state: loop.status().state }).toEqual({
    ids: [{ uid: 'e102', text: 'still bad' }],
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});

it('counts as not routed what sources and filters keep from the sink', async () => {
  const journal = memoryJournal();
  journal.put({ kind: 'live', source: 'other' }, records('x', 5));
  journal.put(live, [
    record('a', { action: 'user.login', severity: 1 }),
    record('b', { action: 'page.view', severity: 3 }),
    record('c', { action: 'role.grant', severity: 3 }),
  ]);
  const { loop, clock, sent } = setUp({
    journal,
    settings: { sources: ['acme'], filter: { exclude_actions: ['page.view'], min_severity: 2 } },
    answer: () => accepted,
  });
  loop.start();
  await clock.until(loop.drained(never));

  expect({ sent: sent.map(({ uids }) => uids), settled: journal.settled }).toMatchObject({
    sent: [['c']],
    settled: { acknowledged: 1, not_routed: 7 },
  });
  await clock.until(loop.stop(0));
});

it('sends what could not be read whatever the filter says', async () => {
  const journal = memoryJournal();
  journal.put(live, [{ uid: 'broken', received: 1, record: 'not json', unreadable: 'no object' }]);
  const mapper = demoMapper();
  const { loop, clock, sent } = setUp({
    journal,
    settings: { filter: { only_actions: ['role.grant'], min_severity: 4 } },
    answer: () => accepted,
    deps: {
      mapperFor: () =>
        Promise.resolve({
          ...mapper,
          map: (envelope, context) => ({
            ...mapper.map({ ...envelope, record: {} }, context),
            action: undefined,
            actionKey: undefined,
          }),
        }),
    },
  });
  loop.start();
  await clock.until(loop.drained(never));

  expect(sent.map(({ uids }) => uids)).toEqual([['broken']]);
  await clock.until(loop.stop(0));
});

it('counts unknown actions, logs each once, and not at all after a restart', async () => {
  const journal = memoryJournal();
  journal.put(live, [record('a', { action: 'new.thing' }), record('b', { action: 'new.thing' }), record('c')]);
  const first = collectingLog();
  const before = setUp({ journal, answer: () => accepted, deps: { log: first.log } });
  before.loop.start();
  await before.clock.until(before.loop.drained(never));
  await before.clock.until(before.loop.stop(0));
  // Another process: another journal object over the same notes.
  const reopened = new Proxy(journal, {});
  journal.put(live, [record('d', { action: 'new.thing' })]);
  const second = collectingLog();
  const after = setUp({ journal: reopened, answer: () => accepted, deps: { log: second.log }, seed: 2 });
  after.loop.start();
  await after.clock.until(after.loop.drained(never));
  await after.clock.until(after.loop.stop(0));

  const newsOf = ({ lines }: typeof first): unknown[] =>
    lines
      .filter(({ msg }) => String(msg).startsWith('unknown action'))
      .map(({ source, table, action }) => ({ source, table, action }));
  expect({ first: newsOf(first), second: newsOf(second) }).toEqual({
    first: [{ source: 'acme', table: 'demo', action: 'new.thing' }],
    second: [],
  });
  expect([before, after].map(({ loop }) => loop.status().unknown_actions)).toEqual([{ 'new.thing': 2 }, { 'new.thing': 1 }]);
  expect(await journal.note('', 'unknown_action:demo/new.thing')).toEqual({ source: 'acme', first: 1_000_000 });
});

it('does not let invented action names fill the memory', async () => {
  const journal = memoryJournal();
  journal.put(
    live,
    Array.from({ length: 1_500 }, (_, index) => record(`e${index}`, { action: `new.${index}` })),
  );
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.until(loop.drained(never));

  const { unknown_actions: counts } = loop.status();
  expect({ names: Object.keys(counts).length, others: counts['(others)'] }).toEqual({ names: 1_001, others: 500 });
  await clock.until(loop.stop(0));
});

it('lets a lane whose connector cannot be loaded wait, while others go on', async () => {
  const journal = memoryJournal();
  journal.put({ kind: 'live', source: 'broken' }, records('b', 3));
  journal.put(live, records('e', 3));
  let isFixed = false;
  const mapper = demoMapper();
  const { loop, clock, sent } = setUp({
    journal,
    answer: () => accepted,
    deps: {
      async mapperFor(_connector, source) {
        if (source === 'broken' && !isFixed) throw new PenstockError('PEN_CONNECTOR_INVALID', 'line 3 is not YAML');
        return mapper;
      },
    },
  });
  loop.start();
  await clock.advance(1_000);
  const before = { sent: sent.flatMap(({ uids }) => uids), warnings: loop.status().warnings };
  isFixed = true;

  await clock.advance(120_000);

  expect(before).toEqual({ sent: ['e0', 'e1', 'e2'], warnings: ['live records of broken cannot be read: line 3 is not YAML'] });
  expect({ sent: sent.length, warnings: loop.status().warnings, pending: loop.status().pending }).toEqual({
    sent: 2,
    warnings: [],
    pending: 0,
  });
  await clock.until(loop.stop(0));
});

it('delivers on while the journal cannot write offsets, and writes them when it can', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 30));
  let isFull = true;
  journal.failing.settle = () => (isFull ? new PenstockError('PEN_JOURNAL_UNWRITABLE', 'no space left on device') : undefined);
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.advance(10_000);
  const before = { requests: sent.length, offset: journal.offsetOf(live), warnings: loop.status().warnings };
  isFull = false;

  await clock.advance(60_000);

  expect(before).toEqual({ requests: 3, offset: 0, warnings: ['offsets cannot be written: no space left on device'] });
  expect({ requests: sent.length, offset: journal.offsetOf(live), warnings: loop.status().warnings }).toEqual({
    requests: 3,
    offset: 30,
    warnings: [],
  });
  await clock.until(loop.stop(0));
});

it('goes on when the journal can be read again', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  let isDown = true;
  journal.failing.lanes = () => (isDown ? new PenstockError('PEN_JOURNAL_UNWRITABLE', 'EIO') : undefined);
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();
  await clock.advance(3_000);
  isDown = false;

  await clock.advance(10_000);

  expect(journal.offsetOf(live)).toBe(3);
  await clock.until(loop.stop(0));
});

it('shows lag and pending of what is not acknowledged yet', async () => {
  const journal = memoryJournal();
  journal.put(live, [record('e', {}, 940_000)]);
  journal.put(backfill, [record('old', {}, 10)]);
  let isUp = false;
  const { loop, clock } = setUp({ journal, answer: () => (isUp ? accepted : { all: { kind: 'retry', reason: '503' } }) });
  loop.start();
  await clock.advance(1_000);
  const during = loop.status();
  isUp = true;
  await clock.advance(120_000);
  const after = loop.status();

  expect({ state: during.state, lag: during.lag_seconds, pending: during.pending, error: during.last_error?.reason }).toEqual({
    state: 'retrying',
    lag: 61,
    pending: 2,
    error: '503',
  });
  expect({ state: after.state, lag: after.lag_seconds, pending: after.pending, acknowledged: after.acknowledged }).toEqual({
    state: 'idle',
    lag: 0,
    pending: 0,
    acknowledged: 2,
  });
  await clock.until(loop.stop(0));
});

it('maps a record once for two sinks that read the same one', async () => {
  const shared = records('e', 20);
  const mapper = demoMapper();
  const bodies: string[] = [];
  const sinks = [memoryJournal(), memoryJournal()].map((journal, index) => {
    journal.put(live, shared);
    return setUp({
      journal,
      answer({ encoded }) {
        bodies.push(...encoded.texts());
        return accepted;
      },
      settings: { name: `out${index}` },
      deps: { mapperFor: () => Promise.resolve(mapper) },
    });
  });
  for (const { loop } of sinks) loop.start();
  for (const { loop, clock } of sinks) await clock.until(loop.drained(never));

  expect({ mapped: mapper.mapped, delivered: bodies.length, bodies: new Set(bodies).size }).toEqual({
    mapped: 20,
    delivered: 40,
    bodies: 20,
  });
  for (const { loop, clock } of sinks) await clock.until(loop.stop(0));
});

it.each([
  { what: 'read by this sink alone', labelled: [['edge', 'eu']], expected: [['edge', 'eu', 'source:acme']] },
  {
    what: 'that other sinks read too',
    labelled: [[], ['edge'], [], ['edge', 'eu']],
    expected: [['source:acme'], ['edge', 'source:acme'], ['source:acme'], ['edge', 'eu', 'source:acme']],
  },
])("puts the sink's own labels into every event of records $what", async ({ labelled, expected }) => {
  const shared = records('e', 20);
  const sinks = labelled.map((labels, index) => {
    const journal = memoryJournal();
    journal.put(live, shared);
    const seen = new Set<string>();
    const answer = ({ encoded }: Batch): Verdicts => {
      for (const { metadata } of eventsIn(encoded)) seen.add(JSON.stringify(metadata.labels));
      return accepted;
    };
    return { seen, ...setUp({ journal, answer, settings: { name: `out${index}`, labels } }) };
  });
  for (const { loop } of sinks) loop.start();
  for (const { loop, clock } of sinks) await clock.until(loop.drained(never));

  expect(sinks.map(({ seen }) => [...seen])).toEqual(expected.map((labels) => [JSON.stringify(labels)]));
  for (const { loop, clock } of sinks) await clock.until(loop.stop(0));
});

it('adds the labels of the sink to a replay as well', async () => {
  const journal = memoryJournal();
  journal.put(replay, records('old', 1));
  const labels: unknown[] = [];
  const { loop, clock } = setUp({
    journal,
    settings: { labels: ['edge'] },
    answer({ encoded }) {
      labels.push(...eventsIn(encoded).map(({ metadata }) => metadata.labels));
      return accepted;
    },
  });
  loop.start();
  await clock.until(loop.drained(never));

  expect(labels).toEqual([['edge', 'replayed', 'source:acme']]);
  await clock.until(loop.stop(0));
});

it('does not stall on timers that fire a little before their time', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 60));
  const clock = virtualClock(1_000_000);
  const hasty = { ...clock, monotonic: () => clock.monotonic() * 0.999 };
  const slowDisk = {
    ...journal,
    settle: async (...args: Parameters<typeof journal.settle>) => {
      await sleep(clock, 20);
      await journal.settle(...args);
    },
  };
  const refused = { all: { kind: 'hold', reason: '403', fix: 'renew' } } as const;
  const { loop } = setUp({
    journal: slowDisk,
    clock: hasty,
    answer: () => (clock.monotonic() < 16_000 ? refused : accepted),
  });
  loop.start();

  await clock.advance(60_000);

  expect({ offset: journal.offsetOf(live), state: loop.status().state }).toEqual({ offset: 60, state: 'idle' });
  await clock.until(loop.stop(0));
});

it('forgets a replay that is gone when it is settled, and tries that no more', async () => {
  const memory = memoryJournal();
  memory.put(replay, records('old', 3));
  let settled = 0;
  const journal = Object.assign(Object.create(memory) as typeof memory, {
    settle: () => {
      settled += 1;
      return Promise.reject(new PenstockError('PEN_NOT_FOUND', 'there is no such replay'));
    },
    lanes: async (sink: string) => (settled > 0 ? [] : await memory.lanes(sink)),
  });
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();

  await clock.advance(600_000);

  expect({ settled, pending: loop.status().pending, trouble: loop.status().last_error }).toEqual({
    settled: 1,
    pending: 0,
    trouble: undefined,
  });
  await clock.until(loop.stop(0));
});
