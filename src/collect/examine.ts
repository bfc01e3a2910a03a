import type { RawRecord, RecordFacts } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import { boundDepth } from '../event/index.ts';
import type { SourceContext } from './context.ts';

/** What records are examined with. */
export interface Examining extends Pick<SourceContext, 'log' | 'secrets'> {
  readonly settings: Pick<SourceSettings, 'connector' | 'tenant'>;
}

/** Records examined before other work gets a turn: examining hashes, and the event loop must not stall. */
const recordsPerTurn = 250;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Facts of raw records, in order; gives way to other work between slices. */
export async function examineAll(examining: Examining, raws: readonly RawRecord[]): Promise<RecordFacts[]> {
  const facts: RecordFacts[] = [];
  for (const raw of raws) {
    if (facts.length > 0 && facts.length % recordsPerTurn === 0) await nextTurn();
    facts.push(examine(examining, raw));
  }
  return facts;
}

// One record that breaks the rules (nested deeper than the stack, say) must not stop the source: it goes on as what text it has.
function examine({ settings: { connector, tenant }, log, secrets }: Examining, raw: RawRecord): RecordFacts {
  try {
    return connector.records.examine(raw, tenant, secrets?.scrubValues);
  } catch (error) {
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
