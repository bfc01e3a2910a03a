/** Bytes of an id with its fingerprint, one behind the other. */
export const rowBytes = 24;
export const idBytes = 16;

const rowWords = rowBytes / 4;
const idWords = idBytes / 4;
const smallest = 16;

/** Bytes as words of this machine: only compared with one another and hashed, so their order does not matter. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  // A copy: a buffer may begin where no word does.
  return new Uint32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 4));
}

/**
 * An exact set of (id, fingerprint), outside of the heap: rows one behind the other, and a table of places open to the next free one. Ids are
 * hashes already, so their own bits spread them.
 */
export class IdTable {
  #rows = new Uint32Array(smallest * rowWords);
  /** A row's number counted from 1; 0 where there is none. At most half of them are taken. */
  #places = new Uint32Array(smallest * 2);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Adds rows of {@link rowBytes} each; what is there already is not added again. */
  add(rows: Uint8Array): void {
    const words = wordsOf(rows);
    for (let at = 0; at + rowWords <= words.length; at += rowWords) this.#addRow(words, at);
  }

  /** Calls `found` with the number of each id that is there and with each of its fingerprints, hex. */
  find(ids: Uint8Array, found: (index: number, fingerprint: string) => void): void {
    const words = wordsOf(ids);
    for (let at = 0; at < words.length; at += idWords) {
      for (let place = this.#firstPlace(words, at); this.#places[place] !== 0; place = this.#after(place)) {
        const start = this.#startOf(place);
        if (this.#isSame(start, words, at, idWords)) found(at / idWords, this.#fingerprintAt(start));
      }
    }
  }

  #addRow(words: Uint32Array, at: number): void {
    let place = this.#firstPlace(words, at);
    for (; this.#places[place] !== 0; place = this.#after(place))
      if (this.#isSame(this.#startOf(place), words, at, rowWords)) return;
    if ((this.#count + 1) * rowWords > this.#rows.length) {
      this.#grow();
      place = this.#freePlace(words, at);
    }
    this.#rows.set(words.subarray(at, at + rowWords), this.#count * rowWords);
    this.#count += 1;
    this.#places[place] = this.#count;
  }

  #grow(): void {
    const rows = new Uint32Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
    this.#places = new Uint32Array(this.#places.length * 2);
    for (let row = 0; row < this.#count; row += 1) this.#places[this.#freePlace(rows, row * rowWords)] = row + 1;
  }

  #freePlace(words: Uint32Array, at: number): number {
    let place = this.#firstPlace(words, at);
    while (this.#places[place] !== 0) place = this.#after(place);
    return place;
  }

  #firstPlace(words: Uint32Array, at: number): number {
    const mixed = Math.imul(words[at] ?? 0, 0x9e3779b1) ^ (words[at + 1] ?? 0) ^ Math.imul(words[at + 2] ?? 0, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15) ^ (words[at + 3] ?? 0)) & (this.#places.length - 1);
  }

  #after(place: number): number {
    return (place + 1) & (this.#places.length - 1);
  }

  #startOf(place: number): number {
    return ((this.#places[place] ?? 0) - 1) * rowWords;
  }

  #isSame(start: number, words: Uint32Array, at: number, count: number): boolean {
    // From the end: rows of one id differ in their fingerprints only.
    for (let word = count - 1; word >= 0; word -= 1) if (this.#rows[start + word] !== words[at + word]) return false;
    return true;
  }

  #fingerprintAt(start: number): string {
    return Buffer.from(this.#rows.buffer, (start + idWords) * 4, rowBytes - idBytes).toString('hex');
  }
}
