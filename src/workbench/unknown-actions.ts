import { PenstockError } from '../base/errors.ts';
import type { Seams } from '../base/seams.ts';
import { parseUnknownCounts, unknownActionsNote, unknownSampleNote } from '../collect/index.ts';
import type { SourceConfig } from '../config/config.ts';
import type { Connector } from '../connectors/connector.ts';
import type { Journal } from '../journal/journal.ts';
import { withStoredJournal } from '../runtime/configured-journal.ts';
import { suggestRow } from './suggest-row.ts';

/** An action that arrived and has no row; times are milliseconds since the epoch. */
interface UnknownActionReport {
  readonly connector: string;
  /** As the vendor spells it. */
  readonly action: string;
  readonly key: string;
  readonly count: number;
  readonly first: number;
  readonly last: number;
  /** Sources that it came from. */
  readonly sources: readonly string[];
  /** One record as JSON text, redacted, cut after 4,000 characters. */
  readonly sample?: string;
  /** A row of the action table, YAML, ready to be pasted. */
  readonly row: string;
}

export interface UnknownActionsReport {
  readonly actions: readonly UnknownActionReport[];
  /** Records of further unknown actions, beyond the 200 that are remembered of each source. */
  readonly others: number;
}

type Found = Omit<UnknownActionReport, 'row'> & { readonly table: Connector };

/**
 * What the sources of a connector (of all, without one) have met and the rows they have loaded now do not know, most frequent first. Reads
 * the journal beside a running daemon or without one. Throws PEN_NOT_FOUND when no source uses the connector.
 */
export function unknownActions(configFile: string, seams: Seams, connector?: string): Promise<UnknownActionsReport> {
  return withStoredJournal(configFile, seams, async (journal, { sources }) => {
    const wanted = sources.filter((source) => connector === undefined || source.connector.name === connector);
    if (wanted.length === 0 && connector !== undefined) {
      const used = [...new Set(sources.map((source) => source.connector.name))].join(', ');
      throw new PenstockError('PEN_NOT_FOUND', `no source uses connector "${connector}"`, {
        where: configFile,
        fix: used === '' ? 'configure a source of it first' : `use one of: ${used}`,
      });
    }
    const found = await Promise.all(wanted.map((source) => ofSource(source, journal)));
    const actions = merged(found.flatMap((one) => one.actions))
      .sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
      .map(({ table, ...report }) => ({ ...report, row: suggestRow(report.action, report.key, table.actions) }));
    return { actions, others: found.reduce((sum, { others }) => sum + others, 0) };
  });
}

async function ofSource(
  { name, connector }: SourceConfig,
  journal: Journal,
): Promise<{ readonly actions: readonly Found[]; readonly others: number }> {
  const { actions, others } = parseUnknownCounts(await journal.note(name, unknownActionsNote));
  const known = new Set(connector.actions.flatMap(({ key, aliases = [] }) => [key, ...aliases]));
  const found = await Promise.all(
    actions.map(async ({ key, ...counted }, index) => {
      if (known.has(key)) return [];
      const sample = await journal.note(name, unknownSampleNote(index));
      const text = typeof sample === 'string' ? { sample } : {};
      return [{ connector: connector.name, key, ...counted, sources: [name], ...text, table: connector }];
    }),
  );
  return { actions: found.flat(), others };
}

/** One entry for an action, however many sources of the connector met it. */
function merged(found: readonly Found[]): Found[] {
  const byAction = new Map<string, Found>();
  for (const one of found) {
    const id = `${one.connector}\n${one.key}`;
    const known = byAction.get(id);
    byAction.set(
      id,
      known === undefined
        ? one
        : {
            ...known,
            count: known.count + one.count,
            first: Math.min(known.first, one.first),
            last: Math.max(known.last, one.last),
            sources: [...known.sources, ...one.sources],
          },
    );
  }
  return [...byAction.values()];
}
