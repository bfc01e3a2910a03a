// Values that no text may show, with everything of them that is looked for.
import { decodeText, undecoded, writings } from './decode-text.ts';
import { formsOf, isTelling, partsOf, type Range, SecretIndex, shortestPart, shortestSecret } from './secret-index.ts';

/** Of characters that others stood between, so many have to be those of a secret. */
export const shortestJoined = 8;
/** Tokens that were minted: older ones have ended. Their forms take some fifty times as much memory as they do. */
const mostPassing = 1_000;
const mostPassingCharacters = 262_144;

/** What is left of a value where all that may stand between characters is taken out: some of its own may look like that. */
function joinedOf(value: string): string[] {
  const left = writings.flatMap((writing) => (writing.joins === true ? [decodeText(undecoded(value), writing)?.text ?? ''] : []));
  return left.filter(({ length }) => length >= shortestJoined);
}

/** Of the characters of a token (RFC 6750), and neither a time nor a name of one or two words, as states and sources have it. */
const looksMinted = (value: string): boolean =>
  value.length >= shortestPart &&
  /^[\w.~+/=-]+$/.test(value) &&
  !/^\d+$/.test(value) &&
  (!/^[a-z]+(?:-[a-z]+)?$/.test(value) || /token|secret|session|passw/.test(value));

/** Values with all forms in which they are looked for. */
export class Known {
  readonly values = new Set<string>();
  #index = new SecretIndex();
  #characters = 0;
  /** Characters of the longest form. */
  longest = 0;

  get shortest(): number {
    return this.#index.shortest;
  }

  /** Adds a value with all that is a secret by itself in it. */
  add(value: string): void {
    if (value.length < shortestSecret || this.values.has(value)) return;
    this.values.add(value);
    this.#characters += value.length;
    for (const part of [value, ...partsOf(value), ...joinedOf(value)])
      for (const form of formsOf(part)) {
        this.#index.add(form);
        this.longest = Math.max(this.longest, form.length);
      }
  }

  /** As {@link add}, in the place of older ones where there are too many. A peer that calls a word its token hides that word in nothing. */
  addPassing(value: string): void {
    if (!isTelling(value) && !looksMinted(value)) return;
    this.add(value);
    if (this.values.size > mostPassing || this.#characters > mostPassingCharacters) this.#forgetOldest();
  }

  find(text: string): readonly Range[] {
    return this.values.size === 0 ? [] : this.#index.find(text);
  }

  /** Keeps the newest, as far as they are no more than half of what is allowed. */
  #forgetOldest(): void {
    const kept: string[] = [];
    let left = mostPassingCharacters / 2;
    for (const value of [...this.values].slice(-mostPassing / 2).toReversed()) {
      if (value.length > left) continue;
      kept.push(value);
      left -= value.length;
    }
    this.values.clear();
    this.#characters = 0;
    this.#index = new SecretIndex();
    this.longest = 0;
    for (const value of kept.toReversed()) this.add(value);
  }
}
