// What each answer of HEC means, one test per statement. What `deliver` does with a verdict is tested with it.
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/deliver/decide.ts';
import type { OutgoingEvent, Verdicts } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { batchOf, kinds, numbered, openContext, settled } from '../sinks/batches.ts';
import { envelopes, hecOptions, ok } from '../sinks/hec.ts';
import { openReceiver, type Reply } from '../sinks/http-receiver.ts';

const { signal } = new AbortController();

/** The verdicts for a batch of `size` events that is answered with `reply`. */
async function answered(reply: Reply, size = 3): Promise<Verdicts> {
  await using hec = await openReceiver(() => reply);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);
  return settled(await sink.send(batchOf(sink, numbered(size)), signal));
}

const hec = (status: number, code: number, more: object = {}): Reply => ({
  status,
  body: { text: `code ${code}`, code, ...more },
});

describe('Every code has its verdict', () => {
  it.each([
    [200, 0, 'accept'],
    [403, 1, 'hold'],
    [401, 2, 'hold'],
    [401, 3, 'hold'],
    [403, 4, 'hold'],
    [400, 5, 'split'],
    [400, 6, 'split'],
    [400, 7, 'hold'],
    [500, 8, 'retry'],
    [503, 9, 'retry'],
    [400, 10, 'hold'],
    [400, 11, 'hold'],
    [400, 12, 'split'],
    [400, 13, 'split'],
    [400, 14, 'hold'],
    [400, 15, 'split'],
    [400, 16, 'hold'],
    [200, 17, 'uncertain'],
    [503, 18, 'retry'],
    [503, 19, 'retry'],
    [503, 20, 'retry'],
    [400, 21, 'hold'],
    [400, 22, 'hold'],
    [503, 23, 'retry'],
    [200, 24, 'accept'],
    [200, 25, 'accept'],
    [429, 26, 'retry'],
    [429, 27, 'retry'],
  ])('%i with code %i is %s', async (status, code, verdict) => {
    expect(kinds(await answered(hec(status, code)))).toBe(verdict);
  });
});

it.each([24, 25])('Code %i is accepted, not sent again, and asks for fewer requests', async (code) => {
  const verdicts = await answered(hec(200, code));

  expect(verdicts).toEqual({ all: { kind: 'accept', slower: true } });
  expect(decide(verdicts, 3)).toMatchObject({ acknowledged: [0, 1, 2], again: [], slower: true });
});

it('Code 6 with a 200 is a failure', async () => {
  const verdicts = await answered(hec(200, 6, { 'invalid-event-number': 1 }));

  expect(kinds(verdicts)).toEqual(['accept', 'event', 'retry']);
});

it.each([
  [401, 3],
  [403, 4],
])('%i holds, and neither settles nor refuses an event', async (status, code) => {
  const verdicts = await answered(hec(status, code));

  expect(decide(verdicts, 3)).toMatchObject({ acknowledged: [], refused: [], again: 'same', hold: { untilReleased: false } });
});

it('Code 6 with number 1 of 3: event 1 is refused, event 2 sent again at once, event 0 is stored', async () => {
  const verdicts = await answered(hec(400, 6, { 'invalid-event-number': 1 }));

  expect(decide(verdicts, 3)).toMatchObject({
    acknowledged: [0],
    refused: [{ index: 1, code: 'hec_6' }],
    again: [[2]],
    failure: { kind: 'retry', retryAfterMs: 0 },
  });
});

