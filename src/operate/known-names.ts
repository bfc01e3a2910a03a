import type { Journal } from '../journal/journal.ts';
import { orNotFound } from '../runtime/runtime.ts';

interface Asked {
  readonly sink?: string;
  readonly source?: string;
}

/**
 * Throws PEN_NOT_FOUND for a sink or source that the journal does not know: what is not found under a misspelt name would be taken for what is
 * not there. Names that the configuration has no more are known.
 */
export async function requireKnown(journal: Journal, { sink, source }: Asked): Promise<void> {
  if (sink === undefined && source === undefined) return;
  const { sources, rows } = await journal.ledger();
  const sinks = new Set(rows.map((row) => row.sink));
  if (source !== undefined) orNotFound(sources[source], 'source', source, Object.keys(sources));
  // Without a source no row says what sinks there are, and there is nothing to find.
  if (sink !== undefined && rows.length > 0) orNotFound(sinks.has(sink) || undefined, 'sink', sink, sinks);
}
