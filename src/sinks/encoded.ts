/** An encoded event where it lies among others; `end` is exclusive. */
export interface Piece {
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
}

// Larger than most batches, small enough that what is left of one when the next is begun costs nothing.
const slabBytes = 262_144;

/**
 * Writes encoded events one behind the other into slabs of bytes. An event waits for its acknowledgement as bytes, outside of the heap: as a
 * text it would be carried along by every collection of garbage. A slab is never used again; it goes with the last event in it.
 */
export class Slabs {
  #slab: Buffer = Buffer.alloc(0);
  #end = 0;

  write(text: string): Piece {
    const bytes = Buffer.byteLength(text);
    if (this.#slab.length - this.#end < bytes) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
      this.#end = 0;
    }
    const start = this.#end;
    this.#end = start + this.#slab.write(text, start);
    return { slab: this.#slab, start, end: this.#end };
  }
}

/** The encoded events of a batch, in order; the same for every attempt. */
export class Encoded {
  readonly #pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  static of(texts: readonly string[]): Encoded {
    const slabs = new Slabs();
    return new Encoded(texts.map((text) => slabs.write(text)));
  }

  get length(): number {
    return this.#pieces.length;
  }

  /** UTF-8 length of all of them. */
  get byteLength(): number {
    let length = 0;
    for (const { start, end } of this.#pieces) length += end - start;
    return length;
  }

  bytesAt(index: number): Buffer {
    const { slab, start, end } = this.#pieces[index] ?? { slab: Buffer.alloc(0), start: 0, end: 0 };
    return slab.subarray(start, end);
  }

  textAt(index: number): string {
    const { slab, start, end } = this.#pieces[index] ?? { slab: Buffer.alloc(0), start: 0, end: 0 };
    return slab.toString('utf8', start, end);
  }

  texts(): string[] {
    return this.#pieces.map((_piece, index) => this.textAt(index));
  }

  /** Those from one index to before another, behind each other. */
  bytes(from: number, to: number): Buffer {
    const part = new Encoded(this.#pieces.slice(from, to));
    const bytes = Buffer.allocUnsafe(part.byteLength);
    part.copyTo(bytes, 0);
    return bytes;
  }

  /** Those with these indexes. */
  pick(indexes: readonly number[]): Encoded {
    return new Encoded(indexes.map((index) => this.#pieces[index]).filter((piece) => piece !== undefined));
  }

  /** Writes all of them to a place of a buffer; gives where they end. */
  copyTo(target: Buffer, at: number): number {
    let [position, first] = [at, 0];
    while (first < this.#pieces.length) {
      const last = this.#lastBehind(first);
      const [from, to] = [this.#pieces[first], this.#pieces[last]];
      if (from !== undefined && to !== undefined) position += from.slab.copy(target, position, from.start, to.end);
      first = last + 1;
    }
    return position;
  }

  /** Index of the last of the pieces that lie behind each other from one on: they are copied at once. */
  #lastBehind(first: number): number {
    let last = first;
    for (let next = this.#pieces[first + 1]; next !== undefined; next = this.#pieces[last + 1]) {
      const { slab, end } = this.#pieces[last] ?? next;
      if (slab !== next.slab || end !== next.start) break;
      last += 1;
    }
    return last;
  }
}
