import { PassThrough, Writable } from 'node:stream';
import { expect, it } from 'vitest';
import type { Sink } from '../../src/sinks/sink.ts';
import { openLines, readableLine } from '../../src/sinks/stdout/index.ts';
import { batchOf, never, numbered, outgoing } from './sink-bench.ts';

const open = (stream: Writable): Sink => openLines(stream, ({ body }) => body);

it('writes one line per event', async () => {
  const stream = new PassThrough();
  await using sink = open(stream);

  const verdicts = await sink.send(batchOf(sink, numbered(2)), never());

  expect(verdicts).toEqual({ all: { kind: 'accept' } });
  expect(String(stream.read())).toBe(
    numbered(2)
      .map(({ body }) => `${body}\n`)
      .join(''),
  );
});

it('waits for a reader that is slow', async () => {
  let takeIt = (): void => undefined;
  const stream = new Writable({ write: (_chunk, _encoding, done) => void (takeIt = done) });
  await using sink = open(stream);
  let settled = false;

  const answer = Promise.resolve(sink.send(batchOf(sink, numbered(1)), never())).then((verdicts) => {
    settled = true;
    return verdicts;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  takeIt();

  await expect(answer).resolves.toEqual({ all: { kind: 'accept' } });
});

it('stops waiting when its time is over', async () => {
  const controller = new AbortController();
  await using sink = open(new Writable({ write: () => undefined }));

  const answer = sink.send(batchOf(sink, numbered(1)), controller.signal);
  controller.abort(new Error('time is over'));

  await expect(answer).rejects.toThrow('time is over');
});

it('writes a batch once, however often a reader that stands still makes it come again, and what follows after it', async () => {
  const written: string[] = [];
  let takeIt = (): void => undefined;
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      takeIt = done;
    },
  });
  await using sink = open(stream);
  const [batch, next] = [batchOf(sink, numbered(1)), { ...batchOf(sink, numbered(2)), id: 'another' }];
  const cutOff = (each: typeof batch) => {
    const controller = new AbortController();
    const answer = sink.send(each, controller.signal);
    controller.abort(new DOMException('no answer within 30000 ms', 'TimeoutError'));
    return answer;
  };

  const early = [await cutOff(batch), await cutOff(batch), await cutOff(next)];
  const late = Promise.resolve(sink.send(batch, never()));
  takeIt();

  const reason = 'standard output takes nothing: whoever reads it stands still';
  const standsStill = { all: { kind: 'retry', reason } };
  expect(early).toEqual([{ all: { kind: 'uncertain', reason, blameless: true } }, standsStill, standsStill]);
  expect(await late).toEqual({ all: { kind: 'accept' } });
  expect(written).toEqual([`${numbered(1)[0]?.body}\n`]);
});

it.each([
  ['comes again', []],
  ['comes again behind another', ['another']],
  ['comes again behind several others', ['another', 'one more']],
] as const)('writes a batch once that a reader takes after its time was over, where it %s', async (_, others) => {
  const written: string[] = [];
  let takeIt = (): void => undefined;
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      if (written.length === 1) takeIt = done;
      else done();
    },
  });
  await using sink = open(stream);
  const batch = batchOf(sink, numbered(1));
  const controller = new AbortController();
  const early = sink.send(batch, controller.signal);
  controller.abort(new DOMException('no answer within 30000 ms', 'TimeoutError'));
  const first = await early;
  takeIt();
  await new Promise((resolve) => setImmediate(resolve));

  const between = [];
  for (const id of others) between.push(await sink.send({ ...batchOf(sink, numbered(2)), id }, never()));
  const again = await sink.send(batch, never());

  expect(first).toMatchObject({ all: { kind: 'uncertain', blameless: true } });
  expect([...between, again]).toEqual([...others, 'it'].map(() => ({ all: { kind: 'accept' } })));
  expect(written).toHaveLength(1 + others.length);
});

it('holds when nobody reads any more', async () => {
  const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  await using sink = open(new Writable({ write: (_chunk, _encoding, done) => done(gone) }));

  const first = await sink.send(batchOf(sink, numbered(1)), never());
  const second = await sink.send(batchOf(sink, numbered(1)), never());

  expect([first, second]).toMatchObject([{ all: { kind: 'hold' } }, { all: { kind: 'hold' } }]);
  await expect(sink.probe(never())).resolves.toMatchObject({ ok: false });
});

it('retries another fault of the stream', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  await using sink = open(new Writable({ write: (_chunk, _encoding, done) => done(full) }));

  await expect(sink.send(batchOf(sink, numbered(1)), never())).resolves.toEqual({
    all: { kind: 'retry', reason: 'standard output: ENOSPC: no space left' },
  });
});

it('shows a person what happened, by whom and from where, and lets no text move the cursor', () => {
  const event = outgoing({ actionKey: 'user.login' });
  const shown = readableLine({
    ...event,
    event: { ...event.event, status_id: 2, actor: { user: { name: 'ann\x1b[2J\n' } }, src_endpoint: { ip: '192.0.2.1' } },
  });

  expect(shown).toBe('2026-11-21T09:45:00.123Z  acme              info      user.login  FAILED  by ann [2J   from 192.0.2.1');
});
