import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Verdicts } from '../../src/sinks/sink.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { createRelpParser, nextTxnr, relpFrame } from '../../src/sinks/syslog/relp-session.ts';
import { listen } from './receiver.ts';
import { listenRelp, ok, opened } from './relp-receiver.ts';
import { batchOf, kindsOf, manualClock, never, numbered, openSink, until } from './sink-bench.ts';

it('reads frames however they were split on the way', () => {
  const frames = fc.array(fc.record({ txnr: fc.integer({ min: 0, max: 999_999_999 }), text: fc.string({ unit: 'binary' }) }), {
    maxLength: 5,
  });

  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 20 }), (sent, step) => {
      const bytes = Buffer.from(sent.map(({ txnr, text }) => relpFrame(txnr, 'rsp', text)).join(''));
      const parser = createRelpParser();
      const got = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) =>
        parser.push(bytes.subarray(at * step, (at + 1) * step)),
      ).flat();

      expect(got.map(({ txnr, data }) => ({ txnr, text: data.toString() }))).toEqual(
        sent.map(({ txnr, text }) => ({ txnr, text: Buffer.from(text).toString() })),
      );
    }),
  );
});

it.each(['HTTP/1.1 400 Bad Request\r\n', '1 rsp 999999999 x', '1 rsp 2 abc\n', '1 rsp 5\nhello', '\n', ' 1 rsp 0\n'])(
  'refuses %j as RELP',
  (text) => {
    expect(() => createRelpParser().push(Buffer.from(text))).toThrow(/receiver/);
  },
);

it('counts transactions to 999999999 and begins again at 1', () => {
  expect([nextTxnr(0), nextTxnr(999_999_998), nextTxnr(999_999_999)]).toEqual([1, 999_999_999, 1]);
});

it('opens, numbers each frame, and closes', async () => {
  await using receiver = await listenRelp(ok);
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  await sink.send(batchOf(sink, numbered(3)), never());
  await sink.flush?.(never());

  expect(receiver.sessions.map((frames) => frames.map(({ txnr, command }) => `${txnr} ${command}`))).toEqual([
    ['1 open', '2 syslog', '3 syslog', '4 syslog', '5 close'],
  ]);
  expect(receiver.sessions[0]?.[0]?.data).toBe(
    'relp_version=0\nrelp_software=penstock,0.0.0,https://www.rsyslog.com/doc/relp.html\ncommands=syslog',
  );
});

