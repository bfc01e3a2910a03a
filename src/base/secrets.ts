// Every secret value of the process, and the one way by which texts from outside enter a log, a status, a hold, a dead letter or a job.
import { type Decoded, decodeText, isWritten, marks, undecoded, undo, writings } from './decode-text.ts';
import { PenstockError } from './errors.ts';
import { clip, longestMessage, tame } from './foreign.ts';
import { setOwn } from './json.ts';
import { Known, shortestJoined } from './known-secrets.ts';
import type { Range } from './secret-index.ts';

/** Stands in the place of a secret. */
export const redacted = '[REDACTED]';
/** Texts without layers of what they are wrapped in that are looked at: each way of writing alone, then pairs of them, then more. */
const mostLayers = 64;
/** Pieces of a text for which that holds: in a longer one, which is a record of somebody who means it, each has fewer layers. */
const mostWholePieces = 8;
const fewestLayers = 8;
/** As much is unwrapped at once: each layer takes some ten times that while it is looked at. */
const pieceLength = 16_384;
/** How many times longer than a secret its escapes are at most: `&#x00041;` for one letter. */
const longestEscape = 10;
/** Characters by which a secret that was cut off is known at the latest. */
const longestBeginning = 256;
/** Text without one of these holds no {@link escapedRun}: looked for much faster. */
const escapeMarks = ['%', '&#', '\\'];
/** Longer texts are records of nobody, and would take seconds. */
const mostEscaped = 1024 * 1024;
/** Characters that are all written as escapes of URLs, HTML or JavaScript. */
const escapedRun = /(?:%[0-9a-f]{2}){6,4000}|(?:&#x?[0-9a-f]{2,6};?){6,4000}|(?:\\u[0-9a-f]{4}|\\x[0-9a-f]{2}){6,4000}/gi;
/**
 * Rarer marks, beside which some characters may stand as they are: HTML, quoted-printable, and what Unicode calls ignorable. Written out, for as a
 * property it would cost most texts, which are ASCII, ten times as much.
 */
const oddMark =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class
  /&(?:#|[a-z]{2,16};)|(?:=[0-9a-f]{2}){2}|[\u0000\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|\udb40[\udc00-\udfff]/gi;
/** No word of a record is longer where a secret is in it. */
const longestWord = 4_096;
/** Of more that may hold one, all together cost less than each. */
const mostWords = 8;
/** Stands in no word, and between words keeps them apart whatever they are written in. */
const quote = '"';
const blank = /[^\S\ufeff]/;
const otherWritings = writings.filter((writing) => marks.every((mark) => mark.writing !== writing));
function replaced(text: string, ranges: readonly Range[]): string {
  if (ranges.length === 0) return text;
  let clean = '';
  let from = 0;
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    if (start >= from) clean += text.slice(from, start) + redacted;
    from = Math.max(from, end);
  }
  return clean + text.slice(from);
}

/** True for a blank, a quote, and the beginning or end of a tag. */
function endsWord(code: number): boolean {
  if (code >= 0x1680) return blank.test(String.fromCharCode(code));
  return (
    code === 0x20 ||
    code === 0xa0 ||
    (code >= 0x09 && code <= 0x0d) ||
    code === 0x22 ||
    code === 0x27 ||
    code === 0x3c ||
    code === 0x3e
  );
}

/** Where the words stand that hold an {@link oddMark}. */
function markedWords(text: string): Range[] {
  const found: Range[] = [];
  let end = 0;
  for (const { index } of text.matchAll(oddMark)) {
    if (index < end) continue;
    let start = index;
    while (start > end && index - start < longestWord && !endsWord(text.charCodeAt(start - 1))) start -= 1;
    end = index + 1;
    while (end < text.length && end - start < longestWord && !endsWord(text.charCodeAt(end))) end += 1;
    found.push({ start, end });
  }
  return found;
}

/** Knows every secret value of the configuration, and takes it out of any text that leaves the process. */
export class Secrets {
  readonly #lasting: Known;
  readonly #passing = new Known();
  readonly #whole: Secrets | undefined;

  /** `whole`: those of the process, which hear of what these learn. */
  constructor(whole?: Secrets) {
    this.#whole = whole;
    this.#lasting = whole === undefined ? new Known() : whole.#lasting;
  }

  /**
   * What may not stand in the records of one source: the secrets of the configuration and what that source is asked with. Whoever gives us a token or
   * a cookie says what that is; a word of others' records would be gone from these for good.
   */
  ofOne(): Secrets {
    return new Secrets(this);
  }

  /**
   * Remembers a value with all that is a secret by itself in it. What is shorter than four characters would hollow out ordinary text and is
   * ignored.
   */
  add(value: string): void {
    this.#lasting.add(value);
  }

  /** Remembers a credential that a request carries: a token that was minted may take the place of another every few minutes. */
  addPassing(value: string): void {
    this.#whole?.addPassing(value);
    if (!this.#lasting.values.has(value)) this.#passing.addPassing(value);
  }

  #find(text: string): readonly Range[] {
    return [...this.#lasting.find(text), ...this.#passing.find(text)];
  }

  /** Characters of the longest form that is looked for. */
  get #longest(): number {
    return Math.max(this.#lasting.longest, this.#passing.longest);
  }

  /** Characters by which one is known, at the least. */
  get #shortest(): number {
    const all = [this.#lasting, this.#passing].flatMap(({ values, shortest }) => (values.size === 0 ? [] : [shortest]));
    return Math.min(...all);
  }

  /**
   * The text with every known secret replaced by `[REDACTED]`: as it is, in base64, base64url or hex, behind escapes of URLs, JSON, HTML and
   * mail, spread over lines, as UTF-16, in several of these at once, and cut off after at least a quarter.
   */
  scrub(text: string): string {
    if (this.#lasting.values.size + this.#passing.values.size === 0) return text;
    return replaced(text, [...this.#find(text), ...this.#findWrapped(text)]);
  }

  /** As {@link scrub}, looking only behind escapes that stand for every character, and in words with rarer marks: for records, at a fraction of the cost. */
  readonly scrubValues = (text: string): string => {
    let clean = replaced(text, this.#find(text));
    if (clean.length <= mostEscaped && clean.search(oddMark) !== -1) clean = replaced(clean, this.#findInWords(clean));
    if (clean.length > mostEscaped || !escapeMarks.some((mark) => clean.includes(mark))) return clean;
    return clean.replace(escapedRun, (run) => (this.scrub(run) === run ? run : redacted));
  };

  /** The words with an {@link oddMark} in which a secret stands: what comes again is looked at once. */
  #findInWords(text: string): readonly Range[] {
    const ranges = markedWords(text).filter(({ start, end }) => end - start >= this.#shortest);
    if (ranges.length === 0) return [];
    const words = [...new Set(ranges.map(({ start, end }) => text.slice(start, end)))];
    const joined = words.join(quote);
    if (!this.#mayHold(joined)) return [];
    const clean = words.length > mostWords ? this.#scrubTogether(joined) : words.map((word) => this.scrub(word));
    const holding = new Set(words.filter((word, at) => word !== clean[at]));
    return ranges.filter(({ start, end }) => holding.has(text.slice(start, end)));
  }

  #scrubTogether(joined: string): readonly string[] {
    const found = this.#findWrapped(joined).filter(({ start, end }) => !joined.slice(start, end).includes(quote));
    return replaced(joined, found).split(quote);
  }

  /** False where no secret is behind marks alone, nor anything that is written in another way. */
  #mayHold(text: string): boolean {
    const layers = [text];
    for (const layer of layers) {
      // The text itself was looked at before its words were.
      if (layer !== text && this.#find(layer).length > 0) return true;
      for (const { writing, sign } of marks) {
        const deeper = layer.search(sign) === -1 ? layer : undo(layer, writing);
        if (layers.length < mostLayers && !layers.includes(deeper)) layers.push(deeper);
      }
    }
    // What is written in another way still is when a mark has been undone.
    const undone = layers.slice(Math.min(1, layers.length - 1));
    return undone.some((layer) => otherWritings.some((writing) => isWritten(layer, writing)));
  }

  /** A text from outside as people may see it: scrubbed, then cut, then on one line without what steers a terminal. */
  tell(text: string, most: number = longestMessage): string {
    return tame(clip(this.scrubStart(text, most), most));
  }

  /** As {@link scrub}, of as much as can be shown: however long a text is, it costs no more than a few times that. */
  scrubStart(text: string, most: number): string {
    const unsure = Math.min(this.#longest, longestBeginning) * longestEscape;
    const start = text.slice(0, most * 4 + unsure);
    const clean = this.scrub(start);
    if (start.length === text.length) return clean;
    // What is cut off at the end may be the beginning of a secret.
    return `${clean.slice(0, Math.max(0, clean.length - unsure))}…`;
  }

  /** The error with its words as {@link tell} gives them. */
  tellError(error: PenstockError): PenstockError {
    const { code, message, where, fix, cause, status, retryAfterMs, sent } = error;
    const told = (text: string | undefined): string | undefined => (text === undefined ? undefined : this.tell(text));
    return new PenstockError(code, this.tell(message), { where: told(where), fix: told(fix), cause, status, retryAfterMs, sent });
  }

  /** Where secrets stand in a text that is wrapped in something, piece by piece: what lies across a border is whole in the next one. */
  #findWrapped(text: string): readonly Range[] {
    const found: Range[] = [];
    const overlap = Math.min(pieceLength / 2, this.#longest * longestEscape);
    const share = Math.floor((mostLayers * mostWholePieces * pieceLength) / text.length);
    const most = Math.max(fewestLayers, Math.min(mostLayers, share));
    for (let at = 0; at === 0 || at + overlap < text.length; at += pieceLength - overlap)
      for (const { start, end } of this.#findInLayers(text.slice(at, at + pieceLength), most))
        found.push({ start: at + start, end: at + end });
    return found;
  }

  #findInLayers(text: string, most: number): readonly Range[] {
    if (!writings.some(({ pattern }) => text.search(pattern) !== -1)) return [];
    const layers: Decoded[] = [undecoded(text)];
    const found: Range[] = [];
    for (const layer of layers) {
      if (layer !== layers[0])
        for (const { start, end } of this.#find(layer.text))
          if (!layer.isJoined || end - start >= shortestJoined)
            found.push({ start: layer.starts[start] ?? 0, end: layer.ends[end - 1] ?? 0 });
      for (const writing of writings) {
        if (layers.length >= most) break;
        const deeper = decodeText(layer, writing);
        if (deeper !== undefined && layers.every((known) => known.text !== deeper.text)) layers.push(deeper);
      }
    }
    return found;
  }
}

/** Plain data with every text as {@link Secrets.tell} gives it; names of members stay, and what holds nothing to hide is the same object. */
export function tellAll<T>(value: T, secrets: Secrets): T {
  // Of thousands of sources most say the same: each text is looked at once.
  const texts = new Map<string, string>();
  const tellText = (text: string): string => {
    const known = texts.get(text) ?? secrets.tell(text, 4_000);
    texts.set(text, known);
    return known;
  };
  const told = (one: unknown): unknown => {
    if (typeof one === 'string') return tellText(one);
    if (typeof one !== 'object' || one === null) return one;
    let copy: object | undefined;
    for (const [name, member] of Object.entries(one)) {
      const clean = told(member);
      if (clean !== member) setOwn((copy ??= Array.isArray(one) ? [...one] : { ...one }) as Record<string, unknown>, name, clean);
    }
    return copy ?? one;
  };
  return told(value) as T;
}

/** An empty set of secrets. */
export function createSecrets(): Secrets {
  return new Secrets();
}
