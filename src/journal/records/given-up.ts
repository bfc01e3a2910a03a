// What a person gave up, as notes of no source: they stay when the letters and the sinks are gone.
import { parseJson } from '../../base/json.ts';
import type { Discard, DiscardedLetter, Forgotten, GivenUp, LetterFilter } from '../journal.ts';

/** A letter that is being discarded, with the names of its sink and source. */
export interface DiscardedRow {
  readonly id: number;
  readonly sink: string;
  readonly source: string;
  readonly uid: string;
  readonly event_time: number;
  /** Empty or null where it has none. */
  readonly action: string | null;
  readonly code: string;
  readonly counted: number;
}

/** Letters that are deleted and noted down at once: a million of them must not be in memory together. */
export const discardedAtOnce = 10_000;

/** Notes begin so; a name is never used twice, as ids of letters never restart. */
const noteOf = { discarded: 'discarded:', sink: 'forgotten:', source: 'forgotten_source:' } as const;

/** Where it is noted down that a sink or a source is forgotten; its id is never used again. */
export const forgottenNote = (kind: 'source' | 'sink', id: number): string => `${noteOf[kind]}${id}`;

/** Which notes these are, in SQL. */
export const isGivenUp = Object.values(noteOf)
  .map((prefix) => `name LIKE '${prefix}%'`)
  .join(' OR ');

export interface NamedNote {
  readonly name: string;
  readonly value: string;
}

/** What is noted down of letters that are discarded together: one note per sink and source. */
export function discardNotes(
  rows: readonly DiscardedRow[],
  filter: LetterFilter,
  at: number,
): (Discard & { readonly name: string })[] {
  const notes = new Map<string, Discard & { readonly name: string; readonly letters: DiscardedLetter[] }>();
  for (const { id, sink, source, uid, event_time, action, code, counted } of rows) {
    const key = JSON.stringify([sink, source]);
    const note = notes.get(key) ?? { name: `${noteOf.discarded}${id}`, at, sink, source, filter, letters: [] };
    notes.set(key, note);
    const named = action !== null && action !== '' ? { action } : {};
    note.letters.push({ id, uid, eventTime: event_time, code, ...named, ...(counted === 0 && { replayed: true }) });
  }
  return [...notes.values()];
}

/** What the notes say, oldest first. */
export function givenUpOf(notes: readonly NamedNote[]): GivenUp {
  const numberOf = (name: string): number => Number(name.slice(name.indexOf(':') + 1));
  const of = <T extends { readonly at: number }>(...kinds: (keyof typeof noteOf)[]): T[] =>
    notes
      .filter(({ name }) => kinds.some((kind) => name.startsWith(noteOf[kind])))
      .map(({ name, value }) => ({ number: numberOf(name), note: parseJson(value) as T }))
      .toSorted((a, b) => a.note.at - b.note.at || a.number - b.number)
      .map(({ note }) => note);
  return { discards: of<Discard>('discarded'), forgotten: of<Forgotten>('sink', 'source') };
}
