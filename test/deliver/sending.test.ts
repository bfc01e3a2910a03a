import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { openLog } from '../../src/base/log.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { verdictOf } from '../../src/deliver/exchange.ts';
import type { Lane } from '../../src/journal/journal.ts';
import type { Pending, Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { accepted, records, type Setup, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;

/** Runs the loop until everything is delivered, then stops it. */
async function deliverAll({ loop, clock }: Setup): Promise<boolean> {
  loop.start();
  const isDrained = await clock.until(loop.drained(never), 86_400_000);
  await clock.until(loop.stop(0));
  return isDrained;
}

it('sends the same id and bytes again until the batch is taken', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const answers: Verdicts[] = [
    { all: { kind: 'retry', reason: 'busy' } },
    { all: { kind: 'uncertain', reason: 'reset' } },
    accepted,
  ];
  const bytes: string[] = [];
  const setup = setUp({
    journal,
    answer({ encoded }) {
      bytes.push(encoded.texts().join('\n'));
      return answers.shift() ?? accepted;
    },
  });

  await deliverAll(setup);

  const [first] = setup.sent;
  expect(bytes).toEqual([bytes[0], bytes[0], bytes[0]]);
  expect(setup.sent.map(({ id, uids, attempt }) => ({ id, uids, attempt }))).toEqual(
    [0, 1, 2].map((attempt) => ({ id: first?.id, uids: ['e0', 'e1', 'e2'], attempt })),
  );
  expect(journal.settled).toMatchObject({ acknowledged: 3, possible_duplicates: 3, dead_lettered: 0 });
});

it('counts what was sent without acknowledgement as unconfirmed', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const setup = setUp({ journal, answer: () => ({ all: { kind: 'sent' } }) });

  await deliverAll(setup);

  expect({ journal: journal.settled.unconfirmed, status: setup.loop.status().unconfirmed }).toEqual({ journal: 3, status: 3 });
});

it.each([
  { name: 'an exception', error: new Error('socket hang up'), duplicates: 2 },
  { name: 'a Penstock error after sending', error: new PenstockError('PEN_HTTP_TIMEOUT', 'no answer'), duplicates: 2 },
  {
    name: 'a Penstock error before sending',
    error: new PenstockError('PEN_HTTP_UNREACHABLE', 'refused', { sent: false }),
    duplicates: 0,
  },
])('sends again after $name and counts $duplicates possible duplicates', async ({ error, duplicates }) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 2));
  let calls = 0;
  const setup = setUp({
    journal,
    answer() {
      calls += 1;
      if (calls === 1) throw error;
      return accepted;
    },
  });

  await deliverAll(setup);

  expect(journal.settled).toMatchObject({ acknowledged: 2, possible_duplicates: duplicates });
});

it('gives up a request that is never answered, even by a sink that ignores its signal', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let calls = 0;
  const setup = setUp({
    journal,
    settings: { timeoutMs: 5_000 },
    answer() {
      calls += 1;
      return calls === 1 ? new Promise<Verdicts>(() => undefined) : accepted;
    },
  });

  await deliverAll(setup);

  expect({ calls, duplicates: journal.settled.possible_duplicates, retriedAfterMs: (setup.sent[1]?.at ?? 0) >= 5_000 }).toEqual({
    calls: 2,
    duplicates: 1,
    retriedAfterMs: true,
  });
});

it('finds one bad event among 1,024 by halving and delivers the other 1,023', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1_024));
  const delivered = new Set<string>();
  const setup = setUp({
    journal,
    settings: { batch: { events: 1_024, bytes: 10_000_000, waitMs: 0 } },
    answer(batch) {
      const uids = batch.events.map(({ uid }) => uid);
      if (uids.includes('e777')) return { all: { kind: 'split', code: '400', reason: 'one event is bad' } };
      for (const uid of uids) delivered.add(uid);
      return accepted;
    },
  });

  await deliverAll(setup);

  expect({
    delivered: delivered.size,
    letters: journal.letters.map(({ record, code, text }) => ({ uid: record.uid, code, text })),
  }).toEqual({
    delivered: 1_023,
    letters: [{ uid: 'e777', code: '400', text: 'one event is bad' }],
  });
  expect(setup.sent.length).toBeLessThanOrEqual(21);
  expect(journal.settled).toMatchObject({ acknowledged: 1_023, dead_lettered: 1 });
});

