// TCP as a receiver of syslog or RELP sees it, without a network: what was written travels, is taken by the peer's machine, is read there, and may
// be lost on each of these ways. The real sinks connect with `net.connect`; hosts below `.syslog.test` lead here. Datagrams travel, too: what nobody
// takes is told to whoever sent it.
import dgram from 'node:dgram';
import net from 'node:net';
import { Duplex } from 'node:stream';
import type { Dice } from './dice.ts';
import { minute, type ReceiverFault } from './scenario.ts';
import type { SimTime } from './time.ts';

/** The receiver's end of one connection. */
export interface Peer {
  /** Octets that arrived, cut anywhere; `leftAt`: when they were written, true time. */
  read(bytes: Buffer, leftAt: number): void;
  /** The sender has ended its side. */
  ended(): void;
}

/** What a peer can do. */
export interface Wire {
  /** Sends octets; `onTold` is called when they reach a sender that lives. */
  say(text: string, onTold?: () => void): void;
  /** Ends the receiver's side. */
  end(): void;
}

export interface Network {
  readonly time: SimTime;
  readonly dice: Dice;
  readonly strikes: (kind: ReceiverFault) => boolean;
  readonly isAlive: () => boolean;
  readonly accept: (wire: Wire) => Peer;
}

const networks = new Map<string, Network>();
const sockets = new Map<number, SimSocket>();
let lastPort = 1024;

/** Where a host of the simulation leads from now on. */
export function route(host: string, network: Network): void {
  networks.set(host, network);
}

const connect = net.connect;
net.connect = ((target: { readonly host?: string }, ...rest: readonly unknown[]): net.Socket => {
  const network = networks.get(target.host ?? '');
  if (network === undefined) return Reflect.apply(connect, net, [target, ...rest]);
  return new SimSocket(network) as unknown as net.Socket;
}) as typeof net.connect;

const hex = (value: number): string => value.toString(16).toUpperCase();

/** `/proc/net/tcp` of the machine that runs Penstock. */
export function socketTable(): string {
  return [...sockets.values()]
    .map(
      (s, at) => `${at}: 0100007F:${hex(s.localPort).padStart(4, '0')} 0200007F:0202 01 ${hex(s.outstanding).padStart(8, '0')}:0`,
    )
    .join('\n');
}

const failure = (code: string): Error => Object.assign(new Error(code), { code });

class SimSocket extends Duplex {
  readonly localPort: number;
  readonly remotePort = 514;
  readonly remoteFamily = 'IPv4';
  readonly remoteAddress = '127.0.0.2';
  bytesWritten = 0;
  /** Octets that the peer's machine has not taken. */
  outstanding = 0;
  readonly #net: Network;
  readonly #queue: { readonly bytes: Buffer; readonly leftAt: number }[] = [];
  #peer: Peer | undefined;
  #isCarrying = false;
  #isCut = false;
  #isEnding = false;
  #said = Promise.resolve();

  constructor(network: Network) {
    super({ allowHalfOpen: false });
    this.#net = network;
    lastPort = lastPort === 65_535 ? 1025 : lastPort + 1;
    this.localPort = lastPort;
    sockets.set(lastPort, this);
    void this.#open();
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    // What the peer says is pushed.
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.bytesWritten += bytes.length;
    this.outstanding += bytes.length;
    done();
    if (!this.#net.isAlive()) return;
    this.#queue.push({ bytes, leftAt: this.#net.time.now() });
    void this.#carry();
  }

  override _final(done: () => void): void {
    this.#isEnding = true;
    done();
    void this.#carry();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    sockets.delete(this.localPort);
    // What was written goes on travelling, and the peer is told that nothing follows.
    this.#isEnding = true;
    void this.#carry();
    done(error);
  }

  get #canHear(): boolean {
    return this.#net.isAlive() && !this.destroyed && !this.#isCut;
  }

