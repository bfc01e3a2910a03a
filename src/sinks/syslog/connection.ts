// One connection to a receiver. States: open -> closing (we ended it) -> ended, or open -> ended (the peer, an error or a stall did). A peer
// that took all of it and keeps its side open makes closing last for a minute.
import type net from 'node:net';
import { unlessCutOff } from '../../base/abort.ts';
import { type Clock, deadline } from '../../base/clock.ts';

/** How long a write may stand still before the peer counts as gone. */
export const stallMs = 30_000;
/** How long the peer may take to end its side after we ended ours. */
export const closeTimeoutMs = 5000;
/** How long what the peer's machine took is waited for a complaint until it counts as sent. */
export const confirmAfterMs = 60_000;

/** Without a write for so long, a peer that ends its side does not do so because of what it read last. */
const idleMs = 5000;

/**
 * How a connection ended. `clean`: the peer has read everything, for we ended it and it followed without an error, or it ended an idle one
 * whose octets its machine had all taken, or kept its own side open for {@link confirmAfterMs} after it had taken all of it and our end.
 */
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
  /**
   * Ends our side (TLS: with close_notify) and waits at most {@link closeTimeoutMs} for the peer to end its own. Undefined: it keeps it open,
   * and its machine has taken all that was written.
   */
  close(signal?: AbortSignal): Promise<Ending | undefined>;
  /** Gives the connection up at once. */
  abandon(reason: string): void;
}

/** Octets that the peer's machine has not taken yet; undefined where that cannot be known. */
type Outstanding = () => Promise<number | undefined>;

/** Watches a connected socket. `onData` gets what the peer says; it is read all the time, so that its end is noticed. */
export function watchConnection(
  socket: net.Socket,
  clock: Clock,
  onData: (chunk: Buffer) => void,
  outstanding?: Outstanding,
): Connection {
  return new WatchedConnection(socket, clock, onData, outstanding);
}

class WatchedConnection implements Connection {
  readonly socket: net.Socket;
  readonly openedAt: number;
  readonly ended: Promise<Ending>;
  readonly #clock: Clock;
  readonly #resolve: (ending: Ending) => void;
  readonly #outstanding: Outstanding | undefined;
  #wroteAt: number;
  #ending: Ending | undefined;
  #isClosing = false;
  #isLingering = false;
  #peerEnded = false;

  constructor(socket: net.Socket, clock: Clock, onData: (chunk: Buffer) => void, outstanding: Outstanding | undefined) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.socket = socket;
    this.openedAt = clock.monotonic();
    this.ended = promise;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#outstanding = outstanding;
    this.#wroteAt = this.openedAt;
    socket.on('data', onData);
    socket.on('end', () => {
      this.#peerEnded = true;
      if (!this.#isClosing) void this.#endByPeer();
    });
    socket.on('error', (error) => this.#end({ clean: false, reason: error.message, error }));
    socket.on('close', () => {
      // Whether that was clean is being found out.
      if (this.#peerEnded && !this.#isClosing) return;
      const clean = this.#isClosing && this.#peerEnded;
      this.#end({ clean, reason: clean ? 'closed' : 'the connection was lost' });
    });
  }

  get isOpen(): boolean {
    return this.#ending === undefined && !this.#isClosing && !this.#peerEnded;
  }

  async write(text: string, signal: AbortSignal): Promise<boolean> {
    if (!this.isOpen) return false;
    this.#wroteAt = this.#clock.monotonic();
    if (this.socket.write(text)) return true;
    using limit = deadline(this.#clock, stallMs, signal);
    await Promise.race([drained(this.socket, limit.signal), this.ended]);
    if (this.#ending !== undefined) return false;
    if (!limit.signal.aborted) return true;
    this.abandon(limit.expired ? `the receiver read nothing for ${stallMs / 1000} s` : 'gave up waiting for the receiver');
    return false;
  }

  async close(signal?: AbortSignal): Promise<Ending | undefined> {
    if (this.#isLingering) return this.#ending;
    if (!this.isOpen) return await this.ended;
    this.#isClosing = true;
    this.socket.end();
    using limit = deadline(this.#clock, closeTimeoutMs, signal);
    const ending = await unlessCutOff(this.ended, limit.signal);
    if (ending !== undefined) return ending;
    if (limit.expired && (await this.#outstanding?.()) === 0) this.#linger();
    else this.abandon('the receiver did not close its side');
    return this.#ending;
  }

  #linger(): void {
    this.#isLingering = true;
    const timer = this.#clock.timer(confirmAfterMs, () => {
      this.#end({ clean: true, reason: 'the receiver took all of it and keeps its side open' });
      this.socket.destroy();
    });
    void this.ended.then(() => timer[Symbol.dispose]());
  }

  abandon(reason: string): void {
    this.#end({ clean: false, reason });
  }

  async #endByPeer(): Promise<void> {
    const isIdle = this.#outstanding !== undefined && this.#clock.monotonic() - this.#wroteAt >= idleMs;
    // Our own FIN, which answers the peer's, counts as one octet.
    const isTaken = isIdle && ((await this.#outstanding?.()) ?? 0) <= 1;
    if (isTaken) this.#end({ clean: true, reason: 'the receiver closed the idle connection' });
    else this.abandon('the receiver closed the connection');
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
