import { expect, it } from 'vitest';
import { isSharing, mapOnce, mostShared, shareEvents } from '../../src/deliver/shared-events.ts';
import type { Mapper, PageContext } from '../../src/event/event.ts';
import type { StoredRecord } from '../../src/journal/journal.ts';
import { demoMapper, records } from './harness.ts';

const page: PageContext = { source: 'acme', tenant: undefined, labels: [], processedTime: 1 };
const settings = { labels: [] };

function counting(): { mapper: Mapper; mapped: string[] } {
  const demo = demoMapper();
  const mapped: string[] = [];
  const map: Mapper['map'] = (record, context) => {
    mapped.push(record.uid);
    return demo.map(record, context);
  };
  return { mapper: { table: 'demo', map }, mapped };
}

const take = (mapper: Mapper, all: readonly StoredRecord[]) =>
  all.map((record) => mapOnce(mapper, record, page, isSharing(settings)));

it('maps a record once for all sinks, and keeps nothing of it when each has had it', () => {
  using _first = shareEvents(settings);
  using _second = shareEvents(settings);
  using _third = shareEvents(settings);
  const { mapper, mapped } = counting();
  const all = records('a', 3);

  const [one, two, three] = [take(mapper, all), take(mapper, all), take(mapper, all)];

  expect(mapped).toEqual(all.map(({ uid }) => uid));
  expect(one.every((event, index) => event === two[index] && event === three[index])).toBe(true);
  take(mapper, all);
  expect(mapped).toHaveLength(6);
});

it('keeps the newest events only for a sink that lags behind', () => {
  using _quick = shareEvents(settings);
  using _slow = shareEvents(settings);
  const { mapper, mapped } = counting();
  const all = records('a', 4 * mostShared);
  take(mapper, all);
  mapped.length = 0;

  take(mapper, all.slice(-mostShared));
  const late = all.slice(0, mostShared);
  take(mapper, late);

  expect(mapped).toEqual(late.map(({ uid }) => uid));
});

it('shares nothing for a single sink, nor for one with labels of its own', () => {
  using _only = shareEvents(settings);
  using _labelled = shareEvents({ labels: ['b'] });

  expect([isSharing(settings), isSharing({ labels: ['b'] })]).toEqual([false, false]);
});
