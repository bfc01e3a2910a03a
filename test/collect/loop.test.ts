import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { PenstockError } from '../../src/base/errors.ts';
import { Semaphore } from '../../src/base/semaphore.ts';
import { checkpointAt, startSource } from '../../src/collect/index.ts';
import type { SourceEnvironment } from '../../src/collect/source.ts';
import type { Reader } from '../../src/connectors/connector.ts';
import type { SourceSettings } from '../../src/connectors/source-settings.ts';
import { emptyDisk, memoryJournal } from '../journal/memory-journal.ts';
import { at, bench, day, hour, minute, never, noon, refused, row, said, settings, vendor } from './fixture.ts';

function running(change: Partial<SourceSettings> = {}, deps: Partial<SourceEnvironment> = {}) {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([], { clock });
  const all = bench(clock, memory.journal, api.open, deps);
  const loop = startSource(settings(change), all.deps);
  loop.start();
  return { clock, memory, api, loop, lines: all.lines, deps: all.deps };
}

const polls = (api: ReturnType<typeof vendor>): number[] => api.requests.map(({ to }) => (to - noon + minute) / minute);

it('polls at start and then once per interval', async () => {
  const { clock, api, loop } = running();

  await clock.advance(3 * minute);
  await loop[Symbol.asyncDispose]();
  await clock.advance(10 * minute);

  expect(polls(api)).toEqual([0, 1, 2, 3]);
  expect(loop.status().state).toBe('stopped');
});

it('begins when there is a turn, and lets others begin beside a vendor that is slow', async () => {
  const beginnings = new Semaphore(1);
  const clock = at(noon);
  const begun: string[] = [];
  const loops = ['slow', 'second', 'third'].map((name) => {
    const api = vendor([], { clock });
    api.onRequest = async () => {
      begun.push(`${name} ${clock.now() - noon}`);
      if (name === 'slow') await sleep(clock, minute);
      return undefined;
    };
    const { deps } = bench(clock, memoryJournal().journal, api.open, { beginnings, startJitterMs: 0 });
    return startSource({ ...settings(), name }, deps);
  });
  for (const loop of loops) loop.start();

  await clock.advance(30_000);

  expect(begun).toEqual(['slow 0', 'second 1000', 'third 1000']);
  for (const loop of loops) await clock.until(loop[Symbol.asyncDispose]());
});

it('ends at once while it waits for its turn to begin', async () => {
  const beginnings = new Semaphore(0);
  const { clock, api, loop } = running({}, { beginnings, startJitterMs: 0 });
  await clock.advance(minute);

  await loop[Symbol.asyncDispose]();

  expect([api.requests.length, loop.status().state]).toEqual([0, 'stopped']);
});

it('spreads starts over the jitter it is given', async () => {
  const { clock, api, loop } = running({}, { startJitterMs: minute });

  await clock.advance(0);
  const before = api.requests.length;
  await clock.advance(minute);

  expect([before, api.requests.length]).toEqual([0, 1]);
  await loop[Symbol.asyncDispose]();
});

it('follows a cron expression in its time zone', async () => {
  // 12:00 UTC is 13:00 in Berlin.
  const { clock, api, loop } = running({ schedule: { cron: '30 13,14 * * *', timezone: 'Europe/Berlin' } });

  await clock.advance(2 * hour);

  expect(polls(api)).toEqual([30, 90]);
  await loop[Symbol.asyncDispose]();
});

it.each([{ schedule: { everyMs: 5 * minute } }, { schedule: { cron: '*/5 * * * *', timezone: 'UTC' } }])(
  'neither stops nor bursts when the wall clock steps a day with $schedule',
  async ({ schedule }) => {
    const { clock, api, loop } = running({ schedule });
    const rates: number[] = [];
    for (const step of [0, day, -day, -day, day]) {
      clock.step(step);
      const before = api.requests.length;
      await clock.advance(hour);
      rates.push(api.requests.length - before);
    }

    for (const rate of rates) expect(rate).toBeGreaterThanOrEqual(11);
    for (const rate of rates) expect(rate).toBeLessThanOrEqual(15);
    await loop[Symbol.asyncDispose]();
  },
);

