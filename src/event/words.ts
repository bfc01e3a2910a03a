// Attributes that have a value for each of a vendor's words.

import type { PathsSpec, WordsSpec } from './map-spec.ts';
import { textOf } from './reads.ts';

/** A word without case, blanks and punctuation. */
export const plainWord = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Where the words are. */
export function wordPaths<T>(spec: WordsSpec<T> | undefined): PathsSpec | undefined {
  return typeof spec === 'object' && 'from' in spec ? spec.from : spec;
}

/** Gives the value of a word: what the map says, else what it usually means; undefined for a word that neither knows. */
export function openWords<T>(
  spec: WordsSpec<T> | undefined,
  usual: Readonly<Record<string, T>>,
): (value: unknown) => T | undefined {
  const own = typeof spec === 'object' && 'from' in spec ? spec.values : {};
  const values = new Map(Object.entries({ ...usual, ...own }).map(([word, value]) => [plainWord(word), value]));
  return (value) => {
    const text = textOf(value);
    return text === undefined ? undefined : values.get(plainWord(text));
  };
}
