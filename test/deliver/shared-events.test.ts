import { expect, it } from 'vitest';
import { mostShared, SharedEvents } from '../../src/deliver/shared-events.ts';
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

const take = (shared: SharedEvents, mapper: Mapper, all: readonly StoredRecord[]) =>
  all.map((record) => shared.mapOnce(mapper, record, page, shared.isSharing(settings)));

it('maps a record once for all sinks, and keeps nothing of it when each has had it', () => {
  const shared = new SharedEvents();
  using _first = shared.use(settings);
  using _second = shared.use(settings);
  using _third = shared.use(settings);
  const { mapper, mapped } = counting();
  const all = records('a', 3);

  const [one, two, three] = [take(shared, mapper, all), take(shared, mapper, all), take(shared, mapper, all)];

  expect(mapped).toEqual(all.map(({ uid }) => uid));
  expect(one.every((event, index) => event === two[index] && event === three[index])).toBe(true);
  take(shared, mapper, all);
  expect(mapped).toHaveLength(6);
});

it('keeps the newest events only for a sink that lags behind', () => {
  const shared = new SharedEvents();
  using _quick = shared.use(settings);
  using _slow = shared.use(settings);
  const { mapper, mapped } = counting();
  const all = records('a', 4 * mostShared);
  take(shared, mapper, all);
  mapped.length = 0;

  take(shared, mapper, all.slice(-mostShared));
  const late = all.slice(0, mostShared);
  take(shared, mapper, late);

  expect(mapped).toEqual(late.map(({ uid }) => uid));
});

it('shares nothing for a single sink, nor for one with labels of its own', () => {
  const shared = new SharedEvents();
  using _only = shared.use(settings);
  using _labelled = shared.use({ labels: ['b'] });

  expect([shared.isSharing(settings), shared.isSharing({ labels: ['b'] })]).toEqual([false, false]);
  using _another = shared.use(settings);
  expect([shared.isSharing(settings), shared.isSharing({ labels: ['b'] })]).toEqual([true, false]);
});