it('writes a dead letter for the refused event and sends the rest under a new id', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 4, { action: 'role.grant' }));
  const answers: Verdicts[] = [
    {
      each: [
        { kind: 'accept' },
        { kind: 'event', code: '6', reason: 'bad: s3cret-token' },
        { kind: 'retry', reason: 'not read', retryAfterMs: 0 },
        { kind: 'retry', reason: 'not read', retryAfterMs: 0 },
      ],
    },
    accepted,
  ];
  const setup = setUp({ journal, answer: () => answers.shift() ?? accepted });
  setup.secrets.add('s3cret-token');

  await deliverAll(setup);

  const [first, second] = setup.sent;
  expect({ rest: second?.uids, isNewId: first?.id !== second?.id, waitedMs: (second?.at ?? 0) - (first?.at ?? 0) }).toEqual({
    rest: ['e2', 'e3'],
    isNewId: true,
    waitedMs: 0,
  });
  expect(journal.letters).toEqual([
    {
      id: 1,
      sink: 'out',
      record: { uid: 'e1', received: 1_000, record: { action: 'role.grant' } },
      source: 'acme',
      connector: { name: 'demo', hash: 'h1' },
      tenant: undefined,
      labels: [],
      eventTime: 1_000,
      action: 'role.grant',
      code: '6',
      text: 'bad: [REDACTED]',
      attempts: 1,
      first: 1_000_000,
      last: 1_000_000,
    },
  ]);
});

it('retries alone the items of a batch that asked for it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 4));
  const answers: Verdicts[] = [
    {
      each: [
        { kind: 'accept' },
        { kind: 'retry', reason: '429' },
        { kind: 'event', code: '400', reason: 'mapping' },
        { kind: 'accept' },
      ],
    },
  ];
  const setup = setUp({ journal, answer: () => answers.shift() ?? accepted });

  await deliverAll(setup);

  expect(setup.sent.map(({ uids }) => uids)).toEqual([['e0', 'e1', 'e2', 'e3'], ['e1']]);
  expect(journal.settled).toMatchObject({ acknowledged: 3, dead_lettered: 1 });
});

it('logs the first dead letter of a code as an error, and no other of that code', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 4, { action: 'role.grant' }));
  const lines: string[] = [];
  const log = openLog('info', { write: (line) => void lines.push(line) }, createSecrets());
  const codes: Readonly<Record<string, string>> = { e0: '6', e1: '6', e3: '400' };
  const answer: Parameters<typeof setUp>[0]['answer'] = ({ events }) => ({
    each: events.map(({ uid }) => {
      const code = codes[uid];
      return code === undefined ? { kind: 'accept' } : { kind: 'event', code, reason: `refused ${uid}` };
    }),
  });

  await deliverAll(setUp({ journal, answer, deps: { log } }));

  const logged = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ level, msg }) => level === 50 && String(msg).startsWith('first dead letter'));
  expect(logged.map(({ code, text, source, action, uid }) => ({ code, text, source, action, uid }))).toEqual([
    { code: '6', text: 'refused e0', source: 'acme', action: 'role.grant', uid: 'e0' },
    { code: '400', text: 'refused e3', source: 'acme', action: 'role.grant', uid: 'e3' },
  ]);
});

it('logs once that a receiver is away, and that it is back', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const lines: string[] = [];
  const log = openLog('info', { write: (line) => void lines.push(line) }, createSecrets());
  let attempts = 0;
  const answer = (): Verdicts => {
    attempts += 1;
    return attempts <= 5 ? { all: { kind: 'retry', reason: 'connection refused' } } : accepted;
  };

  await deliverAll(setUp({ journal, answer, deps: { log } }));

  const logged = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => String(msg).startsWith('the receiver'));
  expect(logged.map(({ level, reason, failures }) => ({ level, reason, failures }))).toEqual([
    { level: 40, reason: 'connection refused', failures: undefined },
    { level: 30, reason: undefined, failures: 5 },
  ]);
});

