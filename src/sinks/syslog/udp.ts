import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { type Clock, deadline, sleep } from '../../base/clock.ts';
import type { ProbeReport, Sink, Verdict, Verdicts } from '../sink.ts';
import { connectTimeoutMs, verdictOfFailure } from './dial.ts';
import { nextSequence, withSequence } from './message.ts';
import type { SyslogAddress } from './options.ts';
import { isTooLarge, tooLarge } from './oversize.ts';
import { failedProbe } from './probe.ts';
import { recycleMs, sharedOf, type Transport } from './transport.ts';

/** Default room for a datagram: what an IPv6 receiver must take (RFC 5426 section 3.2). */
export const udpMaxBytes = 1180;

// A receiver's default buffer (208 KiB) holds about 90 datagrams; a pause lets it read.
const burst = 32;
const pauseMs = 1;

interface Port {
  readonly socket: dgram.Socket;
  readonly openedAt: number;
  problem: Error | undefined;
  sequence: number;
}

/** Opens the sink for `udp://`: one message per datagram (RFC 5426), `sent` as soon as the machine took it. */
export function openUdpSink(transport: Transport): Sink {
  const { address } = transport;
  const { clock } = transport.context.seams;
  let port: Port | undefined;

  const discard = (): void => {
    port?.socket.close();
    port = undefined;
  };
  const ready = async (signal: AbortSignal): Promise<Port> => {
    if (port?.problem === undefined && port !== undefined && clock.monotonic() - port.openedAt < recycleMs) return port;
    discard();
    port = await openPort(address, clock, signal);
    return port;
  };

  return {
    ...sharedOf(transport),
    async send(batch, signal): Promise<Verdicts> {
      const verdicts: Verdict[] = [];
      try {
        const current = await ready(signal);
        for (const [index, message] of batch.encoded.entries()) {
          if (index % burst === burst - 1) await sleep(clock, pauseMs, signal);
          verdicts.push(await sendOne(transport, current, message));
        }
      } catch (error) {
        discard();
        verdicts.push(...batch.encoded.slice(verdicts.length).map(() => verdictOfFailure(error, address)));
      }
      return { each: verdicts };
    },
    probe: (signal) => probe(transport, signal),
    async [Symbol.asyncDispose]() {
      discard();
    },
  };
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
    (await openPort(address, context.seams.clock, signal)).socket.close();
    return {
      ok: true,
      findings: [`${options.address} resolves; udp can prove no more, and nothing reports whether messages arrive`],
    };
  } catch (error) {
    return failedProbe(error, address, signal);
  }
}

async function openPort({ host, port }: SyslogAddress, clock: Clock, signal: AbortSignal): Promise<Port> {
  using limit = deadline(clock, connectTimeoutMs, signal);
  const { address, family } = await Promise.race([lookup(host), aborted(limit.signal)]);
  const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4');
  const opened: Port = { socket, openedAt: clock.monotonic(), problem: undefined, sequence: 0 };
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

// A name server can take longer than anybody waits, and a lookup cannot be called off.
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    if (signal.aborted) reject(signal.reason as Error);
  });
}

function transmit(socket: dgram.Socket, message: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    socket.send(message, (error) => resolve(error ?? undefined));
  });
}
