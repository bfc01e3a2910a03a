import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Pending, Verdicts } from '../../src/sinks/sink.ts';
import { readAcks, readAnswer } from '../../src/sinks/splunk-hec/answer.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { batchOf, kinds, numbered, openContext, outgoing, settled } from './batches.ts';
import { hecOptions, hecToken, ok } from './hec.ts';
import { openReceiver } from './http-receiver.ts';
import { watchedClock } from './sink-bench.ts';

const { signal } = new AbortController();

it('delivers a batch as concatenated envelopes', async () => {
  await using hec = await openReceiver(() => ({ status: 200, body: { text: 'Success', code: 0 } }));
  await using context = await openContext({ format: 'ocsf' });
  await using sink = openSplunkHec(hecOptions(hec.url, { index: 'audit' }), context);

  const result = await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1')]), signal);

  expect(result).toEqual({ all: { kind: 'accept' } });
  const lines = hec.seen[0]?.text.trimEnd().split('\n') ?? [];
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
    ['e0', 'e1'].map((uid) => ({
      time: 1_795_254_300.123,
      host: 'collector-1',
      source: 'penstock:anaconda-acme',
      sourcetype: 'penstock:anaconda',
      index: 'audit',
      event: outgoing(uid).event,
      fields: { penstock_id: uid },
    })),
  );
  expect(hec.seen[0]).toMatchObject({
    method: 'POST',
    path: '/services/collector/event',
    headers: {
      authorization: `Splunk ${hecToken}`,
      'content-encoding': 'gzip',
      'user-agent': 'penstock-test/1',
    },
  });
});

it('settles by id once a poll says true', async () => {
  await using hec = await openReceiver(({ path }) =>
    path.endsWith('/ack')
      ? { status: 200, body: { acks: { '0': true } } }
      : { status: 200, body: { text: 'Success', code: 0, ackId: 0 } },
  );
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { acknowledge: 'auto', ack_poll: '20ms' }), context);

  const result = await sink.send(batchOf(sink, numbered(2)), signal);

  expect('pending' in result && (await result.pending)).toEqual({ all: { kind: 'accept' } });
  expect(hec.seen.map(({ path }) => path)).toEqual(['/services/collector/event', '/services/collector/ack']);
  expect(kinds(settled({ all: { kind: 'accept' } }))).toBe('accept');
});

const eventPath = '/services/collector/event';
const acknowledging = { acknowledge: 'require', ack_poll: '15ms', ack_timeout: '5m' } as const;
const atLast = async (result: Verdicts | Pending): Promise<Verdicts> => ('pending' in result ? await result.pending : result);
const queued = (ackId: number, cookie: string) => ({
  status: 200,
  headers: { 'set-cookie': cookie },
  body: { text: 'Success', code: 0, ackId },
});

it('gives up what is outstanding when the answer to a poll comes from another indexer, but for what that one has', async () => {
  let posts = 0;
  await using receiver = await openReceiver(({ path }) =>
    path === eventPath
      ? queued(posts++, 'LB=one')
      : { status: 200, headers: { 'set-cookie': 'LB=two' }, body: { acks: { 0: true, 1: false } } },
  );
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(receiver.url, { ...acknowledging, ack_poll: '200ms', ack_timeout: '5s' }), context);
  const batches = [await sink.send(batchOf(sink, numbered(1)), signal), await sink.send(batchOf(sink, numbered(1)), signal)];

  const results = await Promise.all(batches.map(atLast));

  expect(results).toEqual([
    { all: { kind: 'accept' } },
    {
      all: {
        kind: 'uncertain',
        reason: 'the load balancer changed its cookie: later answers come from another indexer',
        blameless: true,
      },
    },
  ]);
});

it('sends the second batch of a channel only with the cookie that the first was answered with', async () => {
  let posts = 0;
  const [came, first] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const answerLate = (response: ServerResponse): void => {
    const { status, headers, body } = queued(0, 'LB=one');
    void first.promise.then(() => response.writeHead(status, headers).end(JSON.stringify(body)));
  };
  const idsIn = (text: string) => (JSON.parse(text) as { acks: number[] }).acks.map((id) => [id, true] as const);
  await using receiver = await openReceiver(({ path, text }) => {
    if (path !== eventPath) return { status: 200, body: { acks: Object.fromEntries(idsIn(text)) } };
    posts += 1;
    came.resolve();
    return posts === 1 ? answerLate : queued(posts - 1, 'LB=one');
  });
  const { seams, timers } = watchedClock();
  await using context = await openContext({ seams });
  await using sink = openSplunkHec(hecOptions(receiver.url, acknowledging), context);
  const send = () => sink.send(batchOf(sink, numbered(1)), signal);

  const sent = [send()];
  await came.promise;
  for (let count = 0; count < 2; count += 1) {
    const before = timers();
    sent.push(send());
    // Whether it waits for its place or is on its way already: both have a time limit.
    while (timers() === before) await turn();
  }
  first.resolve();
  await Promise.all((await Promise.all(sent)).map(atLast));

  const cookies = receiver.seen.filter(({ path }) => path === eventPath).map(({ headers }) => headers['cookie']);
  expect(cookies).toEqual([undefined, 'LB=one', 'LB=one']);
});

it('compresses no more once a receiver takes nothing compressed', async () => {
  await using receiver = await openReceiver(({ headers }) => (headers['content-encoding'] === 'gzip' ? { status: 415 } : ok));
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(receiver.url), context);

  for (let count = 0; count < 2; count += 1) await sink.send(batchOf(sink, numbered(1)), signal);

  expect(receiver.seen.map(({ headers }) => headers['content-encoding'])).toEqual(['gzip', undefined, undefined]);
});

it('reads acknowledgements of receivers that write ids and answers as texts', () => {
  const body = Buffer.from('{"text":"Success","code":0,"ackId":"17"}');

  expect(readAnswer({ status: 200, headers: {}, body }, undefined).ackId).toBe(17);
  expect(readAcks(Buffer.from('{"acks":{"17":"true","18":"false","19":true,"20":false}}'))).toEqual(new Set([17, 19]));
});
