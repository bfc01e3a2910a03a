import { PenstockError } from '../base/errors.ts';
import type { SourceConfig } from '../config/config.ts';
import { compileConnector } from '../connectors/index.ts';
import type { Mapper } from '../event/event.ts';
import type { Journal } from '../journal/journal.ts';

type ConnectorRef = { readonly name: string; readonly hash: string };

/** Finds the mapper for a stored page: the connector that its source has loaded, else one of that name, else the version it was stored with. */
export type MapperFor = (connector: ConnectorRef, source: string) => Promise<Mapper>;

/**
 * So a repaired action table applies to everything that is delivered or replayed after it was loaded, and records of a source that is gone
 * from the configuration keep the mapping of their time.
 */
export function mappersOf(sources: readonly SourceConfig[], journal: Journal): MapperFor {
  const bySource = new Map(sources.map(({ name, connector }) => [name, connector]));
  const byName = new Map(sources.map(({ connector }) => [connector.name, connector]));
  const stored = new Map<string, Promise<Mapper>>();

  async function fromJournal({ name, hash }: ConnectorRef): Promise<Mapper> {
    const text = await journal.connectorText(hash);
    if (text !== undefined) return compileConnector(text).mapper;
    throw new PenstockError('PEN_NOT_FOUND', `connector ${name}, version ${hash}, is neither loaded nor in the journal`, {
      fix: `configure a source of connector ${name}`,
    });
  }

  return async (connector, source) => {
    const own = bySource.get(source);
    if (own !== undefined && own.name === connector.name) return own.mapper;
    const sameName = byName.get(connector.name);
    if (sameName !== undefined) return sameName.mapper;
    const known = stored.get(connector.hash) ?? fromJournal(connector);
    stored.set(connector.hash, known);
    known.catch(() => stored.delete(connector.hash));
    return known;
  };
}
