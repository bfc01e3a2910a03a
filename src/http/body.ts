import { isUtf8 } from 'node:buffer';
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { PenstockError } from '../base/errors.ts';
import { shortened } from '../base/foreign.ts';
import type { HttpRequest } from './client.ts';
import type { Share } from './reply-memory.ts';

type Caps = Pick<HttpRequest, 'maxBytes' | 'cut'>;

const firstBytes = 16_384;
/** How many times as long as what has come a body is believed to be when its peer says so. */
const believed = 16;

/** A body that grows in one buffer: chunks of one byte cost no more than the bytes that they carry. */
export class Body {
  length = 0;
  /** How long its peer says that it is; 0 when it does not. */
  expected = 0;
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
    const expected = Math.min(this.expected, needed * believed);
    const grown = expected >= needed ? expected : Math.max(firstBytes, needed, this.#buffer.length * 2);
    const capacity = Math.min(this.#maxBytes, grown);
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

/** Options of a decoder that gives what it has when its input ends early. */
const cutChunks = {
  gzip: { ...chunks, finishFlush: zlib.constants.Z_SYNC_FLUSH },
  br: { ...chunks, finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH },
  zstd: { ...chunks, finishFlush: zlib.constants.ZSTD_e_flush },
};

type Decoder = (body: Buffer, cut: boolean) => Transform;

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: (_, cut) => zlib.createGunzip(cut ? cutChunks.gzip : chunks),
  'x-gzip': (_, cut) => zlib.createGunzip(cut ? cutChunks.gzip : chunks),
  // Some servers send deflate without the zlib wrapper; its first byte tells.
  deflate: (body, cut) => {
    const options = cut ? cutChunks.gzip : chunks;
    return ((body[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate(options) : zlib.createInflateRaw(options);
  },
  br: (_, cut) => zlib.createBrotliDecompress(cut ? cutChunks.br : chunks),
  zstd: (_, cut) => zlib.createZstdDecompress(cut ? cutChunks.zstd : chunks),
};

/** Each costs a decoder of its own. */
const mostFrames = 10_000;
/** What may be several streams one after the other, of which a decoder reads one; that of gzip goes on by itself. */
const framed = new Set(['zstd', 'br', 'deflate']);

/** Zeros, as gzip has them, and line ends. */
const isPadding = (byte: number): boolean => byte === 0 || byte === 10 || byte === 13;

/** No encoding at all; some servers name the charset there. */
const plainNames = new Set(['', 'identity', 'none', 'binary', '7bit', '8bit', 'utf-8', 'utf8', 'iso-8859-1', 'us-ascii']);

/** What {@link decompress} understands, for the `Accept-Encoding` header. */
export const acceptEncoding = 'gzip, deflate, br, zstd';

/** How a file is compressed, by the bytes that it begins with: no text begins with them. */
export function compressionOf(body: Buffer): 'gzip' | 'zstd' | undefined {
  if (body.length > 2 && body.readUIntBE(0, 3) === 0x1f_8b_08) return 'gzip';
  return body.length > 3 && body.readUInt32BE(0) === 0x28_b5_2f_fd ? 'zstd' : undefined;
}

/** True for a text, which no compression makes, and for what says by its first bytes that it is compressed in another way than is told. */
function isOtherwise(body: Buffer, encoding: string): boolean {
  const found = compressionOf(body);
  return found === undefined ? isUtf8(body) : found !== encoding.replace('x-', '');
}

/**
 * Undoes `Content-Encoding`, never producing more than `maxBytes`; with `cut` the beginning is enough.
 *
 * A text that is not compressed, whatever is said of it, stays as it is, and so does what is compressed in another way. Throws PEN_HTTP_TOO_LARGE for what would grow larger and
 * PEN_HTTP_BAD_BODY for what cannot be decoded.
 */
export async function decompress(
  body: Buffer,
  contentEncoding: string | undefined,
  caps: Caps,
  share: Share,
  signal: AbortSignal,
): Promise<Buffer> {
  const names = (contentEncoding ?? '').split(',').map((name) => name.trim().toLowerCase());
  const encodings = names.filter((name) => !plainNames.has(name)).reverse();
  if (body.length === 0 || encodings.length === 0) return body;
  if (encodings.length > 3) throw new PenstockError('PEN_HTTP_BAD_BODY', 'the answer is compressed more than three times over');
  let plain = body;
  for (const encoding of encodings) plain = await decodeOne(plain, encoding, caps, share, signal);
  return plain;
}

async function decodeOne(
  body: Buffer,
  encoding: string,
  { maxBytes, cut = false }: Caps,
  share: Share,
  signal: AbortSignal,
): Promise<Buffer> {
  const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined;
  // Such as the type of the content, or what the file was once uploaded by (`aws-chunked`).
  if (decoder === undefined && isOtherwise(body, encoding)) return body;
  if (decoder === undefined)
    throw new PenstockError(
      'PEN_HTTP_BAD_BODY',
      `the answer is encoded as "${shortened(encoding, 'a name')}", which Penstock does not read`,
    );
  const decoded = new Body(maxBytes, share, body.length);
  try {
    await decodeFrames(body, decoder, { decoded, share, encoding, maxBytes, cut }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PenstockError) throw error;
    // Some servers say so of what they, or what is before them, did not compress.
    if (isOtherwise(body, encoding)) return body;
    throw new PenstockError('PEN_HTTP_BAD_BODY', `the answer is not valid ${encoding}: it is damaged or was cut off`, {
      cause: error,
    });
  }
  return decoded.bytes();
}

async function decodeFrames(body: Buffer, decoder: Decoder, decoding: Decoding, signal: AbortSignal): Promise<void> {
  const { decoded, encoding, maxBytes, cut } = decoding;
  for (let [rest, frames] = [body, 0]; frames === 0 || !rest.every(isPadding); frames += 1) {
    if (frames >= mostFrames)
      throw new PenstockError('PEN_HTTP_BAD_BODY', `the answer is more than ${mostFrames} frames of ${encoding}`);
    const read = await decodeFrame(rest, decoder(rest, cut), decoding, signal);
    if (!framed.has(encoding) || read === 0 || (cut && decoded.length >= maxBytes)) break;
    rest = rest.subarray(read);
  }
}

interface Decoding {
  readonly decoded: Body;
  readonly share: Share;
  readonly encoding: string;
  readonly maxBytes: number;
  readonly cut: boolean;
}

/** Decodes what one run of the decoder reads; gives the number of bytes that it took. */
async function decodeFrame(
  body: Buffer,
  stream: Transform & { readonly bytesWritten?: number },
  { decoded, share, maxBytes, cut }: Decoding,
  signal: AbortSignal,
): Promise<number> {
  const onAbort = (): void => {
    // It may be waiting for its share, for which the stream can do nothing.
    share.end();
    stream.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    stream.end(body);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const left = maxBytes - decoded.length;
      if (chunk.length > left && !cut)
        throw new PenstockError('PEN_HTTP_TOO_LARGE', `the answer is larger than ${maxBytes} bytes once decompressed`);
      await decoded.append(chunk.subarray(0, left));
      if (chunk.length > left) break;
      signal.throwIfAborted();
    }
    return stream.bytesWritten ?? body.length;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}