it('never overlaps itself when a poll takes longer than the interval', async () => {
  const { clock, api, loop } = running();
  let [inside, most] = [0, 0];
  api.onRequest = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(clock, 3 * minute);
    inside -= 1;
    return undefined;
  };

  await clock.advance(10 * minute);

  expect(most).toBe(1);
  expect(api.requests.length).toBe(4);
  await clock.until(loop[Symbol.asyncDispose]());
});

it.each([
  new PenstockError('PEN_SOURCE_BAD_REPLY', 'the vendor sent HTML'),
  new PenstockError('PEN_HTTP_BAD_BODY', 'the body ends in the middle'),
  new TypeError('undefined is not a function'),
  new PenstockError('PEN_JOURNAL_FULL', 'no room'),
])('goes on after $message', async (error) => {
  const { clock, api, loop, lines } = running();
  api.rows.push(row('a', noon - 10 * minute));
  api.onRequest = (_request, number) => {
    if (number <= 3) throw error;
    return undefined;
  };
  await clock.advance(30_000);
  const failing = loop.status();
  await clock.advance(10 * minute);

  expect(failing).toMatchObject({ state: 'failing', last_error: { message: error.message } });
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0, records: { new: 1 } });
  expect(said(lines, 'poll failed, the cursor stays').filter(({ level }) => level === 40).length).toBe(1);
  expect(said(lines, 'source answers again').length).toBe(1);
  await loop[Symbol.asyncDispose]();
});

it('waits at least as long as the vendor asked', async () => {
  const { clock, api, loop } = running({ schedule: { everyMs: day } });
  api.onRequest = () => {
    throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 429', { retryAfterMs: 20 * minute });
  };

  await clock.advance(19 * minute);
  const early = api.requests.length;
  await clock.advance(2 * minute);

  expect([early, api.requests.length]).toEqual([1, 2]);
  await loop[Symbol.asyncDispose]();
});

it('tries a failed poll of a slow schedule again within minutes', async () => {
  const { clock, api, loop } = running({ schedule: { everyMs: day } });
  api.onRequest = (_request, number) => {
    if (number === 1) throw new PenstockError('PEN_HTTP_RESET', 'connection reset');
    return undefined;
  };

  await clock.advance(2 * minute);

  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0 });
  await loop[Symbol.asyncDispose]();
});

it('reads secrets again at once when a credential is refused, and holds only when that does not help', async () => {
  const { clock, api, loop, memory } = running();
  api.onRequest = (_request, number) => {
    if (number === 1) throw refused(401);
    return undefined;
  };

  await clock.advance(1000);

  expect(api.opened).toBe(2);
  expect(loop.status().state).toBe('idle');
  expect(memory.held.size).toBe(0);
  await loop[Symbol.asyncDispose]();
});

it.each([
  new PenstockError('PEN_HTTP_TLS', 'no TLS'),
  new PenstockError('PEN_HTTP_UNREACHABLE', 'the proxy answered 407', { status: 407 }),
  new PenstockError('PEN_HTTP_RESET', 'broke the connection'),
])('opens its reader anew after "$message", once what that was opened with has been replaced', async (error) => {
  let isRenewed = false;
  const { clock, api, loop, lines } = running(
    {},
    {
      openReader: async () => {
        const reader = await api.open();
        const number = api.opened;
        return Object.create(reader, { isOutdated: { value: async () => isRenewed && number === 1 } }) as Reader;
      },
    },
  );
  api.onRequest = () => {
    if (api.opened === 1) throw error;
    return undefined;
  };
  await clock.advance(5 * minute);
  const before = { opened: api.opened, state: loop.status().state };
  isRenewed = true;

  await clock.advance(5 * minute);

  expect(before).toEqual({ opened: 1, state: 'failing' });
  expect([api.opened, loop.status().state, loop.status().consecutive_failures]).toEqual([2, 'idle', 0]);
  expect(said(lines, 'poll failed, secrets and certificates are read again').length).toBe(1);
  await loop[Symbol.asyncDispose]();
});

