// Rows without an id of their own, in a log that is followed by cursor: a row behind the cursor is new, also where it says what another one said.
import type { RawRecord, RecordFacts } from '../../connectors/connector.ts';
import { dayOf } from '../admit.ts';
import type { SourceContext } from '../context.ts';
import { examineAll } from '../examine.ts';

/** Facts of rows that nobody read before, those without an id numbered on from their equals that are known. */
export async function numberedOn(
  context: SourceContext,
  raws: readonly RawRecord[],
  facts: readonly RecordFacts[],
): Promise<readonly RecordFacts[]> {
  const highest = new Map<string, number>();
  const numbered: RecordFacts[] = [];
  for (const [index, one] of facts.entries()) {
    if (one.isNamedByContent !== true) {
      numbered.push(one);
      continue;
    }
    const key = one.uid + one.fingerprint;
    const raw = raws[index] ?? { value: one.record };
    const occurrence = 1 + (highest.get(key) ?? (await knownEquals(context, raw, one)));
    highest.set(key, occurrence);
    numbered.push(occurrence === 1 ? one : await withOccurrence(context, raw, occurrence, one));
  }
  return numbered;
}

async function withOccurrence(
  context: SourceContext,
  raw: RawRecord,
  occurrence: number,
  otherwise: RecordFacts,
): Promise<RecordFacts> {
  const [facts] = await examineAll(context, [{ ...raw, value: raw.value, occurrence }]);
  return facts ?? otherwise;
}

/** How many equals of a row are known. */
async function knownEquals(context: SourceContext, raw: RawRecord, first: RecordFacts): Promise<number> {
  const { journal, settings } = context;
  for (let [count, facts] = [0, first]; ; count += 1) {
    const [known] = await journal.seen(settings.name, [{ day: dayOf(facts.time), id: facts.uid }]);
    if (known?.includes(facts.fingerprint) !== true) return count;
    facts = await withOccurrence(context, raw, count + 2, facts);
  }
}

/** Of a page, which may hold any number. */
const rowsLookedAt = 250;

/** True for a page of which every row is known, and not all say the same: no chance repeats several rows to the second. */
export async function wereReadBefore(context: SourceContext, raws: Pick<readonly RawRecord[], 'slice'>): Promise<boolean> {
  const facts = await examineAll(context, raws.slice(0, rowsLookedAt));
  const named = facts.filter(({ isNamedByContent }) => isNamedByContent === true);
  if (named.length < facts.length || new Set(named.map(({ uid }) => uid)).size < 2) return false;
  const known = await context.journal.seen(
    context.settings.name,
    facts.map(({ time, uid }) => ({ day: dayOf(time), id: uid })),
  );
  return facts.every(({ fingerprint }, index) => known[index]?.includes(fingerprint) === true);
}
