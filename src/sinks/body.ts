import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import type { Exchange } from './exchange.ts';
import type { Batch, Verdict } from './sink.ts';

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
  of(batch: Batch): Promise<Body>;
  /** Forgets the bytes of a batch that is not sent again. */
  forget(batch: Batch): void;
}

const asyncGzip = promisify(gzip);
const asyncZstd = promisify(zstdCompress);

/**
 * Writes the encoded events into one buffer.
 *
 * Text by text instead of one joined string: a single wide character would turn the whole joined string into two bytes a letter.
 */
function assemble(encoded: readonly string[], frame: Frame): Buffer {
  let length = Buffer.byteLength(frame.head) + Buffer.byteLength(frame.tail) - frame.cut;
  for (const text of encoded) length += Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(Math.max(0, length + frame.cut));
  let position = bytes.write(frame.head, 0);
  for (const text of encoded) position += bytes.write(text, position);
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
  const make = async (batch: Batch): Promise<Body> => {
    const plain = assemble(rewrite === undefined ? batch.encoded : batch.encoded.map(rewrite), frame);
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

// Some receivers close while a large body still arrives, and over TLS their 413 is lost with the connection. What broke is halved on its
// next attempt; bodies above what broke are halved unsent, and the limit is raised little by little with what gets through.

/** Every receiver takes at least this much. */
const leastBytes = 16_384;
const growth = 1.02;
/** No configured batch is larger, so there is nothing left to learn. */
const mostBytes = 2 ** 30;

/** How large the bodies of one sink may be, learned from connections that break. */
export interface Ceiling {
  /** The verdict that halves a batch which is not worth sending whole; undefined when it is. */
  halve(events: number, bytes: number): Verdict | undefined;
  /** Learns from what came of a body of so many bytes on the wire. */
  learn(bytes: number, sent: Exchange): void;
}

/** A ceiling that has learned nothing yet. */
export function openCeiling(): Ceiling {
  let most = Number.POSITIVE_INFINITY;
  return {
    halve(events, bytes) {
      if (events < 2 || bytes <= most) return undefined;
      return {
        kind: 'split',
        code: 'too_large',
        reason: `connections broke during requests of more than ${Math.floor(most)} bytes`,
      };
    },
    learn(bytes, sent) {
      if ('failed' in sent) {
        if (sent.isBroken === true && bytes > leastBytes) most = Math.min(most, Math.max(leastBytes, bytes / 2));
        return;
      }
      if (bytes * 2 > most) most *= growth;
      if (most > mostBytes) most = Number.POSITIVE_INFINITY;
    },
  };
}