it('holds loudly once, probes with a fresh reader after 15 s doubling to 5 min, and goes on by itself', async () => {
  const { clock, api, loop, memory, lines } = running();
  const at: number[] = [];
  api.onRequest = () => {
    at.push(clock.monotonic());
    throw refused(403);
  };
  await clock.advance(20 * minute);
  const held = loop.status();
  const opened = api.opened;
  const noted = memory.held.get('source s');
  api.onRequest = () => undefined;
  await clock.advance(6 * minute);

  const [, ...probes] = at;
  expect(probes.map((time, i) => time - (i === 0 ? 0 : (probes[i - 1] ?? 0)))).toEqual([
    0, 15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000,
  ]);
  expect(opened).toBe(at.length);
  expect(noted).toEqual({ since: noon, reason: 'the vendor answered 403', fix: 'renew the token' });
  expect(held).toMatchObject({ state: 'hold', hold: noted });
  expect(said(lines, 'source on hold: it waits for a person, nothing is lost')).toMatchObject([
    { level: 50, err: { fix: 'renew the token' } },
  ]);
  expect(said(lines, 'hold ended, collection goes on').length).toBe(1);
  expect(memory.held.size).toBe(0);
  expect(loop.status().state).toBe('idle');
  await loop[Symbol.asyncDispose]();
});

it('keeps its pace and writes the hold down later when the journal fails meanwhile', async () => {
  const { clock, api, loop, memory } = running();
  const setHold = memory.journal.setHold.bind(memory.journal);
  let failures = 2;
  memory.journal.setHold = (...note) => (failures-- > 0 ? Promise.reject(new Error('disk')) : setHold(...note));
  api.onRequest = () => {
    throw refused(401);
  };

  await clock.advance(3 * minute);

  expect(api.requests.length).toBeLessThan(10);
  expect(memory.held.size).toBe(1);
  await loop[Symbol.asyncDispose]();
});

it('probes at once when released by hand', async () => {
  const { clock, api, loop } = running();
  api.onRequest = () => {
    throw refused(401);
  };
  await clock.advance(10 * minute);
  api.onRequest = () => undefined;

  loop.release();
  await clock.advance(10);

  expect(loop.status().state).toBe('idle');
  await loop[Symbol.asyncDispose]();
});

it('remembers a hold across a restart and since when', async () => {
  const clock = at(noon);
  const disk = emptyDisk();
  disk.held.set('source s', { since: noon - day, reason: 'the vendor answered 401', fix: 'renew the token' });
  const api = vendor([], { clock });
  api.onRequest = () => {
    throw refused(401);
  };
  const { deps } = bench(clock, memoryJournal(disk).journal, api.open);
  await using loop = startSource(settings(), deps);
  loop.start();

  await clock.advance(10);

  expect(loop.status()).toMatchObject({ state: 'hold', hold: { since: noon - day } });
});

it('goes on from a new checkpoint after a changed identity was reset', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('old', noon - 50 * minute), row('new', noon - 5 * minute)], { clock });
  memory.checkpoints.set('s live', { ...checkpointAt(settings(), noon), identity: { origin: 'https://old.example.com' } });
  await using loop = startSource(settings(), bench(clock, memory.journal, api.open).deps);
  loop.start();
  await clock.advance(minute);
  const held = loop.status();

  await memory.journal.resetSource('s', checkpointAt(settings(), noon - 10 * minute));
  loop.release();
  await clock.advance(10);

  expect(held).toMatchObject({ state: 'hold', last_error: { code: 'PEN_IDENTITY_CHANGED' } });
  expect(memory.records.map(({ record }) => record)).toMatchObject([{ id: 'new' }]);
});

