import type { RecordFacts } from '../connectors/connector.ts';

type Named = Pick<RecordFacts, 'uid' | 'fingerprint' | 'time'>;

/**
 * How many of the records have the id of another one among `first` and are not the same: the id does not name one record. Equal ones are copies,
 * as vendors send them.
 */
export function sharedIds(first: readonly Named[], records: readonly Named[] = first): number {
  const owners = new Map<string, Named>();
  for (const facts of first) if (!owners.has(facts.uid)) owners.set(facts.uid, facts);
  return records.filter((facts) => {
    const owner = owners.get(facts.uid);
    return owner !== undefined && !isSameRecord(owner, facts);
  }).length;
}

/** True for two readings of one record. Of a record without its volatile parts the time may be all that is left. */
export const isSameRecord = (one: Named, other: Named): boolean =>
  one.fingerprint === other.fingerprint && one.time === other.time;
