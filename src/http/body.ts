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