it('holds when the reader cannot be opened, and recovers when it can', async () => {
  let isBroken = true;
  const clock = at(noon);
  const api = vendor([], { clock });
  const open = (): ReturnType<typeof api.open> =>
    isBroken ? Promise.reject(new PenstockError('PEN_CONFIG_INVALID', 'secret file is missing')) : api.open();
  await using loop = startSource(settings(), bench(clock, memoryJournal().journal, open).deps);
  loop.start();
  await clock.advance(1000);
  const held = loop.status().state;
  isBroken = false;

  await clock.advance(20_000);

  expect([held, loop.status().state]).toEqual(['hold', 'idle']);
});

it('does not begin a poll before the journal has room', async () => {
  const { clock, api, loop, memory, lines } = running();
  memory.room = false;
  await clock.advance(10 * minute);
  const [before, state] = [api.requests.length, loop.status().state];
  memory.room = true;

  await clock.advance(2000);

  expect([before, state]).toEqual([0, 'waiting_for_room']);
  expect(api.requests.length).toBeGreaterThan(0);
  expect(said(lines, 'the journal takes no events now, collection pauses; the vendor keeps them meanwhile').length).toBe(1);
  await loop[Symbol.asyncDispose]();
});

it('finishes the request in flight when it is stopped, and commits its page', async () => {
  const { clock, api, loop, memory } = running();
  api.rows.push(...['a', 'b', 'c', 'd'].map((id) => row(id, noon - 30 * minute)));
  api.onRequest = async () => {
    await sleep(clock, 800);
    return undefined;
  };
  await clock.advance(500);

  await clock.until(loop[Symbol.asyncDispose]());

  expect(memory.records.length).toBe(3);
  expect(api.requests.length).toBe(1);
});

it('aborts a request that does not end within the grace when it is stopped', async () => {
  const clock = at(noon);
  const hanging = {
    kind: 'http_window' as const,
    requestCount: 0,
    page: (_request: unknown, signal: AbortSignal) => sleep(clock, day, signal).then(() => ({ records: [], next: null })),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { deps } = bench(clock, memoryJournal().journal, () => Promise.resolve(hanging));
  const stuck = startSource(settings(), deps);
  stuck.start();
  await clock.advance(minute);
  const begun = clock.monotonic();

  await clock.until(stuck[Symbol.asyncDispose]());

  expect(clock.monotonic() - begun).toBe(500);
});

it('warns of silence, an old cursor and a dead poll once each, and says when it is over', async () => {
  const { clock, api, loop, lines } = running({
    retentionMs: day,
    expectEventsWithinMs: 2 * hour,
  });
  await clock.advance(3 * hour);
  const quiet = loop.status().warnings;
  api.onRequest = () => {
    throw new PenstockError('PEN_HTTP_UNREACHABLE', 'no route');
  };
  await clock.advance(20 * hour);
  const all = loop.status().warnings;
  api.onRequest = () => undefined;
  api.rows.push(row('a', noon + 23 * hour));
  await clock.advance(hour);

  expect(quiet).toEqual(['no new event for 3h, expected within 2h; check that the vendor still logs']);
  expect(all).toEqual([
    'no poll succeeded for 20h; see last_error',
    'the cursor is 20h 1m old and the vendor keeps 1d: events are lost unless collection catches up',
    'no new event for 23h, expected within 2h; check that the vendor still logs',
  ]);
  expect(said(lines, 'source needs attention').map(({ warning, level }) => [warning, level])).toEqual([
    ['quiet', 50],
    ['poll_age', 50],
    ['retention', 50],
  ]);
  expect(said(lines, 'source needs this attention no more').map(({ warning }) => warning)).toEqual([
    'poll_age',
    'retention',
    'quiet',
  ]);
  expect(loop.status().warnings).toEqual([]);
  await loop[Symbol.asyncDispose]();
});

it('says that no event has ever come, a day after the first answer', async () => {
  const { clock, api, loop } = running({});
  await clock.advance(23 * hour);
  const early = loop.status().warnings;
  await clock.advance(2 * hour);
  const late = loop.status().warnings;
  api.rows.push(row('a', noon + 25 * hour));
  await clock.advance(5 * minute);

  expect([early, late, loop.status().warnings]).toEqual([
    [],
    [
      'no event has ever come, and the vendor was asked for 1d 1h; where there should be some, see what penstock check says of it',
    ],
    [],
  ]);
  await loop[Symbol.asyncDispose]();
});

it.each([
  { left: 14 * day, text: 'the credential expires on 2026-12-05, in 14d; renew it' },
  { left: -hour, text: 'the credential expired on 2026-11-21; renew it and its credential_expires' },
])('warns of a credential with $left ms left', async ({ left, text }) => {
  const { loop } = running({ credentialExpires: noon + left });

  expect(loop.status().warnings).toEqual([text]);
  await loop[Symbol.asyncDispose]();
});

it('keeps 500 sources going while one vendor hangs', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const apis = Array.from({ length: 500 }, () => vendor([row('a', noon - 10 * minute)], { clock }));
  const hanging = Promise.withResolvers<undefined>();
  const loops = apis.map((api, i) => {
    if (i === 0) api.onRequest = () => hanging.promise;
    const source = startSource(settings({ name: `s${i}` }), bench(clock, memory.journal, api.open, { startJitterMs: 1000 }).deps);
    source.start();
    return source;
  });

  await clock.advance(1000);

  expect(loops.filter((loop) => loop.status().records.new === 1).length).toBe(499);
  hanging.resolve(undefined);
  await clock.until(Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]())));
});

