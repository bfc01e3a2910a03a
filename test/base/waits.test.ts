import { expect, it } from 'vitest';
import { Waits } from '../../src/base/waits.ts';
import { virtualClock } from '../virtual-clock.ts';

it('tells the wait that lasts longest, as it was said last, and none once all are over', async () => {
  const clock = virtualClock(0);
  const waits = new Waits(clock, (text) => `told: ${text}`);
  const first = waits.begin();
  first.at('a connection');
  await clock.advance(5_000);
  const second = waits.begin();
  second.at(() => 'its turn', true);
  first.at(() => 'an answer');
  first.again(new Error('refused'));
  await clock.advance(1_000);

  const both = waits.longest();
  first[Symbol.dispose]();
  const one = waits.longest();
  second[Symbol.dispose]();

  expect(both).toEqual({ what: 'an answer', ms: 6_000, isAgreed: false, after: 'told: refused' });
  expect(one).toEqual({ what: 'its turn', ms: 1_000, isAgreed: true });
  expect(waits.longest()).toBeUndefined();
});
