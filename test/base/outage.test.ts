import { expect, it } from 'vitest';
import { Outage } from '../../src/base/outage.ts';
import { loudLog } from '../loud-log.ts';

const words = { begins: 'it fails', ends: 'it works again' };

it('says once that work fails, however often it does, and once that it works again', () => {
  const { log, said } = loudLog();
  const outage = new Outage(log, words);

  outage.worked();
  for (let times = 0; times < 50; times += 1) outage.failed(new Error('away'));
  for (let times = 0; times < 50; times += 1) outage.worked();
  outage.failed(new Error('away'));

  expect(said).toEqual(['40 it fails', '30 it works again', '40 it fails']);
});

it('says it once more where a person must act after all', () => {
  const { log, said } = loudLog();
  const outage = new Outage(log, words);

  for (const level of ['warn', 'warn', 'error', 'warn', 'error'] as const) outage.failed(new Error('away'), level);

  expect(said).toEqual(['40 it fails', '50 it fails']);
});

it('says nothing of what others have explained, nor that it is over', () => {
  const { log, said } = loudLog();
  const outage = new Outage(log, words);

  outage.failed(new Error('the disk is full'), 'debug');
  outage.worked();

  expect(said).toEqual([]);
});
