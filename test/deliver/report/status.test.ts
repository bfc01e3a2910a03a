import { expect, it } from 'vitest';
import type { Lane } from '../../../src/journal/journal.ts';
import type { Sink, Verdicts } from '../../../src/sinks/sink.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { accepted, records, setUp } from '../harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;

/** As syslog does: counts the messages that it cut since it was opened. */
function cutting(sink: Sink): Sink {
  let truncated = 0;
  return {
    ...sink,
    encode(event) {
      truncated += 1;
      return sink.encode(event);
    },
    counters: () => ({ truncated }),
  };
}

it('shows what the sink counts itself', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 25));
  const { loop, clock } = setUp({ journal, answer: () => accepted, openSink: async (sink) => cutting(sink) });
  loop.start();
  await clock.until(loop.drained(never));

  expect(loop.status().counters).toEqual({ truncated: 25 });
  await clock.until(loop.stop(0));
});

it('goes on counting when the sink is opened anew, and after it was closed', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 10));
  const refused: Verdicts = { all: { kind: 'hold', reason: '403', fix: 'renew the token' } };
  const answers = [refused];
  const { loop, clock, opened } = setUp({
    journal,
    answer: () => answers.shift() ?? accepted,
    openSink: async (sink) => cutting(sink),
  });
  loop.start();
  await clock.until(loop.drained(never));
  journal.put(live, records('f', 10));
  await clock.until(loop.drained(never));
  const before = loop.status().counters;
  await clock.until(loop.stop(0));

  expect({ opened: opened(), before, after: loop.status().counters }).toEqual({
    opened: 2,
    before: { truncated: 20 },
    after: { truncated: 20 },
  });
});

it('shows no counts of a sink that counts nothing', async () => {
  const { loop, clock } = setUp({ journal: memoryJournal(), answer: () => accepted });
  loop.start();
  await clock.advance(0);

  expect(loop.status()).not.toHaveProperty('counters');
  await clock.until(loop.stop(0));
});

it('says that a sink makes no progress, and why', async () => {
  const journal = memoryJournal();
  journal.put({ kind: 'live', source: 'acme' }, records('e', 3));
  const { loop, clock } = setUp({
    journal,
    settings: { stalledAfterMs: 120_000 },
    answer: () => ({ all: { kind: 'retry', reason: 'answered 503' } }),
  });
  loop.start();
  await clock.advance(100_000);
  const before = loop.status().warnings;

  await clock.advance(100_000);

  const { warnings, errors } = loop.status();
  const text = 'no progress for 3m 20s: answered 503';
  expect({ before, warnings, errors }).toEqual({ before: [], warnings: [text], errors: [text] });
  await clock.until(loop.stop(0));
});

it('blames no error that was over, and not the receiver for what the journal does not take', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const answers: Verdicts[] = [{ all: { kind: 'retry', reason: 'answered 503' } }];
  const silent = new Promise<never>(() => undefined);
  const { loop, clock } = setUp({
    journal,
    settings: { stalledAfterMs: 120_000 },
    answer: ({ events }) => (events[0]?.uid === 'f0' ? { pending: silent } : (answers.shift() ?? accepted)),
  });
  loop.start();
  await clock.until(loop.drained(never));
  await clock.advance(3_600_000);

  journal.put(live, records('f', 1));
  await clock.advance(150_000);
  const unanswered = loop.status().errors;
  journal.failing.settle = () => new Error('the disk is full');
  journal.put({ kind: 'live', source: 'other' }, records('g', 1));
  await clock.advance(150_000);

  expect(unanswered).toEqual(['no progress for 2m 30s: the receiver gives no answer']);
  expect(loop.status().errors).toEqual([expect.stringContaining('offsets cannot be written: the disk is full')]);
  await clock.until(loop.stop(0));
});

it.each([
  [
    'acknowledgement',
    {},
    90_000,
    'for an acknowledgement of the receiver, which took them; what it does not acknowledge in time is sent again',
  ],
  [
    'a minute in peace',
    { isStream: true },
    90_000,
    'to be called sent: the receiver reads slowly, or keeps its side of a closed connection open',
  ],
  ['a minute in peace, which is usual', { isStream: true }, 65_000, undefined],
])('says that batches wait for %s, until it comes', async (_, sink, waitedMs, words) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const acknowledgement = Promise.withResolvers<Verdicts>();
  const { loop, clock } = setUp({ journal, sink, answer: () => ({ pending: acknowledgement.promise }) });
  loop.start();
  await clock.advance(50_000);
  const early = loop.status().warnings;
  await clock.advance(waitedMs - 50_000);
  const late = loop.status().warnings;

  acknowledgement.resolve(accepted);
  await clock.until(loop.drained(never));

  expect({ early, late, after: loop.status().warnings }).toEqual({
    early: [],
    late: words === undefined ? [] : [expect.stringMatching(`^1 batch waits up to 1m [23]\\ds ${words}$`)],
    after: [],
  });
  await clock.until(loop.stop(0));
});
