/** Letters to change, add, leave out or swap with their neighbour on the way from one word to another. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const change = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const swap = isSwap ? (before[column - 2] ?? 0) + 1 : change;
      current.push(Math.min(change, swap, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    [before, previous] = [previous, current];
  }
  return previous[b.length] ?? 0;
}

/**
 * The candidate that a misspelt word most likely meant: the closest (a third of its letters wrong, at most 3), else the only one that the
 * word is a part of. Undefined when there is none.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.min(3, Math.max(1, Math.floor(word.length / 3)));
  const plain = (text: string): string => text.slice(0, 100).toLowerCase().replace(/[_-]/g, '');
  const ranked = candidates
    .map((candidate) => ({ candidate, steps: distance(plain(word), plain(candidate)) }))
    .filter(({ steps }) => steps <= limit);
  const closest = ranked.sort((a, b) => a.steps - b.steps)[0]?.candidate;
  if (closest !== undefined || plain(word).length < 3) return closest;
  const holders = candidates.filter((candidate) => plain(candidate).includes(plain(word)));
  return holders.length === 1 ? holders[0] : undefined;
}
