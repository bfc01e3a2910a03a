import { expect, it } from 'vitest';
import { sleep } from '../../../src/base/clock.ts';
import { PenstockError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { Signal } from '../../../src/base/signal.ts';
import { DeadLetters } from '../../../src/deliver/dead-letters.ts';
import type { DeliverDeps } from '../../../src/deliver/deps.ts';
import { SinkHold } from '../../../src/deliver/hold/hold.ts';
import { RefusalRate } from '../../../src/deliver/hold/refusal-rate.ts';
import type { Lane } from '../../../src/journal/journal.ts';
import type { Pending, Sink, Verdict, Verdicts } from '../../../src/sinks/sink.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { virtualClock } from '../../virtual-clock.ts';
import { accepted, record, records, settingsOf, setUp } from '../harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;
const refused: Verdicts = { all: { kind: 'hold', reason: '403 code 4 "Invalid token" abcd-secret', fix: 'renew the token' } };

it('opens the sink with fresh secrets and tries once more before it holds', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const answers = [refused];
  const { loop, clock, sent, opened } = setUp({ journal, answer: () => answers.shift() ?? accepted });
  loop.start();

  await clock.advance(0);

  expect({
    opened: opened(),
    ids: new Set(sent.map(({ id }) => id)).size,
    requests: sent.length,
    state: loop.status().state,
    notes: journal.holdNotes.size,
    offset: journal.offsetOf(live),
  }).toEqual({
    opened: 2,
    ids: 1,
    requests: 2,
    state: 'idle',
    notes: 0,
    offset: 3,
  });
  await clock.until(loop.stop(0));
});

it.each<{ what: string; answer: Verdicts | Pending; isAsked?: boolean }>([
  { what: 'is not reached', answer: { all: { kind: 'retry', reason: 'hung up' } } },
  { what: 'breaks off', answer: { all: { kind: 'uncertain', reason: 'broke off' } } },
  {
    what: 'acknowledges nothing of what it had',
    answer: { pending: Promise.resolve({ all: { kind: 'uncertain', reason: 'broke off' } }) },
  },
  {
    what: 'breaks off, whatever it is asked',
    answer: { all: { kind: 'uncertain', reason: 'broke off' } },
    isAsked: true,
  },
])('opens a sink anew whose receiver $what, once what it was opened with has been replaced', async ({ answer, isAsked }) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  let [isRenewed, generation] = [false, 0];
  const { loop, clock, sent, opened } = setUp({
    journal,
    answer: () => (generation > 1 ? accepted : answer),
    sink: isAsked === true ? { isStream: true, reaches: () => Promise.resolve(generation > 1) } : {},
    openSink: async (made) => {
      generation += 1;
      return Object.create(made, { isOutdated: { value: async () => isRenewed && generation === 1 } }) as Sink;
    },
  });
  loop.start();
  await clock.advance(600_000);
  const before = { opened: opened(), offset: journal.offsetOf(live), tries: sent.length > 2 };
  isRenewed = true;

  await clock.advance(300_000);

  expect(before).toEqual({ opened: 1, offset: 0, tries: true });
  expect([opened(), journal.offsetOf(live), loop.status().state, journal.holdNotes.size]).toEqual([2, 3, 'idle', 0]);
  await clock.until(loop.stop(0));
});

