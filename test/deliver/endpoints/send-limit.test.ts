import { expect, it } from 'vitest';
import { SendLimit } from '../../../src/deliver/endpoints/send-limit.ts';

it('halves once for all answers of one round and recovers one by one', () => {
  const limit = new SendLimit(8);
  limit.slower(0, 100);
  limit.slower(50, 110);
  const halved = limit.current;

  for (let answer = 0; answer < 4; answer += 1) limit.faster();
  const afterOneRound = limit.current;
  for (let answer = 0; answer < 40; answer += 1) limit.faster();

  expect({ halved, afterOneRound, atLast: limit.current }).toEqual({ halved: 4, afterOneRound: 5, atLast: 8 });
});

it('never falls below one request', () => {
  const limit = new SendLimit(2);

  for (let now = 0; now < 10; now += 1) limit.slower(now, now);

  expect(limit.current).toBe(1);
});

it('follows the sink to fewer and to more', () => {
  const limit = new SendLimit(4);

  limit.setMost(1);
  const fewer = limit.current;
  limit.setMost(3);

  expect([fewer, limit.current]).toEqual([1, 3]);
});
