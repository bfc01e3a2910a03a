import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sinkTypes } from '../../src/sinks/index.ts';
import { openS3 } from '../../src/sinks/s3/index.ts';
import type { SinkContext } from '../../src/sinks/sink.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import { load } from '../config/load.ts';
import { record, settingsOf } from '../deliver/harness.ts';
import { leapingClock } from '../hasty-clock.ts';
import { emptyDisk, memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from './delivering.ts';
import type { Reply, Seen } from './http-receiver.ts';
import type { FakeStore } from './s3-store.ts';
import { openStore, s3Options, storeError, uidsOf } from './s3-store.ts';

const noon = Date.UTC(2026, 10, 29, 12);
const hour = 3_600_000;
/** Events of three hours, in turn. */
const events = Array.from({ length: 300 }, (_, index) => record(`e${index}`, {}, noon + (index % 3) * hour));
const others = Array.from({ length: 100 }, (_, index) => record(`o${index}`, {}, noon));
const all = [...events, ...others].map(({ uid }) => uid).sort();
const other = { kind: 'live', source: 'other' } as const;

const sinkTo =
  (store: FakeStore) =>
  (context: SinkContext): ReturnType<typeof openS3> =>
    openS3(s3Options({ endpoint: store.url }), context);

function settings(events: number): { readonly settings: Partial<SinkSettings> } {
  return { settings: { batch: { events, bytes: 1_000_000, waitMs: 0 } } };
}

const holds = ({ method, bytes }: Seen, ...uids: readonly string[]): boolean =>
  method === 'PUT' && uidsOf(gunzipSync(bytes).toString('utf8')).some((uid) => uids.includes(uid));
const isControl = ({ path }: Seen): boolean => path.includes('_penstock-control-');
const reset: Reply = (response) => void response.destroy();
const page = '<!doctype html><title>Blocked</title><p>Request blocked by policy</p>';

const uidsIn = (store: FakeStore): string[] => [...store.objects.keys()].flatMap((key) => store.uids(key)).sort();

it.each([
  [100, 100],
  [100, 250],
  [250, 40],
  [400, 7],
])(
  'a process that ends after its %i events were stored and before it heard so leaves none of them twice, though the next one takes %i at once',
  async (before, after) => {
    const disk = emptyDisk();
    let isDeaf = true;
    await using store = await openStore(() => (isDeaf ? () => undefined : undefined), true);
    const first = memoryJournal(disk);
    first.put(live, events);
    await using dying = deliver(first, sinkTo(store), settings(before));
    await until(() => store.objects.size === 3);
    await dying.loop.stop(0);
    const stored = uidsIn(store).length;
    isDeaf = false;

    const second = memoryJournal(disk);
    second.put(other, others);
    await using next = deliver(second, sinkTo(store), settings(after));

    expect(stored).toBe(Math.min(before, 300));
    expect(await next.drained()).toBe(true);
    expect(uidsIn(store)).toEqual(all);
  },
);

it.each([60, 130])(
  'a request of a process that died, carried out late, takes nothing from what the next one wrote: %i at once',
  async (after) => {
    const disk = emptyDisk();
    const late: [string, Buffer][] = [];
    let isDeaf = true;
    // Received whole, and stored when everything is over.
    await using store = await openStore(({ method, path, bytes }) => {
      if (!isDeaf || method !== 'PUT') return undefined;
      late.push([decodeURIComponent(new URL(path, 'http://store').pathname).slice('/lake/'.length), bytes]);
      return () => undefined;
    });
    const first = memoryJournal(disk);
    first.put(live, events);
    await using dying = deliver(first, sinkTo(store), settings(90));
    await until(() => late.length === 3);
    await dying.loop.stop(0);
    isDeaf = false;

    await using next = deliver(memoryJournal(disk), sinkTo(store), settings(after));
    expect(await next.drained()).toBe(true);
    for (const [key, bytes] of late) store.objects.set(key, bytes);

    expect(new Set(uidsIn(store))).toEqual(new Set(events.map(({ uid }) => uid)));
  },
);

it('an event that the store does not answer is not overtaken, so that its object keeps its place', async () => {
  const journal = memoryJournal();
  journal.put(live, events);
  let attempts = 0;
  await using store = await openStore(({ path, bytes }) => {
    const isFirst = path.includes('000000000001-') && bytes.length > 0;
    if (isFirst) attempts += 1;
    return isFirst && attempts <= 6 ? (response) => void response.destroy() : undefined;
  });
  await using delivering = deliver(journal, sinkTo(store), settings(1));

  expect(await delivering.drained()).toBe(true);

  expect([...store.objects.keys()].map((key) => store.uids(key)).flat()).toEqual(events.map(({ uid }) => uid));
});

it.each([40, 130])(
  'a process that cannot write what it delivered stores one batch, and the next one, which takes %i at once, replaces it',
  async (after) => {
    const disk = emptyDisk();
    await using store = await openStore();
    const first = memoryJournal(disk);
    first.put(live, events);
    first.failing.settle = () => new Error('disk full');
    await using dying = deliver(first, sinkTo(store), settings(50));
    await until(() => dying.loop.status().warnings.some((warning) => warning.includes('disk full')));
    await dying.loop.stop(0);
    const stored = uidsIn(store).length;

    await using next = deliver(memoryJournal(disk), sinkTo(store), settings(after));

    expect(await next.drained()).toBe(true);
    expect(stored).toBe(50);
    expect(uidsIn(store)).toEqual(events.map(({ uid }) => uid).sort());
  },
);

it('answers that are lost again and again lead to smaller objects, to possible duplicates in the ledger, and to none in the store', async () => {
  const journal = memoryJournal();
  journal.put(live, events);
  await using store = await openStore((_, count) => (count <= 12 ? (response) => void response.destroy() : undefined), true);
  await using delivering = deliver(journal, sinkTo(store), settings(300));

  expect(await delivering.drained()).toBe(true);

  expect(uidsIn(store)).toEqual(events.map(({ uid }) => uid).sort());
  expect(store.objects.size).toBeGreaterThan(3);
  expect(journal.settled.possible_duplicates).toBeGreaterThan(0);
});

it('a batch that is too large for the store is halved, and nothing is stored twice', async () => {
  const journal = memoryJournal();
  journal.put(live, events);
  await using store = await openStore(({ bytes }) => (bytes.length > 700 ? { status: 413 } : undefined));
  await using delivering = deliver(journal, sinkTo(store), settings(300));

  expect(await delivering.drained()).toBe(true);

  expect(uidsIn(store)).toEqual(events.map(({ uid }) => uid).sort());
  expect(journal.settled).toMatchObject({ acknowledged: 300, possible_duplicates: 0, dead_lettered: 0 });
});

it('holds on a missing bucket, and goes on by itself when it is there', async () => {
  const journal = memoryJournal();
  journal.put(live, events);
  let isMissing = true;
  const body = '<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>';
  await using store = await openStore(() => (isMissing ? { status: 404, body } : undefined));
  await using delivering = deliver(journal, sinkTo(store), settings(300));

  await until(() => delivering.loop.status().state === 'hold');
  expect(delivering.loop.status().hold).toMatchObject({
    reason: 'answered 404 NoSuchBucket: The specified bucket does not exist',
  });
  isMissing = false;

  expect(await delivering.drained()).toBe(true);
  expect(uidsIn(store)).toEqual(events.map(({ uid }) => uid).sort());
});

const yaml = (own: string): string =>
  `sources: { feed: { connector: vendor, options: { org_id: acme } } }\nsinks: { lake: { type: s3, bucket: lake, region: eu-west-1, ${own} } }\n`;

it('fills objects with five thousand events, 8 MB or five minutes, unless told otherwise', async () => {
  const usual = await load(yaml(''), { sinkTypes });
  const own = await load(yaml('batch: { events: 7, bytes: 1KB, wait: 30s }, timeout: 9s, stalled_after: 20m'), { sinkTypes });

  const read = ({ batch, timeoutMs, stalledAfterMs }: SinkSettings): object => ({ ...batch, timeoutMs, stalledAfterMs });
  expect([...usual.sinks, ...own.sinks].map(read)).toEqual([
    { events: 5000, bytes: 8_000_000, waitMs: 300_000, timeoutMs: 120_000, stalledAfterMs: hour },
    { events: 7, bytes: 1000, waitMs: 30_000, timeoutMs: 9_000, stalledAfterMs: 1_200_000 },
  ]);
});

it('a replay has objects of its own, and leaves those of the first delivery alone', async () => {
  const journal = memoryJournal();
  journal.put(live, events);
  await using store = await openStore();
  await using delivering = deliver(journal, sinkTo(store), settings(300));
  expect(await delivering.drained()).toBe(true);
  const before = new Map(store.objects);

  journal.put({ kind: 'replay', source: 'acme', job: 7 }, events.slice(0, 5));
  expect(await delivering.drained()).toBe(true);

  const replayed = [...store.objects].filter(([key]) => !before.has(key));
  expect(replayed.map(([key]) => key.replace(/.*\/|-\d{12}-.*/g, ''))).toEqual(['replay-7', 'replay-7', 'replay-7']);
  expect(new Map([...store.objects].filter(([key]) => before.has(key)))).toEqual(before);
});

describe('an event that breaks the store becomes a dead letter, the others are stored once', () => {
  it.each<[string, Reply, boolean, object]>([
    [
      'a reset',
      reset,
      false,
      { code: 'not_taken_alone', text: expect.stringContaining('while the receiver answered everything else') },
    ],
    ['a reset after it was stored', reset, true, { code: 'not_taken_alone' }],
    ['a 500', storeError(500, 'InternalError'), false, { code: 'not_taken_alone' }],
    ["a gateway's 502", { status: 502, body: 'bad gateway' }, false, { code: 'not_taken_alone' }],
    ['a body that was changed on the way', storeError(400, 'BadDigest'), false, { code: 'not_taken_alone' }],
    ['a page behind a 200', { status: 200, body: page }, false, { code: 'not_taken_alone' }],
    [
      'a 400 of the store',
      storeError(400, 'InvalidRequest'),
      false,
      { code: 's3_400', text: 'answered 400 InvalidRequest: Words & more' },
    ],
    [
      "a firewall's 403",
      { status: 403, body: page },
      false,
      { code: 's3_403', text: 'answered 403 "Blocked Request blocked by policy"' },
    ],
    ["a firewall's 406 without words", { status: 406 }, false, { code: 's3_406' }],
    ['an object that is too large', storeError(400, 'EntityTooLarge'), false, { code: 'too_large' }],
  ])('%s', async (_, reply, isStored, letter) => {
    const journal = memoryJournal();
    journal.put(live, events);
    // The first of its hour and of the batch, one in the middle, and the last.
    const bad = ['e0', 'e137', 'e299'];
    await using store = await openStore((request) => (holds(request, ...bad) ? reply : undefined), isStored);
    await using delivering = deliver(journal, sinkTo(store), settings(300));

    expect(await delivering.drained()).toBe(true);

    expect(journal.letters.map(({ record: { uid }, code, text }) => ({ uid, code, text }))).toEqual(
      bad.map((uid) => expect.objectContaining({ uid, ...letter })),
    );
    expect(uidsIn(store)).toEqual(
      events
        .map(({ uid }) => uid)
        .filter((uid) => !bad.includes(uid))
        .sort(),
    );
    expect(journal.settled).toMatchObject({ acknowledged: 297, dead_lettered: 3 });
    expect(delivering.loop.status().state).toBe('idle');
  });

  it('no answer at all', async () => {
    const journal = memoryJournal();
    journal.put(live, events.slice(0, 9));
    const clock = leapingClock();
    const { timeoutMs } = settingsOf();
    // It is given up as soon as it has come: what is answered may take its time.
    await using store = await openStore((request) => (holds(request, 'e4') ? () => clock.leap(timeoutMs) : undefined));
    await using delivering = deliver(journal, sinkTo(store), { ...settings(9), clock });

    expect(await delivering.drained()).toBe(true);

    expect(journal.letters.map(({ record: { uid }, code }) => [uid, code])).toEqual([['e4', 'not_taken_alone']]);
    expect(uidsIn(store)).toEqual(['e0', 'e1', 'e2', 'e3', 'e5', 'e6', 'e7', 'e8']);
  });
});

it('in an outage nothing is cut or given up, and only a small object is sent again and again', async () => {
  const journal = memoryJournal();
  journal.put(live, events);
  let isAway = true;
  await using store = await openStore(() => (isAway ? reset : undefined));
  await using delivering = deliver(journal, sinkTo(store), settings(300));
  await until(() => store.seen.filter(isControl).length >= 20);
  const batches = store.seen.filter((request) => !isControl(request)).length;
  isAway = false;

  expect(await delivering.drained()).toBe(true);

  expect(batches).toBeLessThanOrEqual(4);
  expect(store.objects.size).toBe(4);
  expect(journal.letters).toEqual([]);
});

it('a store that takes no event, though it takes what is none, is held after ten of them, until it takes them again', async () => {
  const journal = memoryJournal();
  journal.put(live, events.slice(0, 60));
  let isAway = true;
  await using store = await openStore((request) =>
    isAway && !isControl(request) && uidsOf(gunzipSync(request.bytes).toString()).length > 0 ? reset : undefined,
  );
  await using delivering = deliver(journal, sinkTo(store), settings(60));
  await until(() => delivering.loop.status().state === 'hold');
  const letters = journal.letters.length;
  isAway = false;

  expect(await delivering.drained()).toBe(true);
  expect(letters).toBe(10);
  expect(uidsIn(store)).toHaveLength(50);
});

it.each([
  ['resets at every event', reset],
  ['refuses every event with a 400', storeError(400, 'InvalidRequest')],
])('a store that %s, though it takes an object without any, is held until a person releases it', async (_, reply) => {
  const journal = memoryJournal();
  journal.put(live, events.slice(0, 20));
  await using store = await openStore((request) => (holds(request, ...events.map(({ uid }) => uid)) ? reply : undefined));
  await using delivering = deliver(journal, sinkTo(store), settings(20));
  await until(() => delivering.loop.status().state === 'hold');
  const before = journal.letters.length;

  delivering.loop.release();

  await until(() => journal.letters.length > before);
  expect(before).toBeLessThanOrEqual(10);
});

it.each(['before', 'after'])(
  'a process that ends just %s a dead letter was written leaves no event in two objects',
  async (moment) => {
    const disk = emptyDisk();
    const isBad = (request: Seen): boolean => holds(request, 'e0');
    await using store = await openStore((request) => (isBad(request) ? reset : undefined), true);
    const first = memoryJournal(disk);
    first.put(live, events);
    if (moment === 'before') first.failing.settle = () => new Error('disk full');
    await using dying = deliver(
      first,
      (context) => {
        // The process ends before it takes anything back.
        const sink = sinkTo(store)(context);
        return { ...sink, withdraw: () => Promise.reject(new Error('the process ends')) };
      },
      settings(300),
    );
    await until(() =>
      moment === 'before'
        ? dying.loop.status().warnings.some((warning) => warning.includes('disk full'))
        : first.letters.length === 1,
    );
    await dying.loop.stop(0);

    await using next = deliver(memoryJournal(disk), sinkTo(store), settings(300));
    expect(await next.drained()).toBe(true);

    expect(uidsIn(store)).toEqual(
      events
        .map(({ uid }) => uid)
        .filter((uid) => uid !== 'e0')
        .sort(),
    );
  },
);
