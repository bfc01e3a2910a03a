import type net from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { OutgoingEvent, Pending } from '../../src/sinks/sink.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { listen, type Receiver, uncount } from './receiver.ts';
import { parse5424 } from './rfc5424.ts';
import { batchOf, bodyOf, manualClock, never, numbered, openSink, outgoing, until } from './sink-bench.ts';

/** What /proc/net/tcp shows of our connection when the peer has not acknowledged so many octets. */
function kernelTable(receiver: Receiver, outstanding: number): string {
  const hex = (number: number, digits: number): string => number.toString(16).toUpperCase().padStart(digits, '0');
  const ours = receiver.connections[0]?.socket.remotePort ?? 0;
  const row = `0: 0100007F:${hex(ours, 4)} 0100007F:${hex(receiver.port, 4)} 01 ${hex(outstanding, 8)}:00000000 00:00000000 0 0`;
  return `  sl  local_address rem_address   st tx_queue rx_queue\n   ${row}\n`;
}

it('sends each event of a batch as one octet-counted message', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, framing: 'octet_counting' });

  await sink.send(batchOf(sink, numbered(3)), never());
  await sink.flush?.(never());

  const messages = uncount(receiver.connections[0]?.bytes() ?? Buffer.alloc(0)).map(parse5424);
  expect(messages.map(({ msg }) => msg)).toEqual(numbered(3).map(({ uid }) => bodyOf(uid)));
});

it('fills the header and the structured data from the event', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, framing: 'octet_counting' });

  await sink.send(batchOf(sink, [outgoing({ uid: 'u1', severity: 4, source: 'a"b]c\\d' })]), never());
  await sink.flush?.(never());

  const [message] = uncount(receiver.connections[0]?.bytes() ?? Buffer.alloc(0)).map(parse5424);
  expect(message).toEqual({
    facility: 13,
    severity: 3,
    timestamp: '2026-11-21T09:45:00.123Z',
    hostname: 'host1',
    appName: 'penstock',
    procId: String(process.pid),
    msgId: 'user.login',
    elements: new Map([
      ['meta', [['sequenceId', '1']]],
      [
        'penstock@32473',
        [
          ['uid', 'u1'],
          ['source', 'a"b]c\\d'],
        ],
      ],
    ]),
    msg: bodyOf('u1'),
  });
});

it('calls a message sent when the receiver closed after our clean end', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` });

  const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
  await sink.flush?.(never());

  await expect(answer.pending).resolves.toEqual({ all: { kind: 'sent' } });
});

describe('a receiver that keeps its side open after our end', () => {
  const open = async (outstanding: number) => {
    const receiver = await listen(undefined, undefined, 0, '127.0.0.1', true);
    const { seams, advance } = manualClock();
    const files = { ...seams.files, readFile: (async () => kernelTable(receiver, outstanding)) as never };
    const sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams: { ...seams, files } });
    const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
    const flushed = sink.flush?.(never());
    await until(() => receiver.connections[0]?.ended());
    advance(5000);
    await flushed;
    const verdicts: unknown[] = [];
    void answer.pending.then((verdict) => verdicts.push(verdict));
    return { receiver, sink, advance, answer, verdicts };
  };

  it('has what it took called sent after a minute, and gets what follows over another connection', async () => {
    const { receiver, sink, advance, answer, verdicts } = await open(0);
    await using _closed = receiver;
    await using _sink = sink;

    await sink.send(batchOf(sink, numbered(1)), never());
    advance(54_000);
    await until(() => receiver.connections[1]?.bytes().length ?? 0);
    expect(verdicts).toEqual([]);
    advance(6000);

    await expect(answer.pending).resolves.toEqual({ all: { kind: 'sent' } });
    receiver.connections[1]?.socket.destroy();
  });

  it('leaves in doubt what a reset follows, or the end of the sink', async () => {
    for (const end of ['reset', 'close'] as const) {
      const { receiver, sink, answer } = await open(0);
      await using _closed = receiver;

      if (end === 'reset') receiver.connections[0]?.socket.resetAndDestroy();
      else await sink[Symbol.asyncDispose]();

      await expect(answer.pending).resolves.toMatchObject({ all: { kind: 'uncertain' } });
      await sink[Symbol.asyncDispose]();
    }
  });

  it.each([0, 1])('is there when it is asked, if its machine took our end: %i octets are left', async (outstanding) => {
    await using receiver = await listen(undefined, undefined, 0, '127.0.0.1', true);
    const { seams, advance } = manualClock();
    const files = { ...seams.files, readFile: (async () => kernelTable(receiver, outstanding)) as never };
    await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams: { ...seams, files } });
    const answers: unknown[] = [];
    void sink.reaches?.('', never()).then((answer) => answers.push(answer));

    await until(() => {
      advance(50);
      return answers.length;
    });

    expect(answers).toEqual([outstanding === 0]);
  });

  it('leaves in doubt at once what it has not taken', async () => {
    const { receiver, sink, answer } = await open(1);
    await using _closed = receiver;
    await using _sink = sink;

    await expect(answer.pending).resolves.toMatchObject({
      all: { kind: 'uncertain', reason: expect.stringContaining('the receiver did not close its side') },
    });
  });
});

it('calls a message sent when the receiver closes a connection that was idle for a while', async () => {
  await using receiver = await listen();
  const { seams, advance } = manualClock();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams });
  const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
  await until(() => receiver.connections[0]?.bytes().length ?? 0);

  advance(6000);
  receiver.connections[0]?.socket.end();

  await expect(answer.pending).resolves.toEqual({ all: { kind: 'sent' } });
});

it('does not call a message sent when the receiver closes an idle connection and has not taken it', async () => {
  await using receiver = await listen();
  const { seams, advance } = manualClock();
  const files = { ...seams.files, readFile: (async () => kernelTable(receiver, 40)) as never };
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams: { ...seams, files } });
  const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
  await until(() => receiver.connections[0]?.bytes().length ?? 0);

  advance(6000);
  receiver.connections[0]?.socket.end();

  await expect(answer.pending).resolves.toMatchObject({ all: { kind: 'uncertain' } });
});

it('does not call a message sent after a minute while the receiver has not taken it, however it goes on with others', async () => {
  await using receiver = await listen();
  const { seams, advance } = manualClock();
  let outstanding = 50_000;
  let looks = 0;
  const readFile = (async () => {
    looks += 1;
    // It takes an octet from time to time, so that it counts as alive.
    return kernelTable(receiver, Math.max(0, outstanding--));
  }) as never;
  await using sink = await openSink(
    syslog,
    { address: `tcp://127.0.0.1:${receiver.port}` },
    { seams: { ...seams, files: { ...seams.files, readFile } } },
  );
  const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
  let isSettled = false;
  void answer.pending.then(() => {
    isSettled = true;
  });
  // Ten seconds lie between two looks, and later one.
  await until(() => {
    advance(2000);
    return looks >= 15 || isSettled;
  });
  const before = isSettled;

  outstanding = 0;
  await until(() => {
    advance(1000);
    return isSettled;
  });

  expect(before).toBe(false);
  await expect(answer.pending).resolves.toEqual({ all: { kind: 'sent' } });
});

