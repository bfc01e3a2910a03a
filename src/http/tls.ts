import { createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from 'node:tls';
import { PenstockError } from '../base/errors.ts';
import { NotUtf8, utf8Text } from '../base/file-text.ts';
import { pemFault } from '../base/pem.ts';
import type { Files } from '../base/seams.ts';
import type { TlsSettings } from './client.ts';

/** TLS options as Node takes them, with the files read. */
export interface LoadedTls {
  readonly secureContext?: SecureContext;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
  /** `insecure_skip_verify` is set. */
  readonly insecure: boolean;
  /** Lower-case hex without colons. */
  readonly pin: string | undefined;
}

/**
 * Reads the files that TLS settings name and checks them.
 *
 * A private CA is trusted in addition to the machine's own: one setting often stands for several hosts. A pin stands for the
 * certificate authority (RFC 5425 section 4.2.1): without `ca_file` only the fingerprint is compared, with it both must hold. Throws PEN_CONFIG_INVALID, naming the setting.
 */
export async function loadTls(settings: TlsSettings, files: Pick<Files, 'readFile'>): Promise<LoadedTls> {
  const [ca, cert, key] = await Promise.all([
    readPem(files, 'tls.ca_file', settings.ca_file),
    readPem(files, 'tls.cert_file', settings.cert_file),
    readPem(files, 'tls.key_file', settings.key_file),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    throw new PenstockError('PEN_CONFIG_INVALID', 'a client certificate needs both of its files', {
      fix: 'set tls.cert_file and tls.key_file',
    });
  }
  const fault = pemFault({ ca, cert, key });
  if (fault !== undefined) {
    const setting = `${fault.part}_file` as const;
    throw new PenstockError('PEN_CONFIG_INVALID', `tls.${setting}: "${settings[setting]}" ${fault.what}`, { fix: fault.fix });
  }
  const secureContext = ca === undefined && cert === undefined ? undefined : makeContext(ca, cert, key);
  return {
    ...(secureContext === undefined ? {} : { secureContext }),
    ...(settings.server_name === undefined ? {} : { servername: settings.server_name }),
    rejectUnauthorized: settings.insecure_skip_verify !== true && (settings.pin_sha256 === undefined || ca !== undefined),
    insecure: settings.insecure_skip_verify === true,
    pin: settings.pin_sha256 === undefined ? undefined : normalisePin(settings.pin_sha256),
  };
}

function normalisePin(text: string): string {
  const pin = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(pin)) return pin;
  throw new PenstockError('PEN_CONFIG_INVALID', 'tls.pin_sha256 is not a SHA-256 fingerprint', {
    fix: 'write its 64 hex digits, with or without colons, as `openssl x509 -noout -fingerprint -sha256` prints them',
  });
}

function makeContext(ca: string | undefined, cert: string | undefined, key: string | undefined): SecureContext {
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
  } catch (error) {
    throw new PenstockError('PEN_CONFIG_INVALID', `the certificate files cannot be used: ${(error as Error).message}`, {
      fix: 'check what stands in the files of tls with `openssl x509 -text -in FILE`',
      cause: error,
    });
  }
}

async function readPem(files: Pick<Files, 'readFile'>, setting: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return utf8Text(await files.readFile(path));
  } catch (error) {
    if (error instanceof NotUtf8)
      throw new PenstockError('PEN_CONFIG_INVALID', `${setting}: "${path}": ${error.message}`, { fix: error.fix, cause: error });
    throw new PenstockError(
      'PEN_CONFIG_INVALID',
      `${setting}: cannot read "${path}": ${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}`,
      {
        fix: 'check the path and that the user of this process may read it',
        cause: error,
      },
    );
  }
}

/** Compares the peer's certificate with the pin; undefined when it matches or none is set. */
export function pinFault(socket: TLSSocket, pin: string | undefined): PenstockError | undefined {
  if (pin === undefined) return undefined;
  const found = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
  if (found === pin) return undefined;
  return new PenstockError('PEN_HTTP_TLS', `the server's certificate has SHA-256 ${found ?? 'none'}, not the pinned one`, {
    fix: 'if the certificate was renewed, set tls.pin_sha256 to its new fingerprint; otherwise somebody is intercepting the connection between',
    sent: false,
  });
}
