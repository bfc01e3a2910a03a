import { isUtf8 } from 'node:buffer';

/** Passes bytes on and sees whether they are UTF-8, also where a character lies across two pieces. */
export class Utf8Watch {
  /** False once bytes came that are no UTF-8. */
  isSound = true;
  #rest: Buffer = Buffer.alloc(0);

  async *pass(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    this.#rest = Buffer.alloc(0);
    for await (const piece of pieces) {
      if (this.isSound) this.#look(piece);
      yield piece;
    }
    if (this.#rest.length > 0) this.isSound = false;
  }

  #look(piece: Buffer): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    // A character has at most four bytes: three of them may be all that has come.
    const ends = [0, 1, 2, 3].map((left) => bytes.length - left).filter((end) => end >= 0);
    const end = ends.find((one) => isUtf8(bytes.subarray(0, one)));
    this.isSound = end !== undefined;
    this.#rest = end === undefined ? Buffer.alloc(0) : bytes.subarray(end);
  }
}
