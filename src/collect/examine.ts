import { PenstockError } from '../base/errors.ts';
import { Slices } from '../base/slices.ts';
import type { RawRecord, RecordFacts } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import { boundDepth } from '../event/index.ts';
import type { SourceContext } from './context.ts';

/** What records are examined with. */
export interface Examining extends Pick<SourceContext, 'log' | 'secrets' | 'seams'> {
  readonly settings: Pick<SourceSettings, 'connector' | 'tenant'>;
}

/** Records examined before other work gets a turn, however fast that was: examining hashes, and the event loop must not stall. */
const recordsPerTurn = 250;
/** Bytes of a record that takes a turn for itself: of many sources each could begin with one in the same. */
const largeRecord = 65_536;

/** Facts of raw records, in order; gives way to other work between slices. */
export async function examineAll(examining: Examining, raws: readonly RawRecord[]): Promise<RecordFacts[]> {
  const facts: RecordFacts[] = [];
  const slices = new Slices(examining.seams.clock);
  for (const raw of raws) {
    const isDue = (facts.length > 0 && facts.length % recordsPerTurn === 0) || (raw.json?.length ?? 0) > largeRecord;
    const pause = isDue ? slices.turn() : slices.pause();
    if (pause !== undefined) await pause;
    facts.push(examine(examining, raw));
  }
  return facts;
}

// One record that breaks the rules (nested deeper than the stack, say) must not stop the source: it goes on as what text it has.
function examine({ settings: { connector, tenant }, log, secrets }: Examining, raw: RawRecord): RecordFacts {
  try {
    return connector.records.examine(raw, tenant, secrets?.scrubValues);
  } catch (error) {
    // The reply is at fault, not the record.
    if (error instanceof PenstockError) throw error;
    const reason = `the record could not be examined: ${error instanceof Error ? error.message : String(error)}`;
    log.warn({ err: error }, 'a record could not be examined, it is kept as text');
    const text = { ...raw, value: textOf(raw.value), unreadable: raw.unreadable ?? reason };
    return connector.records.examine(text, tenant, secrets?.scrubValues);
  }
}

function textOf(value: unknown): string {
  try {
    return typeof value === 'string' ? value : JSON.stringify(boundDepth(value));
  } catch (error) {
    return `[${typeof value} without text: ${error instanceof Error ? error.message : String(error)}]`;
  }
}

// Rows without an id are named by their content, and a log may say the same thing several times in one second. In one scan of a window the second
// of them is named `#2`, the third `#3`: equal rows have the same time, so that every window holds all of them or none, in whatever order.

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
