import { gunzipSync } from 'node:zlib';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { openS3 } from '../../src/sinks/s3/index.ts';
import type { SinkContext } from '../../src/sinks/sink.ts';
import { record } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { batchOf, numbered, openContext, settled } from './batches.ts';
import { deliver, live, until } from './delivering.ts';
import { openReceiver, type Receiver } from './http-receiver.ts';
import { howToInstall } from './real-receivers.ts';
import { type RealStore, startStore, versitygw } from './real-store.ts';
import { s3Options } from './s3-store.ts';

const { signal } = new AbortController();
const noon = Date.UTC(2026, 10, 29, 12);
const hour = 3_600_000;
const sinkTo =
  (store: Pick<RealStore, 'url' | 'key'>, options: Readonly<Record<string, unknown>> = {}) =>
  (context: SinkContext): ReturnType<typeof openS3> =>
    openS3(s3Options({ endpoint: store.url, ...store.key, ...options }), context);

describe.skipIf(versitygw === undefined)(`a store that verifies signatures (skipped without one: ${howToInstall})`, () => {
  it.each([
    {},
    { checksum: 'sha256', compression: 'zstd', prefix: 'audit/a=b' },
    { checksum: 'md5', compression: 'none', layout: 'security_lake', region: 'us-east-1', account_id: '123456789012' },
  ])('takes objects as they are made with %j', async (options) => {
    await using store = await startStore();
    await using context = await openContext();
    await using sink = sinkTo(store, options)(context);

    expect(settled(await sink.send(batchOf(sink, numbered(100)), signal))).toEqual({ all: { kind: 'accept' } });

    expect(store.keys().flatMap((key) => store.uids(key))).toEqual(numbered(100).map(({ uid }) => uid));
  });

  it.each(['crc32', 'sha256', 'md5'])('takes an object in parts, with checksums: %s', async (checksum) => {
    await using store = await startStore();
    await using context = await openContext();
    await using sink = sinkTo(store, { checksum, compression: 'none', multipart_above: '5MiB' })(context);
    const events = numbered(13).map((event) => ({
      ...event,
      body: JSON.stringify({ uid: event.uid, text: 'ü'.repeat(500_000) }),
    }));

    expect(settled(await sink.send(batchOf(sink, events), signal))).toEqual({ all: { kind: 'accept' } });

    expect(store.keys().flatMap((key) => store.uids(key))).toEqual(events.map(({ uid }) => uid));
    expect(store.uploads()).toEqual([]);
  });

  it.each([
    [{ secret_access_key: 'another secret' }, 'answered 403 SignatureDoesNotMatch'],
    // In its own words.
    [{ access_key_id: 'AKIANOBODY' }, 'answered 404 XAdminUserNotFound'],
    [{ bucket: 'pond' }, 'answered 404 NoSuchBucket'],
    [{ region: 'eu-west-1' }, 'answered 400 AuthorizationHeaderMalformed'],
  ])('that refuses %j is a hold with its own code', async (options, reason) => {
    await using store = await startStore();
    await using context = await openContext();
    await using sink = sinkTo(store, options)(context);

    expect(settled(await sink.send(batchOf(sink, numbered(1)), signal))).toEqual({
      all: { kind: 'hold', reason: expect.stringContaining(reason), fix: expect.any(String) },
    });
  });

  it('is proved by an object that is gone afterwards', async () => {
    await using store = await startStore();
    await using context = await openContext();
    await using sink = sinkTo(store)(context);

    expect(await sink.probe(signal)).toEqual({
      ok: true,
      findings: ['an object of 1.0 MiB was written to bucket "lake"', 'the store has all of it', 'it was deleted'],
    });
    expect(store.keys()).toEqual([]);
  });

  it('behind a firewall that breaks off at some events has all others once, and nothing of those', async () => {
    await using store = await startStore();
    await using firewall = await openFirewall(store.url, ({ text }) => /"uid":"e(0|77|78|199)"/.test(text));
    const journal = memoryJournal();
    const events = Array.from({ length: 200 }, (_none, index) => record(`e${index}`, {}, noon + (index % 2) * hour));
    journal.put(live, events);
    const batch = { events: 200, bytes: 50_000_000, waitMs: 0 };
    await using delivering = deliver(journal, sinkTo({ ...store, url: firewall.url }), { settings: { batch } });

    expect(await delivering.drained()).toBe(true);

    const bad = ['e0', 'e77', 'e78', 'e199'];
    expect(journal.letters.map(({ record: { uid } }) => uid)).toEqual(bad);
    const others = events.map(({ uid }) => uid).filter((uid) => !bad.includes(uid));
    expect(
      store
        .keys()
        .flatMap((key) => store.uids(key))
        .sort(),
    ).toEqual(others.sort());
  });

  it.each([
    ['whole objects', { compression: 'zstd' }, 30],
    ['objects in parts', { compression: 'none', multipart_above: '5MiB' }, 2],
  ] as const)('that is killed again and again has every event in one object: %s', async (_, options, batches) => {
    await using store = await startStore();
    const journal = memoryJournal();
    const events = Array.from({ length: 3000 }, (_none, index) =>
      record(`e${index}`, { text: 'x'.repeat(8000) }, noon + (index % 2) * hour),
    );
    journal.put(live, events);
    const batch = { events: events.length / batches, bytes: 50_000_000, waitMs: 0 };
    await using delivering = deliver(journal, sinkTo(store, options), { settings: { batch } });
    const isDone = (): boolean => journal.settled.acknowledged === events.length;
    let kills = 0;

    for (let round = 0; round < batches && !isDone(); round += 5) {
      await until(() => delivering.loop.status().in_flight > 0 || isDone());
      await store.restart();
      kills += 1;
      const reached = Math.min(events.length, journal.settled.acknowledged + batch.events * 5);
      await until(() => journal.settled.acknowledged >= reached || batches < 5);
    }
    expect(await delivering.drained()).toBe(true);

    const stored = store.keys().flatMap((key) => store.uids(key));
    expect(new Set(stored)).toEqual(new Set(events.map(({ uid }) => uid)));
    expect(stored.length).toBe(events.length);
    expect(journal.settled).toMatchObject({ acknowledged: events.length, dead_lettered: 0 });
    expect(kills).toBeGreaterThan(0);
  });
});

/** In front of a store: breaks off at objects with such a text, after the store took them. */
async function openFirewall(store: string, breaksAt: (object: { readonly text: string }) => boolean): Promise<Receiver> {
  return await openReceiver(({ method, path, headers, bytes }) => async (response) => {
    const { 'content-length': _length, connection: _connection, ...kept } = headers;
    const answer = await request(`${store}${path}`, {
      method: method as 'PUT',
      headers: kept as Record<string, string>,
      body: bytes,
    });
    const body = Buffer.from(await answer.body.arrayBuffer());
    const isBad = method === 'PUT' && breaksAt({ text: gunzipSync(bytes).toString('utf8') });
    const { etag } = answer.headers;
    if (isBad) response.destroy();
    else response.writeHead(answer.statusCode, typeof etag === 'string' ? { etag } : {}).end(body);
  });
}
