import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { PenstockError } from '../base/errors.ts';
import type { Share } from './reply-memory.ts';

const firstBytes = 16_384;

/** A body that grows in one buffer: chunks of one byte cost no more than the bytes that they carry. */
export class Body {
  length = 0;
  #buffer: Buffer = Buffer.alloc(0);
  readonly #maxBytes: number;
  readonly #share: Share;
  /** Bytes of the same reply that are kept beside this body. */
  readonly #beside: number;

  constructor(maxBytes: number, share: Share, beside = 0) {
    this.#maxBytes = maxBytes;
    this.#share = share;
    this.#beside = beside;
  }

  /** Adds a chunk, of which the caller has made sure that it fits; a promise when it has to wait for its share of memory. */
  append(chunk: Buffer): Promise<void> | undefined {
    const needed = this.length + chunk.length;
    if (needed <= this.#buffer.length) return this.#copy(chunk);
    const capacity = Math.min(this.#maxBytes, Math.max(firstBytes, needed, this.#buffer.length * 2));
    return (
      this.#share.grow(capacity + this.#beside)?.then(() => this.#copyInto(capacity, chunk)) ?? this.#copyInto(capacity, chunk)
    );
  }

  /** What has come so far. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  #copyInto(capacity: number, chunk: Buffer): undefined {
    const larger = Buffer.allocUnsafe(capacity);
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
    return this.#copy(chunk);
  }

  #copy(chunk: Buffer): undefined {
    chunk.copy(this.#buffer, this.length);
    this.length += chunk.length;
    return undefined;
  }
}

const chunks = { chunkSize: 65_536 };

const decoders: Readonly<Record<string, (body: Buffer) => Transform>> = {
  gzip: () => zlib.createGunzip(chunks),
  'x-gzip': () => zlib.createGunzip(chunks),
  // Some servers send deflate without the zlib wrapper; its first byte tells.
  deflate: (body) => (((body[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate(chunks) : zlib.createInflateRaw(chunks)),
  br: () => zlib.createBrotliDecompress(chunks),
  zstd: () => zlib.createZstdDecompress(chunks),
};

/** What {@link decompress} understands, for the `Accept-Encoding` header. */
export const acceptEncoding = 'gzip, deflate, br, zstd';

/**
 * Undoes `Content-Encoding`, never producing more than `maxBytes`.
 *
 * Throws PEN_HTTP_TOO_LARGE for what would grow larger and PEN_HTTP_BAD_BODY for what cannot be decoded.
 */
export async function decompress(
  body: Buffer,
  contentEncoding: string | undefined,
  maxBytes: number,
  share: Share,
  signal: AbortSignal,
): Promise<Buffer> {
  const names = (contentEncoding ?? '').split(',').map((name) => name.trim().toLowerCase());
  const encodings = names.filter((name) => name !== '' && name !== 'identity').reverse();
  if (body.length === 0 || encodings.length === 0) return body;
  if (encodings.length > 3) throw new PenstockError('PEN_HTTP_BAD_BODY', 'the answer is compressed more than three times over');
  let plain = body;
  for (const encoding of encodings) plain = await decodeOne(plain, encoding, maxBytes, share, signal);
  return plain;
}

async function decodeOne(body: Buffer, encoding: string, maxBytes: number, share: Share, signal: AbortSignal): Promise<Buffer> {
  const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined;
  if (decoder === undefined)
    throw new PenstockError(
      'PEN_HTTP_BAD_BODY',
      `the answer is encoded as "${encoding.slice(0, 40)}", which Penstock does not read`,
    );
  const decoded = new Body(maxBytes, share, body.length);
  const stream = decoder(body);
  const onAbort = (): void => void stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    stream.end(body);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (decoded.length + chunk.length > maxBytes)
        throw new PenstockError('PEN_HTTP_TOO_LARGE', `the answer is larger than ${maxBytes} bytes once decompressed`);
      await decoded.append(chunk);
    }
    return decoded.bytes();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PenstockError) throw error;
    throw new PenstockError('PEN_HTTP_BAD_BODY', `the answer is not valid ${encoding}: it is damaged or was cut off`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}
