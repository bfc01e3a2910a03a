// A poll whose first page comes and whose second never does.
import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { runRange, startSource } from '../../../src/collect/index.ts';
import type { Page } from '../../../src/connectors/connector.ts';
import type { SourceSettings } from '../../../src/connectors/source-settings.ts';
import { readLedger } from '../../../src/operate/report/ledger.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import {
  at,
  bench,
  day,
  hour,
  minute,
  never,
  noon,
  refused,
  row,
  said,
  settings,
  type VendorOptions,
  vendor,
} from '../fixture.ts';

// All at the beginning of the first window: no smaller window holds fewer of them.
const rows = ['a', 'b', 'c', 'd'].map((id) => row(id, noon - hour));
const firstPage = rows.slice(0, 3).map((value) => ({ value }));

const failures: Readonly<Record<string, () => Page>> = {
  status: () => {
    throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503');
  },
  loop: () => ({ records: firstPage, next: { kind: 'token', token: 'elsewhere' } }),
  'broken body': () => {
    throw new PenstockError('PEN_HTTP_BAD_BODY', 'the body ends in the middle');
  },
};

function polling(paging: NonNullable<VendorOptions['paging']>, change: Partial<SourceSettings> = {}) {
  const clock = at(noon);
  const api = vendor([...rows], { clock, paging, totals: false });
  const memory = memoryJournal();
  const { deps, lines } = bench(clock, memory.journal, api.open);
  const loop = startSource(settings(change), deps);
  const begun: number[] = [];
  const failAfterFirst = (fail: () => Page): void => {
    api.onRequest = ({ state }) => {
      if (state === null || begun.length === 0) begun.push(clock.monotonic());
      return state === null ? undefined : fail();
    };
  };
  return { clock, api, memory, loop, lines, begun, failAfterFirst };
}

// By offset a page that comes again ends the window instead: nothing lies further on.
const kinds = (['offset', 'token', 'link'] as const)
  .flatMap((paging) => Object.keys(failures).map((how) => ({ paging, how })))
  .filter(({ paging, how }) => paging !== 'offset' || how !== 'loop');

it.each(kinds)(
  'counts polls that fail on page 2 with $paging paging by $how, until one goes through',
  async ({ paging, how }) => {
    const { clock, api, loop, lines, failAfterFirst } = polling(paging);
    failAfterFirst(failures[how] ?? (() => ({ records: [], next: null })));
    loop.start();
    const counts: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      await clock.advance(minute);
      counts.push(loop.status().consecutive_failures);
    }
    const { state, last_success: lastSuccess } = loop.status();
    const told = [said(lines, 'source answers again').length, said(lines, 'poll failed, the cursor stays')];
    api.onRequest = () => undefined;
    await clock.advance(2 * minute);
    await loop[Symbol.asyncDispose]();

    expect([state, lastSuccess]).toEqual(['failing', undefined]);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-1)).toBeGreaterThan(3);
    expect(told[0]).toBe(0);
    expect((told[1] as { level: number }[]).filter(({ level }) => level === 40).length).toBe(1);
    expect(said(lines, 'source answers again')).toMatchObject([{ failures: expect.any(Number) as number }]);
    expect(loop.status()).toMatchObject({ consecutive_failures: 0, records: { new: 4 } });
  },
);

it('waits longer after each poll that fails on page 2, and never longer than ten minutes and a quarter', async () => {
  const { clock, loop, begun, failAfterFirst } = polling('offset', { schedule: { everyMs: day } });
  failAfterFirst(failures['status'] as () => Page);
  loop.start();

  await clock.advance(6 * hour);
  await loop[Symbol.asyncDispose]();

  const waits = begun.slice(1).map((time, i) => time - (begun[i] ?? 0));
  expect(waits.slice(0, 2).every((ms) => ms <= 75_000)).toBe(true);
  expect(Math.max(...waits)).toBeGreaterThan(5 * minute);
  expect(Math.max(...waits)).toBeLessThanOrEqual(615_000);
});

it('does not take a window that is read again for success', async () => {
  const window = { overlapMs: 10 * minute, settleMs: minute, maxMs: 2 * minute, minMs: minute };
  const { clock, api, loop, lines } = polling('offset', { window });
  api.rows = [];
  loop.start();
  await clock.advance(10);
  const { cursor } = loop.status();
  api.onRequest = ({ to }) => {
    if (to > Number(cursor)) throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503');
    return undefined;
  };

  await clock.advance(5 * minute);
  const failing = loop.status();
  await loop[Symbol.asyncDispose]();

  expect(failing.consecutive_failures).toBeGreaterThan(3);
  expect(said(lines, 'source answers again')).toEqual([]);
});

