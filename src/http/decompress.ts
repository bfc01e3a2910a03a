import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { PenstockError } from '../base/errors.ts';

type Decoder = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const inflate: Decoder = promisify(zlib.inflate);
const inflateRaw: Decoder = promisify(zlib.inflateRaw);
const gunzip: Decoder = promisify(zlib.gunzip);

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  // Some servers send deflate without the zlib wrapper; its first byte tells.
  deflate: (body, options) => (((body[0] ?? 0) & 0x0f) === 8 ? inflate(body, options) : inflateRaw(body, options)),
  br: promisify(zlib.brotliDecompress),
  zstd: promisify(zlib.zstdDecompress),
};

/** What {@link decompress} understands, for the `Accept-Encoding` header. */
export const acceptEncoding = 'gzip, deflate, br, zstd';

/**
 * Undoes `Content-Encoding`, never producing more than `maxBytes`.
 *
 * Throws PEN_HTTP_TOO_LARGE for what would grow larger and PEN_HTTP_BAD_BODY for what cannot be decoded.
 */
export async function decompress(body: Buffer, contentEncoding: string | undefined, maxBytes: number): Promise<Buffer> {
  const names = (contentEncoding ?? '').split(',').map((name) => name.trim().toLowerCase());
  const encodings = names.filter((name) => name !== '' && name !== 'identity').reverse();
  if (body.length === 0 || encodings.length === 0) return body;
  if (encodings.length > 3) throw new PenstockError('PEN_HTTP_BAD_BODY', 'the answer is compressed more than three times over');
  let plain = body;
  for (const encoding of encodings) plain = await decodeOne(plain, encoding, maxBytes);
  return plain;
}

async function decodeOne(body: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined;
  if (decoder === undefined)
    throw new PenstockError(
      'PEN_HTTP_BAD_BODY',
      `the answer is encoded as "${encoding.slice(0, 40)}", which Penstock does not read`,
    );
  try {
    return await decoder(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new PenstockError('PEN_HTTP_TOO_LARGE', `the answer is larger than ${maxBytes} bytes once decompressed`, {
        cause: error,
      });
    }
    throw new PenstockError('PEN_HTTP_BAD_BODY', `the answer is not valid ${encoding}: it is damaged or was cut off`, {
      cause: error,
    });
  }
}
