/** An encoded event, whole or in parts that belong behind each other: to join a long one first would copy it once more. */
export type EncodedText = string | readonly string[];

/** An encoded event where it lies among others; `end` is exclusive. */
export interface Piece {
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
}

const partsOf = (text: EncodedText): readonly string[] => (typeof text === 'string' ? [text] : text);

export const joined = (text: EncodedText): string => partsOf(text).join('');

/** UTF-8 length. */
export function byteLengthOf(text: EncodedText): number {
  let length = 0;
  for (const part of partsOf(text)) length += Buffer.byteLength(part);
  return length;
}

const smallestSlab = 65_536;
/** How much larger than the last batch a slab is begun: most batches then lie in one. */
const spare = 1.125;

/**
 * Writes encoded events one behind the other into slabs of bytes. An event waits for its acknowledgement as bytes, outside of the heap: as a
 * text it would be carried along by every collection of garbage. A slab is never used again; it goes with the last event in it.
 */
export class Slabs {
  #slab: Buffer = Buffer.alloc(0);
  #end = 0;
  /** Bytes of the batch that is being written, and of the largest of the last two. */
  #batch = 0;
  #usual = 0;

  /** A batch begins: what is written until the next one lies in one slab if it is no larger than the last ones were. */
  begin(): void {
    this.#usual = Math.max(this.#batch, Math.min(this.#usual, this.#batch * 2));
    this.#batch = 0;
    if (this.#slab.length - this.#end < this.#usual) this.#slab = Buffer.alloc(0);
  }

  write(text: EncodedText): Piece {
    const parts = partsOf(text);
    const room = this.#slab.length - this.#end;
    let length = 0;
    for (const part of parts) length += part.length;
    // How many bytes it has costs as much as writing them, and is asked only where three for each character may not fit.
    if (room < length * 3) this.#makeRoom(byteLengthOf(parts), room);
    const start = this.#end;
    for (const part of parts) this.#end += this.#slab.write(part, this.#end);
    this.#batch += this.#end - start;
    return { slab: this.#slab, start, end: this.#end };
  }

  /** Writes once more what lies elsewhere. */
  copy({ slab, start, end }: Piece): Piece {
    this.#makeRoom(end - start, this.#slab.length - this.#end);
    const from = this.#end;
    this.#end = from + slab.copy(this.#slab, from, start, end);
    this.#batch += end - start;
    return { slab: this.#slab, start: from, end: this.#end };
  }

  #makeRoom(bytes: number, room: number): void {
    if (bytes <= room) return;
    this.#slab = Buffer.allocUnsafeSlow(Math.max(smallestSlab, bytes, Math.ceil((this.#usual - this.#batch) * spare)));
    this.#end = 0;
  }
}

/** The encoded events of a batch, in order; the same for every attempt. */
export class Encoded {
  readonly #pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  static of(texts: readonly EncodedText[]): Encoded {
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

  /** All of them where they lie, if they lie behind each other. */
  get inPlace(): Buffer | undefined {
    const [first, last] = [this.#pieces[0], this.#pieces.at(-1)];
    if (first === undefined || last === undefined || this.#lastBehind(0) < this.#pieces.length - 1) return undefined;
    return first.slab.subarray(first.start, last.end);
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
