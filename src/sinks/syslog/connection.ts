// One connection to a receiver. States: open -> closing (we ended it) -> ended, or open -> ended (the peer, an error or a stall did).
import type net from 'node:net';
import { type Clock, deadline } from '../../base/clock.ts';

/** How long a write may stand still before the peer counts as gone. */
export const stallMs = 30_000;
/** How long the peer may take to end its side after we ended ours. */
export const closeTimeoutMs = 5000;

/** How a connection ended. `clean`: we ended it, and the peer followed without an error, so it has read everything. */
export interface Ending {
  readonly clean: boolean;
  readonly reason: string;
  readonly error?: Error;
}

export interface Connection {
  readonly isOpen: boolean;
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  readonly socket: net.Socket;
  readonly ended: Promise<Ending>;
  /** Writes and waits until the kernel took it. Returns false when the connection ended first; a stall of {@link stallMs} ends it. */
  write(text: string, signal: AbortSignal): Promise<boolean>;
  /** Ends our side (TLS: with close_notify) and waits at most {@link closeTimeoutMs} for the peer to end its own. */
  close(signal?: AbortSignal): Promise<Ending>;
  /** Gives the connection up at once. */
  abandon(reason: string): void;
}

/** Watches a connected socket. `onData` gets what the peer says; it is read all the time, so that its end is noticed. */
export function watchConnection(socket: net.Socket, clock: Clock, onData: (chunk: Buffer) => void): Connection {
  return new WatchedConnection(socket, clock, onData);
}

class WatchedConnection implements Connection {
  readonly socket: net.Socket;
  readonly openedAt: number;
  readonly ended: Promise<Ending>;
  readonly #clock: Clock;
  readonly #resolve: (ending: Ending) => void;
  #ending: Ending | undefined;
  #isClosing = false;
  #peerEnded = false;

  constructor(socket: net.Socket, clock: Clock, onData: (chunk: Buffer) => void) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.socket = socket;
    this.openedAt = clock.monotonic();
    this.ended = promise;
    this.#clock = clock;
    this.#resolve = resolve;
    socket.on('data', onData);
    socket.on('end', () => {
      this.#peerEnded = true;
      if (!this.#isClosing) this.abandon('the receiver closed the connection');
    });
    socket.on('error', (error) => this.#end({ clean: false, reason: error.message, error }));
    socket.on('close', () => {
      const clean = this.#isClosing && this.#peerEnded;
      this.#end({ clean, reason: clean ? 'closed' : 'the connection was lost' });
    });
  }

  get isOpen(): boolean {
    return this.#ending === undefined && !this.#isClosing;
  }

  async write(text: string, signal: AbortSignal): Promise<boolean> {
    if (!this.isOpen) return false;
    if (this.socket.write(text)) return true;
    using limit = deadline(this.#clock, stallMs, signal);
    await Promise.race([drained(this.socket, limit.signal), this.ended]);
    if (this.#ending !== undefined) return false;
    if (!limit.signal.aborted) return true;
    this.abandon(limit.expired ? `the receiver read nothing for ${stallMs / 1000} s` : 'gave up waiting for the receiver');
    return false;
  }

  async close(signal?: AbortSignal): Promise<Ending> {
    if (!this.isOpen) return await this.ended;
    this.#isClosing = true;
    this.socket.end();
    using limit = deadline(this.#clock, closeTimeoutMs, signal);
    const giveUp = (): void => this.abandon('the receiver did not close its side');
    limit.signal.addEventListener('abort', giveUp, { once: true });
    if (limit.signal.aborted) giveUp();
    return await this.ended;
  }

  abandon(reason: string): void {
    this.#end({ clean: false, reason });
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    this.#resolve(this.#ending);
    if (!ending.clean) this.socket.destroy();
  }
}

function drained(socket: net.Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    socket.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
