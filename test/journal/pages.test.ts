import zlib from 'node:zlib';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, JsonText, parseJson } from '../../src/base/json.ts';
import { type Position, type StoredPage, type StoredRecord, withPageCache } from '../../src/journal/index.ts';
import { decodeRow, encodeRecords } from '../../src/journal/records/pages.ts';
import { fewOrMany } from '../thorough.ts';
import { commitOf, plain, sink, someRecords, source, temporaryJournal } from './fixture.ts';

async function throughBytes(records: readonly StoredRecord[]): Promise<StoredRecord[]> {
  const rows = await encodeRecords(records);
  return (await Promise.all(rows.map(({ body, rawBytes }) => decodeRow(body, rawBytes)))).flatMap((decoded) =>
    decoded.map(plain),
  );
}

const whole = (page: StoredPage): StoredPage => ({ ...page, records: page.records.map(plain) });

// As the text of a vendor's page has it: keys such as __proto__, numbers that no double holds, broken surrogates.
const recordText = fc.oneof(
  fc.json(),
  fc.bigInt().map((number) => `{"id":${number}}`),
  fc.constantFrom('{"__proto__":{"a":1}}', '"\\ud800 \\u2028,\\n[]"', '{"n":1e400,"z":12345678901234567890.5}', '[",\\n"]'),
);

const record: fc.Arbitrary<StoredRecord> = fc
  .record({
    uid: fc.oneof(fc.constant('1234567890123456'.repeat(2)), fc.string({ unit: 'binary' })),
    received: fc.nat(),
    text: recordText,
    unreadable: fc.option(fc.string()),
    labels: fc.option(fc.array(fc.string())),
  })
  // Through JSON once: a page comes from a text, and -0 has the text 0.
  .map(({ uid, received, text, unreadable, labels }) => ({
    uid: JSON.parse(JSON.stringify(uid)) as string,
    received,
    record: parseJson(JSON.stringify(parseJson(text))),
    ...(unreadable !== null && { unreadable }),
    ...(labels !== null && { labels }),
  }));

it('gives back every record as it was, whatever it holds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
      expect(await throughBytes(records)).toEqual(records);
    }),
  );
});

it('keeps the digits of large numbers beside uids that look like them', async () => {
  const records = [{ uid: '1'.repeat(32), received: 1, record: parseJson('{"id":12345678901234567890,"small":0.1}') }];

  const [read] = await throughBytes(records);

  expect(JSON.stringify(read?.record)).toBe('{"id":12345678901234567890,"small":0.1}');
});

it.each([
  ['{"a":1}', true],
  ['{"a":"\\\\","b":0.1}', true],
  ['{"a":12345678901234567890}', false],
  ['{"\\u0061":1}', false],
])('knows of a row whether all of its records are plain: with %s %s', async (text, expected) => {
  const texts = ['{"id":"1"}', text, '{"id":"2"}'];
  const records = texts.map((one) => ({
    uid: 'u',
    received: 0,
    record: {},
    json: new JsonText(Buffer.from(one), 0, one.length),
  }));
  const [row] = await encodeRecords(records);
  const read = await decodeRow(row?.body ?? Buffer.alloc(0), row?.rawBytes ?? 0);

  for (const all of [row?.records ?? [], read]) {
    expect(all.map(({ json }) => json?.isPlain)).toEqual(texts.map(() => expected));
    expect(all.map(({ record: value }) => canonicalJson(value))).toEqual(texts.map((one) => canonicalJson(parseJson(one))));
  }
});

it('looks for itself where a page does not say that its records are plain, as those of before', async () => {
  const text = '{"a":12345678901234567890}';
  const raw = Buffer.from(`{"u":["u"],"r":0}\n[${text}]`);
  const [read] = await decodeRow(zlib.zstdCompressSync(raw), raw.length);

  expect(canonicalJson(read?.record)).toBe(text);
});

it('does not let a damaged body grow beyond its size', async () => {
  const [row] = await encodeRecords(someRecords(2000));
  if (row === undefined) throw new Error('no row');

  await expect(decodeRow(row.body, 100)).rejects.toThrow();
});

it('hands out the same from the cache as from the bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(record, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
      fc.nat({ max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(300, 1_000_000),
      async (pages, after, limit, cacheBytes) => {
        await using plain = await temporaryJournal();
        const cached = withPageCache(plain, cacheBytes);
        await plain.register([source('s')], [sink('a')]);
        for (const records of pages) await cached.append(commitOf('s', records));

        const [fromCache, fromBytes] = await Promise.all(
          [cached, plain].map((journal) => journal.read('a', { kind: 'live', source: 's' }, after as never, limit)),
        );

        // The cache may stop earlier, at the end of what it holds; what it returns is what the bytes say.
        expect(fromCache?.map(whole)).toEqual(fromBytes?.slice(0, fromCache?.length).map(whole));
        expect(fromCache?.length).toBeGreaterThanOrEqual(Math.min(1, fromBytes?.length ?? 0));
      },
    ),
    { numRuns: fewOrMany(8, 100) },
  );
});

it('reads nothing from the file for a sink that keeps up', async () => {
  await using journal = await temporaryJournal();
  let reads = 0;
  const counting = { ...journal, read: (...args: Parameters<typeof journal.read>) => (reads++, journal.read(...args)) };
  const cached = withPageCache(counting, 1_000_000);
  await cached.register([source('s')], [sink('a')]);

  for (let page = 0; page < 5; page++) {
    await cached.append(commitOf('s', someRecords(10, { prefix: `p${page}-` })));
    const [lane] = await cached.lanes('a');
    if (lane === undefined) throw new Error('no lane');
    await cached.read('a', lane.lane, lane.offset, 100);
    await cached.settle('a', lane.lane, (lane.offset + lane.pending) as Position, [], { acknowledged: 10 });
  }

  expect(reads).toBe(0);
});

it('reads from the file what was oldest of all, and nothing of sources beside it or beside one that is settled', async () => {
  await using journal = await temporaryJournal();
  const reads: string[] = [];
  const counting = {
    ...journal,
    read: (...args: Parameters<typeof journal.read>) => (reads.push(args[1].source), journal.read(...args)),
  };
  const sources = ['s', 't', 'u', 'v'];
  let pageBytes = 0;
  using _measured = journal.onAppend?.(({ textBytes }) => (pageBytes = textBytes));
  await journal.register(
    [...sources, 'w'].map((name) => source(name)),
    [sink('a')],
  );
  await journal.append(commitOf('w', someRecords(10)));
  const cached = withPageCache(counting, 3 * pageBytes);
  for (const name of sources) await cached.append(commitOf(name, someRecords(10)));
  const lanes = (await cached.lanes('a')).filter(({ lane }) => lane.source !== 'w');
  const read = async (): Promise<void> => {
    for (const { lane, offset } of lanes) await cached.read('a', lane, offset, 100);
  };

  await read();
  expect(reads).toEqual(['s']);
  for (const { lane, offset, pending } of lanes.filter(({ lane }) => lane.source === 't'))
    await cached.settle('a', lane, (offset + pending) as Position, [], { acknowledged: 10 });
  await read();

  expect(reads).toEqual(['s', 's', 't']);
});
