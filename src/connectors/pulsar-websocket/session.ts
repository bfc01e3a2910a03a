// One connection: receiving -> handing over (a batch at a time) -> acknowledged; ends when the socket closes, goes silent or is aborted.
import type { WebSocket } from 'ws';
import { type Clock, sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import type { StreamMessage } from '../connector.ts';
import { readFrameBytes } from './frame.ts';

const pingMs = 30_000;
const deadMs = 90_000;
/**
 * A broker that deletes a topic leaves the connections of its consumers open, and nothing ever comes on them again, not even when the topic
 * is closed and opened again (seen with Pulsar 3.0.7). Only connecting again shows it.
 */
const quietMs = 300_000;
const goodbyeMs = 1_000;
const batchMessages = 500;
/** A batch is parsed, stored and compressed at once: larger ones only cost memory. One message may be larger than all of these. */
const batchBytes = 2 * 1024 * 1024;
const largestQueueBytes = 8 * 1024 * 1024;
/** A message takes so much memory beside its bytes: of empty ones there would be millions. */
const besideBytes = 1024;

/** So much may wait for a broker that reads none of what is acknowledged; it chooses the ids. */
const largestUnread = 4 * 1024 * 1024;

/** Why a session ended that was quiet for so long that it reconnects, which is not a fault. */
export const renewal = 'no message for a while, reconnecting';

interface SessionHandlers {
  /** Makes the messages durable; they are acknowledged after it resolved. */
  commit(messages: readonly StreamMessage[]): Promise<void>;
  /** Publish time of the oldest message not yet acknowledged. */
  onBacklog(oldest: number | undefined): void;
}

interface Queued {
  readonly message: StreamMessage;
  readonly bytes: number;
}

/** Receives until the connection ends; resolves with why. Rejects with what `commit` throws, and with PEN_SOURCE_REFUSED. */
export async function runSession(
  socket: WebSocket,
  topic: string,
  handlers: SessionHandlers,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  const session = new Session(socket, topic, handlers, clock);
  return session.run(signal);
}

class Session {
  readonly #socket: WebSocket;
  readonly #topic: string;
  readonly #handlers: SessionHandlers;
  readonly #clock: Clock;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #heard: number;
  #lastMessage: number;
  #ending: string | undefined;
  #invalidCode: number | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket, topic: string, handlers: SessionHandlers, clock: Clock) {
    this.#socket = socket;
    this.#topic = topic;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#heard = clock.monotonic();
    this.#lastMessage = this.#heard;
  }

  async run(signal: AbortSignal): Promise<string> {
    const socket = this.#socket;
    const onAbort = (): void => this.#end('stopped');
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    socket.on('message', (data) => this.#receive(data));
    socket.on('ping', () => this.#hear());
    socket.on('pong', () => this.#hear());
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', (code, reason) => this.#end(closeWords(code, reason.toString('utf8'))));
    if (socket.readyState !== socket.OPEN) this.#end('the connection was closed');
    using _beat = this.#beat();
    socket.resume();
    try {
      await this.#pump();
    } finally {
      signal.removeEventListener('abort', onAbort);
      await this.#close();
    }
    if (this.#invalidCode === 5 || this.#invalidCode === 6) {
      throw new PenstockError('PEN_SOURCE_REFUSED', `topic ${this.#topic}: ${closeWords(this.#invalidCode, '')}`, {
        fix: 'renew the token, or allow it to consume from the topic',
      });
    }
    return this.#ending ?? 'the connection was closed';
  }

  // A clean end lets the last acknowledgements out; a broken one is not waited for.
  async #close(): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState === socket.OPEN) {
      const closed = new Promise((resolve) => {
        socket.once('close', resolve);
      });
      socket.resume();
      socket.close(1000);
      await Promise.race([closed, sleep(this.#clock, goodbyeMs)]);
    }
    socket.terminate();
  }

  #hear(): void {
    this.#heard = this.#clock.monotonic();
  }

  #end(why: string): void {
    this.#ending ??= why;
    this.#wake();
  }

  #endDeaf(): void {
    if (this.#socket.bufferedAmount <= largestUnread) return;
    this.#end('the broker reads nothing of what it is sent');
    this.#socket.terminate();
  }

  // The protocol closes with codes 1 to 8, which RFC 6455 forbids: the client library reports them as an error that names the code.
  #fail(error: Error): void {
    const code = /invalid status code (\d+)/i.exec(error.message)?.[1];
    if (code !== undefined) this.#invalidCode = Number(code);
    this.#end(code === undefined ? error.message : closeWords(Number(code), ''));
  }

  #receive(data: unknown): void {
    this.#hear();
    this.#lastMessage = this.#heard;
    if (!Buffer.isBuffer(data)) return;
    const message = readFrameBytes(this.#topic, data);
    if (message === undefined) return;
    const bytes = data.length + besideBytes;
    this.#queue.push({ message, bytes });
    this.#queuedBytes += bytes;
    // The broker stops at the queue size it was given; this stops one that does not.
    if (this.#queuedBytes > largestQueueBytes) this.#socket.pause();
    this.#wake();
  }

  /** A ping at intervals, and the end of a connection from which nothing comes. */
  #beat(): Disposable {
    let timer: Disposable | undefined;
    const beat = (): void => {
      if (this.#queue.length === 0 && this.#clock.monotonic() - this.#lastMessage > quietMs) {
        this.#end(renewal);
        return;
      }
      if (!this.#socket.isPaused && this.#clock.monotonic() - this.#heard > deadMs) {
        this.#end(`nothing was heard for ${deadMs / 1000} s`);
        return;
      }
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
      timer = this.#clock.timer(pingMs, beat);
    };
    timer = this.#clock.timer(pingMs, beat);
    return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
  }

  async #pump(): Promise<void> {
    while (this.#ending === undefined) {
      const batch = firstBatch(this.#queue);
      if (batch.length === 0) {
        await this.#more();
        continue;
      }
      this.#handlers.onBacklog(oldestOf(this.#queue));
      await this.#handlers.commit(batch.map(({ message }) => message));
      this.#acknowledge(batch);
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #acknowledge(batch: readonly Queued[]): void {
    this.#queue = this.#queue.slice(batch.length);
    for (const { message, bytes } of batch) {
      this.#queuedBytes -= bytes;
      if (message.messageId !== '' && this.#socket.readyState === this.#socket.OPEN)
        this.#socket.send(JSON.stringify({ messageId: message.messageId }));
    }
    this.#endDeaf();
    if (this.#socket.isPaused && this.#queuedBytes < largestQueueBytes / 2) {
      this.#hear();
      this.#socket.resume();
    }
    this.#handlers.onBacklog(oldestOf(this.#queue));
  }
}

function firstBatch(queue: readonly Queued[]): Queued[] {
  const batch: Queued[] = [];
  let size = 0;
  for (const queued of queue) {
    size += queued.bytes;
    if (batch.length > 0 && (batch.length === batchMessages || size > batchBytes)) break;
    batch.push(queued);
  }
  return batch;
}

function oldestOf(queue: readonly Queued[]): number | undefined {
  let oldest: number | undefined;
  for (const { message } of queue)
    if (message.publishTime !== undefined && message.publishTime < (oldest ?? Infinity)) oldest = message.publishTime;
  return oldest;
}

const closeMeanings: Readonly<Record<number, string>> = {
  1: 'the broker could not make a producer',
  2: 'the broker could not subscribe',
  3: 'the broker could not read what we sent',
  4: 'the broker could not write a message',
  5: 'the broker did not accept the token',
  6: 'the token may not consume from the topic',
  7: 'the broker could not encode a payload',
  8: 'the broker met an unknown error',
  1006: 'the connection was cut',
  1009: 'a frame was larger than allowed',
};

function closeWords(code: number, reason: string): string {
  const meaning = closeMeanings[code] ?? 'the broker closed the connection';
  const said = reason.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, 200);
  return `${meaning} (close code ${code}${said === '' ? '' : `, "${said}"`})`;
}
