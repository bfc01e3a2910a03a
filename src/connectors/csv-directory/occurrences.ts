import { hash } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';

const smallest = 1024;

/**
 * Counts equal rows of one file in bounded memory: 12 bytes per slot, in tables that live outside of the heap.
 *
 * Open addressing with linear probing over 64 bits of SHA-256; a count of 0 marks a free slot.
 */
export class Occurrences {
  #hashes = new Uint32Array(smallest * 2);
  #counts = new Uint32Array(smallest);
  #used = 0;
  readonly #most: number;

  /** Holds up to `most` different rows: 6 million take some 100 MB. */
  constructor(most = 6_000_000) {
    this.#most = most;
  }

  /** How often this row has come so far, this time included. Throws PEN_FILE_UNREADABLE beyond the most different rows. */
  count(key: string): number {
    const digest = hash('sha256', key, 'buffer');
    const [high, low] = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
    let slot = this.#slotOf(high, low);
    if (this.#counts[slot] === 0) {
      this.#makeRoom();
      slot = this.#slotOf(high, low);
    }
    const count = (this.#counts[slot] ?? 0) + 1;
    this.#put(slot, high, low, count);
    return count;
  }

  #slotOf(high: number, low: number): number {
    const mask = this.#counts.length - 1;
    let slot = low & mask;
    while (this.#counts[slot] !== 0 && (this.#hashes[slot * 2] !== high || this.#hashes[slot * 2 + 1] !== low))
      slot = (slot + 1) & mask;
    return slot;
  }

  #put(slot: number, high: number, low: number, count: number): void {
    this.#hashes[slot * 2] = high;
    this.#hashes[slot * 2 + 1] = low;
    this.#counts[slot] = count;
  }

  #makeRoom(): void {
    this.#used += 1;
    if (this.#used > this.#most) {
      const fix = 'cut it into several files, each with the header line';
      throw new PenstockError('PEN_FILE_UNREADABLE', `it has more than ${this.#most} different rows`, { fix });
    }
    if (this.#used <= this.#counts.length * 0.75) return;
    const [hashes, counts] = [this.#hashes, this.#counts];
    this.#hashes = new Uint32Array(hashes.length * 2);
    this.#counts = new Uint32Array(counts.length * 2);
    for (const [index, count] of counts.entries()) {
      const [high = 0, low = 0] = [hashes[index * 2], hashes[index * 2 + 1]];
      if (count !== 0) this.#put(this.#slotOf(high, low), high, low, count);
    }
  }
}
