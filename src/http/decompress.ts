import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { PenstockError } from '../base/errors.ts';
import { Body } from './body.ts';
import type { Share } from './reply-memory.ts';

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