it('holds durably, probes after hold_probe and then twice as long each time up to 5 min, and loses nothing', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  let isFixed = false;
  const { loop, clock, sent, opened, secrets } = setUp({ journal, answer: () => (isFixed ? accepted : refused) });
  secrets.add('abcd-secret');
  loop.start();
  await clock.advance(0);
  const note = journal.holdNotes.get('out');
  const held = loop.status();
  await clock.advance(2_000_000);
  const probes = sent.map(({ at }) => Math.round(at / 1_000));
  const openings = opened();
  const before = journal.offsetOf(live);
  isFixed = true;

  await clock.advance(300_000);

  expect(note).toEqual({ since: 1_000_000, reason: '403 code 4 "Invalid token" [REDACTED]', fix: 'renew the token' });
  expect({ state: held.state, hold: held.hold, lag: held.lag_seconds }).toEqual({ state: 'hold', hold: note, lag: 999 });
  expect(probes).toEqual([0, 0, 15, 45, 105, 225, 465, 765, 1_065, 1_365, 1_665, 1_965]);
  expect({
    openings,
    before,
    offset: journal.offsetOf(live),
    letters: journal.letters,
    notes: journal.holdNotes.size,
    state: loop.status().state,
  }).toEqual({
    openings: 12,
    before: 0,
    offset: 3,
    letters: [],
    notes: 0,
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});

it('probes at once when an operator releases the hold', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let isFixed = false;
  const { loop, clock, sent } = setUp({ journal, answer: () => (isFixed ? accepted : refused) });
  loop.start();
  await clock.advance(1_000);
  isFixed = true;

  loop.release();
  await clock.advance(0);

  expect({ at: sent.at(-1)?.at, offset: journal.offsetOf(live) }).toEqual({ at: 1_000, offset: 1 });
  await clock.until(loop.stop(0));
});

it('does not probe a hold that only release ends', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const gone: Verdicts = { all: { kind: 'hold', reason: '410 Gone', fix: 'change the url', untilReleased: true } };
  const { loop, clock, sent } = setUp({ journal, answer: () => gone });
  loop.start();
  await clock.advance(3_600_000);
  const requests = sent.length;

  loop.release();
  await clock.advance(0);

  expect({ requests, afterRelease: sent.length, state: loop.status().state }).toEqual({
    requests: 1,
    afterRelease: 2,
    state: 'hold',
  });
  await clock.until(loop.stop(0));
});

it('sends one probe at a time, however many batches wait', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 100));
  const { loop, clock, sent } = setUp({
    journal,
    settings: { inFlight: 4 },
    async answer() {
      await sleep(clock, 10);
      return refused;
    },
  });
  loop.start();
  await clock.advance(15_019);
  const before = sent.length;

  await clock.advance(1);

  expect({ before, probes: sent.length - before }).toEqual({ before: 8, probes: 1 });
  await clock.until(loop.stop(0));
});

it('does not end a hold because a probe finds the receiver busy', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const answers: Verdicts[] = [refused, refused, { all: { kind: 'retry', reason: '503' } }];
  const { loop, clock, sent } = setUp({ journal, answer: () => answers.shift() ?? accepted });
  loop.start();
  await clock.advance(15_000);
  const afterBusy = loop.status().state;

  await clock.advance(15_000);

  expect({ afterBusy, requests: sent.length, state: loop.status().state }).toEqual({
    afterBusy: 'hold',
    requests: 4,
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});

it('probes again after a probe that broke off by a fault in the sink', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const answers: unknown[] = [refused, refused, { each: undefined }];
  const { loop, clock, sent } = setUp({ journal, answer: () => (answers.shift() ?? accepted) as Verdicts });
  loop.start();
  await clock.advance(15_000);
  const afterFault = loop.status().state;

  await clock.advance(16_000);

  expect({ afterFault, requests: sent.length, state: loop.status().state, offset: journal.offsetOf(live) }).toEqual({
    afterFault: 'hold',
    requests: 4,
    state: 'idle',
    offset: 3,
  });
  await clock.until(loop.stop(0));
});

it('keeps a hold over a restart as a note and probes at once', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const first = setUp({ journal, answer: () => refused });
  first.loop.start();
  await first.clock.advance(0);
  await first.clock.until(first.loop.stop(0));
  const noted = journal.holdNotes.size;
  const second = setUp({ journal, answer: () => accepted });

  second.loop.start();
  await second.clock.advance(0);

  expect({
    noted,
    requestsAt: second.sent.map(({ at }) => at),
    notes: journal.holdNotes.size,
    offset: journal.offsetOf(live),
  }).toEqual({
    noted: 1,
    requestsAt: [0],
    notes: 0,
    offset: 1,
  });
  await second.clock.until(second.loop.stop(0));
});

