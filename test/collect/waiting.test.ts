import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { Waits } from '../../src/base/waits.ts';
import { startSource } from '../../src/collect/index.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { at, bench, minute, noon, said, settings, vendor } from './fixture.ts';

/** A source of which the first request gets no answer for five minutes. */
async function slowSource({ isAgreed = false } = {}) {
  const clock = at(noon);
  const waits = new Waits(clock, String);
  const api = vendor([], { clock });
  api.onRequest = async (_request, number) => {
    if (number !== 1) return undefined;
    using wait = waits.begin();
    wait.at('the rest of an answer', isAgreed);
    wait.again(new Error('it was reset'));
    await sleep(clock, 5 * minute);
    return undefined;
  };
  const { deps, lines } = bench(clock, memoryJournal().journal, api.open, { waits });
  const loop = startSource(settings(), deps);
  loop.start();
  await clock.settle();
  return { clock, loop, lines };
}

it('tells since when a poll runs and what it waits for, and that once it lasts longer than is usual', async () => {
  const { clock, loop } = await slowSource();
  const told = () => {
    const { state, polling_since, waits_for } = loop.status();
    return { state, polling_since, waits_for };
  };

  await clock.advance(5_000);
  const early = told();
  await clock.advance(10_000);
  const late = told();
  await clock.advance(5 * minute);

  const since = noon;
  expect(early).toEqual({ state: 'polling', polling_since: since, waits_for: undefined });
  expect(late).toEqual({
    state: 'polling',
    polling_since: since,
    waits_for: { what: 'the rest of an answer', since, after: 'it was reset' },
  });
  expect(told()).toEqual({ state: 'idle', polling_since: undefined, waits_for: undefined });
  await clock.until(loop[Symbol.asyncDispose]());
});

it('warns of a wait that lasts a minute, until it is over', async () => {
  const { clock, loop, lines } = await slowSource();

  await clock.advance(50_000);
  const before = loop.status().warnings;
  await clock.advance(2 * minute);
  const meanwhile = loop.status().warnings;
  await clock.advance(4 * minute);

  expect([before, meanwhile, loop.status().warnings]).toEqual([
    [],
    [
      "a request takes 2m 50s and waits for the rest of an answer; the try before failed: it was reset; where this goes on, look at the vendor's status page and at what lies between",
    ],
    [],
  ]);
  expect(said(lines, 'source needs attention').map(({ warning }) => warning)).toEqual(['waiting']);
  expect(said(lines, 'source needs this attention no more').map(({ warning }) => warning)).toEqual(['waiting']);
  await clock.until(loop[Symbol.asyncDispose]());
});

it('warns of no wait that was agreed on, which the status tells all the same', async () => {
  const { clock, loop } = await slowSource({ isAgreed: true });

  await clock.advance(3 * minute);

  expect([loop.status().warnings, loop.status().waits_for?.what]).toEqual([[], 'the rest of an answer']);
  await clock.until(loop[Symbol.asyncDispose]());
});