it('accepts only what was answered with 200', async () => {
  await using receiver = await listenRelp(({ command, data }) => {
    if (command === 'open') return opened;
    return data.includes('e000001') ? '500 cannot take that' : '200 OK';
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const verdicts = await sink.send(batchOf(sink, numbered(3)), never());

  expect(verdicts).toEqual({
    each: [
      { kind: 'accept' },
      { kind: 'event', code: 'relp_500', reason: 'the receiver answered 500 "cannot take that"' },
      { kind: 'accept' },
    ],
  });
});

it('never has more than 128 unanswered frames, and goes on as answers come', async () => {
  let held: (() => void)[] = [];
  await using receiver = await listenRelp(({ txnr, command }, socket) => {
    if (command !== 'syslog') return opened;
    held.push(() => socket.write(`${txnr} rsp 6 200 OK\n`));
    return undefined;
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });
  const answer = sink.send(batchOf(sink, numbered(300)), never());
  const waiting: number[] = [];

  for (let answered = 0; answered < 300; ) {
    await until(() => held.length > 0);
    waiting.push(held.length);
    const now = held;
    held = [];
    answered += now.length;
    for (const release of now) release();
  }

  await expect(answer).resolves.toEqual({ each: Array.from({ length: 300 }, () => ({ kind: 'accept' })) });
  expect(Math.max(...waiting)).toBeLessThanOrEqual(128);
});

it('says per event what became of it when the session breaks', async () => {
  await using receiver = await listenRelp(({ command, txnr }, socket) => {
    if (command === 'open') return opened;
    if (txnr <= 11) return '200 OK';
    if (txnr === 60) socket.destroy();
    return undefined;
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const verdicts = (await sink.send(batchOf(sink, numbered(300)), never())) as Verdicts;

  const kinds = kindsOf(verdicts, 300);
  const [accepted, uncertain, retried] = ['accept', 'uncertain', 'retry'].map(
    (kind) => kinds.filter((each) => each === kind).length,
  );
  expect(kinds.join(' ')).toMatch(/^(accept )+(uncertain )+(retry ?)+$/);
  expect(accepted).toBeLessThanOrEqual(10);
  expect(uncertain).toBeLessThanOrEqual(128);
  expect(retried).toBeGreaterThanOrEqual(162);
});

it('has one frame under way where a batch is sent with care, so that the one that breaks the session is known', async () => {
  await using receiver = await listenRelp(({ command, data }, socket) => {
    if (command === 'open') return opened;
    if (data.includes('e000001')) socket.destroy();
    return '200 OK';
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const verdicts = (await sink.send({ ...batchOf(sink, numbered(4)), careful: true }, never())) as Verdicts;

  expect(kindsOf(verdicts, 4)).toEqual(['accept', 'uncertain', 'retry', 'retry']);
  expect('each' in verdicts && verdicts.each[1]).toMatchObject({ suspect: true });
});

it('waits as long as a receiver goes on answering, however slowly', async () => {
  const answers: (() => void)[] = [];
  await using receiver = await listenRelp(({ command, txnr }, socket) => {
    if (command !== 'syslog') return command === 'open' ? opened : '200 OK';
    answers.push(() => void socket.write(`${txnr} rsp 6 200 OK\n`));
    return undefined;
  });
  const { seams, advance } = manualClock();
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` }, { seams });
  let isOver = false;
  const sending = sink.send({ ...batchOf(sink, numbered(4)), careful: true }, never()).finally(() => {
    isOver = true;
  });

  for (let count = 1; count <= 4; count += 1) {
    await until(() => isOver || answers.length === count);
    advance(20_000);
    answers[count - 1]?.();
  }

  expect(kindsOf((await sending) as Verdicts, 4)).toEqual(['accept', 'accept', 'accept', 'accept']);
});

it('holds when the receiver refuses the session', async () => {
  await using receiver = await listenRelp(() => '500 no syslog here');
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

  expect(verdicts).toMatchObject({ all: { kind: 'hold', reason: expect.stringContaining('500 "no syslog here"') as string } });
  await expect(sink.probe(never())).resolves.toMatchObject({
    ok: false,
    fix: expect.stringContaining('RELP version 0') as string,
  });
});

it('retries when the other side is no RELP receiver', async () => {
  await using receiver = await listen((socket) => socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')));
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

  expect(verdicts).toMatchObject({
    all: { kind: 'retry', reason: expect.stringContaining('does not answer in RELP') as string },
  });
});

it('gives up a receiver that answers nothing for 30 s', async () => {
  const { seams, advance } = manualClock();
  await using receiver = await listenRelp(({ command }) => (command === 'open' ? opened : undefined));
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` }, { seams });

  const answer = sink.send(batchOf(sink, numbered(2)), never());
  await until(() => receiver.sessions[0]?.length === 3);
  advance(30_000);

  await expect(answer).resolves.toMatchObject({
    each: [{ kind: 'uncertain' }, { kind: 'uncertain', reason: 'the receiver answered nothing for 30 s' }],
  });
});

it('answers with what is known when its time is over', async () => {
  const controller = new AbortController();
  await using receiver = await listenRelp(({ command, txnr }) => {
    if (txnr === 4) controller.abort(new Error('time is over'));
    return command === 'open' ? opened : txnr === 2 ? '200 OK' : undefined;
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const verdicts = (await sink.send(batchOf(sink, numbered(3)), controller.signal)) as Verdicts;

  expect(kindsOf(verdicts, 3).slice(1)).toEqual(['uncertain', 'uncertain']);
});

it('begins a new session after the receiver said serverclose', async () => {
  await using receiver = await listenRelp(({ command }, socket, connection) => {
    if (command === 'syslog' && connection === 0) socket.end('0 serverclose 0\n');
    return command === 'syslog' && connection === 0 ? undefined : opened;
  });
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  const first = (await sink.send(batchOf(sink, numbered(1)), never())) as Verdicts;
  const second = (await sink.send(batchOf(sink, numbered(1)), never())) as Verdicts;

  expect([kindsOf(first, 1), kindsOf(second, 1)]).toEqual([['uncertain'], ['accept']]);
});

it('proves in a probe that the receiver takes syslog', async () => {
  await using receiver = await listenRelp(ok);
  await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${receiver.port}` });

  await expect(sink.probe(never())).resolves.toEqual({
    ok: true,
    findings: [`connected to relp://127.0.0.1:${receiver.port} (127.0.0.1)`, 'RELP session opened, syslog accepted'],
  });
});
