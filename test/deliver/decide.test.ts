import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide } from '../../src/deliver/decide.ts';
import type { Verdict } from '../../src/sinks/sink.ts';

const nothing = {
  acknowledged: [],
  unconfirmed: [],
  refused: [],
  again: [],
  uncertain: [],
  failure: undefined,
  hold: undefined,
  slower: false,
  unlocated: 0,
  tooLarge: undefined,
};

const accept: Verdict = { kind: 'accept' };
const sent: Verdict = { kind: 'sent' };
const retry: Verdict = { kind: 'retry', reason: 'busy' };
const uncertain: Verdict = { kind: 'uncertain', reason: 'reset' };
const split: Verdict = { kind: 'split', code: '413', reason: 'too big' };
const event: Verdict = { kind: 'event', code: '6', reason: 'bad data' };
const hold: Verdict = { kind: 'hold', reason: 'bad token', fix: 'renew it' };

it.each([
  { name: 'accept', verdict: accept, want: { acknowledged: [0, 1, 2] } },
  {
    name: 'accept, slower',
    verdict: { kind: 'accept', slower: true, refused: 2 } as Verdict,
    want: { acknowledged: [0, 1, 2], slower: true, unlocated: 2 },
  },
  {
    name: 'accept, sent more than once',
    verdict: { kind: 'accept', isRepeated: true } as Verdict,
    want: { acknowledged: [0, 1, 2], uncertain: [0, 1, 2] },
  },
  { name: 'sent', verdict: sent, want: { unconfirmed: [0, 1, 2] } },
  {
    name: 'retry',
    verdict: retry,
    want: {
      again: 'same',
      failure: { kind: 'retry', reason: 'busy', retryAfterMs: undefined, isBlameless: true, fix: undefined },
    },
  },
  {
    name: 'retry after',
    verdict: { kind: 'retry', reason: 'busy', retryAfterMs: 7000 } as Verdict,
    want: { again: 'same', failure: { kind: 'retry', reason: 'busy', retryAfterMs: 7000, isBlameless: true, fix: undefined } },
  },
  {
    name: 'uncertain',
    verdict: uncertain,
    want: {
      again: 'same',
      uncertain: [0, 1, 2],
      failure: { kind: 'uncertain', reason: 'reset', retryAfterMs: undefined, isBlameless: false, fix: undefined },
    },
  },
  { name: 'split', verdict: split, want: { again: [[0, 1], [2]], tooLarge: '413' } },
  { name: 'event without saying which', verdict: event, want: { again: [[0, 1], [2]], tooLarge: '6' } },
  { name: 'hold', verdict: hold, want: { again: 'same', hold: { reason: 'bad token', fix: 'renew it', untilReleased: false } } },
  {
    name: 'hold until released',
    verdict: { ...hold, untilReleased: true } as Verdict,
    want: { again: 'same', hold: { reason: 'bad token', fix: 'renew it', untilReleased: true } },
  },
])('decides for a batch of three answered with $name', ({ verdict, want }) => {
  expect(decide({ all: verdict }, 3)).toEqual({ ...nothing, ...want });
});

it.each([
  { name: 'split', verdict: split, code: '413', reason: 'too big' },
  { name: 'event', verdict: event, code: '6', reason: 'bad data' },
])('refuses the event of a batch of one answered with $name', ({ verdict, code, reason }) => {
  expect(decide({ all: verdict }, 1)).toEqual({ ...nothing, refused: [{ index: 0, code, reason }] });
  expect(decide({ each: [verdict] }, 1)).toEqual({ ...nothing, refused: [{ index: 0, code, reason }] });
});

it('sends only the events again that each asked for it', () => {
  const busy: Verdict = { kind: 'retry', reason: 'busy', retryAfterMs: 0 };

  expect(decide({ each: [accept, busy, event, accept, uncertain] }, 5)).toEqual({
    ...nothing,
    acknowledged: [0, 3],
    refused: [{ index: 2, code: '6', reason: 'bad data' }],
    again: [[1, 4]],
    uncertain: [4],
    failure: { kind: 'uncertain', reason: 'reset', retryAfterMs: undefined, isBlameless: false, fix: undefined },
  });
});

it('sends a lone suspect apart from the others, in the order of the batch', () => {
  expect(decide({ each: [accept, split, retry] }, 3)).toEqual({
    ...nothing,
    acknowledged: [0],
    again: [[1], [2]],
    failure: { kind: 'retry', reason: 'busy', retryAfterMs: undefined, isBlameless: true, fix: undefined },
  });
});

it('halves a batch of which every event is a suspect', () => {
  expect(decide({ each: [split, split, split, split] }, 4)).toEqual({
    ...nothing,
    again: [
      [0, 1],
      [2, 3],
    ],
  });
});

it('keeps the batch whole when every event is to be sent again', () => {
  expect(decide({ each: [retry, retry] }, 2)).toMatchObject({ again: 'same' });
});

it('holds when any event says hold, and keeps what was taken', () => {
  expect(decide({ each: [accept, hold] }, 2)).toEqual({
    ...nothing,
    acknowledged: [0],
    again: [[1]],
    hold: { reason: 'bad token', fix: 'renew it', untilReleased: false },
  });
});

it('trusts nothing in an answer with another number of verdicts than events', () => {
  expect(decide({ each: [accept, accept] }, 3)).toEqual({
    ...nothing,
    again: 'same',
    uncertain: [0, 1, 2],
    failure: {
      kind: 'uncertain',
      reason: '2 verdicts for 3 events',
      retryAfterMs: undefined,
      isBlameless: false,
      fix: undefined,
    },
  });
});

it('gives every event of any answer exactly one consequence', () => {
  const verdicts = fc.array(fc.constantFrom(accept, sent, retry, uncertain, split, event, hold), { minLength: 1, maxLength: 20 });

  fc.assert(
    fc.property(verdicts, (each) => {
      const { acknowledged, unconfirmed, refused, again } = decide({ each }, each.length);

      const indexes = each.map((_, index) => index);
      const consequences = [
        ...acknowledged,
        ...unconfirmed,
        ...refused.map(({ index }) => index),
        ...(again === 'same' ? indexes : again.flat()),
      ];
      expect(consequences.sort((a, b) => a - b)).toEqual(indexes);
    }),
  );
});

it('counts what may be stored twice where the sink says so: of what a hold keeps, and of what was taken', () => {
  const doubtful: Verdict = { kind: 'hold', reason: 'a page', fix: 'look', maybeStored: true };

  expect(decide({ all: doubtful }, 2).uncertain).toEqual([0, 1]);
  expect(decide({ each: [accept, doubtful, hold] }, 3)).toMatchObject({ acknowledged: [0], uncertain: [1], again: [[1, 2]] });
  expect(decide({ each: [accept, { kind: 'accept', isRepeated: true }] }, 2)).toMatchObject({
    acknowledged: [0, 1],
    uncertain: [1],
  });
});
