// Finds many texts at once, in one pass that reads a part of the characters (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994): the
// last characters of a window as long as the shortest beginning say how far it may be moved. Where it may not, the first four say whether a look is
// worth it.

import { percentDecoded } from './percent.ts';

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

function hashAt(text: string, start: number): number {
  let hash = 0;
  for (let at = start; at < start + 4; at += 1) hash = step(hash, text.charCodeAt(at));
  return hash;
}

/** Characters at the end of the window that are looked at together. */
const blockLength = 3;
const longestWindow = 16;
const blockAt = (text: string, at: number): number =>
  ((text.charCodeAt(at) << 10) ^ (text.charCodeAt(at + 1) << 5) ^ text.charCodeAt(at + 2)) & 0xffff;

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
  /** No form is known by fewer characters. */
  #window = 0;
  /** By block at the end of the window: how far a form that holds it begins behind the window's beginning, at least. */
  readonly #steps = new Uint8Array(65_536);

  add(form: string): void {
    const hash = hashAt(form, 0);
    const bucket = this.#buckets.get(hash) ?? { forms: [], isSorted: true };
    bucket.forms.push(form);
    bucket.isSorted = false;
    this.#buckets.set(hash, bucket);
    this.#isUsed[hash] = 1;
    const window = Math.min(enough(form), longestWindow);
    if (this.#window === 0 || window < this.#window) this.#narrow(window);
    else this.#learnSteps(form);
  }

  /** Characters by which a form is known, at the least. */
  get shortest(): number {
    return this.#window;
  }

  /** Where forms stand, or beginnings of them, in order and apart. */
  find(text: string): readonly Range[] {
    const found: Range[] = [];
    const last = text.length - this.#window;
    const block = this.#window - blockLength;
    for (let start = this.#window === 0 ? text.length : 0; start <= last; ) {
      const step = this.#steps[blockAt(text, start + block)] ?? 0;
      const length = step > 0 ? 0 : this.#lengthAt(text, start);
      if (length > 0) found.push({ start, end: start + length });
      start += Math.max(1, step, length);
    }
    return found;
  }

  #narrow(window: number): void {
    this.#window = window;
    this.#steps.fill(window - blockLength + 1);
    for (const { forms } of this.#buckets.values()) for (const form of forms) this.#learnSteps(form);
  }

  #learnSteps(form: string): void {
    const last = this.#window - blockLength;
    for (let at = 0; at <= last; at += 1) {
      const block = blockAt(form, at);
      this.#steps[block] = Math.min(this.#steps[block] ?? 0, last - at);
    }
  }

  #lengthAt(text: string, start: number): number {
    const hash = hashAt(text, start);
    if (this.#isUsed[hash] === 0) return 0;
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

// The ways in which a secret may stand in a text that somebody echoes.

/** Shorter values would hollow out ordinary text. */
export const shortestSecret = 4;
export const shortestPart = 8;
/** A line of a key file, a segment of a webhook's path: words that stand in every URL are shorter or have no digit. */
const longWord = 20;
const mostPartsOf = 100_000;

/** Base64 of the value wherever it begins in what is encoded, without the characters that its neighbours share. */
function insideBase64(value: string): string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
}

const urlSafe = (base64: string): string => base64.replaceAll('+', '-').replaceAll('/', '_');

/** The value as it is and as encodings write it that are not undone when a text is searched. */
export function formsOf(value: string): string[] {
  const hex = Buffer.from(value).toString('hex');
  const whole = Buffer.from(value).toString('base64');
  const inside = insideBase64(value).filter((form) => form.length >= shortestPart);
  const forms = [
    value,
    encodeURIComponent(value.toWellFormed()),
    // A peer that writes all of it in one case still tells most of it.
    value.toLowerCase(),
    value.toUpperCase(),
    encodeURIComponent(value.toWellFormed()).toLowerCase(),
    JSON.stringify(value).slice(1, -1),
    value.replace(/\s+/g, ' '),
    value.replace(/\s+/g, ''),
    value.replaceAll(' ', '+'),
    hex,
    hex.toUpperCase(),
    ...[whole, ...inside].flatMap((form) => [form, urlSafe(form)]),
  ];
  return [...new Set(forms)].filter((form) => form.length >= shortestSecret);
}

/** True for what no ordinary text holds by chance, and no word or number is. */
export function isTelling(part: string): boolean {
  return part.length >= longWord || (part.length >= shortestPart && /\d/.test(part) && /[a-z]/i.test(part));
}

function urlParts(url: URL): string[] {
  const [user, password] = [url.username, url.password].map((part) => percentDecoded(part));
  const pair = user === '' ? [] : [Buffer.from(`${user}:${password}`).toString('base64')];
  const pieces = `${url.pathname}${url.search}${url.hash}`.split(/[/?&=#;]/).flatMap((piece) => [piece, percentDecoded(piece)]);
  const path = `${url.pathname}${url.search}`;
  return [...pair, password === '' ? (user ?? '') : (password ?? ''), ...[path, ...pieces].filter(isTelling)];
}

function jsonTexts(value: string): string[] {
  if (!value.trimStart().startsWith('{')) return [];
  try {
    const members = Object.values(JSON.parse(value) as Record<string, unknown>);
    return members.filter((one) => typeof one === 'string' && one.length >= longWord && !/^https?:|@/.test(one)) as string[];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/**
 * What of a value is a secret by itself: segments and parameters of a URL's path, its password, the proof behind a scheme such as `Bearer`,
 * the lines and texts of a key file.
 */
export function partsOf(value: string): string[] {
  if (value.length > mostPartsOf) return [];
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? URL.parse(value) : null;
  if (url !== null) return urlParts(url);
  const texts = jsonTexts(value);
  const lines = [value, ...texts].flatMap((text) => (text.includes('\n') ? text.split('\n') : [])).map((line) => line.trim());
  const proof = /^[A-Za-z][\w-]{1,20} +(\S+)$/.exec(value)?.[1] ?? '';
  const pieces = /^[^\s]*[/?&][^\s]*$/.test(value) ? value.split(/[/?&=#;]/) : [];
  return [...texts, ...lines, proof, ...pieces].filter(isTelling);
}

/** True for what may share its beginning with texts that are no secret. */
function hasCommonBeginning(form: string): boolean {
  return form.includes('://') || form.startsWith('/') || form.startsWith('-----');
}
