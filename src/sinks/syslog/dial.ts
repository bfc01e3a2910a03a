import type { Socket } from 'node:net';
import net from 'node:net';
import tls from 'node:tls';
import { type Clock, deadline } from '../../base/clock.ts';
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { counted, dayMs } from '../../base/quantity.ts';
import {
  attemptTimeoutMs,
  certificateFix,
  endsHandshake,
  type LoadedTls,
  patientLookup,
  pinFault,
  silentRefusal,
  wordsOf,
} from '../../http/index.ts';
import type { ProbeReport, Verdict } from '../sink.ts';
import { watchConnection } from './connection.ts';
import type { SyslogAddress } from './options.ts';

const lookup = patientLookup();

/** How long a connection, TLS handshake included, may take. */
export const connectTimeoutMs = 10_000;

/**
 * Connects to a receiver; with `trust` the TLS handshake and the check of the peer's certificate are part of it.
 *
 * Rejects with what the socket said, PEN_HTTP_TLS for a wrong pin, or the signal's reason. Nothing of a message has left then.
 */
export async function dial(
  { host, port }: SyslogAddress,
  trust: LoadedTls | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<net.Socket> {
  using limit = deadline(clock, connectTimeoutMs, signal);
  limit.signal.throwIfAborted();
  const target = { host, port, autoSelectFamilyAttemptTimeout: attemptTimeoutMs, lookup };
  const socket = trust === undefined ? net.connect(target) : tls.connect({ ...target, ...handshakeOptions(trust) });
  socket.setNoDelay(true);
  try {
    await connected(socket, trust === undefined ? 'connect' : 'secureConnect', limit.signal);
    const fault = socket instanceof tls.TLSSocket ? pinFault(socket, trust?.pin) : undefined;
    if (fault !== undefined) throw fault;
  } catch (error) {
    socket.on('error', () => socket.destroy());
    socket.destroy();
    const tried = socket.autoSelectFamilyAttemptedAddresses ?? [];
    if (!limit.expired || tried.length === 0) throw error;
    throw new Error(`no connection within ${connectTimeoutMs / 1000} s; tried ${tried.join(', ')}`, { cause: error });
  }
  // Keepalive notices a peer that vanished while nothing is outstanding: 30 s + 3 x 10 s.
  socket.setKeepAlive({ enable: true, initialDelay: 30_000, interval: 10_000, count: 3 });
  return socket;
}

function handshakeOptions({ pin: _pin, ...options }: LoadedTls): tls.ConnectionOptions {
  return { minVersion: 'TLSv1.2', ...options };
}

function connected(socket: net.Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => (): void => {
      socket.off(event, onReady).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      outcome();
    };
    let problem: Error = new Error('the receiver closed the connection during the handshake');
    const onReady = settle(resolve);
    const fail = settle(() => reject(problem));
    const onError = (error: Error): void => {
      problem = error;
      fail();
    };
    const onClose = (): void => fail();
    const onAbort = (): void => {
      problem = signal.reason as Error;
      fail();
    };
    socket.once(event, onReady).once('error', onError).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** An IPv6 literal as it stands in an address. */
const inAddress = (host: string): string => (net.isIPv6(host) ? `[${host}]` : host);

/**
 * What a failed connection means: `hold` when certificates or protocol do not fit and a person must change something, else `retry`.
 */
export function verdictOfFailure(error: unknown, { scheme, host, port }: SyslogAddress): Verdict {
  const at = `${scheme}://${inAddress(host)}:${port}`;
  const { code = '' } = error as NodeJS.ErrnoException;
  const reason = `${at}: ${wordsOf(error) || code}`;
  if (error instanceof PenstockError && consequenceOf(error).sink === 'hold')
    return { kind: 'hold', reason, fix: error.fix ?? 'check tls' };
  const fix = certificateFix(code);
  if (fix !== undefined) return { kind: 'hold', reason, fix };
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS|PROTOCOL_VERSION/.test(code)) {
    return { kind: 'hold', reason, fix: 'use a port where the receiver speaks TLS 1.2 or later, or another scheme in address' };
  }
  return { kind: 'retry', reason: endsHandshake(error) ? `${reason} (${silentRefusal})` : reason };
}

/** Connects, says what is on the other side, and closes again; for tcp and tls that is all that can be proved. */
export async function probeStream(
  address: SyslogAddress,
  trust: LoadedTls | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeReport> {
  try {
    const socket = await dial(address, trust, clock, signal);
    const findings = [
      ...describePeer(socket, address, clock),
      'plain syslog acknowledges nothing: delivery is reported as unconfirmed',
    ];
    await watchConnection(socket, clock, () => undefined).close(signal);
    return { ok: true, findings };
  } catch (error) {
    return failedProbe(error, address, signal);
  }
}

/** The report of a connection that could not be made. Rethrows when the signal ended it. */
export function failedProbe(error: unknown, address: SyslogAddress, signal: AbortSignal): ProbeReport {
  if (signal.aborted) throw error;
  const verdict = verdictOfFailure(error, address);
  const reason = 'reason' in verdict ? verdict.reason : '';
  const fix = verdict.kind === 'hold' ? verdict.fix : `check that a receiver listens on ${address.host} port ${address.port}`;
  return { ok: false, findings: [`cannot connect: ${reason ?? ''}`], fix };
}

/** One line on the connection and, with TLS, one on version, names and validity of the peer's certificate. */
export function describePeer(socket: Socket, { scheme, host, port }: SyslogAddress, clock: Clock): string[] {
  const lines = [`connected to ${scheme}://${inAddress(host)}:${port} (${socket.remoteAddress ?? 'address unknown'})`];
  if (!(socket instanceof tls.TLSSocket)) return lines;
  const certificate = socket.getPeerCertificate();
  const names = certificate.subjectaltname ?? `CN ${String(certificate.subject?.CN ?? 'unknown')}`;
  const daysLeft = Math.floor((Date.parse(certificate.valid_to) - clock.now()) / dayMs);
  const validity = daysLeft < 0 ? 'EXPIRED' : `${counted(daysLeft, 'day')} left`;
  lines.push(`${socket.getProtocol() ?? 'TLS'}, certificate for ${names}, valid until ${certificate.valid_to} (${validity})`);
  return lines;
}
