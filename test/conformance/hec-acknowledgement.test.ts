// Indexer acknowledgement, one test per statement, against a HEC that counts ids per channel.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { decide } from '../../src/deliver/decide.ts';
import type { Pending, Sink, Verdicts } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { batchOf, kinds, numbered, openContext } from '../sinks/batches.ts';
import { hecOptions, hecToken } from '../sinks/hec.ts';
import { openReceiver, type Receiver, type Reply, type Seen } from '../sinks/http-receiver.ts';
import { manualClock, watchedClock } from '../sinks/sink-bench.ts';

const { signal } = new AbortController();
const quick = { acknowledge: 'require', ack_poll: '15ms', ack_timeout: '5m' } as const;
const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface FakeHec extends Receiver {
  readonly posts: Seen[];
  readonly polls: Seen[];
}

interface Script {
  /** Answers a post; `id` counts from 0 per channel. */
  readonly post?: (id: number, count: number) => Reply;
  /** Answers a poll for these ids. */
  readonly poll?: (ids: readonly number[], count: number) => Reply;
}

const told = (ids: readonly number[], value: boolean): Reply => ({
  status: 200,
  body: { acks: Object.fromEntries(ids.map((id) => [String(id), value])) },
});
const queued = (ackId: number, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status: 200,
  headers,
  body: { text: 'Success', code: 0, ackId },
});

