// When a syslog message counts as delivered, one test per statement, and what a sink's answer alone decides about dead letters.

import dgram from 'node:dgram';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { file } from '../../src/sinks/file/index.ts';
import type { Pending, Sink, Verdicts } from '../../src/sinks/sink.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { nextTxnr } from '../../src/sinks/syslog/relp-session.ts';
import { listen, uncount } from '../sinks/receiver.ts';
import { listenRelp, opened } from '../sinks/relp-receiver.ts';
import { parse5424 } from '../sinks/rfc5424.ts';
import { batchOf, isPending, kindsOf, manualClock, never, numbered, openSink, outgoing, until } from '../sinks/sink-bench.ts';

const uidsIn = (bytes: Buffer): (string | undefined)[] =>
  uncount(bytes).map((message) => parse5424(message).elements.get('penstock@32473')?.[0]?.[1]);

async function settled(sink: Sink, answer: Promise<Verdicts | Pending> | Verdicts | Pending, count: number): Promise<string[]> {
  const first = await answer;
  return kindsOf(isPending(first) ? await first.pending : first, count);
}

it('Against a peer that accepts, reads nothing and resets, the whole replay window is sent again and none is reported as delivered', async () => {
  await using receiver = await listen((socket) => {
    // The listener that records would read; a paused socket leaves everything in the kernel.
    if (receiver.connections.length > 1) return;
    socket.removeAllListeners('data');
    socket.pause();
  });
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, framing: 'octet_counting' });
  const batches = Array.from({ length: 4 }, (_, index) => batchOf(sink, numbered(50, index * 50)));
  const answers: (Verdicts | Pending)[] = [];
  for (const batch of batches) answers.push(await sink.send(batch, never()));

  receiver.connections[0]?.socket.resetAndDestroy();
  const kinds = await Promise.all(answers.map((answer) => settled(sink, answer, 50)));
  // What `deliver` does with uncertain: the same batches again.
  for (const batch of batches) await sink.send(batch, never());
  await sink.flush?.(never());

  expect(new Set(kinds.flat())).toEqual(new Set(['uncertain']));
  expect(uidsIn(receiver.connections[1]?.bytes() ?? Buffer.alloc(0))).toEqual(numbered(200).map(({ uid }) => uid));
});

it('After a FIN from the peer, no further message is written to that socket', async () => {
  const server = net.createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let afterFin = 0;
  let connections = 0;
  let finSeen = (): void => undefined;
  server.on('connection', (socket) => {
    connections += 1;
    socket.on('error', () => undefined).on('close', () => finSeen());
    if (connections > 1) socket.on('end', () => socket.end()).resume();
    else
      socket.once('data', () => {
        socket.end();
        socket.on('data', (chunk) => {
          afterFin += chunk.length;
        });
      });
  });
  const closed = new Promise<void>((resolve) => {
    finSeen = resolve;
  });
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}` });
  const first = await sink.send(batchOf(sink, numbered(1)), never());
  const kinds = await settled(sink, first, 1);
  await closed;

  await sink.send(batchOf(sink, numbered(5, 1)), never());
  await sink.flush?.(never());

  server.close();
  expect({ kinds, afterFin, connections }).toEqual({ kinds: ['uncertain'], afterFin: 0, connections: 2 });
});

it('A peer that stops reading makes the sink stop taking batches, and memory stays bounded', async () => {
  await using deaf = await listen((socket) => socket.removeAllListeners('data').pause());
  await using hearing = await listen((socket) => socket.removeAllListeners('data').resume());
  const open = (port: number) => openSink(syslog, { address: `tcp://127.0.0.1:${port}`, max_message: '2MB' });
  await using sink = await open(deaf.port);
  await using other = await open(hearing.port);
  const controller = new AbortController();
  const big = outgoing({ body: 'x'.repeat(1_000_000) });
  let taken = 0;

  // A sender as `deliver` is one: the next batch only when the one before was taken.
  const sending = (async () => {
    while (!controller.signal.aborted && taken < 200) {
      await sink.send(batchOf(sink, [big]), controller.signal);
      taken += 1;
    }
  })();
  // What a peer that reads takes meanwhile shows that there was time for as much here.
  for (let batch = 0; batch < 100; batch += 1) await other.send(batchOf(other, [big]), never());

  // Socket buffers of both sides hold some megabytes.
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(50);
  controller.abort(new Error('enough'));
  await sending;
});

