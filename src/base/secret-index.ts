// Finds many texts at once, in one pass: a table of the hashes of their first four characters says where a look is worth it.
import { hasCommonBeginning } from './secret-forms.ts';

/** A place in a text: from `start` to before `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const shortestBeginning = 12;
/** How many neighbours in sorted order may be what the text holds. */
const neighbours = 8;

/** Four characters leave sixteen bits: each one moves those before it four bits up. */
const step = (hash: number, code: number): number => ((hash << 4) ^ code) & 0xffff;

function commonLength(text: string, start: number, form: string): number {
  const most = Math.min(form.length, text.length - start);
  let length = 0;
  while (length < most && text.charCodeAt(start + length) === form.charCodeAt(length)) length += 1;
  return length;
}

/** A secret that somebody has cut shows its beginning: a quarter of it, at least twelve characters; 24 are enough of any. */
function enough(form: string): number {
  if (form.length <= shortestBeginning || hasCommonBeginning(form)) return form.length;
  return Math.max(shortestBeginning, Math.min(Math.ceil(form.length / 4), 24));
}

interface Bucket {
  forms: string[];
  isSorted: boolean;
}

/** The forms of all secrets. */
export class SecretIndex {
  readonly #isUsed = new Uint8Array(65_536);
  readonly #buckets = new Map<number, Bucket>();

  add(form: string): void {
    let hash = 0;
    for (let at = 0; at < 4; at += 1) hash = step(hash, form.charCodeAt(at));
    const bucket = this.#buckets.get(hash) ?? { forms: [], isSorted: true };
    bucket.forms.push(form);
    bucket.isSorted = false;
    this.#buckets.set(hash, bucket);
    this.#isUsed[hash] = 1;
  }

  /** Where forms stand, or beginnings of them, in order and apart. */
  find(text: string): readonly Range[] {
    const found: Range[] = [];
    let hash = 0;
    let least = 3;
    for (let at = 0; at < text.length; at += 1) {
      hash = step(hash, text.charCodeAt(at));
      if (this.#isUsed[hash] === 0 || at < least) continue;
      const start = at - 3;
      const length = this.#lengthAt(text, start, hash);
      if (length === 0) continue;
      found.push({ start, end: start + length });
      least = start + length + 3;
    }
    return found;
  }

  #lengthAt(text: string, start: number, hash: number): number {
    const bucket = this.#buckets.get(hash);
    if (bucket === undefined) return 0;
    if (!bucket.isSorted) {
      bucket.forms = [...new Set(bucket.forms)].toSorted((a, b) => (a < b ? -1 : 1));
      bucket.isSorted = true;
    }
    const { forms } = bucket;
    const place = placeOf(text, start, forms);
    let longest = 0;
    for (let at = Math.max(0, place - neighbours); at <= Math.min(place, forms.length - 1); at += 1) {
      const form = forms[at] ?? '';
      const length = commonLength(text, start, form);
      if (length >= enough(form)) longest = Math.max(longest, length);
    }
    return longest;
  }
}

/** The index of the first form that sorts after the text at `start`. */
function placeOf(text: string, start: number, forms: readonly string[]): number {
  let [low, high] = [0, forms.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const form = forms[middle] ?? '';
    const length = commonLength(text, start, form);
    const isBefore = length === form.length || text.charCodeAt(start + length) > form.charCodeAt(length);
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}