async function openHec({ post = (id) => queued(id), poll = (ids) => told(ids, true) }: Script = {}): Promise<FakeHec> {
  const posts: Seen[] = [];
  const polls: Seen[] = [];
  const next = new Map<unknown, number>();
  const receiver = await openReceiver((seen) => {
    if (seen.path === '/services/collector/ack') {
      polls.push(seen);
      return poll((JSON.parse(seen.text) as { acks: number[] }).acks, polls.length);
    }
    posts.push(seen);
    const channel = seen.headers['x-splunk-request-channel'];
    const id = next.get(channel) ?? 0;
    next.set(channel, id + 1);
    return post(id, posts.length);
  });
  return { ...receiver, posts, polls, [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() };
}

function pendingOf(result: Verdicts | Pending): Promise<Verdicts> {
  if (!('pending' in result)) throw new Error(`not pending: ${JSON.stringify(result)}`);
  return result.pending;
}

const sendOne = (sink: Sink, over: object = {}): Promise<Verdicts | Pending> =>
  sink.send(batchOf(sink, numbered(2), over), signal);
const channelOf = (seen: Seen | undefined): unknown => seen?.headers['x-splunk-request-channel'];

it('A post has a GUID as channel, and its poll the same channel, endpoint, token and cookies', async () => {
  await using hec = await openHec({ post: (id) => queued(id, { 'set-cookie': 'LB=indexer-3; Path=/; HttpOnly' }) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  await pendingOf(await sendOne(sink));

  expect(channelOf(hec.posts[0])).toMatch(guid);
  expect(hec.polls[0]?.headers).toMatchObject({
    'x-splunk-request-channel': channelOf(hec.posts[0]),
    authorization: `Splunk ${hecToken}`,
    cookie: 'LB=indexer-3',
    host: new URL(hec.url).host,
  });
});

it('Nothing is accepted before a poll says true', async () => {
  await using hec = await openHec({ poll: (ids, count) => told(ids, count >= 3) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const verdicts = await pendingOf(await sendOne(sink));

  expect(verdicts).toEqual({ all: { kind: 'accept' } });
  expect(hec.polls.length).toBe(3);
});

it('Id 0 is an id like any other', async () => {
  await using hec = await openHec();
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  expect(await pendingOf(await sendOne(sink))).toEqual({ all: { kind: 'accept' } });
  expect(hec.polls[0]?.text).toBe('{"acks":[0]}');
});

it('Ids are strings in the answer of a poll', async () => {
  await using hec = await openHec({ poll: () => ({ status: 200, body: '{"acks":{"0":true,"17":true}}' }) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  expect(await pendingOf(await sendOne(sink))).toEqual({ all: { kind: 'accept' } });
});

it('A poll answer that is lost after true leads to uncertain after the timeout', async () => {
  await using hec = await openHec({
    poll: (ids, count) => (count === 1 ? (response) => void response.destroy() : told(ids, false)),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_timeout: '150ms' }), context);

  expect(await pendingOf(await sendOne(sink))).toMatchObject({ all: { kind: 'uncertain' } });
});

it.each([
  [{ status: 403, body: { text: 'Invalid token', code: 4 } }, 'answered 403 "Invalid token" (code 4)', 'copy the token from'],
  [
    { status: 503, body: { text: 'Server is busy', code: 9 } },
    'answered 503 "Server is busy" (code 9)',
    '/services/collector/ack',
  ],
  [told([0], false), undefined, 'make it sticky by cookie'],
])('A timeout says why the last poll told nothing, and what to do: %j', async (reply, said, fix) => {
  await using hec = await openHec({ poll: () => reply });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_timeout: '60ms' }), context);

  expect(await pendingOf(await sendOne(sink))).toEqual({
    all: {
      kind: 'uncertain',
      reason: `no acknowledgement within 60 ms${said === undefined ? '' : `; the last request for it: ${said}`}`,
      blameless: true,
      fix: expect.stringContaining(fix) as string,
    },
  });
});

it('After a timeout the batch goes out under a new channel', async () => {
  await using hec = await openHec({ poll: (ids) => told(ids, false) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_timeout: '60ms' }), context);
  const batch = batchOf(sink, numbered(2));

  const first = await pendingOf(await sink.send(batch, signal));
  await sink.send(batch, signal);

  expect(first).toMatchObject({ all: { kind: 'uncertain', reason: 'no acknowledgement within 60 ms', blameless: true } });
  const [before, after] = hec.posts.map(channelOf);
  expect(after).toMatch(guid);
  expect(after).not.toBe(before);
  expect(hec.posts[1]?.text).toBe(hec.posts[0]?.text);
});

it('A cookie that changes rotates the channel and gives up what is outstanding, whose events are not to blame', async () => {
  await using hec = await openHec({
    post: (id, count) => queued(id, { 'set-cookie': count < 3 ? 'LB=one' : 'LB=two' }),
    poll: (ids) => told(ids, false),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const first = pendingOf(await sendOne(sink));
  const second = pendingOf(await sendOne(sink));
  const third = await sendOne(sink);
  await sendOne(sink);

  for (const verdicts of [await first, await second, third])
    expect(verdicts).toMatchObject({ all: { kind: 'uncertain', blameless: true } });
  expect(new Set(hec.posts.slice(0, 3).map(channelOf)).size).toBe(1);
  expect(channelOf(hec.posts[3])).not.toBe(channelOf(hec.posts[0]));
  expect(hec.posts[3]?.headers.cookie).toBe(undefined);
});

it('A balancer whose cookie never stays holds instead of sending the same for ever', async () => {
  await using hec = await openHec({
    post: (id, count) => queued(id, { 'set-cookie': `LB=${count}` }),
    poll: (ids) => told(ids, false),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const results: (Verdicts | Pending)[] = [];
  for (let count = 0; count < 6; count += 1) results.push(await sendOne(sink));
  const last = results[4];

  expect(await (last !== undefined && 'pending' in last ? last.pending : last)).toMatchObject({
    all: { kind: 'hold', fix: expect.stringContaining('list the indexers') },
  });
});

it('A cookie that comes only after ids were given out is a loss of stickiness, too', async () => {
  const cookies: Record<string, string>[] = [{}, { 'set-cookie': 'LB=indexer-2' }];
  await using hec = await openHec({ post: (id, count) => queued(id, cookies[count - 1]), poll: (ids) => told(ids, false) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const first = pendingOf(await sendOne(sink));
  await sendOne(sink);
  await sendOne(sink);

  expect(kinds(await first)).toBe('uncertain');
  expect(channelOf(hec.posts[2])).not.toBe(channelOf(hec.posts[0]));
});

it('What waits for an acknowledgement when the sink is closed blames no event', async () => {
  await using hec = await openHec({ poll: (ids) => told(ids, false) });
  await using context = await openContext();
  const sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_timeout: '1m' }), context);
  const waiting = pendingOf(await sendOne(sink));

  await sink[Symbol.asyncDispose]();

  expect(await waiting).toMatchObject({ all: { kind: 'uncertain', blameless: true } });
});

it('Outstanding batches are capped: one more is handed back unsent', async () => {
  await using hec = await openHec({ poll: (ids) => told(ids, false) });
  await using context = await openContext({ timeoutMs: 600 });
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_timeout: '1m' }), context);

  for (let count = 0; count < 64; count += 1) await sendOne(sink);
  const more = await sendOne(sink);

  expect(more).toMatchObject({ all: { kind: 'retry' } });
  expect(hec.posts.length).toBe(64);
});

it('A batch that waited for a place while the process stood still is handed back unsent', async () => {
  const { seams, standStill, timers } = watchedClock();
  const late = Promise.withResolvers<void>();
  await using hec = await openHec({
    post: (id) => (response) =>
      void late.promise.then(() => response.end(JSON.stringify({ text: 'Success', code: 0, ackId: id }))),
  });
  await using context = await openContext({ seams });
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);
  const first = sendOne(sink);
  while (hec.posts.length === 0) await turn();
  const before = timers();
  const second = sendOne(sink);
  // It waits for its place with one.
  while (timers() === before) await turn();

  standStill(60_000);
  late.resolve();

  expect(await second).toMatchObject({ all: { kind: 'retry', retryAfterMs: 0 } });
  expect(await first).toHaveProperty('pending');
  expect(hec.posts.length).toBe(1);
});

it('An id that comes again rotates the channel', async () => {
  await using hec = await openHec({ post: () => queued(0), poll: (ids) => told(ids, false) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const first = pendingOf(await sendOne(sink));
  const second = pendingOf(await sendOne(sink));
  await sendOne(sink);

  for (const verdicts of [await first, await second])
    expect(verdicts).toMatchObject({ all: { kind: 'uncertain', blameless: true } });
  expect(channelOf(hec.posts[2])).not.toBe(channelOf(hec.posts[0]));
});

it('After a restart of the server a batch with a known id is waited for; what was outstanding before is given up', async () => {
  const ids = [0, 1, 2, 0, 1];
  await using hec = await openHec({
    post: (_, count) => queued(ids[count - 1] ?? 9),
    // A slow machine asks for the first before the second is sent.
    poll: (asked) => told(asked, hec.posts.length <= 2 || (hec.posts.length > 4 && !asked.includes(2))),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const early = [pendingOf(await sendOne(sink)), pendingOf(await sendOne(sink))];
  await Promise.all(early);
  const before = pendingOf(await sendOne(sink));
  const [first, second] = await Promise.all([sendOne(sink), sendOne(sink)]);
  const after = [pendingOf(first), pendingOf(second)];

  expect(await before).toMatchObject({ all: { kind: 'uncertain', blameless: true } });
  expect((await Promise.all(after)).map(kinds)).toEqual(['accept', 'accept']);
});

it.each([
  { when: 'before', isSlow: false },
  { when: 'after', isSlow: true },
])(
  'After a restart the id of a batch whose answer gets lost acknowledges none of before ($when it is indexed)',
  async ({ isSlow }) => {
    const heard = Promise.withResolvers<void>();
    const lose: Reply = (response) => void (isSlow ? heard.promise : Promise.resolve()).then(() => response.destroy());
    let said = 0;
    await using hec = await openHec({
      // The server forgot the first batch and gives the second the same id.
      post: (_, count) => (count === 2 ? lose : queued(0)),
      poll: (ids) => {
        // Who asks once more has read the answer before.
        if (said > 0) heard.resolve();
        if (hec.posts.length > 1) said += 1;
        return told(ids, said === 1);
      },
    });
    await using context = await openContext();
    await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

    const before = pendingOf(await sendOne(sink));
    const after = await sendOne(sink);

    expect(after).toMatchObject({ all: { kind: 'uncertain' } });
    expect(await before).toMatchObject({ all: { kind: 'uncertain', blameless: true } });
  },
);

it('A batch on its way delays an acknowledgement until its answer comes, and no longer', async () => {
  const heard = Promise.withResolvers<void>();
  let said = 0;
  await using hec = await openHec({
    post: (id) => {
      const late: Reply = (response) =>
        void heard.promise.then(() => response.end(JSON.stringify({ text: 'Success', code: 0, ackId: id })));
      return id === 1 ? late : queued(id);
    },
    poll: (ids) => {
      if (said > 0) heard.resolve();
      if (hec.posts.length > 1) said += 1;
      return told(ids, said === 1 || ids.includes(1));
    },
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const first = pendingOf(await sendOne(sink));
  const second = pendingOf(await sendOne(sink));

  expect([kinds(await first), kinds(await second)]).toEqual(['accept', 'accept']);
});

it('A refusal is an answer, also where the question after it, whether the token acknowledges, gets none', async () => {
  const refusal: Reply = { status: 400, body: { text: 'Invalid data format', code: 6, 'invalid-event-number': 1 } };
  const asked = Promise.withResolvers<void>();
  const silence: Reply = () => asked.resolve();
  await using hec = await openHec({
    post: (_, count) => (count === 1 ? refusal : queued(0)),
    poll: (ids, count) => (count === 1 ? silence : told(ids, true)),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, acknowledge: 'auto' }), context);
  const enough = new AbortController();

  const refused = sink.send(batchOf(sink, numbered(2)), enough.signal);
  await asked.promise;
  const next = pendingOf(await sendOne(sink));
  enough.abort();
  await refused.catch(() => undefined);

  expect(kinds(await next)).toBe('accept');
});

it('A channel that rested is not used again, so an idle source is not delivered twice', async () => {
  const { seams, advance } = manualClock();
  await using hec = await openHec();
  await using context = await openContext({ seams });
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_poll: '10s' }), context);

  const verdicts = [];
  for (let round = 0; round < 3; round += 1) {
    const pending = pendingOf(await sendOne(sink));
    advance(10_000);
    verdicts.push(kinds(await pending));
    advance(300_000);
  }

  expect(verdicts).toEqual(['accept', 'accept', 'accept']);
  expect(new Set(hec.posts.map(channelOf)).size).toBe(3);
});

it('Without an id a required acknowledgement holds; 24 and 25 are uncertain then', async () => {
  const codes = [0, 24, 25];
  await using hec = await openHec({ post: (_, count) => ({ status: 200, body: { text: 'ok', code: codes[count - 1] } }) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const results = [await sendOne(sink), await sendOne(sink), await sendOne(sink)];

  expect(results.map((result) => kinds(result as Verdicts))).toEqual(['hold', 'uncertain', 'uncertain']);
  // It took the batch, and gets it again.
  expect(results[0]).toMatchObject({ all: { maybeStored: true } });
});

it('auto takes what the token offers, but no silent step back', async () => {
  await using plain = await openHec({ post: () => ({ status: 200, body: { text: 'Success', code: 0 } }) });
  await using turning = await openHec({
    post: (id, count) => (count === 1 ? queued(id) : { status: 200, body: { text: 'Success', code: 0 } }),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions([plain.url, turning.url], { ...quick, acknowledge: 'auto' }), context);

  const offered = await sendOne(sink);
  const first = pendingOf(await sendOne(sink, { endpoint: turning.url }));
  const second = await sendOne(sink, { endpoint: turning.url });

  expect(offered).toEqual({ all: { kind: 'accept' } });
  expect(await first).toEqual({ all: { kind: 'accept' } });
  expect(second).toMatchObject({ all: { kind: 'hold' } });
});

it('auto without acknowledgements does not mind a balancer that changes its cookie', async () => {
  await using hec = await openHec({
    post: (_, count) => ({ status: 200, headers: { 'set-cookie': `LB=${count}` }, body: { text: 'Success', code: 0 } }),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, acknowledge: 'auto' }), context);

  const results = [await sendOne(sink), await sendOne(sink), await sendOne(sink), await sendOne(sink)];

  expect(results.map((result) => kinds(result as Verdicts))).toEqual(['accept', 'accept', 'accept', 'accept']);
});

it('Few cookies go back, and none that is long, however many a receiver sets', async () => {
  await using hec = await openHec({
    post: (_, count) => ({
      status: 200,
      headers: { 'set-cookie': [`LB${count}=x`, `L${count}=${'x'.repeat(5_000)}`] },
      body: { text: 'Success', code: 0 },
    }),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, acknowledge: 'auto' }), context);

  for (let count = 0; count < 30; count += 1) await sendOne(sink);

  expect(hec.posts.at(-1)?.headers['cookie']?.split('; ')).toEqual(Array.from({ length: 20 }, (_, n) => `LB${n + 1}=x`));
});

it('A sink that is opened again uses another channel', async () => {
  await using hec = await openHec({ poll: (ids) => told(ids, false) });
  await using context = await openContext();
  const before = openSplunkHec(hecOptions(hec.url, quick), context);
  const lost = pendingOf(await sendOne(before));

  await before[Symbol.asyncDispose]();
  await using after = openSplunkHec(hecOptions(hec.url, quick), context);
  await sendOne(after);

  expect(kinds(await lost)).toBe('uncertain');
  expect(channelOf(hec.posts[1])).not.toBe(channelOf(hec.posts[0]));
});

it('A channel has one poller, also while it is flushed', async () => {
  let under = 0;
  let most = 0;
  await using hec = await openHec({
    poll: (ids, count) => (response) => {
      under += 1;
      most = Math.max(most, under);
      setTimeout(() => {
        under -= 1;
        response.end(JSON.stringify({ acks: Object.fromEntries(ids.map((id) => [id, count > 2])) }));
      }, 30);
    },
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const waiting = [pendingOf(await sendOne(sink)), pendingOf(await sendOne(sink))];
  await Promise.all([sink.flush?.(signal), sink.flush?.(signal)]);
  await Promise.all(waiting);

  expect(most).toBe(1);
});

it('A refused event in a batch whose token acknowledges leaves the events before it uncertain', async () => {
  await using hec = await openHec({
    post: () => ({ status: 400, body: { text: 'Invalid data format', code: 6, 'invalid-event-number': 1 } }),
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  expect(kinds((await sendOne(sink)) as Verdicts)).toEqual(['uncertain', 'event']);
});

it('A poll that is answered with ACK is disabled holds, and what waited may be a duplicate', async () => {
  await using hec = await openHec({ poll: () => ({ status: 400, body: { text: 'ACK is disabled', code: 14 } }) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  const verdicts = await pendingOf(await sendOne(sink));

  expect(verdicts).toMatchObject({ all: { kind: 'hold' } });
  expect(decide(verdicts, 2)).toMatchObject({ uncertain: [0, 1], again: 'same' });
});

it.each([
  ['a token that was revoked', { status: 403, body: { text: 'Invalid token', code: 4 } }],
  ['a page of a firewall', { status: 403, body: '<html>blocked</html>' }],
] satisfies [string, Reply][])('A poll that is answered with %s gives nothing up: it is asked again', async (_, reply) => {
  await using hec = await openHec({ poll: (ids, count) => (count < 3 ? reply : told(ids, true)) });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, quick), context);

  expect(kinds(await pendingOf(await sendOne(sink)))).toBe('accept');
});

it('A token that is exchanged while batches wait for acknowledgement neither loses nor doubles them', async () => {
  const tokens = ['old', 'new'];
  await using hec = await openHec({
    poll: (ids) =>
      hec.polls.at(-1)?.headers.authorization === 'Splunk new'
        ? told(ids, true)
        : { status: 403, body: { text: 'Invalid token', code: 4 } },
  });
  await using context = await openContext();
  await using older = openSplunkHec(hecOptions(hec.url, { ...quick, token: tokens[0] ?? '' }), context);
  const waiting = pendingOf(await sendOne(older));

  await using newer = openSplunkHec(hecOptions(hec.url, { ...quick, token: tokens[1] ?? '' }), context);

  expect(newer.endpoints).toEqual(older.endpoints);
  expect(kinds(await waiting)).toBe('accept');
  expect(hec.posts.length).toBe(1);
});

it('A flush asks at once, however long the pause between polls is', async () => {
  await using hec = await openHec();
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_poll: '1h' }), context);
  const waiting = pendingOf(await sendOne(sink));

  await sink.flush?.(signal);

  expect(await waiting).toEqual({ all: { kind: 'accept' } });
  expect(hec.polls.length).toBe(1);
});

it.each([302, 403, 429, 500, 503])(
  'A poll that is answered with %i rests as long as its Retry-After says, and nothing is given up before it',
  async (status) => {
    const { seams, advance } = manualClock();
    await using hec = await openHec({
      poll: (ids, count) =>
        count === 1 ? { status, headers: { 'retry-after': '400' }, body: { text: 'later' } } : told(ids, true),
    });
    const heard = Promise.withResolvers<void>();
    const note = (): void => heard.resolve();
    await using context = await openContext({ seams, log: { ...silentLog(), debug: note, warn: note } });
    await using sink = openSplunkHec(hecOptions(hec.url, { ...quick, ack_poll: '10s', ack_timeout: '5m' }), context);
    const pending = pendingOf(await sendOne(sink));
    advance(10_000);
    await heard.promise;

    for (let second = 0; second < 399; second += 1) {
      advance(1000);
      // A poll that came too early would leave now.
      await turn();
    }
    const early = hec.polls.length;
    advance(1000);

    expect({ early, verdict: kinds(await pending), polls: hec.polls.length }).toEqual({ early: 1, verdict: 'accept', polls: 2 });
  },
);
