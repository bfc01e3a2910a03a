import { expect, it } from 'vitest';
import { openJournal } from '../../src/journal/index.ts';
import {
  commitOf,
  connector,
  journalOptions,
  sink,
  someRecords,
  source,
  temporaryDirectory,
  temporaryJournal,
} from './fixture.ts';

it('hands every sink the records in order, from its own offset', async () => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('a'), sink('b')]);
  await journal.append(commitOf('s', someRecords(3)));

  const [lane] = await journal.lanes('a');
  if (lane === undefined) throw new Error('no lane');
  const [page] = await journal.read('a', lane.lane, lane.offset, 100);
  const second = page?.positions[1];
  if (second === undefined) throw new Error('no position');
  await journal.settle('a', lane.lane, second, [], { acknowledged: 2 });
  const [rest] = await journal.read('a', lane.lane, second, 100);

  expect(lane).toEqual({ lane: { kind: 'live', source: 's' }, offset: 0, end: 3, pending: 3, oldestReceived: 1000 });
  expect(page).toEqual({
    source: 's',
    connector: { name: connector.name, hash: connector.hash },
    tenant: 'acme',
    labels: ['audit'],
    records: someRecords(3),
    positions: [1, 2, 3],
  });
  expect(rest?.records).toEqual(someRecords(3).slice(2));
  expect((await journal.lanes('a'))[0]?.pending).toBe(1);
  expect((await journal.lanes('b'))[0]?.pending).toBe(3);
});

it('keeps everything across a reopening', async () => {
  const dataDir = await temporaryDirectory();
  const first = await openJournal(journalOptions(dataDir));
  await first.register([source('s')], [sink('a')]);
  const seen = { day: 3, id: 'ab'.repeat(16), fingerprint: 'cd'.repeat(8) };
  await first.append({ ...commitOf('s', someRecords(2)), seen: [seen], notes: { lateness: [1, 2] } });
  await first[Symbol.asyncDispose]();

  await using journal = await openJournal(journalOptions(dataDir));

  expect(await journal.checkpoint('s', 'live')).toEqual({ after: 'r2' });
  expect(await journal.note('s', 'lateness')).toEqual([1, 2]);
  expect(await journal.seen('s', [seen, { day: 4, id: seen.id }])).toEqual([[seen.fingerprint], []]);
  expect(await journal.connectorText('c0ffee')).toBe('name: example');
  expect(await journal.windows('s', 0, 10)).toMatchObject([{ source: 's', key: 'w1', fetched: 2, new: 2, complete: false }]);
  expect((await journal.lanes('a'))[0]?.pending).toBe(2);
});

it('refuses a settle whose counts do not cover what it passes', async () => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('a')]);
  await journal.append(commitOf('s', someRecords(3)));
  const [lane] = await journal.lanes('a');
  if (lane?.end === undefined) throw new Error('no lane');

  const settled = journal.settle('a', lane.lane, lane.end, [], { acknowledged: 2 });

  await expect(settled).rejects.toMatchObject({ code: 'PEN_INTERNAL' });
  expect((await journal.lanes('a'))[0]?.offset).toBe(0);
});
