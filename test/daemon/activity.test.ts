import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Activity } from '../../src/daemon/activity.ts';
import { zeroCounts, zeroTotals } from '../../src/journal/counts.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { type VirtualClock, virtualClock } from '../virtual-clock.ts';

const hour = 3_600_000;

/** A journal whose ledger the test moves, with its notes. */
function ledgerOf() {
  const notes = new Map<string, unknown>();
  const now = { collected: 0, delivered: 0, pending: 0, usedBytes: 0, records: 0 };
  const journal = {
    ledger: () =>
      Promise.resolve({
        sources: { acme: { ...zeroCounts(), fetched: now.collected, new: now.collected } },
        rows: [
          {
            sink: 'soc',
            source: 'acme',
            totals: { ...zeroTotals(), acknowledged: now.delivered, pending: now.pending },
            new: now.collected,
          },
        ],
      }),
    usage: () => ({ usedBytes: now.usedBytes, maxBytes: 1000, records: now.records }),
    note: (_source: string, name: string) => Promise.resolve(notes.get(name)),
    setNote: (_source: string, name: string, value: unknown) => {
      notes.set(name, structuredClone(value));
      return Promise.resolve();
    },
  } as unknown as Journal;
  return { now, journal };
}

function activityOf(journal: Journal, clock: VirtualClock, ages: ReadonlyMap<string, number> = new Map()): Activity {
  const activity = new Activity({
    journal,
    seams: { clock },
    log: silentLog(),
    waitingSinks: () => ['soc'],
    cursorAges: () => ages,
  });
  activity.start();
  return activity;
}

async function setUp() {
  const clock = virtualClock(Date.UTC(2026, 10, 21, 3, 12));
  const { now, journal } = ledgerOf();
  const activity = activityOf(journal, clock);
  await clock.advance(1);
  const begin = Math.floor(clock.now() / hour) * hour;
  return { clock, now, journal, activity, begin };
}

it('counts what the ledger grew by into the hour in which it grew', async () => {
  const { clock, now, activity, begin } = await setUp();

  Object.assign(now, { collected: 10, delivered: 4 });
  await clock.advance(60_000);
  Object.assign(now, { collected: 15, delivered: 15 });
  await clock.advance(hour);

  const hours = (await activity.hours()).filter(({ collected }) => collected > 0);
  expect(hours.reduce((sum, { collected, delivered }) => sum + collected + (delivered['soc'] ?? 0), 0)).toBe(30);
  expect(hours[0]?.from).toBe(begin);
});

it('goes on after a restart, counting nothing twice and nothing of the time before it first ran', async () => {
  const { clock, now, journal, activity } = await setUp();
  Object.assign(now, { collected: 10, delivered: 10 });
  await clock.until(activity[Symbol.asyncDispose]());

  const second = activityOf(journal, clock);
  await clock.advance(1);
  Object.assign(now, { collected: 12, delivered: 12 });
  await clock.advance(60_000);

  expect((await second.hours()).reduce((sum, { collected }) => sum + collected, 0)).toBe(12);
  const third = activityOf(ledgerOf().journal, clock);
  await clock.advance(60_000);
  expect(new Set((await third.hours()).map(({ collected }) => collected))).toEqual(new Set([0]));
});

it('foretells from what came in a minute no more than an hour', async () => {
  const { clock, now, activity } = await setUp();
  const said: (number | undefined)[] = [];
  for (const used of [10, 20, 30]) {
    Object.assign(now, { usedBytes: used, records: used, pending: used });
    await clock.advance(60_000);
    said.push(activity.fullInSeconds(undefined));
  }

  expect(said).toEqual([undefined, 5880, 5820]);
});

it('forgets what is older than a day', async () => {
  const { clock, now, activity } = await setUp();
  now.collected = 10;
  await clock.advance(60_000);

  await clock.advance(26 * hour);

  expect(new Set((await activity.hours()).map(({ collected }) => collected))).toEqual(new Set([0]));
  expect((await activity.hours()).length).toBeLessThanOrEqual(26);
});

it('tells how long the journal has room at the pace at which what no sink took grows', async () => {
  const { clock, now, activity } = await setUp();
  Object.assign(now, { usedBytes: 100, records: 100, pending: 100 });
  await clock.advance(60_000);
  const first = activity.fullInSeconds(undefined);

  Object.assign(now, { usedBytes: 160, records: 160, pending: 160 });
  await clock.advance(60_000);
  const filling = activity.fullInSeconds(undefined);
  const onFullDisk = activity.fullInSeconds(60);
  Object.assign(now, { usedBytes: 160.001, records: 160, pending: 160 });
  await clock.advance(40 * 60_000);
  Object.assign(now, { usedBytes: 160.002 });
  await clock.advance(60_000);
  const inYears = activity.fullInSeconds(undefined);
  Object.assign(now, { usedBytes: 900, records: 900, pending: 0 });
  await clock.advance(60_000);

  // 160 bytes came within two minutes.
  expect(first).toBe(540);
  expect(filling).toBe(630);
  expect(onFullDisk).toBe(45);
  expect(inYears).toBeUndefined();
  expect(activity.fullInSeconds(undefined)).toBeUndefined();
});

it('says after an outage in about how long sinks and sources are caught up', async () => {
  const clock = virtualClock(Date.UTC(2026, 10, 21, 3, 12));
  const { now, journal } = ledgerOf();
  const ages = new Map([
    ['feed', 7200],
    ['idle', 90],
  ]);
  now.pending = 9000;
  const activity = activityOf(journal, clock, ages);
  await clock.advance(1);

  Object.assign(now, { pending: 8000 });
  ages.set('feed', 6000).set('idle', 30);
  await clock.advance(60_000);

  const said = [['sink', 'soc'] as const, ['source', 'feed'] as const, ['source', 'idle'] as const];
  expect(said.map(([kind, name]) => activity.caughtUpInSeconds(kind, name))).toEqual([480, 300, undefined]);
});
