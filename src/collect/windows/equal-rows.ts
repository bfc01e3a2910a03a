// Rows without an id are named by their content, and a log may say the same thing several times in one second. In one scan of a window the second
// of them is named `#2`, the third `#3`: equal rows have the same time, so that every window holds all of them or none, in whatever order.
import type { RawRecord, RecordFacts } from '../../connectors/connector.ts';
import { type Examining, examineAll } from '../examine.ts';

/** Numbers the equal rows of one scan. */
export class EqualRows {
  readonly #counts = new Map<string, number>();
  #total: number | undefined;

  /** The facts of a page's records with their numbers; `facts` are those without. `total` is what the page says of the window. */
  async number(
    examining: Examining,
    raws: readonly RawRecord[],
    facts: readonly RecordFacts[],
    total: number | undefined,
  ): Promise<readonly RecordFacts[]> {
    // Rows came or went meanwhile, and those that moved may come again: copies are told apart within a page only, until the next scan.
    if (this.#total !== undefined && total !== this.#total) this.#counts.clear();
    this.#total ??= total;
    const copies = facts.flatMap((one, index) => {
      const occurrence = one.isNamedByContent === true ? this.#count(one) : 1;
      return occurrence === 1 ? [] : [{ index, raw: { ...raws[index], value: raws[index]?.value, occurrence } }];
    });
    if (copies.length === 0) return facts;
    const numbered = await examineAll(
      examining,
      copies.map(({ raw }) => raw),
    );
    const byIndex = new Map(copies.map(({ index }, i) => [index, numbered[i]]));
    return facts.map((one, index) => byIndex.get(index) ?? one);
  }

  #count({ uid, fingerprint }: RecordFacts): number {
    const key = uid + fingerprint;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count;
  }
}
