/** An id that is looked up, and the day of its record. */
export interface Wanted {
  readonly day: number;
  readonly id: string;
}

/**
 * Entries without copies, and for each entry the place of its like among them. A vendor may give thousands of records the same id, and all of what is
 * known of it would be found for each of them.
 */
export function onceEach(entries: readonly Wanted[]): { readonly wanted: readonly Wanted[]; readonly places: readonly number[] } {
  const days = new Map<number, Map<string, number>>();
  const wanted: Wanted[] = [];
  const places = entries.map((entry) => {
    const ids = days.get(entry.day) ?? new Map<string, number>();
    if (ids.size === 0) days.set(entry.day, ids);
    const known = ids.get(entry.id);
    if (known !== undefined) return known;
    ids.set(entry.id, wanted.length);
    return wanted.push(entry) - 1;
  });
  return { wanted, places };
}