it('A peer that vanishes is noticed within 60 s by the stall watchdog or keepalive', async () => {
  const keepalive = vi.spyOn(net.Socket.prototype, 'setKeepAlive');
  const { seams, advance } = manualClock();
  await using receiver = await listen((socket) => socket.removeAllListeners('data').pause());
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, max_message: '30MB' }, { seams });
  const write = sink.send(batchOf(sink, [outgoing({ body: 'x'.repeat(25_000_000) })]), never());
  await until(() => receiver.connections.length === 1);

  advance(30_000);

  const asked = keepalive.mock.calls.map(([first]) => first as unknown);
  keepalive.mockRestore();
  // Idle: 30 s + 3 x 10 s of keepalive. Writing: 30 s without progress.
  expect(asked).toContainEqual({
    enable: true,
    initialDelay: 30_000,
    interval: 10_000,
    count: 3,
  });
  await expect(write).resolves.toMatchObject({ all: { kind: 'uncertain' } });
});

it('TCP and UDP output is called sent, never accepted', async () => {
  await using receiver = await listen();
  await using tcp = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` });
  const datagrams = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => datagrams.bind(0, '127.0.0.1', resolve));
  await using udp = await openSink(syslog, { address: `udp://127.0.0.1:${datagrams.address().port}` });

  const overTcp = await tcp.send(batchOf(tcp, numbered(2)), never());
  await tcp.flush?.(never());
  const overUdp = await udp.send(batchOf(udp, numbered(1)), never());

  expect([await settled(tcp, overTcp, 2), await settled(udp, overUdp, 1)]).toEqual([['sent', 'sent'], ['sent']]);
  datagrams.close();
});

it('RELP: open precedes syslog, only rsp 200 accepts, unanswered frames are sent again after reconnecting, TXNR wraps', async () => {
  await using receiver = await listenRelp(({ command, txnr }, socket, connection) => {
    if (command === 'open') return opened;
    if (connection === 0 && txnr === 4) socket.destroy();
    return connection === 0 && txnr >= 4 ? undefined : '200 OK';
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });
  const events = numbered(5);

  const first = await settled(sink, sink.send(batchOf(sink, events), never()), 5);
  const open = events.filter((_, index) => first[index] !== 'accept');
  const second = await settled(sink, sink.send(batchOf(sink, open), never()), open.length);

  // Answers that were on their way when the connection was cut may be lost with it: uncertain, never accept.
  expect(first.slice(2)).toEqual(['uncertain', 'uncertain', 'uncertain']);
  expect(second).toEqual(open.map(() => 'accept'));
  expect(receiver.sessions.map(([frame]) => frame?.command)).toEqual(['open', 'open']);
  expect(receiver.sessions[1]?.slice(1).map(({ data }) => parse5424(data).msg)).toEqual(open.map(({ body }) => body));
  expect(nextTxnr(999_999_999)).toBe(1);
});

it('No failure of a receiver or disk is answered with accept or sent', async () => {
  const nobody = await listen();
  await nobody[Symbol.asyncDispose]();
  await using resetting = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
  await using silent = await listenRelp(({ command }, socket) => (command === 'open' ? opened : void socket.destroy()));
  const failing: [Parameters<typeof openSink>[0], Record<string, unknown>][] = [
    [syslog, { address: `tcp://127.0.0.1:${nobody.port}` }],
    [syslog, { address: `relp://127.0.0.1:${nobody.port}` }],
    [syslog, { address: `tls://127.0.0.1:${nobody.port}` }],
    [syslog, { address: `tcp://127.0.0.1:${resetting.port}` }],
    [syslog, { address: `relp://127.0.0.1:${silent.port}` }],
    [syslog, { address: 'udp://name.invalid:514' }],
    [file, { path: `${fileURLToPath(import.meta.url)}/below-a-file` }],
  ];
  const kinds: string[][] = [];

  for (const [kind, options] of failing) {
    await using sink = await openSink(kind, options);
    kinds.push(await settled(sink, sink.send(batchOf(sink, numbered(2)), never()), 2));
  }

  expect(kinds).toEqual([
    ['retry', 'retry'],
    ['retry', 'retry'],
    ['retry', 'retry'],
    ['uncertain', 'uncertain'],
    ['uncertain', 'uncertain'],
    ['retry', 'retry'],
    ['hold', 'hold'],
  ]);
});
