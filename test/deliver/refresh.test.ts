import { expect, it } from 'vitest';
import { Lanes } from '../../src/deliver/lanes.ts';
import { ownsEverything } from '../../src/journal/contract/ownership.ts';
import type { LaneState, Position } from '../../src/journal/journal.ts';

const replay = { kind: 'replay', source: 'acme', job: 7 } as const;

function stateOf(offset: number): LaneState {
  return { lane: replay, offset: offset as unknown as Position, pending: 10 - offset, oldestReceived: undefined };
}

/** A journal whose listings are answered by hand. */
function slowJournal() {
  const asked: PromiseWithResolvers<readonly LaneState[]>[] = [];
  return {
    asked,
    ownership: ownsEverything,
    lanes() {
      const listing = Promise.withResolvers<readonly LaneState[]>();
      asked.push(listing);
      return listing.promise as Promise<LaneState[]>;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('asks for a listing only after the one before it was answered, so that an older one never comes last', async () => {
  const journal = slowJournal();
  const lanes = new Lanes(journal, 'out');
  const first = lanes.refresh();
  lanes.stale();
  const second = lanes.refresh();
  await turn();
  expect(journal.asked).toHaveLength(1);

  journal.asked[0]?.resolve([stateOf(0)]);
  await first;
  await turn();
  expect(journal.asked).toHaveLength(2);
  journal.asked[1]?.resolve([]);
  await second;

  expect(lanes.of('replay')).toEqual([]);
});

it('does not bring back a lane that was forgotten while its listing was under way', async () => {
  const journal = slowJournal();
  const lanes = new Lanes(journal, 'out');
  const first = lanes.refresh();
  journal.asked[0]?.resolve([stateOf(0)]);
  await first;
  const [known] = lanes.of('replay');
  lanes.stale();
  const second = lanes.refresh();
  if (known !== undefined) lanes.forget(known.progress);

  journal.asked[1]?.resolve([stateOf(5)]);
  await second;

  expect(lanes.of('replay')).toEqual([]);
});

it('asks again after a listing that failed', async () => {
  const journal = slowJournal();
  const lanes = new Lanes(journal, 'out');
  const first = lanes.refresh();
  const second = lanes.refresh();
  journal.asked[0]?.reject(new Error('disk I/O error'));
  await expect(first).rejects.toThrow('disk I/O error');
  await turn();

  journal.asked[1]?.resolve([stateOf(3)]);
  await second;

  expect(lanes.of('replay').map(({ progress }) => progress.after)).toEqual([3]);
});
