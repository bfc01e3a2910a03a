// A source that was renamed in the configuration alone: the journal knows the old name, and the vendor goes on writing.
import { describe, expect, it } from 'vitest';
import { startSource } from '../../src/collect/index.ts';
import type { SourceSettings } from '../../src/connectors/source-settings.ts';
import { sink, source } from '../journal/records.ts';
import { entry, formNames, logVendor, runFor } from './cursor/log-vendor.ts';
import { at, bench, day, hour, minute, never, noon, realJournal, row, said, settings, storedIds, vendor } from './fixture.ts';

const identity = { origin: 'https://api.example.com' };

/** A vendor that is read as `old` until noon, then, so much later, under another name. */
async function renamed(laterMs: number, start: SourceSettings['start'], registered = [source('new', identity)]) {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([row('before', noon - 30 * minute)], { clock });
  await journal.register([source('old', identity)], [sink('a')]);
  const old = startSource(settings({ name: 'old' }), bench(clock, journal, api.open).deps);
  await old.pollOnce(never);
  await old[Symbol.asyncDispose]();
  api.rows.push(row('in between', noon + 10 * minute), row('at last', noon + laterMs - 2 * minute));
  await clock.advance(laterMs);
  await journal.register(registered, [sink('a')]);
  const { deps, lines } = bench(clock, journal, api.open);
  await using fresh = startSource(settings({ name: 'new', start }), deps);
  await fresh.pollOnce(never);
  // The first is what the old name brought.
  return {
    ids: (await storedIds(journal)).slice(1).toSorted(),
    told: said(lines, 'the source goes on where collection ended under its former name, which is not configured any more'),
  };
}

it.each([
  { later: hour, start: 'now' as const },
  { later: 3 * day, start: { backMs: day } },
  { later: 3 * day, start: { at: noon + 2 * day } },
])('collects what came since the old name was last asked for: $later ms later, start $start', async ({ later, start }) => {
  const { ids, told } = await renamed(later, start);

  expect(ids).toEqual(['at last', 'in between']);
  expect(told).toMatchObject([{ was: 'old', from: new Date(noon - 6 * minute).toISOString() }]);
});

it.each([
  { why: 'begins before the old name ended', start: { backMs: 2 * hour }, ids: ['at last', 'before', 'in between'] },
  { why: 'is of another tenant', start: 'now' as const, ids: [], of: [source('new', { origin: 'https://else.example.com' })] },
  { why: 'stands beside the old one', start: 'now' as const, ids: [], of: [source('old', identity), source('new', identity)] },
])('begins where its start says when it $why', async ({ start, ids, of }) => {
  const found = await renamed(hour, start, of);

  expect(found).toEqual({ ids, told: [] });
});

describe.each(formNames)('a log followed by %s', (form) => {
  it('is gone on with at its cursor under another name', async () => {
    const log = logVendor(form);
    await log.journal.register([source('s', identity)], [sink('a')]);
    log.entries.push(entry('a', noon - minute), entry('b', noon));
    await runFor(log, 3);
    log.entries.push(entry('c', noon + 3 * minute + 10_000));
    await log.clock.advance(30_000);
    await log.journal.register([source('new', identity)], [sink('a')]);

    await runFor(log, 10, { name: 'new', start: 'now' });

    expect(log.ids()).toEqual(['a', 'b', 'c']);
  });
});
