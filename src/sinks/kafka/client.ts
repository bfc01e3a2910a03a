import { type Socket, setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Connection, ConnectionPool, Producer, ProducerOptions } from '@platformatic/kafka';
import { PenstockError } from '../../base/errors.ts';
import { isLoopback } from '../../base/loopback.ts';
import { attemptTimeoutMs, pinFault } from '../../http/index.ts';
import { mayHaveStored, verdictOf } from './verdicts.ts';

export type ClientSettings = ProducerOptions<Buffer, Buffer, Buffer, Buffer>;

type Calls = Pick<Producer, 'metadata' | 'initIdempotentProducer' | 'send' | 'producerId'>;

/** What the sink uses of a producer. */
export interface KafkaClient extends Calls {
  /** What broke a connection since the last call, where a request says no more than that it was closed. */
  takeFault(): unknown;
  /** How often it repeated an attempt by which records may be stored: where leaders moved meanwhile, the request's error says nothing of that. */
  doubts(): number;
  /** How often it began a request anew under another producer id: what it had sent of it may be stored twice, and the answer says nothing of that. */
  renewals(): number;
  /** The hash by which Java's producer chooses a partition, from 0 to 2^31-1. */
  hash(key: Buffer): number;
  /** Ends every connection at once; what is under way fails. */
  destroy(): void;
}

/** Which brokers are spoken to, of those that others name. */
export interface BrokerTrust {
  /** Compared with every broker's certificate. */
  readonly pin: string | undefined;
  /** Also beyond this machine, without TLS. */
  readonly isPlainAllowed: boolean;
}

/** Opens a client. The library is read when the first such sink is opened. */
export async function openClient(settings: ClientSettings, trust: BrokerTrust): Promise<KafkaClient> {
  // The library dials without one of its own, and Node's 250 ms are too few.
  setDefaultAutoSelectFamilyAttemptTimeout(attemptTimeoutMs);
  const { NetworkError, Producer, murmur2 } = await import('@platformatic/kafka');
  const { retryDelay, follow, ...attempts } = attemptsOf(settings);
  const producer = new Producer({ ...settings, retryDelay });
  follow(producer);
  const end = (): void => void producer.close(true).catch(() => undefined);
  let fault: unknown;
  const sockets = new Set<Socket>();
  producer.connections.on('connecting', ({ connection }) =>
    rejectThrown(connection, (cause) => new NetworkError('Connection failed.', { cause })),
  );
  guard(producer.connections, trust, sockets, (error) => {
    fault = error;
    // The library would try a wrong password once more, until the account is locked.
    if (verdictOf([error], false).kind === 'hold') end();
  });
  return Object.assign(producer, attempts, {
    takeFault() {
      const taken = fault;
      fault = undefined;
      return taken;
    },
    hash: (key: Buffer) => murmur2(key) & 0x7fff_ffff,
    destroy() {
      for (const socket of sockets) socket.destroy();
      end();
    },
  });
}

/** What the library repeats by itself within a request, and what its errors and answers do not say of that. */
function attemptsOf({ retryDelay: pause = 0 }: Pick<ClientSettings, 'retryDelay'>) {
  let doubts = 0;
  let renewals = 0;
  return {
    retryDelay: (client: object, operation: string, attempt: number, retries: number, error: Error): number => {
      if (operation === 'produce' && mayHaveStored(error)) doubts += 1;
      return typeof pause === 'number' ? pause : pause(client, operation, attempt, retries, error);
    },
    /** The library asks for an id without options when, within a request, a broker no longer knows what came before its records. */
    follow: (producer: Producer): void => {
      const ask = producer.initIdempotentProducer.bind(producer) as (options: object, callback?: unknown) => unknown;
      const asked = (options: object, callback?: unknown): unknown => {
        if (callback !== undefined && Object.keys(options).length === 0) {
          renewals += 1;
          doubts += 1;
        }
        return ask(options, callback);
      };
      Object.assign(producer, { initIdempotentProducer: asked });
    },
    doubts: () => doubts,
    renewals: () => renewals,
  };
}