it('does not call a message sent because many small ones followed, which the receiver may still have in its buffer', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, resend_window: 10 });
  const first = (await sink.send(batchOf(sink, numbered(5)), never())) as Pending;
  for (let count = 0; count < 4; count += 1) await sink.send(batchOf(sink, numbered(5)), never());
  await until(() => (receiver.connections[0]?.bytes().length ?? 0) > 2_000);

  receiver.connections[0]?.socket.resetAndDestroy();

  await expect(first.pending).resolves.toMatchObject({ all: { kind: 'uncertain' } });
});

it('leaves out a message that is too large, and says which', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, {
    address: `tcp://127.0.0.1:${receiver.port}`,
    max_message: '1KiB',
    framing: 'octet_counting',
  });
  const events = numbered(3).map((event, at) => (at === 1 ? { ...event, body: 'x'.repeat(2000) } : event));

  const answer = (await sink.send(batchOf(sink, events), never())) as Pending;
  await sink.flush?.(never());

  expect(await answer.pending).toMatchObject({
    each: [{ kind: 'sent' }, { kind: 'event', code: 'too_large' }, { kind: 'sent' }],
  });
  const bytes = receiver.connections[0]?.bytes() ?? Buffer.alloc(0);
  expect(uncount(bytes).map((message) => /"uid":"(e\d+)"/.exec(message)?.[1])).toEqual(['e000000', 'e000002']);
});

