import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { openJournal } from '../../src/journal/index.ts';
import { commitOf, journalOptions, sink, source, temporaryDirectory } from '../journal/fixture.ts';
import { virtualClock } from '../virtual-clock.ts';
import { record, setUp } from './harness.ts';

const never = new AbortController().signal;

const stored = [
  record('before', {}, 99),
  record('first', {}, 100),
  record('other', { action: 'user.logout' }, 150),
  record('last', {}, 200),
  record('after', {}, 201),
];

it.each([
  { what: 'the events of its range, both ends included', request: { from: 100, to: 200 }, uids: ['first', 'other', 'last'] },
  { what: 'one action', request: { action: 'user.logout' }, uids: ['other'] },
  { what: 'one action within a range', request: { from: 0, to: 100, action: 'user.login' }, uids: ['before', 'first'] },
])('replays $what and passes over the rest of the page', async ({ request, uids }) => {
  const clock = virtualClock(1_000_000);
  const options = journalOptions(await temporaryDirectory(), { seams: { ...systemSeams(), clock } });
  await using journal = await openJournal(options);
  await journal.register([source('acme')], [sink('out', 'oldest')]);
  await journal.append(commitOf('acme', stored, { minTime: 99, maxTime: 201 }));
  const { loop, sent } = setUp({ journal, clock, answer: () => ({ all: { kind: 'accept' } }) });
  loop.start();
  await clock.until(loop.drained(never));
  sent.length = 0;

  await journal.openReplay(1, 'out', { kind: 'stored', ...request });
  await clock.until(loop.drained(never));

  const [row] = (await journal.ledger()).rows;
  expect(sent.flatMap((batch) => batch.uids)).toEqual(uids);
  expect(row?.totals).toMatchObject({ acknowledged: 5, replayed: uids.length, not_routed: 0, pending: 0 });
  await clock.until(loop.stop(0));
});