/** Node throws at once for a port that there is not, such as 70000, and whoever names brokers chooses it: the process would end. */
function rejectThrown(connection: Connection, failed: (cause: Error) => Error): void {
  const connect = connection.connect.bind(connection) as (host: string, port: number, callback: (error: Error) => void) => void;
  connection.connect = ((host: string, port: number, callback: (error: Error) => void): void => {
    try {
      connect(host, port, callback);
    } catch (error) {
      callback(failed(error as Error));
    }
  }) as Connection['connect'];
}

/** Bounds what the library leaves open of its connections. */
function guard(pool: ConnectionPool, trust: BrokerTrust, sockets: Set<Socket>, onFault: (error: unknown) => void): void {
  pool.on('connecting', ({ connection }) => {
    // The pool hears the first error only; a second one that nobody hears would end the process.
    connection.on('error', onFault);
    // It makes the socket right after it says so.
    connection.once('connecting', () => queueMicrotask(() => guardSocket(connection, trust, sockets)));
  });
}

function guardSocket({ socket }: { readonly socket: Socket | undefined }, trust: BrokerTrust, sockets: Set<Socket>): void {
  // A broker may name another one at a port that there is not: then it has made none.
  if (socket === undefined) return;
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  // A peer that vanished while nothing is outstanding: 30 s + 3 x 10 s.
  socket.setKeepAlive({ enable: true, initialDelay: 30_000, interval: 10_000, count: 3 });
  socket.prependOnceListener(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
    const fault = socket instanceof TLSSocket ? pinFault(socket, trust.pin) : plainFault(socket, trust);
    if (fault !== undefined) socket.destroy(fault);
  });
  const gather = frameGatherer();
  const emit = socket.emit.bind(socket) as (name: string | symbol, ...args: unknown[]) => boolean;
  // An answer that the library cannot read throws out of its listener, which would end the process: it ends the connection instead.
  socket.emit = (name: string | symbol, ...args: unknown[]): boolean => {
    if (name !== 'data') return emit(name, ...args);
    try {
      const { whole, fault } = gather(args[0] as Buffer);
      if (whole.length > 0) emit(name, whole);
      if (fault !== undefined) throw fault;
      return true;
    } catch (error) {
      socket.destroy(error as Error);
      return true;
    }
  };
}

/** A broker of this machine may name one elsewhere, who would get password and events as they are. */
function plainFault({ remoteAddress, remotePort }: Socket, { isPlainAllowed }: BrokerTrust): PenstockError | undefined {
  // There is no address where the connection is gone again.
  if (isPlainAllowed || remoteAddress === undefined || isLoopback(remoteAddress)) return undefined;
  const what = `tcp:// would send events and credentials unencrypted beyond this machine, to the broker at ${remoteAddress} port ${remotePort}`;
  return new PenstockError('PEN_CONFIG_INVALID', what, {
    fix: 'write tls:// in "brokers", or add "allow_plaintext: true"',
    sent: false,
  });
}

/** Largest answer that is read: metadata of some topics, with all brokers. */
const maxAnswerBytes = 8_388_608;

interface Gathered {
  /** Answers with their lengths before them; what came of one that is too large, for its first bytes may tell the library who speaks. */
  readonly whole: Buffer;
  readonly fault?: PenstockError;
}

const nothing: Buffer = Buffer.alloc(0);

/** Hands on the answers of a connection once they are whole: of one in small pieces the library goes through the list of these for each field. */
export function frameGatherer(): (chunk: Buffer) => Gathered {
  let buffer = nothing;
  let length = 0;
  return (chunk) => {
    if (length + chunk.length > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + chunk.length));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    length += chunk.copy(buffer, length);
    let end = 0;
    while (length - end >= 4) {
      const size = buffer.readUInt32BE(end);
      if (size > maxAnswerBytes) return { whole: buffer.subarray(0, length), fault: tooLarge(size) };
      if (length - end < 4 + size) break;
      end += 4 + size;
    }
    if (end === 0) return { whole: nothing };
    const whole = buffer.subarray(0, end);
    // What was handed on is the library's.
    buffer = Buffer.from(buffer.subarray(end, length));
    length = buffer.length;
    return { whole };
  };
}

function tooLarge(bytes: number): PenstockError {
  return new PenstockError('PEN_HTTP_TOO_LARGE', `the answer announces ${bytes} bytes: what answers may be no Kafka broker`);
}
