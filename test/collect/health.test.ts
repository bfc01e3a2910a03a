import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { Health } from '../../src/collect/health.ts';
import { at, bench, minute, noon, realJournal, said, vendor } from './fixture.ts';

it('ends a hold once, however many answers end it', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const { deps, lines } = bench(clock, journal, vendor([], { clock }).open);
  const health = new Health('s', deps);
  await health.failed(new PenstockError('PEN_SOURCE_REFUSED', 'wrong credentials'));
  await clock.advance(minute);

  await Promise.all([health.succeeded(), health.succeeded(), health.succeeded()]);

  expect(health.hold).toBeUndefined();
  expect(await journal.holds()).toEqual([]);
  expect(said(lines, 'hold ended, collection goes on')).toMatchObject([{ heldMs: minute }]);
});
