import type { Mapper } from '../event/event.ts';
import type { StoredPage } from '../journal/journal.ts';
import type { DeliverDeps } from './settings.ts';

// More versions than this in one backlog are compiled again when their turn comes.
const most = 64;

/** Remembers the mappers of the pages seen last. */
export function createMappers(mapperFor: DeliverDeps['mapperFor']): (page: StoredPage) => Promise<Mapper> {
  const known = new Map<string, Promise<Mapper>>();
  return ({ connector, source }) => {
    const key = `${connector.hash}\n${connector.name}\n${source}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const mapper = mapperFor(connector, source);
    known.set(key, mapper);
    // What failed is asked for again next time.
    mapper.catch(() => known.delete(key));
    const [oldest] = known.keys();
    if (known.size > most && oldest !== undefined) known.delete(oldest);
    return mapper;
  };
}
