// Read with the first request of such a sink: a start without one does not pay for the library.
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { PenstockError } from '../../base/errors.ts';
import type { Credentials } from './credentials.ts';

/** What a signature covers; the body by the digest in `x-amz-content-sha256`. */
interface Signable {
  readonly method: string;
  readonly url: URL;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** The headers of a request with its signature (SigV4), as of a time in milliseconds. */
export async function sign(
  { method, url, query, headers }: Signable,
  credentials: Credentials,
  region: string,
  nowMs: number,
): Promise<Readonly<Record<string, string>>> {
  // S3 alone signs the path as it is sent.
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials: withoutGaps(credentials),
    sha256: Sha256,
    uriEscapePath: false,
  });
  const request = {
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: { ...query },
    headers: { ...headers, host: url.host },
  };
  const signed = await signer.sign(request, { signingDate: new Date(nowMs) });
  return signed.headers;
}

function withoutGaps({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: Credentials): ConstructorParameters<typeof SignatureV4>[0]['credentials'] {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** Node's SHA-256, and HMAC with a secret, in the form that the signer asks for. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash('sha256');
    else this.#hash = createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new PenstockError('PEN_INTERNAL', 'a digest is made once');
  }
}

function bytesOf(secret: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(secret)
    ? new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength)
    : new Uint8Array(secret);
}