it('waits hold_probe after the probe that follows a restart, then twice as long each time', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  journal.holdNotes.set('out', { since: 7, reason: 'bad token', fix: 'renew it' });
  const { loop, clock, sent } = setUp({ journal, answer: () => refused });
  loop.start();

  await clock.advance(110_000);

  expect(sent.map(({ at }) => Math.round(at / 1_000))).toEqual([0, 15, 45, 105]);
  await clock.until(loop.stop(0));
});

it('shows the hold of an earlier process while there is nothing to probe with', async () => {
  const journal = memoryJournal();
  journal.holdNotes.set('out', { since: 7, reason: 'bad token', fix: 'renew it' });
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();

  await clock.advance(0);

  expect({ state: loop.status().state, hold: loop.status().hold }).toEqual({
    state: 'hold',
    hold: { since: 7, reason: 'bad token', fix: 'renew it' },
  });
  await clock.until(loop.stop(0));
});

it('sends to the endpoint that takes its token when another refuses it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 100));
  const { loop, clock, sent } = setUp({
    journal,
    sink: { endpoints: ['a', 'b'] },
    answer: ({ endpoint }) => (endpoint === 'a' ? refused : accepted),
  });
  loop.start();

  await clock.advance(1_000);

  const toA = sent.filter(({ endpoint }) => endpoint === 'a').length;
  expect({ offset: journal.offsetOf(live), toA, state: loop.status().state }).toEqual({ offset: 100, toA: 1, state: 'idle' });
  await clock.until(loop.stop(0));
});

it('holds while the sink cannot be opened, and goes on by itself', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let isFixed = false;
  const { loop, clock } = setUp({
    journal,
    answer: () => accepted,
    async openSink(sink) {
      if (!isFixed) throw new PenstockError('PEN_FILE_UNREADABLE', 'no such file', { where: '/run/secrets/token' });
      return sink;
    },
  });
  loop.start();
  await clock.advance(10_000);
  const held = loop.status().hold;
  isFixed = true;

  await clock.advance(30_000);

  expect({ held, offset: journal.offsetOf(live), state: loop.status().state }).toEqual({
    held: {
      since: 1_000_000,
      reason: '/run/secrets/token: no such file',
      fix: 'correct what the reason names; the sink is opened again by itself',
    },
    offset: 1,
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});

it('holds instead of draining the journal into dead letters when many events are refused with one code', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 200));
  let isFixed = false;
  const delivered = new Set<string>();
  const { loop, clock } = setUp({
    journal,
    answer({ events }) {
      if (!isFixed) return { each: events.map(() => ({ kind: 'event', code: '7', reason: 'Incorrect index' })) };
      for (const { uid } of events) delivered.add(uid);
      return accepted;
    },
  });
  loop.start();
  await clock.advance(600_000);
  const held = {
    letters: journal.letters.length,
    state: loop.status().state,
    offset: journal.offsetOf(live),
    jobs: journal.inserted.length,
  };
  isFixed = true;

  await clock.advance(300_000);

  expect(held).toEqual({ letters: 2, state: 'hold', offset: 2, jobs: 0 });
  expect({
    delivered: delivered.size,
    letters: journal.letters.length,
    jobs: journal.inserted.map(({ kind, args }) => ({ kind, args })),
    state: loop.status().state,
  }).toEqual({
    delivered: 198,
    letters: 2,
    jobs: [{ kind: 'retry_dead_letters', args: { sink: 'out', code: '7' } }],
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});

