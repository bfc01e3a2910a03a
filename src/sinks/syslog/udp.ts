import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { unlessAborted } from '../../base/abort.ts';
import { type Clock, deadline, sleep } from '../../base/clock.ts';
import type { Batch, ProbeReport, Sink, Verdict, Verdicts } from '../sink.ts';
import { connectTimeoutMs, failedProbe, verdictOfFailure } from './dial.ts';
import { nextSequence, withSequence } from './message.ts';
import type { SyslogAddress } from './options.ts';
import { isTooLarge, recycleMs, sharedOf, type Transport, tooLarge } from './transport.ts';

/** Default room for a datagram: what an IPv6 receiver must take (RFC 5426 section 3.2). */
export const udpMaxBytes = 1180;

// Datagrams within this time go out together; a timer is no finer.
const sliceMs = 10;
// That nobody listens is heard only after a datagram went out.
const refusalMs = 100;

interface Port {
  readonly socket: dgram.Socket;
  readonly openedAt: number;
  /** Where its datagrams go. */
  readonly address: string;
  problem: Error | undefined;
  sequence: number;
}

/** Opens the sink for `udp://`: one message per datagram (RFC 5426), `sent` when nobody objects within {@link refusalMs}. */
export function openUdpSink(transport: Transport): Sink {
  const { options, context } = transport;
  const { rate } = options;
  const sender = new UdpSender(transport, openPace(context.seams.clock, rate));
  return {
    ...sharedOf(transport),
    // A batch must be out well before its time is over.
    maxBatchEvents: Math.max(1, Math.floor((rate * (context.timeoutMs ?? 30_000)) / 2000)),
    send: (batch, signal) => sender.send(batch, signal),
    probe: (signal) => probe(transport, signal),
    [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
  };
}

type Pace = (signal: AbortSignal) => Promise<void>;

/** Lets at most `rate` pass a second. */
function openPace(clock: Clock, rate: number): Pace {
  let nextAt = 0;
  return async (signal) => {
    const now = clock.monotonic();
    if (nextAt - now > sliceMs) await sleep(clock, nextAt - now, signal);
    nextAt = Math.max(nextAt, now) + 1000 / rate;
  };
}

/** Sends batches to the addresses of a name; the next one has its turn when nobody listens at one. */
class UdpSender implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #pace: Pace;
  #port: Port | undefined;
  #turn = 0;

  constructor(transport: Transport, pace: Pace) {
    this.#transport = transport;
    this.#pace = pace;
  }

  async send(batch: Batch, signal: AbortSignal): Promise<Verdicts> {
    const verdicts: Verdict[] = [];
    try {
      const port = await this.#ready(signal);
      for (const message of batch.encoded.texts()) {
        await this.#pace(signal);
        verdicts.push(await sendOne(this.#transport, port, message));
      }
      await sleep(this.#transport.context.seams.clock, refusalMs, signal);
      if (port.problem !== undefined) throw port.problem;
      return { each: verdicts };
    } catch (error) {
      this.#discard();
      return { each: afterFailure(batch, verdicts, verdictOfFailure(error, this.#transport.address)) };
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#discard();
    return Promise.resolve();
  }

  async #ready(signal: AbortSignal): Promise<Port> {
    const { clock } = this.#transport.context.seams;
    const port = this.#port;
    if (port !== undefined && port.problem === undefined && clock.monotonic() - port.openedAt < recycleMs) return port;
    this.#discard();
    this.#port = await openPort(this.#transport.address, this.#turn, clock, signal);
    return this.#port;
  }

  #discard(): void {
    const port = this.#port;
    this.#port = undefined;
    if (port?.problem !== undefined) {
      this.#turn += 1;
      const fields = { address: port.address, reason: port.problem.message };
      this.#transport.context.log.warn(fields, 'nobody takes datagrams there');
    }
    port?.socket.close();
  }
}

/** What went out is in doubt, what did not fails as the machine says. */
function afterFailure(batch: Batch, verdicts: readonly Verdict[], failed: Verdict): Verdict[] {
  const reason = 'reason' in failed ? (failed.reason ?? '') : '';
  return batch.events.map((_, index) => {
    const verdict = verdicts[index] ?? failed;
    return verdict.kind === 'sent' ? { kind: 'uncertain', reason, blameless: true } : verdict;
  });
}

/** Throws what the machine says when the datagram could not leave. */
async function sendOne({ options, maxBytes }: Transport, port: Port, message: string): Promise<Verdict> {
  if (isTooLarge(message, maxBytes)) return tooLarge(message, maxBytes);
  port.sequence = nextSequence(port.sequence);
  const error = await transmit(port.socket, options.rfc === 5424 ? withSequence(message, port.sequence) : message);
  if (error === undefined) return { kind: 'sent' };
  if (error.code === 'EMSGSIZE') return tooLarge(message, maxBytes);
  throw error;
}

async function probe({ address, options, context }: Transport, signal: AbortSignal): Promise<ProbeReport> {
  try {
    (await openPort(address, 0, context.seams.clock, signal)).socket.close();
    return {
      ok: true,
      findings: [`${options.address} resolves; udp can prove no more, and nothing reports whether messages arrive`],
    };
  } catch (error) {
    return failedProbe(error, address, signal);
  }
}

async function openPort({ host, port }: SyslogAddress, turn: number, clock: Clock, signal: AbortSignal): Promise<Port> {
  using limit = deadline(clock, connectTimeoutMs, signal);
  // A name server can take longer than anybody waits.
  const found = await unlessAborted(lookup(host, { all: true }), limit.signal);
  const chosen = found[turn % found.length];
  if (chosen === undefined) throw new Error(`${host} has no address`);
  const { address, family } = chosen;
  const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4');
  const opened: Port = { socket, openedAt: clock.monotonic(), address, problem: undefined, sequence: 0 };
  socket.on('error', (error) => {
    opened.problem = error;
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve).once('error', reject);
  // A connected socket hears when nobody listens (ICMP port unreachable).
  socket.connect(port, address);
  await promise;
  return opened;
}

function transmit(socket: dgram.Socket, message: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    socket.send(message, (error) => resolve(error ?? undefined));
  });
}
