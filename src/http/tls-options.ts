import tls from 'node:tls';
import { PenstockError } from '../base/errors.ts';
import type { Files } from '../base/seams.ts';
import type { TlsSettings } from './client.ts';

/** What a TLS connection needs, read from the configured files. */
export interface TlsTrust {
  /** For `tls.connect`; host and port are the caller's. */
  readonly options: tls.ConnectionOptions;
  /** Checks what the handshake alone cannot: the pinned certificate. Throws PEN_HTTP_TLS, `sent: false`. */
  verify(socket: tls.TLSSocket): void;
}

/**
 * Turns `tls:` of the configuration into options for `node:tls`; TLS 1.2 and 1.3, no renegotiation to less.
 *
 * A pin stands for the certificate authority (RFC 5425 section 4.2.1): with `pin_sha256` and no `ca_file` only the fingerprint is compared;
 * with both, both must hold. Throws PEN_FILE_UNREADABLE when a file cannot be read.
 */
export async function readTlsTrust(settings: TlsSettings, host: string, files: Pick<Files, 'readFile'>): Promise<TlsTrust> {
  const [ca, cert, key] = await Promise.all(
    (['ca_file', 'cert_file', 'key_file'] as const).map((option) => readPem(settings[option], option, files)),
  );
  const expected = settings.server_name ?? host;
  const pinned = settings.pin_sha256?.replaceAll(':', '').toLowerCase();
  const byChain = settings.insecure_skip_verify !== true && (pinned === undefined || ca !== undefined);
  return {
    options: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: byChain,
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(expected, certificate),
      ...(isName(expected) ? { servername: expected } : {}),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    verify(socket) {
      if (pinned === undefined) return;
      const presented = (socket.getPeerCertificate().fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
      if (presented === pinned) return;
      throw new PenstockError(
        'PEN_HTTP_TLS',
        `the certificate of ${expected} has SHA-256 ${presented || 'none'}, not the pinned one`,
        {
          fix: 'compare it with the receiver and set tls.pin_sha256 to its fingerprint if it was renewed',
          sent: false,
        },
      );
    },
  };
}

async function readPem(path: string | undefined, option: string, files: Pick<Files, 'readFile'>): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await files.readFile(path);
  } catch (cause) {
    throw new PenstockError('PEN_FILE_UNREADABLE', `cannot read "${path}"`, {
      where: `tls.${option}`,
      fix: 'correct the path, or let the daemon read the file',
      cause,
    });
  }
}

// Server name indication carries names only; an address in it is an error (RFC 6066 section 3).
function isName(host: string): boolean {
  return !/^[\d.]+$|:/.test(host);
}