/** Letters of `uids`, and the lane in which they go again. */
function retry(journal: ReturnType<typeof memoryJournal>, uids: readonly string[]): void {
  const letters = uids.map((uid, index) => ({
    id: 101 + index,
    sink: 'out',
    record: record(uid),
    source: 'acme',
    connector: { name: 'demo', hash: 'h' },
    tenant: undefined,
    labels: [],
    eventTime: 1,
    action: undefined,
    code: '7',
    text: '',
    attempts: 1,
    first: 1,
    last: 1,
  }));
  journal.letters.push(...letters);
  const lane: Lane = { kind: 'replay', source: 'acme', job: 1 };
  journal.put(
    lane,
    uids.map((uid) => record(uid)),
    { letters: letters.map(({ id }) => id) },
  );
}

it('keeps a hold for many refused events when letters of such are refused once more, and ends one for the receiver', async () => {
  const eventRefused = { kind: 'event', code: '7', reason: 'Incorrect index' } as const;
  const stateAfterRetry = async (cause: 'refused' | 'systematic') => {
    const journal = memoryJournal();
    const { loop, clock, sent } = setUp({ journal, answer: ({ events }) => ({ each: events.map(() => eventRefused) }) });
    const reason = cause === 'refused' ? '403' : 'many different events are refused with one code, "7": Incorrect index';
    journal.holdNotes.set('out', { since: clock.now(), reason, fix: 'create the index' });
    retry(journal, ['a', 'b']);
    loop.start();
    await clock.advance(60_000);
    const { state } = loop.status();
    await clock.until(loop.stop(0));
    return { state, requests: sent.length, letters: journal.letters.length };
  };

  expect([await stateAfterRetry('systematic'), await stateAfterRetry('refused')]).toEqual([
    { state: 'hold', requests: 1, letters: 2 },
    { state: 'idle', requests: 1, letters: 2 },
  ]);
});

it('queues no second retry of the same letters while one has not begun', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 400));
  let isFixed = false;
  const { loop, clock } = setUp({
    journal,
    answer: ({ events }) =>
      isFixed ? accepted : { each: events.map(() => ({ kind: 'event', code: '7', reason: 'Incorrect index' })) },
  });
  loop.start();
  await clock.advance(600_000);
  isFixed = true;
  await clock.advance(300_000);
  journal.put(live, records('f', 200));
  isFixed = false;
  await clock.advance(600_000);
  const heldAgain = loop.status().state;
  isFixed = true;

  await clock.advance(300_000);

  expect({ heldAgain, state: loop.status().state, jobs: journal.inserted.map(({ args }) => args) }).toEqual({
    heldAgain: 'hold',
    state: 'idle',
    jobs: [{ sink: 'out', code: '7' }],
  });
  await clock.until(loop.stop(0));
});

it('writes the dead letters after all when an operator releases such a hold', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 60));
  const { loop, clock } = setUp({
    journal,
    answer: ({ events }) => ({ each: events.map(() => ({ kind: 'event', code: '7', reason: 'Incorrect index' })) }),
  });
  loop.start();
  await clock.advance(1_000);

  loop.release();
  await clock.advance(1_000);

  expect({ letters: journal.letters.length, state: loop.status().state }).toEqual({ letters: 60, state: 'idle' });
  await clock.until(loop.stop(0));
});

it('holds when the dead letters are full, and goes on when there is room', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 8));
  const { loop, clock } = setUp({
    journal,
    settings: { maxDeadLetters: 3 },
    answer: ({ events }) => ({ each: events.map(({ uid }) => ({ kind: 'event', code: `6${uid}`, reason: 'bad' })) }),
  });
  loop.start();
  await clock.advance(1_000);
  const held = {
    letters: journal.letters.length,
    offset: journal.offsetOf(live),
    state: loop.status().state,
    reason: loop.status().hold?.reason,
  };
  journal.letters.splice(0);

  await clock.advance(15_000);

  expect(held).toEqual({
    letters: 3,
    offset: 3,
    state: 'hold',
    reason: 'the dead letters are full (3); the next one has code "6e3"',
  });
  expect({ letters: journal.letters.length, offset: journal.offsetOf(live) }).toEqual({ letters: 3, offset: 6 });
  await clock.until(loop.stop(0));
});

