import type { Socket } from 'node:net';
import { PenstockError } from '../base/errors.ts';

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined ? '' : codeOf(cause);
}

/** What a failed connection says of itself, for people. */
export function wordsOf(error: unknown): string {
  // The message of OpenSSL is a line of its source, with that in the middle.
  const { library, reason } = error as { library?: unknown; reason?: unknown };
  if (typeof library === 'string' && typeof reason === 'string') return reason;
  // Node reports a host with several addresses as an AggregateError without a message of its own.
  if (error instanceof AggregateError && error.message === '')
    return [...new Set(error.errors.map((inner) => (inner as Error).message))].join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** What an alert of the peer speaks of, whatever it says of it: expired, revoked, of an authority that it does not know. */
const ownCertificate =
  /ALERT_(?:NO_|BAD_|UNSUPPORTED_)?CERTIFICATE|ALERT_(?:UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|DECRYPT_ERROR)/;
const ownCertificateFix =
  'set tls.cert_file and tls.key_file to a client certificate that the server trusts and that has not expired';
const tlsFixes: readonly (readonly [RegExp, string])[] = [
  [ownCertificate, ownCertificateFix],
  [/ALTNAME|HOSTNAME_MISMATCH/, 'use a host name that stands in the certificate, or set tls.server_name to one'],
  [/HAS_EXPIRED|NOT_YET_VALID/, "renew the server's certificate, and check this machine's clock"],
  [
    /SELF_SIGNED|UNABLE_TO_|CERT|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH/,
    'set tls.ca_file to the certificate authority that signed it, or tls.pin_sha256 to the fingerprint of one that signed itself',
  ],
];

/** What to do where a certificate is refused, by them or by us; undefined where the code of an error speaks of something else. */
export function certificateFix(code: string): string | undefined {
  return tlsFixes.find(([pattern]) => pattern.test(code))?.[1];
}

/** What may be behind it when a server ends a connection without a word: many say so in no other way. */
export const silentRefusal = `if it always does so, the server may refuse us: ${ownCertificateFix}`;
const noTlsFix = 'the port does not speak TLS: check scheme and port of the URL';

const unreachableFixes: Readonly<Record<string, string>> = {
  ENOTFOUND: 'check the host name, and that this machine can resolve it',
  EAI_AGAIN: 'name resolution does not answer: check the DNS of this machine',
  ECONNREFUSED: 'check host and port, and that the service runs',
  UND_ERR_CONNECT_TIMEOUT: 'check firewall and route, or set proxy',
};

/** How much a connection had heard from the peer when it broke with this error. */
const heardBefore = new WeakMap<object, number>();

const alerts = new WeakMap<object, Error>();

/** What a connection says of its errors while it lasts; the first of them, of TLS, hides behind those that follow from it. */
export function watchErrors(socket: Socket): void {
  let alert: Error | undefined;
  socket.on('error', (error) => {
    heardBefore.set(error, socket.bytesRead);
    if (alert !== undefined) alerts.set(error, alert);
    else if (isTlsFault(error)) alert = error;
  });
}

/** The alert by which a server refuses our certificate after its own part of the handshake (TLS 1.3): it has read nothing of the request then. */
function refusalBehind(error: unknown): Error | undefined {
  const alert = typeof error === 'object' && error !== null ? alerts.get(error) : undefined;
  return alert !== undefined && heardBefore.get(error as object) === 0 && ownCertificate.test(codeOf(alert)) ? alert : undefined;
}

/** True when the connection had served earlier requests: it has heard something, and nothing of this answer. */
function wasIdle(error: unknown, status: number): boolean {
  if (status !== 0 || typeof error !== 'object' || error === null) return false;
  const { socket } = error as { socket?: { bytesRead?: number } };
  return (socket?.bytesRead ?? heardBefore.get(error) ?? 0) > 0;
}

function isTlsFault(error: unknown): boolean {
  return /^(ERR_TLS_|ERR_SSL_|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|CERT|INVALID_CA|HOSTNAME_MISMATCH)/.test(codeOf(error));
}

/** True where the peer took the connection and ended it in the middle of the handshake. */
export function endsHandshake(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith(' before secure TLS connection was established');
}

/** Why no connection came about: PEN_HTTP_TLS or PEN_HTTP_UNREACHABLE, both with `sent: false`. */
export function connectFault(error: unknown, origin: string): PenstockError {
  if (error instanceof PenstockError) return error;
  const code = codeOf(error);
  if (isTlsFault(error)) {
    const isPlain = /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code);
    const fix = isPlain ? noTlsFix : (certificateFix(code) ?? 'check the tls settings of both sides');
    return new PenstockError('PEN_HTTP_TLS', `no TLS with ${origin}: ${wordsOf(error)} (${code})`, {
      fix,
      cause: error,
      sent: false,
    });
  }
  const fix = endsHandshake(error) ? silentRefusal : unreachableFixes[code];
  const details = { cause: error, sent: false, fix };
  return new PenstockError('PEN_HTTP_UNREACHABLE', `no connection to ${origin}: ${wordsOf(error)}`, details);
}

function invalidWords(error: unknown, code: string): string | undefined {
  const words = wordsOf(error);
  // In undici's words the connection broke.
  if (words === 'bad upgrade') return 'wants to go on in another protocol (101), which nobody asked for';
  if (code === 'ERR_ASSERTION') return 'is not valid HTTP: it has no status that there is';
  const isInvalid =
    (error as Error).name === 'HTTPParserError' || /^UND_ERR_(HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH)$/.test(code);
  return isInvalid ? `is not valid HTTP: ${words}` : undefined;
}

/**
 * Why an exchange broke after its request had begun: the peer may have acted on it. `status` is that of an answer that had begun (0: none);
 * a refusal's is kept, for a server that refuses a body unread often cuts its own answer off.
 */
export function requestFault(error: unknown, origin: string, status = 0): PenstockError {
  if (error instanceof PenstockError) return error;
  const code = codeOf(error);
  if (code === 'UND_ERR_INVALID_ARG') {
    const fix = 'check credentials and header values for line breaks and characters beyond Latin-1';
    return new PenstockError('PEN_CONFIG_INVALID', `the request to ${origin} cannot be written: ${wordsOf(error)}`, {
      fix,
      cause: error,
      sent: false,
    });
  }
  const invalid = invalidWords(error, code);
  if (invalid !== undefined)
    return new PenstockError('PEN_HTTP_BAD_BODY', `the answer of ${origin} ${invalid}`, { cause: error });
  if (isTlsFault(error)) return connectFault(error, origin);
  const refusal = refusalBehind(error);
  if (refusal !== undefined) return connectFault(refusal, origin);
  // A server that misses a client certificate often says so by hanging up alone.
  const isSilent = origin.startsWith('https:') && (error as { socket?: { bytesRead?: number } }).socket?.bytesRead === 0;
  return new PenstockError('PEN_HTTP_RESET', `${origin} broke the connection: ${wordsOf(error)}`, {
    cause: error,
    status: status >= 400 ? status : undefined,
    // Closed by the peer just as the request left: another connection is likely to work at once.
    retryAfterMs: wasIdle(error, status) ? 0 : undefined,
    fix: isSilent ? silentRefusal : undefined,
  });
}
