import { PenstockError } from '../base/errors.ts';
import type { SourceConfig } from '../config/config.ts';
import type { Connector } from '../connectors/connector.ts';
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
export class Mappers {
  readonly #journal: Journal;
  readonly #stored = new Map<string, Promise<Mapper>>();
  #bySource = new Map<string, SourceConfig>();
  #byName = new Map<string, Connector>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** These are the sources from now on. */
  use(sources: readonly SourceConfig[]): void {
    this.#bySource = new Map(sources.map((source) => [source.name, source]));
    this.#byName = new Map(sources.map(({ connector }) => [connector.name, connector]));
  }

  readonly mapperFor: MapperFor = async (connector, source) => {
    const own = this.#bySource.get(source);
    const mapper = await this.#find(connector, own?.connector);
    if (own?.validate !== 'warn') return mapper;
    const { withValidation } = await import('../event/ocsf/validate.ts');
    return withValidation(mapper);
  };

  async #find(connector: ConnectorRef, own: Connector | undefined): Promise<Mapper> {
    if (own !== undefined && own.name === connector.name) return own.mapper;
    const sameName = this.#byName.get(connector.name);
    if (sameName !== undefined) return sameName.mapper;
    const known = this.#stored.get(connector.hash) ?? this.#fromJournal(connector);
    this.#stored.set(connector.hash, known);
    known.catch(() => this.#stored.delete(connector.hash));
    return known;
  }

  async #fromJournal({ name, hash }: ConnectorRef): Promise<Mapper> {
    const text = await this.#journal.connectorText(hash);
    if (text !== undefined) return storedMapper(text, { name, hash });
    throw new PenstockError('PEN_NOT_FOUND', `connector ${name}, version ${hash}, is neither loaded nor in the journal`, {
      fix: `configure a source of connector ${name}`,
    });
  }
}

/** The text decides what events say: one that is not what was stored maps nothing. */
function storedMapper(text: string, { name, hash }: ConnectorRef): Mapper {
  const connector = compileConnector(text);
  if (connector.hash === hash) return connector.mapper;
  throw new PenstockError('PEN_JOURNAL_CORRUPT', `connector ${name} in the journal is version ${connector.hash}, not ${hash}`, {
    fix: `configure a source of connector ${name}, so that its own text is used`,
  });
}
