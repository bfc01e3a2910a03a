import { expect, it } from 'vitest';
import { forgetMemory, startSource } from '../../../src/collect/index.ts';
import type { SourceSettings } from '../../../src/connectors/source-settings.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, hour, minute, noon, row, settings, vendor } from '../fixture.ts';

/** What is told of a record that showed up 2 minutes after its time, while the source was `away` for five hours. */
async function lateMeanwhile(away: 'stopped' | 'failing' | 'polling', change: Partial<SourceSettings> = {}, shownAfterMs = 0) {
  const clock = at(noon);
  const { journal } = memoryJournal();
  const api = vendor([], { clock });
  const open = () => startSource(settings(change), bench(clock, journal, api.open).deps);
  let loop = open();
  loop.start();
  await clock.advance(10 * minute + 1);
  const shownAt = clock.now() + 10_000;
  if (away === 'stopped') {
    await clock.until(loop[Symbol.asyncDispose]());
    forgetMemory(journal, 's');
  } else if (away === 'failing') {
    api.onRequest = () => {
      throw new Error('away');
    };
  }
  api.rows.push(row('late', shownAt - 2 * minute, { visibleAt: shownAt + shownAfterMs }));
  await clock.advance(5 * hour);
  if (away === 'stopped') loop = open();
  if (away === 'stopped') loop.start();
  api.onRequest = () => undefined;
  await clock.advance(20 * minute);
  const { details } = loop.status();
  await clock.until(loop[Symbol.asyncDispose]());
  return {
    latestMs: (details?.['lateness'] as { latest_ms: number } | undefined)?.latest_ms,
    overlap: details?.['suggested_overlap'],
  };
}

it.each(['stopped', 'failing', 'polling'] as const)(
  'measures how late a record is by when it could have been seen: the source was %s',
  async (away) => {
    const { latestMs = 0, overlap } = await lateMeanwhile(away);

    expect(latestMs).toBeGreaterThan(minute);
    expect(latestMs).toBeLessThan(5 * minute);
    expect(overlap).toBeUndefined();
  },
);

it('takes a record for as late as it is that was not there at the first look after the daemon was down', async () => {
  const { latestMs } = await lateMeanwhile(
    'stopped',
    { window: { ...settings().window, overlapMs: 6 * hour } },
    5 * hour + 5 * minute,
  );

  expect(latestMs).toBeGreaterThan(5 * hour);
});