it.each([
  { end: 'is taken', verdict: { kind: 'accept' } },
  { end: 'is refused, too', verdict: { kind: 'event', code: '6e0', reason: 'bad' } },
] as const)('goes on where those behind the first event took all the room before it $end', async ({ verdict }) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 4));
  let isBusy = true;
  const verdictOf = (uid: string): Verdict =>
    uid === 'e0' ? (isBusy ? { kind: 'retry', reason: 'busy' } : verdict) : { kind: 'event', code: `6${uid}`, reason: 'bad' };
  const { loop, clock } = setUp({
    journal,
    settings: { maxDeadLetters: 2 },
    answer({ events }) {
      const each = events.map(({ uid }) => verdictOf(uid));
      isBusy = false;
      return { each };
    },
  });
  loop.start();
  await clock.advance(1_000);
  const held = { letters: journal.letters.length, state: loop.status().state };

  for (let minutes = 0; minutes < 30; minutes += 1) {
    journal.letters.splice(0);
    await clock.advance(60_000);
  }

  expect({ held, offset: journal.offsetOf(live) }).toEqual({ held: { letters: 0, state: 'hold' }, offset: 4 });
  await clock.until(loop.stop(0));
});

it('holds for room also with events that are too large to be sent', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3, { text: 'x'.repeat(20_000) }));
  const { loop, clock } = setUp({ journal, settings: { maxDeadLetters: 2 }, answer: () => accepted });
  loop.start();
  await clock.advance(1_000);
  const held = { letters: journal.letters.length, state: loop.status().state };
  journal.letters.splice(0);

  await clock.advance(60_000);

  expect({ held, offset: journal.offsetOf(live), state: loop.status().state }).toEqual({
    held: { letters: 2, state: 'hold' },
    offset: 3,
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});

it('lets a sink on hold delay no other', async () => {
  const journal = memoryJournal();
  const other = memoryJournal();
  for (const each of [journal, other]) each.put(live, records('e', 50));
  const dead = setUp({ journal, answer: () => refused });
  const healthy = setUp({ journal: other, answer: () => accepted, clock: dead.clock });
  dead.loop.start();
  healthy.loop.start();

  await dead.clock.advance(0);

  expect({ dead: journal.offsetOf(live), healthy: other.offsetOf(live) }).toEqual({ dead: 0, healthy: 50 });
  await dead.clock.until(Promise.all([dead.loop.stop(0), healthy.loop.stop(0)]));
});

it('says that it is not drained while it holds', async () => {
  const journal = memoryJournal();
  journal.put(live, [record('e')]);
  const { loop, clock } = setUp({ journal, answer: () => refused });
  const limit = new AbortController();
  loop.start();
  clock.timer(5_000, () => limit.abort());

  const isDrained = await clock.until(loop.drained(limit.signal));

  expect(isDrained).toBe(false);
  await clock.until(loop.stop(0));
});

it('knows after a restart which dead letters a hold made, and sends them again when it ends', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const reason = 'many different events are refused with one code, "7": Incorrect index';
  journal.holdNotes.set('out', { since: 1, reason, fix: 'create the index' });
  const { loop, clock } = setUp({ journal, answer: () => accepted });
  loop.start();

  await clock.advance(1_000);

  expect(journal.inserted.map(({ kind, args }) => ({ kind, args }))).toEqual([
    { kind: 'retry_dead_letters', args: { sink: 'out', code: '7' } },
  ]);
  await clock.until(loop.stop(0));
});

const page: Verdicts = { all: { kind: 'hold', reason: 'an HTML page', fix: 'look', maybeStored: true } };
const gateway: Verdicts = { all: { kind: 'uncertain', reason: '502 of a gateway', fix: 'look' } };
const foreign: Verdicts = { all: { kind: 'uncertain', reason: 'some other JSON', fix: 'look', blameless: true } };