it('does not call a message sent when the receiver closes right after it', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` });
  const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
  await until(() => receiver.connections[0]?.bytes().length ?? 0);

  receiver.connections[0]?.socket.end();

  await expect(answer.pending).resolves.toMatchObject({ all: { kind: 'uncertain' } });
});

it('calls a message sent after a minute on a healthy connection', async () => {
  await using receiver = await listen();
  const { seams, advance } = manualClock();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams });
  const answer = (await sink.send(batchOf(sink, numbered(2)), never())) as Pending;
  let settled = false;
  void answer.pending.then(() => {
    settled = true;
  });

  advance(59_000);
  await until(() => receiver.connections[0]?.bytes().length ?? 0);
  expect(settled).toBe(false);
  advance(1000);

  await expect(answer.pending).resolves.toEqual({ all: { kind: 'sent' } });
});

it('calls a message sent when the resend window has moved past it', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, resend_window: 10 });
  const big = (count: number): OutgoingEvent[] => numbered(count).map((event) => ({ ...event, body: 'x'.repeat(2000) }));
  const first = (await sink.send(batchOf(sink, big(5)), never())) as Pending;
  const second = (await sink.send(batchOf(sink, big(5)), never())) as Pending;
  await until(() => (receiver.connections[0]?.bytes().length ?? 0) > 20_000);

  await sink.send(batchOf(sink, big(5)), never());
  await until(() => (receiver.connections[0]?.bytes().length ?? 0) > 30_000);
  await sink.send(batchOf(sink, big(1)), never());

  await expect(first.pending).resolves.toEqual({ all: { kind: 'sent' } });
  receiver.connections[0]?.socket.resetAndDestroy();
  await expect(second.pending).resolves.toMatchObject({ all: { kind: 'uncertain' } });
});

it('does not call sent what the receiver has not taken, however much follows', async () => {
  await using receiver = await listen();
  let outstanding = 50_000;
  const files = { ...systemSeams().files, readFile: (async () => kernelTable(receiver, outstanding)) as never };
  await using sink = await openSink(
    syslog,
    { address: `tcp://127.0.0.1:${receiver.port}`, resend_window: 1, max_message: '64KiB' },
    { seams: { ...systemSeams(), files } },
  );
  const batch = batchOf(sink, [outgoing({ body: 'x'.repeat(10_000) })]);
  let isSettled = false;
  const first = (await sink.send(batch, never())) as Pending;
  void first.pending.then(() => {
    isSettled = true;
  });

  for (let at = 0; at < 4; at += 1) await sink.send(batch, never());
  const before = isSettled;
  outstanding = 0;
  await sink.send(batch, never());

  await expect(first.pending).resolves.toEqual({ all: { kind: 'sent' } });
  expect(before).toBe(false);
});

it('answers retry when nobody listens', async () => {
  const closed = await listen();
  await closed[Symbol.asyncDispose]();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${closed.port}` });

  const answer = await sink.send(batchOf(sink, numbered(1)), never());

  expect(answer).toMatchObject({ all: { kind: 'retry', reason: expect.stringContaining('ECONNREFUSED') as string } });
});

it('connects again after the receiver closed an idle connection', async () => {
  await using receiver = await listen((socket: net.Socket) =>
    socket.once('data', () => receiver.connections.length === 1 && socket.end()),
  );
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` });
  const first = (await sink.send(batchOf(sink, numbered(1)), never())) as Pending;

  await expect(first.pending).resolves.toMatchObject({ all: { kind: 'uncertain' } });
  await sink.send(batchOf(sink, numbered(1)), never());

  await until(() => receiver.connections[1]?.bytes().length ?? 0);
  expect(receiver.connections.map((connection) => connection.bytes().length > 0)).toEqual([true, true]);
});

it('gives up a write that stands still for 30 s', async () => {
  await using receiver = await listen((socket) => socket.pause());
  const { seams, advance } = manualClock();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, max_message: '20MB' }, { seams });
  const big = 'x'.repeat(19_000_000);

  const answer = sink.send(batchOf(sink, [outgoing({ body: big })]), never());
  await until(() => receiver.connections.length);
  advance(10_000);
  advance(20_000);

  await expect(answer).resolves.toMatchObject({ all: { kind: 'uncertain', reason: expect.stringContaining('30 s') as string } });
});

it('gives up a connection whose octets nobody acknowledges for 30 s', async () => {
  await using receiver = await listen();
  const { seams, advance } = manualClock();
  // As after a pulled cable.
  const files = { ...seams.files, readFile: (async () => kernelTable(receiver, 512)) as never };
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams: { ...seams, files } });
  const answer = (await sink.send(batchOf(sink, numbered(1)), never())) as Pending;
  let verdicts: unknown;
  void answer.pending.then((settled) => {
    verdicts = settled;
  });
  await until(() => receiver.connections[0]?.bytes().length ?? 0);

  for (let seconds = 0; seconds < 50; seconds += 10) {
    advance(10_000);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }

  expect(verdicts).toMatchObject({
    all: { kind: 'uncertain', reason: expect.stringContaining('acknowledged nothing') as string },
  });
});

it('recycles the connection after an hour with a clean end', async () => {
  await using receiver = await listen();
  const { seams, advance } = manualClock();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` }, { seams });
  await sink.send(batchOf(sink, numbered(1)), never());
  advance(3_600_000);

  await sink.send(batchOf(sink, numbered(1, 1)), never());

  await until(() => receiver.connections.length === 2);
  expect(receiver.connections[0]?.ended()).toBe(true);
});

it('proves in a probe that the receiver can be reached', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}` });

  const report = await sink.probe(never());

  expect(report).toEqual({
    ok: true,
    findings: [
      `connected to tcp://127.0.0.1:${receiver.port} (127.0.0.1)`,
      'plain syslog acknowledges nothing: delivery is reported as unconfirmed',
    ],
  });
});
