import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { Hold } from '../../src/collect/hold.ts';
import { at, bench, minute, noon, realJournal, said, vendor } from './fixture.ts';

it('ends once, however many answers end it', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const { deps, lines } = bench(clock, journal, vendor([], { clock }).open);
  const hold = new Hold('s', deps);
  await hold.begin(new PenstockError('PEN_SOURCE_REFUSED', 'wrong credentials'));
  await clock.advance(minute);

  await Promise.all([hold.end(), hold.end(), hold.end()]);

  expect(hold.note).toBeUndefined();
  expect(await journal.holds()).toEqual([]);
  expect(said(lines, 'hold ended, collection goes on')).toMatchObject([{ heldMs: minute }]);
});
