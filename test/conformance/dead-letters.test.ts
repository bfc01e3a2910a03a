// Dead letters and offsets, one test per statement.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { decide } from '../../src/deliver/decide.ts';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { Verdict } from '../../src/sinks/sink.ts';
import { records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from '../sinks/delivering.ts';
import { httpOptions } from '../sinks/http-options.ts';
import { openReceiver } from '../sinks/http-receiver.ts';

it('Dead letter and offset are one commit: while it fails neither is there', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let attempts = 0;
  let isFull = true;
  journal.failing.settle = () => {
    attempts += 1;
    return isFull ? new PenstockError('PEN_JOURNAL_UNWRITABLE', 'no space left') : undefined;
  };
  await using receiver = await openReceiver(() => ({ status: 400 }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url), context));

  await until(() => attempts > 0);
  const whileFull = { offset: journal.offsetOf(live), letters: journal.letters.length };
  isFull = false;
  await delivering.drained();

  expect(whileFull).toEqual({ offset: 0, letters: 0 });
  expect({ offset: journal.offsetOf(live), letters: journal.letters.length }).toEqual({ offset: 1, letters: 1 });
});

it('When the dead letters are full the sink holds and nothing moves', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  await using receiver = await openReceiver(() => ({ status: 400 }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url, { body: 'single' }), context), {
    settings: { maxDeadLetters: 1 },
  });

  await until(() => delivering.loop.status().hold !== undefined);

  expect(delivering.loop.status().hold?.reason).toContain('full');
  expect({ offset: journal.offsetOf(live), letters: journal.letters.length }).toEqual({ offset: 1, letters: 1 });
});

it('A dead letter that is sent again keeps its id', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let isFixed = false;
  await using receiver = await openReceiver(() => ({ status: isFixed ? 200 : 400 }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url), context));
  await until(() => journal.letters.length === 1);

  isFixed = true;
  const [letter] = journal.letters;
  journal.put(
    { kind: 'replay', source: 'acme', job: 1 },
    journal.letters.map(({ record }) => record),
    { letters: [letter?.id ?? 0] },
  );
  await until(() => journal.letters.length === 0);

  const uids = receiver.seen.map(({ text }) => (JSON.parse(text) as { metadata: { uid: string } }).metadata.uid);
  expect(uids).toEqual(['e0', 'e0']);
  expect(delivering.loop.status().hold).toBe(undefined);
});

const verdicts: readonly Verdict[] = [
  { kind: 'accept' },
  { kind: 'sent' },
  { kind: 'retry', reason: 'r' },
  { kind: 'retry', reason: 'r', retryAfterMs: 0 },
  { kind: 'uncertain', reason: 'r' },
  { kind: 'split', code: 'c', reason: 'r' },
  { kind: 'event', code: 'c', reason: 'r' },
  { kind: 'hold', reason: 'r', fix: 'f' },
];

it('Only accept, sent and a dead letter settle an event', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...verdicts), { minLength: 2, maxLength: 20 }), (each) => {
      const { acknowledged, unconfirmed, refused } = decide({ each }, each.length);

      const of = (kind: Verdict['kind']): number[] => each.flatMap((verdict, at) => (verdict.kind === kind ? [at] : []));
      expect({ acknowledged, unconfirmed, refused: refused.map(({ index }) => index) }).toEqual({
        acknowledged: of('accept'),
        unconfirmed: of('sent'),
        refused: of('event'),
      });
    }),
  );
});
