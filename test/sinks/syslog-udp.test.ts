import dgram from 'node:dgram';
import { expect, it } from 'vitest';
import type { Verdicts } from '../../src/sinks/sink.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { parse5424 } from './rfc5424.ts';
import { batchOf, kindsOf, manualClock, never, numbered, openSink, outgoing, until } from './sink-bench.ts';

async function listenUdp(
  type: 'udp4' | 'udp6',
  host: string,
): Promise<AsyncDisposable & { readonly port: number; readonly got: string[] }> {
  const socket = dgram.createSocket(type);
  const got: string[] = [];
  socket.on('message', (message) => got.push(message.toString()));
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  return {
    got,
    port: socket.address().port,
    [Symbol.asyncDispose]: async () => void socket.close(),
  };
}

it.each([
  ['udp4', '127.0.0.1', '127.0.0.1'],
  ['udp6', '::1', '[::1]'],
] as const)('sends one message per datagram over %s, without a frame', async (type, host, written) => {
  await using receiver = await listenUdp(type, host);
  await using sink = await openSink(syslog, { address: `udp://${written}:${receiver.port}` });

  const verdicts = await sink.send(batchOf(sink, numbered(200)), never());

  await until(() => receiver.got.length === 200);
  expect(verdicts).toEqual({ each: Array.from({ length: 200 }, () => ({ kind: 'sent' })) });
  expect(receiver.got.map((message) => parse5424(message).msg)).toEqual(numbered(200).map(({ body }) => body));
});

it('sends no more datagrams a second than rate allows', async () => {
  await using receiver = await listenUdp('udp4', '127.0.0.1');
  const { seams, advance } = manualClock();
  await using sink = await openSink(syslog, { address: `udp://127.0.0.1:${receiver.port}`, rate: 10 }, { seams });

  const sending = sink.send(batchOf(sink, numbered(5)), never());

  for (const sent of [1, 2, 3, 4, 5]) {
    await until(() => receiver.got.length === sent);
    advance(100);
  }
  await expect(sending).resolves.toEqual({ each: Array.from({ length: 5 }, () => ({ kind: 'sent' })) });
});

it('calls in doubt, not sent, what went to an address where nobody listens', async () => {
  const closed = await listenUdp('udp4', '127.0.0.1');
  await closed[Symbol.asyncDispose]();
  await using sink = await openSink(syslog, { address: `udp://127.0.0.1:${closed.port}` });

  const kinds = kindsOf((await sink.send(batchOf(sink, numbered(3)), never())) as Verdicts, 3);

  expect(kinds).not.toContain('sent');
  expect(kinds).toContain('uncertain');
});

it('goes on to the next address of a name when nobody listens at the first', async () => {
  await using receiver = await listenUdp('udp4', '127.0.0.1');
  // localhost has ::1 first, or 127.0.0.1 alone: the receiver hears it either way.
  await using sink = await openSink(syslog, { address: `udp://localhost:${receiver.port}` });

  await sink.send(batchOf(sink, numbered(1)), never());
  await sink.send(batchOf(sink, numbered(1)), never());

  await until(() => receiver.got.length > 0);
  expect(receiver.got.length).toBeGreaterThan(0);
});

it('refuses what no datagram can hold', async () => {
  await using receiver = await listenUdp('udp4', '127.0.0.1');
  await using sink = await openSink(syslog, { address: `udp://127.0.0.1:${receiver.port}`, max_message: '65507B' });

  const verdicts = await sink.send(batchOf(sink, [outgoing({ body: 'x'.repeat(66_000) }), outgoing()]), never());

  expect(verdicts).toMatchObject({ each: [{ kind: 'event', code: 'too_large' }, { kind: 'sent' }] });
});

it('says in a probe that nothing can be proved', async () => {
  await using sink = await openSink(syslog, { address: 'udp://127.0.0.1:514' });

  await expect(sink.probe(never())).resolves.toEqual({
    ok: true,
    findings: ['udp://127.0.0.1:514 resolves; udp can prove no more, and nothing reports whether messages arrive'],
  });
});