// Copies of one event after ten minutes and after twelve hours: while a stranger answers questions too, and where only questions reach the receiver.
it.each(
  [1, 200].flatMap((events) => [
    { name: 'a page', answer: page, isThere: false, events, most: [6, 11] },
    { name: 'a page', answer: page, isThere: true, events, most: [8, 20] },
    { name: 'a gateway', answer: gateway, isThere: false, events, most: [6, 11] },
    { name: 'a gateway', answer: gateway, isThere: true, events, most: [8, 20] },
    { name: 'a foreign answer', answer: foreign, isThere: false, events, most: [6, 11] },
    { name: 'a foreign answer', answer: foreign, isThere: true, events, most: [8, 20] },
  ]),
)(
  'repeats $events events ever more rarely where $name leaves open whether they were stored (questions answered: $isThere), and counts each copy',
  async ({ answer, isThere, events, most }) => {
    const journal = memoryJournal();
    journal.put(live, records('e', events));
    let isFixed = false;
    const { loop, clock, sent } = setUp({
      journal,
      settings: { batch: { events: 500, bytes: 1_000_000, waitMs: 0 } },
      sink: { reaches: () => Promise.resolve(isThere || isFixed) },
      answer: () => (isFixed ? accepted : answer),
    });
    loop.start();
    const copies: number[] = [];
    for (const hours of [1 / 6, 12]) {
      await clock.advance(hours * 3_600_000);
      copies.push(
        Math.max(
          ...Object.values(
            Object.groupBy(
              sent.flatMap(({ uids }) => uids),
              (uid) => uid,
            ),
          ).map((all) => all?.length ?? 0),
        ),
      );
    }
    const made = sent.reduce((sum, { uids }) => sum + uids.length, 0);
    expect(copies.map((count, index) => count <= (most[index] ?? 0))).toEqual([true, true]);
    expect({ counted: journal.settled.possible_duplicates, letters: journal.letters, state: loop.status().state }).toEqual({
      counted: made,
      letters: [],
      state: 'hold',
    });
    isFixed = true;

    loop.release();

    expect(await clock.until(loop.drained(never), isThere ? 60_000 : 600_000)).toBe(true);
    expect(journal.settled.acknowledged).toBe(events);
    await clock.until(loop.stop(0));
  },
);

it.each([page, gateway])(
  'takes events again soon after days in which a stranger answered to events alone, where many wait: %j',
  async (answer) => {
    const journal = memoryJournal();
    journal.put(live, records('e', 60));
    let isFixed = false;
    const { loop, clock, sent } = setUp({
      journal,
      settings: { batch: { events: 500, bytes: 1_000_000, waitMs: 0 } },
      sink: { reaches: () => Promise.resolve(true) },
      answer: () => (isFixed ? accepted : answer),
    });
    loop.start();
    await clock.advance(48 * 3_600_000);
    const uids = sent.flatMap((batch) => batch.uids);
    const copies = Math.max(...[...new Set(uids)].map((uid) => uids.filter((one) => one === uid).length));
    isFixed = true;

    await clock.advance(15 * 60_000);

    expect(copies).toBeLessThanOrEqual(24);
    expect({ taken: journal.settled.acknowledged, letters: journal.letters }).toEqual({ taken: 60, letters: [] });
    await clock.until(loop.stop(0));
  },
);

it('says what the last probe met beside what the hold is for, and again only that once it comes back', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let answer = refused;
  const { loop, clock } = setUp({ journal, answer: () => answer });
  loop.start();
  await clock.advance(60_000);
  answer = { all: { kind: 'retry', reason: '503 "busy"' } };
  await clock.advance(300_000);
  const busy = loop.status();
  answer = { all: { kind: 'uncertain', reason: '403 code 4 "Invalid token" abcd-secret' } };
  await clock.advance(300_000);
  const same = loop.status().hold?.reason;
  answer = refused;
  await clock.advance(300_000);

  expect(same).toBe('403 code 4 "Invalid token" abcd-secret');
  expect({ during: busy.hold?.reason, last: busy.last_error?.reason, after: loop.status().hold?.reason }).toEqual({
    during: '403 code 4 "Invalid token" abcd-secret; since then, at the last probe: 503 "busy"',
    last: '503 "busy"',
    after: '403 code 4 "Invalid token" abcd-secret',
  });
  await clock.until(loop.stop(0));
});

