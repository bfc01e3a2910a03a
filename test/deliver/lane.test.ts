import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { OpenLane } from '../../src/deliver/lane.ts';
import type { Lane, NewDeadLetter, Position, StoredPage } from '../../src/journal/journal.ts';
import { records } from './harness.ts';

const lane: Lane = { kind: 'live', source: 'acme' };

function page(from: number, count: number): StoredPage {
  return {
    source: 'acme',
    connector: { name: 'demo', hash: 'h' },
    tenant: undefined,
    labels: [],
    records: records(`r${from}-`, count),
    positions: Array.from({ length: count }, (_, index) => (from + index + 1) as Position),
  };
}

it('settles nothing behind an event without an outcome', () => {
  const progress = new OpenLane(lane, 0 as Position);
  const read = progress.add(page(0, 3));
  read.settle(1, 'acknowledged');
  read.settle(2, 'not_routed');
  const before = progress.take();

  read.settle(0, 'unconfirmed');

  expect({ before, after: progress.take() }).toMatchObject({
    before: undefined,
    after: { upTo: 3, records: 3, acknowledged: 1, unconfirmed: 1, notRouted: 1 },
  });
});

it('gives the same settlement again until it is committed', () => {
  const progress = new OpenLane(lane, 0 as Position);
  const read = progress.add(page(0, 2));
  read.settle(0, 'acknowledged');
  const first = progress.take();
  read.settle(1, 'acknowledged');
  const again = progress.take();
  progress.committed();

  const next = progress.take();

  expect({ isSame: again === first, first: first?.upTo, next: next?.upTo, nextRecords: next?.records }).toEqual({
    isSame: true,
    first: 1,
    next: 2,
    nextRecords: 1,
  });
});

it('keeps the first outcome of an event', () => {
  const progress = new OpenLane(lane, 0 as Position);
  const read = progress.add(page(0, 1));

  read.settle(0, 'acknowledged');
  read.settle(0, 'unconfirmed');

  expect(progress.take()).toMatchObject({ acknowledged: 1, unconfirmed: 0 });
});

it('moves over exactly the contiguous prefix, whatever the order of outcomes', () => {
  const shuffled = fc
    .integer({ min: 1, max: 40 })
    .chain((count) => fc.tuple(fc.constant(count), fc.shuffledSubarray([...Array(count).keys()], { minLength: count })));

  fc.assert(
    fc.property(shuffled, fc.integer({ min: 1, max: 7 }), ([count, order], pageSize) => {
      const progress = new OpenLane(lane, 0 as Position);
      const settle: (() => void)[] = [];
      for (let from = 0; from < count; from += pageSize) {
        const size = Math.min(pageSize, count - from);
        const read = progress.add(page(from, size));
        for (let index = 0; index < size; index += 1) settle.push(() => read.settle(index, 'acknowledged'));
      }
      const done = new Set<number>();
      let offset = 0;

      for (const index of order) {
        settle[index]?.();
        done.add(index);
        offset = progress.take()?.upTo ?? offset;
        progress.committed();
        let prefix = 0;
        while (done.has(prefix)) prefix += 1;
        expect(offset).toBe(prefix);
      }
      expect(progress.open).toBe(0);
    }),
  );
});

it('resolves a letter that was delivered, and none that was refused once more or that the sink does not take now', () => {
  const progress = new OpenLane({ kind: 'replay', source: 'acme', job: 1 }, 0 as Position);
  const read = progress.add({ ...page(0, 4), letters: [11, 12, 13, 14] });
  read.settle(0, 'acknowledged');
  read.settle(1, 'not_routed');
  read.settle(2, { code: 'again' } as NewDeadLetter);
  read.settle(3, 'unconfirmed');

  expect(progress.take()).toMatchObject({ resolved: [11, 14], letters: [{ code: 'again' }], newLetters: 0, records: 4 });
});