it('ends failures with each window that is new, however long the way to now is', async () => {
  const window = { overlapMs: minute, settleMs: minute, maxMs: 10 * minute, minMs: minute };
  const { clock, api, loop } = polling('offset', { window });
  let isDown = true;
  const hanging = Promise.withResolvers<undefined>();
  api.onRequest = ({ from }) => {
    if (isDown) throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503');
    return from > noon - 30 * minute ? hanging.promise : undefined;
  };
  loop.start();
  await clock.advance(minute);
  const failing = loop.status().consecutive_failures;
  isDown = false;

  await clock.advance(minute);
  const catchingUp = loop.status();
  hanging.resolve(undefined);
  await clock.until(loop[Symbol.asyncDispose]());

  expect(failing).toBeGreaterThan(0);
  expect(catchingUp).toMatchObject({ state: 'polling', consecutive_failures: 0 });
  expect(catchingUp.last_success).toBeGreaterThan(noon);
});

it('stays on hold when page 2 is refused, and says so once', async () => {
  const { clock, loop, lines, memory, failAfterFirst } = polling('offset');
  failAfterFirst(() => {
    throw refused(400);
  });
  loop.start();

  await clock.advance(20 * minute);
  const held = loop.status();
  await loop[Symbol.asyncDispose]();

  expect(held).toMatchObject({ state: 'hold', hold: { since: noon } });
  expect(said(lines, 'source on hold: it waits for a person, nothing is lost').length).toBe(1);
  expect(said(lines, 'hold ended, collection goes on')).toEqual([]);
  expect(memory.held.size).toBe(1);
});

it('ends a hold when the source answers and something else fails then', async () => {
  const { clock, api, loop, failAfterFirst } = polling('offset');
  api.onRequest = () => {
    throw refused(401);
  };
  loop.start();
  await clock.advance(minute);
  const held = loop.status().state;
  failAfterFirst(failures['status'] as () => Page);

  await clock.advance(minute);
  const failing = loop.status();
  await loop[Symbol.asyncDispose]();

  expect([held, failing.state]).toEqual(['hold', 'failing']);
  expect(failing.last_error).toMatchObject({ code: 'PEN_SOURCE_UNAVAILABLE' });
});

it('gives a backfill up when page 2 fails ten times', async () => {
  const { clock, api, memory, failAfterFirst } = polling('token');
  failAfterFirst(failures['status'] as () => Page);
  const { deps } = bench(clock, memory.journal, api.open);
  const range = { job: 1, from: noon - hour, to: noon - minute };

  await expect(clock.until(runRange(settings(), deps, range, { signal: never }), day)).rejects.toThrow('503');

  // The first of them at the token of the whole range, each further one after beginning again.
  expect(api.requests.filter(({ state }) => state !== null).length).toBeGreaterThanOrEqual(10);
});

it('goes on with a backfill whose page 2 by offset fails ten times, and notes what it lacks', async () => {
  const { clock, api, memory, failAfterFirst } = polling('offset');
  failAfterFirst(failures['status'] as () => Page);
  const { deps } = bench(clock, memory.journal, api.open);
  const range = { job: 1, from: noon - hour, to: noon - minute };

  const done = await clock.until(runRange(settings(), deps, range, { signal: never }), day);

  expect(done).toMatchObject({ at: noon - minute, new: 3 });
  expect((await readLedger(memory.journal)).shortfalls).toMatchObject([{ source: 's', from: noon - hour, records: 1 }]);
});

const busy = Array.from({ length: 7 }, (_none, i) => row(`busy${i}`, noon - 30 * minute));
/** How a page never comes. */
const lost: Readonly<Record<string, () => Page>> = {
  ...failures,
  loop: () => ({ records: busy.slice(0, 3).map((value) => ({ value })), next: { kind: 'token', token: 'elsewhere' } }),
  'a refused place': () => {
    throw new PenstockError('PEN_PAGE_TOKEN_REFUSED', 'the vendor answered 400', { status: 400 });
  },
};

it.each((['token', 'link'] as const).flatMap((paging) => Object.keys(lost).map((how) => ({ paging, how }))))(
  'goes on after a page by $paging that never comes ($how), where no window is smaller, and notes that it lacks',
  async ({ paging, how }) => {
    const clock = at(noon);
    const api = vendor([...busy, row('after', noon - 20 * minute)], { clock, paging, totals: false });
    const { journal, records } = memoryJournal();
    const loop = startSource(settings(), bench(clock, journal, api.open).deps);
    api.onRequest = ({ from, to, state }) => {
      const isThird = state?.kind === 'token' ? state.token === '6' : state?.kind === 'link' && state.path.endsWith('=6');
      return isThird && from <= noon - 30 * minute && to >= noon - 30 * minute ? lost[how]?.() : undefined;
    };
    loop.start();

    await clock.advance(4 * minute);
    while (loop.status().state === 'polling') await clock.settle();
    const failing = loop.status();
    await clock.advance(hour);
    const { state, consecutive_failures: left, warnings } = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());

    expect([failing.state, failing.warnings]).toEqual(['failing', []]);
    expect({ state, left }).toEqual({ state: 'idle', left: 0 });
    expect(warnings.join()).toContain('the vendor did not show at least 1 of its records');
    expect(records.length).toBe(7);
    expect((await readLedger(journal)).shortfalls).toMatchObject([{ source: 's', records: 1 }]);
  },
);