it('With acknowledge: auto the first refusal asks whether the token acknowledges, so that nothing stored is sent again', async () => {
  const asked: unknown[] = [];
  const answers: Reply[] = [
    { status: 400, body: { text: 'ACK is disabled', code: 14 } },
    { status: 200, body: { acks: { 0: false } } },
    { status: 404, body: 'not found' },
  ];
  const verdicts = [];
  for (const answer of answers) {
    await using receiver = await openReceiver(({ path, text }) => {
      if (path !== '/services/collector/ack') return hec(400, 6, { 'invalid-event-number': 1 });
      asked.push(JSON.parse(text));
      return answer;
    });
    await using context = await openContext();
    await using sink = openSplunkHec(hecOptions(receiver.url, { acknowledge: 'auto' }), context);
    verdicts.push(kinds(settled(await sink.send(batchOf(sink, numbered(3)), signal))));
  }

  expect(asked).toEqual([{ acks: [0] }, { acks: [0] }, { acks: [0] }]);
  expect(verdicts).toEqual([
    ['accept', 'event', 'retry'],
    ['uncertain', 'event', 'retry'],
    ['uncertain', 'event', 'retry'],
  ]);
});

it('A bad event among acknowledged ones costs its endpoint no pause', async () => {
  await using receiver = await openReceiver(({ path }) =>
    path === '/services/collector/ack' ? { status: 200, body: { acks: {} } } : hec(400, 6, { 'invalid-event-number': 1 }),
  );
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(receiver.url, { acknowledge: 'require' }), context);

  const verdicts = settled(await sink.send(batchOf(sink, numbered(3)), signal));

  expect(decide(verdicts, 3).failure?.retryAfterMs).toBe(0);
});

it('Code 7 names an event, but the index is the same for all: the sink holds', async () => {
  const verdicts = await answered(hec(400, 7, { 'invalid-event-number': 2 }));

  expect(decide(verdicts, 3)).toMatchObject({ acknowledged: [], refused: [], again: 'same' });
  expect(verdicts).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('create the index in Splunk') as string } });
});

it.each([
  ['missing', 6, {}],
  ['negative', 6, { 'invalid-event-number': -1 }],
  ['beyond the batch', 6, { 'invalid-event-number': 3 }],
  ['no whole number', 6, { 'invalid-event-number': 1.5 }],
  ['text', 6, { 'invalid-event-number': '1' }],
])(
  'A number that is %s leads to halves, not to dead letters; what was stored before the bad one is counted',
  async (_, code, more) => {
    const verdicts = await answered(hec(400, code, more));

    const halves = { acknowledged: [], refused: [], again: [[0, 1], [2]], uncertain: [0, 1, 2] };
    expect(decide(verdicts, 3)).toMatchObject(halves);
  },
);

it('Halving 1,024 events with one bad one refuses that one and delivers the others', async () => {
  const stored: string[] = [];
  await using receiver = await openReceiver(({ text }) => {
    const uids = envelopes(text).map(({ fields }) => (fields as { penstock_id: string }).penstock_id);
    if (uids.includes('e700')) return hec(400, 6);
    stored.push(...uids);
    return ok;
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(receiver.url), context);
  const events = numbered(1024);
  const refused: string[] = [];
  const waiting: OutgoingEvent[][] = [events];

  for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
    const parts = group;
    const decision = decide(settled(await sink.send(batchOf(sink, parts), signal)), parts.length);
    refused.push(...decision.refused.map(({ index }) => parts[index]?.uid ?? ''));
    if (decision.again !== 'same') waiting.push(...decision.again.map((indexes) => indexes.flatMap((at) => parts[at] ?? [])));
  }

  expect(refused).toEqual(['e700']);
  expect(stored.toSorted()).toEqual(
    events
      .map(({ uid }) => uid)
      .filter((uid) => uid !== 'e700')
      .toSorted(),
  );
});

it('413 asks for halves, and refuses a single event', async () => {
  const page = { status: 413, body: '<html>Request Entity Too Large</html>' };

  expect(decide(await answered(page, 4), 4)).toMatchObject({
    refused: [],
    again: [
      [0, 1],
      [2, 3],
    ],
  });
  expect(decide(await answered(page, 1), 1)).toMatchObject({ refused: [{ index: 0, code: 'http_413' }] });
});

it('A 413 whose page is torn, because the receiver closed while the body still arrived, asks for halves, too', async () => {
  const torn: Reply = (response) => {
    response.writeHead(413, { 'content-type': 'text/html', 'content-length': '5000' });
    response.write('<html>');
    setImmediate(() => response.destroy());
  };

  expect(kinds(await answered(torn))).toBe('split');
});

