import { expect, it } from 'vitest';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { batchOf, kinds, numbered, openContext, outgoing, settled } from './batches.ts';
import { hecOptions, hecToken } from './hec.ts';
import { openReceiver } from './http-receiver.ts';

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
