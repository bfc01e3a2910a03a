import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import { Encoded } from './encoded.ts';
import type { Batch } from './sink.ts';

/** What stands around the encoded events of one request. */
export interface Frame {
  readonly head: string;
  readonly tail: string;
  /** Bytes to cut off the last event: its separator, where the format has none before the tail. */
  readonly cut: number;
}

/** A request's bytes as sent, and their length before compression. */
interface Body {
  readonly bytes: Buffer;
  readonly plainLength: number;
}

type Compression = 'none' | 'gzip' | 'zstd';

/** Makes the bytes of a batch once and keeps them for its retries. */
export interface Bodies {
  of(batch: Pick<Batch, 'encoded'>): Promise<Body>;
  /** Forgets the bytes of a batch that is not sent again. */
  forget(batch: Batch): void;
}

const asyncGzip = promisify(gzip);
const asyncZstd = promisify(zstdCompress);

/** The encoded events and what stands around them in one buffer: the one in which they lie already, if that is all. */
function assemble(encoded: Encoded, frame: Frame): Buffer {
  const inPlace = frame.head === '' && frame.tail === '' ? encoded.inPlace : undefined;
  if (inPlace !== undefined) return inPlace.subarray(0, inPlace.length - frame.cut);
  const length = Buffer.byteLength(frame.head) + Buffer.byteLength(frame.tail) - frame.cut + encoded.byteLength;
  const bytes = Buffer.allocUnsafe(Math.max(0, length + frame.cut));
  const position = encoded.copyTo(bytes, bytes.write(frame.head, 0));
  bytes.write(frame.tail, position - frame.cut);
  return bytes.subarray(0, length);
}

// Every chunk of output is a round trip to the thread pool; most bodies fit into one of this size.
const chunkSize = 65_536;

/** Compresses at the fastest level: higher ones cost more than the mapping of the events. */
async function compress(bytes: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'gzip') return asyncGzip(bytes, { level: 1, chunkSize });
  if (compression === 'zstd') return asyncZstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize });
  return bytes;
}

/** Opens the bodies of one sink; `rewrite` changes each encoded event on its way into them. */
export function openBodies(frame: Frame, compression: Compression, rewrite?: (encoded: string) => string): Bodies {
  // A retry is another object with the same encoded events.
  const made = new WeakMap<Batch['encoded'], Promise<Body>>();
  const make = async (batch: Pick<Batch, 'encoded'>): Promise<Body> => {
    const encoded = rewrite === undefined ? batch.encoded : Encoded.of(batch.encoded.texts().map(rewrite));
    const plain = assemble(encoded, frame);
    return { bytes: await compress(plain, compression), plainLength: plain.length };
  };
  return {
    of(batch) {
      const known = made.get(batch.encoded);
      if (known !== undefined) return known;
      const body = make(batch);
      made.set(batch.encoded, body);
      return body;
    },
    forget: (batch) => void made.delete(batch.encoded),
  };
}
