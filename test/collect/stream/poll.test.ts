import { expect, it } from 'vitest';
import { sleep } from '../../../src/base/clock.ts';
import { startSource } from '../../../src/collect/index.ts';
import type { StreamHandlers, StreamMessage, StreamReader } from '../../../src/connectors/connector.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, hour, minute, never, noon, refused, row, said, settings } from '../fixture.ts';

/** A broker: pushes what the test says and notes what was acknowledged. */
function broker() {
  const self = {
    acknowledged: [] as string[],
    opened: 0,
    refuse: false,
    isOutdated: false,
    handlers: undefined as StreamHandlers | undefined,
    open: (): Promise<StreamReader> => {
      self.opened += 1;
      const number = self.opened;
      return Promise.resolve({
        kind: 'pulsar_websocket' as const,
        async run(handlers: StreamHandlers, signal: AbortSignal) {
          if (self.refuse) throw refused(401);
          self.handlers = handlers;
          handlers.onState({ topic: 't', connected: true });
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        },
        isOutdated: () => Promise.resolve(self.isOutdated && number === 1),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
    async push(messages: StreamMessage[]): Promise<void> {
      await self.handlers?.onMessages(messages);
      self.acknowledged.push(...messages.map(({ messageId }) => messageId));
    },
  };
  return self;
}

const message = (messageId: string, ids: string[], redelivered = false): StreamMessage => ({
  topic: 't',
  messageId,
  publishTime: noon,
  redelivered,
  records: ids.map((id, i) => ({ value: row(id, noon - minute), id: i === 0 ? messageId : `${messageId}#${i + 1}` })),
});

const stream = settings({}, {}, 'pulsar_websocket');

async function streaming() {
  const clock = at(noon);
  const memory = memoryJournal();
  const server = broker();
  const { deps, lines } = bench(clock, memory.journal, server.open);
  const loop = startSource(stream, deps);
  loop.start();
  await clock.advance(10);
  return { clock, memory, server, loop, lines };
}

it('acknowledges only what is committed', async () => {
  const { clock, memory, server, loop } = await streaming();
  const before: string[] = [];
  const append = memory.journal.append.bind(memory.journal);
  memory.journal.append = (commit) => {
    before.push(...server.acknowledged);
    return append(commit);
  };

  await clock.until(server.push([message('m1', ['a', 'b'])]));

  expect(before).toEqual([]);
  expect(server.acknowledged).toEqual(['m1']);
  expect(memory.records.map(({ record }) => (record as { id: string }).id)).toEqual(['a', 'b']);
  expect(loop.status()).toMatchObject({
    state: 'polling',
    last_success: clock.now(),
    cursor: noon - minute,
    details: { topics: { t: { connected: true, since: noon, backlog_age_seconds: 0 } } },
  });
  await loop[Symbol.asyncDispose]();
});

it('filters a redelivered message by its id, and keeps equal messages with other ids', async () => {
  const { clock, memory, server, loop } = await streaming();

  await clock.until(server.push([message('m1', ['a']), message('m2', ['a'])]));
  await clock.until(server.push([message('m1', ['a'], true)]));

  expect(memory.records.length).toBe(2);
  expect(loop.status().records).toMatchObject({ fetched: 3, new: 2, duplicate: 1 });
  await loop[Symbol.asyncDispose]();
});

it('counts by the hour of receipt and completes an hour when the next begins', async () => {
  const { clock, memory, server, loop } = await streaming();
  await clock.until(server.push([message('m1', ['a'])]));
  await clock.advance(hour);

  await clock.until(server.push([message('m2', ['b'])]));

  expect(
    [...memory.disk.windows.values()].map(({ key, from, to, fetched, complete }) => ({ key, from, to, fetched, complete })),
  ).toEqual([
    { key: 'received 2026-11-21T12', from: noon, to: noon + hour - 1, fetched: 1, complete: true },
    { key: 'received 2026-11-21T13', from: noon + hour, to: noon + 2 * hour - 1, fetched: 1, complete: false },
  ]);
  await loop[Symbol.asyncDispose]();
});

it('leaves messages unacknowledged while the journal is full or fails, and commits them later', async () => {
  const { clock, memory, server, loop } = await streaming();
  memory.room = false;
  const pushed = server.push([message('m1', ['a'])]);
  await clock.advance(minute);
  const whileFull = [...server.acknowledged];
  const append = memory.journal.append.bind(memory.journal);
  let failures = 2;
  memory.journal.append = (commit) => (failures-- > 0 ? Promise.reject(new Error('disk')) : append(commit));
  memory.room = true;

  await clock.until(pushed);

  expect(whileFull).toEqual([]);
  expect(server.acknowledged).toEqual(['m1']);
  expect(memory.records.length).toBe(1);
  await loop[Symbol.asyncDispose]();
});

it('holds when it is refused and goes on by itself with fresh secrets', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const server = broker();
  server.refuse = true;
  await using loop = startSource(stream, bench(clock, memory.journal, server.open).deps);
  loop.start();
  await clock.advance(minute);
  const held = loop.status().state;
  server.refuse = false;
  await clock.advance(2 * minute);

  expect(held).toBe('hold');
  expect(loop.status()).toMatchObject({ state: 'polling', consecutive_failures: 0 });
  expect(memory.held.size).toBe(0);
  expect(server.opened).toBeGreaterThan(3);
});

it('opens another reader where a topic is away and secrets or certificates have been replaced', async () => {
  const { clock, server, loop, lines } = await streaming();
  server.handlers?.onState({ topic: 't', connected: false, error: 'no TLS' });
  await clock.advance(minute);
  const before = server.opened;
  server.isOutdated = true;
  server.handlers?.onState({ topic: 't', connected: false, error: 'no TLS' });

  await clock.advance(minute);

  expect([before, server.opened]).toEqual([1, 2]);
  expect(loop.status()).toMatchObject({ state: 'polling', details: { topics: { t: { connected: true } } } });
  expect(said(lines, 'poll failed, secrets and certificates are read again')).toMatchObject([
    { err: { message: 'topic t is not connected: no TLS' } },
  ]);
  await loop[Symbol.asyncDispose]();
});

it('warns of a topic that is away for minutes, and shows the oldest unacknowledged message', async () => {
  const { clock, server, loop, lines } = await streaming();
  server.handlers?.onState({ topic: 't', connected: true, oldestUnacked: noon - hour });
  const { details: connected, warnings } = loop.status();
  server.handlers?.onState({ topic: 't', connected: false, error: 'closed with 1006' });
  await clock.advance(6 * minute);

  expect(connected).toEqual({
    topics: { t: { connected: true, since: noon, oldest_unacked: noon - hour, backlog_age_seconds: 3600 } },
  });
  expect(warnings).toEqual([
    "topic t: the oldest message that is not acknowledged waits for 1h; a full backlog stops the vendor's export",
  ]);
  expect(loop.status().warnings).toEqual(['topic t is not connected for 6m: closed with 1006']);
  expect(said(lines, 'topic disconnected, it is tried again').length).toBe(1);
  await loop[Symbol.asyncDispose]();
});

it('ends `run --once` when nothing more comes', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const server = broker();
  const loop = startSource(stream, bench(clock, memory.journal, server.open).deps);
  const once = loop.pollOnce(never);
  await clock.advance(1000);
  await server.push([message('m1', ['a'])]);

  await clock.until(once, 10_000);

  expect(memory.records.length).toBe(1);
});

/** A broker whose topic `a` connects, and whose topic `b` is refused a moment later. */
function half(clock: ReturnType<typeof at>, push: boolean) {
  const self = { refuse: true, acknowledged: 0, open: (): Promise<StreamReader> => Promise.resolve(reader) };
  const reader = {
    kind: 'pulsar_websocket' as const,
    async run(handlers: StreamHandlers, signal: AbortSignal) {
      handlers.onState({ topic: 'a', connected: true });
      if (push) {
        await handlers.onMessages([message('m1', ['a'])]);
        self.acknowledged += 1;
      }
      await sleep(clock, 1000, signal).catch(() => undefined);
      if (self.refuse) throw refused(401);
      handlers.onState({ topic: 'b', connected: true });
      if (!signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return self;
}

it.each([false, true])('stays on hold while one topic of two is refused (messages of the other: %s)', async (push) => {
  const clock = at(noon);
  const server = half(clock, push);
  const { deps, lines } = bench(clock, memoryJournal().journal, server.open);
  await using loop = startSource(stream, deps);
  loop.start();
  await clock.advance(10 * minute);
  const held = loop.status();
  server.refuse = false;

  await clock.advance(6 * minute);

  expect(held).toMatchObject({ state: 'hold', hold: { reason: 'the vendor answered 401' } });
  expect(said(lines, 'source on hold: it waits for a person, nothing is lost').length).toBe(1);
  expect(said(lines, 'hold ended, collection goes on').length).toBe(1);
  expect(loop.status()).toMatchObject({ state: 'polling', consecutive_failures: 0 });
});

it('takes a failed stream for healthy as soon as messages are committed', async () => {
  const clock = at(noon);
  const server = broker();
  const { deps } = bench(clock, memoryJournal().journal, server.open);
  let isBroken = true;
  const open = async (): Promise<StreamReader> => {
    const reader = await server.open();
    return {
      ...reader,
      run: (handlers, signal) => (isBroken ? Promise.reject(new Error('no route')) : reader.run(handlers, signal)),
    };
  };
  await using loop = startSource(stream, { ...deps, openReader: open });
  loop.start();
  await clock.advance(10 * minute);
  const failing = loop.status();
  isBroken = false;
  while (server.handlers === undefined) await clock.advance(1000);

  await clock.until(server.push([message('m1', ['a'])]));

  expect(failing.state).toBe('failing');
  expect(failing.consecutive_failures).toBeGreaterThan(2);
  expect(loop.status()).toMatchObject({ state: 'polling', consecutive_failures: 0, last_success: clock.now() });
});