it('503 with code 9 and a number sends the whole batch again', async () => {
  const verdicts = await answered(hec(503, 9, { 'invalid-event-number': 1 }));

  expect(decide(verdicts, 3)).toMatchObject({ acknowledged: [], again: 'same', failure: { kind: 'retry' } });
});

it.each([
  { status: 403, body: '<html>Request blocked</html>', verdict: 'hold' },
  { status: 413, body: '<html>Too large</html>', verdict: 'split' },
  { status: 404, body: { text: 'The requested URL was not found on this server.', code: 404 }, verdict: 'hold' },
  { status: 405, body: { text: 'The requested URL was not found on this server.', code: 405 }, verdict: 'hold' },
  { status: 200, body: '<html>Please log in</html>', verdict: 'hold' },
  { status: 200, body: '', verdict: 'uncertain' },
  { status: 200, body: '{"text":"Success"}', verdict: 'uncertain' },
  { status: 200, body: '[0]', verdict: 'uncertain' },
  { status: 200, body: '{"code":0', verdict: 'uncertain' },
  { status: 204, body: '', verdict: 'uncertain' },
  { status: 500, body: 'oops', verdict: 'uncertain' },
  { status: 502, body: '<html>Bad gateway</html>', verdict: 'uncertain' },
  { status: 503, body: '<html>No backend</html>', verdict: 'retry' },
  { status: 504, body: '', verdict: 'uncertain' },
  { status: 408, body: '', verdict: 'uncertain' },
  { status: 429, body: '', verdict: 'retry' },
  { status: 503, body: { text: 'Success', code: 0 }, verdict: 'uncertain' },
])('$status "$body" is not read as an acceptance or code of HEC: $verdict', async ({ verdict, ...reply }) => {
  expect(kinds(await answered(reply))).toBe(verdict);
});

it('Retry-After is handed on, in seconds and as a date', async () => {
  const inSeconds = await answered({ status: 503, body: { text: 'Server is busy', code: 9 }, headers: { 'retry-after': '7' } });
  // The server's own clock says when that is.
  const headers = { date: new Date(0).toUTCString(), 'retry-after': new Date(60_000).toUTCString() };
  const asDate = await answered({ status: 429, headers });

  expect(inSeconds).toMatchObject({ all: { kind: 'retry', retryAfterMs: 7000 } });
  expect(asDate).toMatchObject({ all: { retryAfterMs: 60_000 } });
});

it('Health alone proves nothing: the probe sends a marked event and reads its answer', async () => {
  await using receiver = await openReceiver(({ path }) =>
    path.endsWith('/health') ? { status: 200, body: { text: 'HEC is healthy', code: 17 } } : hec(403, 4),
  );
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(receiver.url), context);

  const report = await sink.probe(signal);

  expect(report).toMatchObject({ ok: false, fix: expect.stringContaining('token') });
});

it('Status 415 is tried once without compression; then it holds', async () => {
  await using picky = await openReceiver(({ headers }) =>
    headers['content-encoding'] === undefined ? ok : { status: 415, body: '<html>415</html>' },
  );
  await using never = await openReceiver(() => ({ status: 415 }));
  await using context = await openContext();
  await using one = openSplunkHec(hecOptions(picky.url), context);
  await using other = openSplunkHec(hecOptions(never.url), context);

  const accepted = [await one.send(batchOf(one, numbered(2)), signal), await one.send(batchOf(one, numbered(2)), signal)];
  const refused = await other.send(batchOf(other, numbered(2)), signal);

  expect(accepted).toEqual([{ all: { kind: 'accept' } }, { all: { kind: 'accept' } }]);
  expect(picky.seen.map(({ headers }) => headers['content-encoding'])).toEqual(['gzip', undefined, undefined]);
  expect(refused).toMatchObject({ all: { kind: 'hold', fix: 'set compression: none on the sink' } });
  expect(never.seen.length).toBe(2);
});