it('cuts the text of a dead letter at 1,000 characters', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const setup = setUp({ journal, answer: () => ({ all: { kind: 'event', code: '6', reason: 'x'.repeat(5_000) } }) });

  await deliverAll(setup);

  expect(journal.letters.map(({ text }) => text.length)).toEqual([1_000]);
});

it('does not send an event that is larger than the sink takes', async () => {
  const journal = memoryJournal();
  journal.put(live, [...records('small', 1), ...records('huge', 1, { text: 'x'.repeat(20_000) })]);
  const setup = setUp({ journal, answer: () => accepted });

  await deliverAll(setup);

  expect({
    sent: setup.sent.map(({ uids }) => uids),
    letters: journal.letters.map(({ code, attempts }) => ({ code, attempts })),
  }).toEqual({
    sent: [['small0']],
    letters: [{ code: 'too_large', attempts: 0 }],
  });
});

it('makes a dead letter of an event that cannot be encoded, and goes on', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const encode = ({ uid, body }: { uid: string; body: string }): string => {
    if (uid === 'e1') throw new RangeError('Invalid string length');
    return body;
  };
  const setup = setUp({ journal, answer: () => accepted, sink: { encode } });

  await deliverAll(setup);

  expect({ sent: setup.sent.map(({ uids }) => uids), letters: journal.letters.map(({ code, text }) => [code, text]) }).toEqual({
    sent: [['e0', 'e2']],
    letters: [['encode_failed', 'Invalid string length']],
  });
});

it('limits a batch by bytes as the sink and the settings say', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 6));
  const setup = setUp({
    journal,
    answer: () => accepted,
    sink: { encode: () => 'x'.repeat(40), maxBatchBytes: 100, maxBatchEvents: 5 },
  });

  await deliverAll(setup);

  expect(setup.sent.map(({ uids }) => uids)).toEqual([
    ['e0', 'e1'],
    ['e2', 'e3'],
    ['e4', 'e5'],
  ]);
});

it('waits for more events at most as long as configured', async () => {
  const journal = memoryJournal();
  const { loop, clock, sent } = setUp({
    journal,
    answer: () => accepted,
    settings: { batch: { events: 10, bytes: 100_000, waitMs: 1_000 } },
  });
  loop.start();
  await clock.advance(0);
  journal.put(live, records('a', 2));
  await clock.advance(400);
  journal.put(live, records('b', 1));
  await clock.advance(599);
  const early = sent.length;

  await clock.advance(1);

  expect({ early, sent: sent.map(({ uids, at }) => ({ uids, at })) }).toEqual({
    early: 0,
    sent: [{ uids: ['a0', 'a1', 'b0'], at: 1_000 }],
  });
  await clock.until(loop.stop(0));
});

it('gives a healthy endpoint the traffic while the other backs off, and probes that one with a real batch', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 40));
  const setup = setUp({
    journal,
    sink: { endpoints: ['a', 'b'] },
    answer: ({ endpoint }) =>
      endpoint === 'a' && setup.clock.monotonic() < 20_000 ? { all: { kind: 'retry', reason: '503' } } : accepted,
  });
  setup.loop.start();
  await setup.clock.advance(0);
  const during = setup.sent.filter(({ at }) => at === 0).map(({ endpoint }) => endpoint);
  await setup.clock.advance(100_000);
  journal.put(live, records('f', 40));
  await setup.clock.advance(1_000);

  const after = setup.sent.filter(({ at }) => at >= 100_000).map(({ endpoint }) => endpoint);

  expect({ during, after }).toEqual({ during: ['a', 'b', 'b', 'b', 'b'], after: ['a', 'b', 'a', 'b'] });
  expect(journal.settled.acknowledged).toBe(80);
  await setup.clock.until(setup.loop.stop(0));
});