/** A hold that has begun, whose journal keeps notes only when it is told to. */
async function heldBeside() {
  const clock = virtualClock(1_000_000);
  const notes: PromiseWithResolvers<void>[] = [];
  const kept = (): void => {
    for (const note of notes.splice(0)) note.resolve();
  };
  const journal = { ...memoryJournal(), setHold: () => (notes.push(Promise.withResolvers()), notes.at(-1)?.promise) };
  const deps = { journal, log: silentLog(), seams: { clock } } as unknown as DeliverDeps;
  const letters = new DeadLetters(memoryJournal(), silentLog(), 'out', 10);
  const hold = new SinkHold(settingsOf(), deps, new Signal(), new RefusalRate(), letters);
  const cause = { kind: 'refused', reason: '403', fix: 'renew the token' } as const;
  const entering = hold.enter(cause);
  kept();
  await entering;
  return { clock, hold, cause, kept };
}

it('lets no second probe begin while the note of the first is being written', async () => {
  const { clock, hold, cause, kept } = await heldBeside();
  await clock.advance(15_000);
  expect(await hold.pass(never)).toBe('probe');
  void hold.enter({ ...cause, reason: '401' });
  const answered = hold.probed('refused');
  const passed: string[] = [];

  void hold.pass(never).then((pass) => passed.push(pass));
  await clock.advance(29_999);
  const early = passed.length;
  await clock.advance(1);

  expect({ early, passed }).toEqual({ early: 0, passed: ['probe'] });
  kept();
  await answered;
});

it('probes at once for a release that comes while the note of a probe is being written', async () => {
  const { clock, hold, cause, kept } = await heldBeside();
  await clock.advance(15_000);
  await hold.pass(never);
  void hold.enter({ ...cause, reason: '401' });
  const answered = hold.probed('refused');

  hold.release();

  expect(await clock.until(hold.pass(never), 0)).toBe('probe');
  kept();
  await answered;
});

it('says what a probe met once only, however often the process began again', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  for (const met of ['503 "busy"', '503 "still busy"']) {
    const { loop, clock } = setUp({ journal, answer: () => ({ all: { kind: 'retry', reason: met } }) });
    journal.holdNotes.set('out', journal.holdNotes.get('out') ?? { since: 7, reason: 'bad token', fix: 'renew it' });
    loop.start();
    await clock.advance(60_000);
    await clock.until(loop.stop(0));
  }

  expect(journal.holdNotes.get('out')).toEqual({
    since: 7,
    reason: 'bad token; since then, at the last probe: 503 "still busy"',
    fix: 'renew it',
  });
});

it('says nothing twice where a probe meets what the hold is for', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const { loop, clock } = setUp({ journal, answer: () => ({ all: { kind: 'retry', reason: '503 "busy"' } }) });
  const note = { since: 7, reason: 'the receiver is there, but takes no event: 503 "busy"', fix: 'look at it' };
  journal.holdNotes.set('out', note);
  loop.start();
  await clock.advance(60_000);
  await clock.until(loop.stop(0));

  expect(journal.holdNotes.get('out')).toEqual(note);
});

it('does not probe a hold before the time that the receiver asked for', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const banned: Verdicts = { all: { kind: 'hold', reason: '403', fix: 'renew the token', retryAfterMs: 120_000 } };
  const { loop, clock, sent } = setUp({ journal, answer: () => banned });
  loop.start();

  await clock.advance(300_000);

  expect(sent.map(({ at }) => at / 1_000)).toEqual([0, 120, 240]);
  await clock.until(loop.stop(0));
});
