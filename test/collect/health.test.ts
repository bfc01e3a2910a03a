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

it.each([
  { code: 'PEN_HTTP_TIMEOUT', fix: undefined, told: /^nothing needs to be done while it passes/ },
  { code: 'PEN_HTTP_RESET', fix: undefined, told: /^nothing needs to be done while it passes/ },
  { code: 'PEN_HTTP_BAD_BODY', fix: undefined, told: /^nothing needs to be done while it passes/ },
  { code: 'PEN_HTTP_TOO_LARGE', fix: undefined, told: /size in read\.page.*max_bytes in read\.request/ },
  { code: 'PEN_INTERNAL', fix: undefined, told: /^see the log; where it comes again, report it/ },
  { code: 'PEN_SOURCE_REFUSED', fix: 'renew it', told: /^renew it$/ },
] as const)('says of $code what to do', async ({ code, fix, told }) => {
  const clock = at(noon);
  const { deps } = bench(clock, await realJournal(clock), vendor([], { clock }).open);
  const health = new Health('s', deps);

  await health.failed(new PenstockError(code, 'it failed', fix === undefined ? {} : { fix }));

  expect(health.lastError?.fix).toMatch(told);
});