  #latency(): Promise<void> {
    const { time, dice, strikes } = this.#net;
    return time.wait(strikes('slow') ? dice.between(2_000, 20_000) : dice.between(2, 150));
  }

  async #open(): Promise<void> {
    const { strikes, accept } = this.#net;
    await this.#latency();
    if (!this.#canHear) return;
    if (strikes('down')) {
      this.destroy(failure('ECONNREFUSED'));
      return;
    }
    this.#peer = accept({
      say: (text, onTold) => {
        this.#said = this.#said.then(() => this.#hear(text, onTold));
      },
      end: () => {
        this.#said = this.#said.then(() => this.#latency()).then(() => void (this.#canHear && this.push(null)));
      },
    });
    this.emit('connect');
    if (strikes('busy')) this.push(null);
  }

  async #hear(text: string, onTold?: () => void): Promise<void> {
    await this.#latency();
    if (!this.#canHear) return;
    const bytes = Buffer.from(text);
    const at = this.#net.dice.between(0, bytes.length);
    onTold?.();
    for (const part of [bytes.subarray(0, at), bytes.subarray(at)]) if (part.length > 0) this.push(part);
  }

  async #carry(): Promise<void> {
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    for (let next = this.#queue.shift(); next !== undefined && !this.#isCut; next = this.#queue.shift()) {
      await this.#latency();
      if (!this.#isCut) await this.#deliver(next);
    }
    this.#isCarrying = false;
    if (!this.#isEnding || this.#isCut) return;
    const peer = this.#peer;
    this.#peer = undefined;
    peer?.ended();
  }

  async #deliver({ bytes, leftAt }: { readonly bytes: Buffer; readonly leftAt: number }): Promise<void> {
    const { time, dice, strikes } = this.#net;
    // The receiver does not read, and its machine takes nothing any more.
    while (strikes('never') && !this.destroyed) await time.wait(5_000);
    const isLost = strikes('down') || (strikes('never') && this.destroyed);
    if (isLost) return this.#cut();
    if (strikes('forget')) {
      // Its machine took the octets, and the receiver died before it read them.
      this.outstanding -= bytes.length;
      await time.wait(dice.between(10, 20_000));
      return this.#cut();
    }
    const isHalf = strikes('half');
    this.outstanding -= bytes.length;
    if (strikes('slow')) await time.wait(dice.between(10, 10_000));
    this.#peer?.read(isHalf ? bytes.subarray(0, dice.between(0, bytes.length - 1)) : bytes, leftAt);
    if (isHalf || strikes('lost_answer')) return this.#cut();
    if (strikes('partial')) void this.#closeWhenIdle();
  }

  /** A receiver that ends a connection on which nothing comes; it has read what came. */
  async #closeWhenIdle(): Promise<void> {
    const written = this.bytesWritten;
    await this.#net.time.wait(this.#net.dice.between(6_000, minute));
    if (this.#canHear && written === this.bytesWritten && !this.#isEnding) this.push(null);
  }

  #cut(): void {
    this.#isCut = true;
    this.#queue.length = 0;
    this.#peer = undefined;
    if (this.#net.isAlive() && !this.destroyed) this.destroy(failure('ECONNRESET'));
  }
}

/** Longest that a datagram and the news that nobody took it are on their way, milliseconds. */
const longestWayMs = 40;

const createSocket = dgram.createSocket;
dgram.createSocket = ((...asked: Parameters<typeof createSocket>): dgram.Socket => {
  const socket = Reflect.apply(createSocket, dgram, asked);
  const connect = socket.connect.bind(socket) as (...to: readonly unknown[]) => void;
  socket.connect = (...to: readonly unknown[]): void => {
    const network = networks.get(String(to[1]));
    if (network === undefined) connect(...to);
    else carryDatagrams(socket, network);
  };
  return socket;
}) as typeof createSocket;

/** Lets a connected socket for datagrams lead into the simulation: none gets lost unless nobody listens, and then the next hop says so soon. */
function carryDatagrams(socket: dgram.Socket, { time, dice, strikes, isAlive, accept }: Network): void {
  const peer = accept({ say: () => undefined, end: () => undefined });
  const close = socket.close.bind(socket);
  let isClosed = false;
  const carry = async (bytes: Buffer): Promise<void> => {
    const leftAt = time.now();
    await time.wait(dice.between(2, longestWayMs));
    if (!strikes('down')) return peer.read(bytes, leftAt);
    await time.wait(dice.between(2, longestWayMs));
    if (isAlive() && !isClosed) socket.emit('error', failure('ECONNREFUSED'));
  };
  const send = (message: string, sent: (error: Error | null) => void): void => {
    queueMicrotask(() => sent(null));
    if (isAlive()) void carry(Buffer.from(message));
  };
  Object.assign(socket, {
    send,
    close() {
      isClosed = true;
      return close();
    },
  });
  queueMicrotask(() => socket.emit('connect'));
}