it('honours the time for which an endpoint asks', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const answers: Verdicts[] = [{ all: { kind: 'retry', reason: '429', retryAfterMs: 90_000 } }];
  const setup = setUp({ journal, answer: () => answers.shift() ?? accepted });

  await deliverAll(setup);

  expect(setup.sent.map(({ at }) => at)).toEqual([0, 90_000]);
});

it('does not storm a receiver that wants the same bytes at once for ever', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const setup = setUp({ journal, answer: () => ({ all: { kind: 'retry', reason: 'again', retryAfterMs: 0 } }) });
  setup.loop.start();

  await setup.clock.advance(60_000);

  expect(setup.sent.length).toBeLessThan(60);
  await setup.clock.until(setup.loop.stop(0));
});

it('sends fewer requests at once when the receiver asks for it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 400));
  let running = 0;
  const most: number[] = [];
  const setup = setUp({
    journal,
    settings: { inFlight: 4 },
    async answer() {
      running += 1;
      most.push(running);
      const timer = Promise.withResolvers<void>();
      setup.clock.timer(1_000, () => timer.resolve());
      await timer.promise;
      running -= 1;
      return most.length < 12 ? { all: { kind: 'accept', slower: true } } : accepted;
    },
  });

  await deliverAll(setup);

  expect({
    atFirst: Math.max(...most.slice(0, 4)),
    slowed: Math.max(...most.slice(8, 12)),
    atLast: Math.max(...most.slice(-8)),
  }).toEqual({ atFirst: 4, slowed: 1, atLast: 4 });
});

it('keeps the order of a lane with one request in flight, whatever goes wrong', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 60));
  const taken: string[] = [];
  let calls = 0;
  const setup = setUp({
    journal,
    answer(batch) {
      calls += 1;
      if (calls % 3 === 1) return { all: { kind: 'retry', reason: 'busy' } };
      if (calls % 3 === 2 && batch.events.length > 1) return { all: { kind: 'split', code: '413', reason: 'big' } };
      taken.push(...batch.events.map(({ uid }) => uid));
      return accepted;
    },
  });

  await deliverAll(setup);

  expect(taken).toEqual(Array.from({ length: 60 }, (_, index) => `e${index}`));
});

it('sends a sink that asks for it nothing, not even half of a batch, before the offset after the last one is written', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 40));
  let isBroken = true;
  journal.failing.settle = () => (isBroken ? new Error('disk full') : undefined);
  const offsets: number[] = [];
  const { loop, clock, sent } = setUp({
    journal,
    sink: { settlesFirst: true },
    answer({ events }) {
      offsets.push(journal.offsetOf(live));
      return events.length > 5 ? { all: { kind: 'split', code: '413', reason: 'big' } } : accepted;
    },
  });
  loop.start();

  await clock.advance(60_000);
  expect(sent.map(({ uids }) => uids.length)).toEqual([10, 5]);
  isBroken = false;
  expect(await clock.until(loop.drained(never), 86_400_000)).toBe(true);
  await clock.until(loop.stop(0));

  const firsts = sent.map(({ uids }) => Number(uids[0]?.slice(1)));
  expect(offsets).toEqual(firsts);
  expect(journal.settled.acknowledged).toBe(40);
});

it('moves the offset over the contiguous prefix of what is acknowledged late', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 30));
  const open: ((verdicts: Verdicts) => void)[] = [];
  const answer = (): Pending => {
    const { promise, resolve } = Promise.withResolvers<Verdicts>();
    open.push(resolve);
    return { pending: promise };
  };
  const { loop, clock } = setUp({ journal, answer });
  loop.start();
  await clock.advance(0);
  open[1]?.(accepted);
  open[2]?.(accepted);
  await clock.advance(0);
  const before = journal.offsetOf(live);

  open[0]?.(accepted);
  await clock.advance(0);

  expect({ handedOver: open.length, before, after: journal.offsetOf(live) }).toEqual({ handedOver: 3, before: 0, after: 30 });
  await clock.until(loop.stop(0));
});

