import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import type { LoadedTls } from '../../http/index.ts';
import type { ProbeReport } from '../sink.ts';
import { watchConnection } from './connection.ts';
import { dial, verdictOfFailure } from './dial.ts';
import type { SyslogAddress } from './options.ts';

const dayMs = 86_400_000;

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
  const lines = [`connected to ${scheme}://${host}:${port} (${socket.remoteAddress ?? 'address unknown'})`];
  if (!(socket instanceof tls.TLSSocket)) return lines;
  const certificate = socket.getPeerCertificate();
  const names = certificate.subjectaltname ?? `CN ${String(certificate.subject?.CN ?? 'unknown')}`;
  const daysLeft = Math.floor((Date.parse(certificate.valid_to) - clock.now()) / dayMs);
  const validity = daysLeft < 0 ? 'EXPIRED' : `${daysLeft} days left`;
  lines.push(`${socket.getProtocol() ?? 'TLS'}, certificate for ${names}, valid until ${certificate.valid_to} (${validity})`);
  return lines;
}