it('hands `run --once` what stopped it', async () => {
  const clock = at(noon);
  const api = vendor([], { clock });
  api.onRequest = () => {
    throw refused(401);
  };
  const loop = startSource(settings(), bench(clock, memoryJournal().journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_SOURCE_REFUSED', fix: 'renew the token' });

  expect(loop.status().state).toBe('hold');
});

it.each([
  ['back', -2 * day],
  ['forward', 2 * day],
])('warns of silence and a dead poll as late as ever when the wall clock steps two days %s', async (_where, stepMs) => {
  const { clock, api, loop } = running({ expectEventsWithinMs: 2 * hour });
  api.rows.push(row('a', noon - 10 * minute));
  await clock.advance(5 * minute);
  clock.step(stepMs);
  const early = loop.status().warnings.filter((text) => text.startsWith('no '));
  api.onRequest = () => {
    throw new PenstockError('PEN_HTTP_UNREACHABLE', 'no route');
  };
  await clock.advance(3 * hour);

  expect(early).toEqual([]);
  expect(loop.status().warnings.filter((text) => text.startsWith('no '))).toEqual([
    'no poll succeeded for 3h; see last_error',
    'no new event for 3h 5m, expected within 2h; check that the vendor still logs',
  ]);
  await loop[Symbol.asyncDispose]();
});

it('says that requests pause where that takes longer than a minute', async () => {
  let pauseMs = minute;
  const { clock, loop, lines } = running({}, { pauseMs: () => pauseMs });
  await clock.advance(2 * minute);
  const short = loop.status().warnings;
  pauseMs = 33 * minute;
  await clock.advance(2 * minute);

  expect([short, loop.status().warnings]).toEqual([
    [],
    ['requests pause for another 33m: what the vendor, or rate_limit of the source, allows is used up'],
  ]);
  expect(said(lines, 'source needs attention').map(({ warning }) => warning)).toEqual(['paused']);
  await clock.until(loop[Symbol.asyncDispose]());
});