it('sends again, with the same id, what a late answer leaves in doubt', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 2));
  const answers: (Verdicts | Pending)[] = [
    { pending: Promise.resolve({ all: { kind: 'uncertain', reason: 'not indexed in time' } }) },
  ];
  const setup = setUp({ journal, answer: () => answers.shift() ?? accepted });

  await deliverAll(setup);

  expect(new Set(setup.sent.map(({ id }) => id)).size).toBe(1);
  expect(journal.settled).toMatchObject({ acknowledged: 2, possible_duplicates: 2 });
});

it('stops reading when 64 batches wait for a late answer', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 100));
  const { loop, clock, sent } = setUp({
    journal,
    settings: { batch: { events: 1, bytes: 1_000, waitMs: 0 }, inFlight: 4 },
    answer: () => ({ pending: new Promise<Verdicts>(() => undefined) }),
  });
  loop.start();

  await clock.advance(10_000);

  expect(sent.length).toBe(64);
  await clock.until(loop.stop(0));
});

it('flushes what is pending before it calls itself drained', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const { promise, resolve } = Promise.withResolvers<Verdicts>();
  const setup = setUp({
    journal,
    answer: () => ({ pending: promise }),
    sink: {
      async flush() {
        resolve({ all: { kind: 'sent' } });
      },
    },
  });

  const isDrained = await deliverAll(setup);

  expect({ isDrained, unconfirmed: journal.settled.unconfirmed }).toEqual({ isDrained: true, unconfirmed: 3 });
});

it('lets a request under way finish within the grace of a stop, and settles it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 30));
  const setup = setUp({
    journal,
    answer: () => {
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      setup.clock.timer(3_000, () => resolve(accepted));
      return promise;
    },
  });
  setup.loop.start();
  await setup.clock.advance(1_000);

  await setup.clock.until(setup.loop.stop(8_000));

  expect({ requests: setup.sent.length, offset: journal.offsetOf(live), state: setup.loop.status().state }).toEqual({
    requests: 1,
    offset: 10,
    state: 'stopped',
  });
});

it('cuts off a request that outlives the grace of a stop, and leaves its events in the journal', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 5));
  const setup = setUp({ journal, answer: () => new Promise<Verdicts>(() => undefined) });
  setup.loop.start();
  await setup.clock.advance(100);

  await setup.clock.until(setup.loop.stop(2_000));

  expect({ offset: journal.offsetOf(live), at: setup.clock.monotonic() }).toEqual({ offset: 0, at: 3_100 });
});

it('sends again what a late answer broke off of, and counts it as possibly stored', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 2));
  const answers: Pending[] = [{ pending: Promise.reject(new Error('the channel is gone')) }];
  const setup = setUp({ journal, answer: () => answers.shift() ?? accepted });

  await deliverAll(setup);

  expect(setup.sent.length).toBe(2);
  expect(journal.settled).toMatchObject({ acknowledged: 2, possible_duplicates: 2 });
});

it.each([
  { sent: false, verdict: { kind: 'retry', reason: 'the token endpoint answered 429', retryAfterMs: 7_000 } },
  { sent: true, verdict: { kind: 'uncertain', reason: 'the token endpoint answered 429' } },
])('takes from an error whether the request had left ($sent), and how long to wait', ({ sent, verdict }) => {
  const error = new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the token endpoint answered 429', { retryAfterMs: 7_000, sent });

  expect(verdictOf(error)).toEqual(verdict);
});

it('sends as many events at once as the sink takes', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 8));
  const setup = setUp({ journal, answer: () => accepted, sink: { maxBatchEvents: 3 } });

  await deliverAll(setup);

  expect(setup.sent.map(({ uids }) => uids.length)).toEqual([3, 3, 2]);
});

it('says of the halves of a replayed batch that they are replayed', async () => {
  const journal = memoryJournal();
  journal.put({ kind: 'replay', source: 'acme', job: 7 }, records('e', 4));
  const answers: Verdicts[] = [{ all: { kind: 'split', code: '413', reason: 'too large' } }];
  const setup = setUp({ journal, answer: () => answers.shift() ?? accepted });

  await deliverAll(setup);

  expect(setup.sent.map(({ replay, uids }) => [replay, uids.length])).toEqual([
    [true, 4],
    [true, 2],
    [true, 2],
  ]);
});
