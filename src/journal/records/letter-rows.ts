// Dead letters as rows, and as pages of a replay.
import { parseJson } from '../../base/json.ts';
import type { DeadLetter, LetterFilter, NewDeadLetter, ReplayRequest, StoredPage, StoredRecord } from '../journal.ts';
import { position } from './positions.ts';

/** Which letters are looked at. */
export interface LetterRange {
  /** Ids greater than this. */
  readonly after?: number;
  /** Ids up to this. */
  readonly upTo?: number;
}

/** Columns of a letter without its id. */
export const letterColumns =
  'sink, source, uid, received, unreadable, record_labels, connector_name, connector_hash, tenant, labels, event_time, action, code, text, attempts, first, last, counted, record';

/** What is stored of a letter besides sink, source and `counted`. */
export function columnsOf({
  record,
  connector,
  tenant,
  labels,
  eventTime,
  action,
  code,
  text,
  attempts,
  first,
  last,
}: NewDeadLetter) {
  const envelope = {
    uid: record.uid,
    received: record.received,
    unreadable: record.unreadable ?? null,
    record_labels: record.labels === undefined ? null : JSON.stringify(record.labels),
    record: JSON.stringify(record.record ?? null),
  };
  const page = {
    connector_name: connector.name,
    connector_hash: connector.hash,
    tenant: tenant ?? null,
    labels: JSON.stringify(labels),
  };
  return { ...envelope, ...page, event_time: eventTime, action: action ?? null, code, text, attempts, first, last };
}

/** A row with the names of its sink and source. */
export interface LetterRow extends Pick<DeadLetter, 'id' | 'sink' | 'source' | 'code' | 'text' | 'attempts' | 'first' | 'last'> {
  readonly uid: string;
  readonly received: number;
  readonly record: string;
  readonly unreadable: string | null;
  readonly record_labels: string | null;
  readonly connector_name: string;
  readonly connector_hash: string;
  readonly tenant: string | null;
  readonly labels: string;
  readonly event_time: number;
  readonly action: string | null;
  readonly counted: number;
}

/** The letter of a row. */
export function letterOf(row: LetterRow): DeadLetter {
  const { id, sink, source, code, text, attempts, first, last } = row;
  return {
    id,
    sink,
    source,
    record: recordOf(row),
    connector: { name: row.connector_name, hash: row.connector_hash },
    tenant: row.tenant ?? undefined,
    labels: JSON.parse(row.labels) as string[],
    eventTime: row.event_time,
    action: row.action ?? undefined,
    code,
    text,
    attempts,
    first,
    last,
    ...(row.counted === 0 && { replayed: true }),
  };
}

function recordOf({ uid, received, record, unreadable, record_labels }: LetterRow): StoredRecord {
  return {
    uid,
    received,
    record: parseJson(record),
    ...(unreadable !== null && { unreadable }),
    ...(record_labels !== null && { labels: JSON.parse(record_labels) as string[] }),
  };
}

/** Which letters of a source a replay is about. */
export function filterOf({ letters, from, to, action }: ReplayRequest, sink: string, source: string): LetterFilter {
  return {
    ...letters,
    sink,
    source,
    ...(action !== undefined && { action }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}

/** Letters as a reading hands them out: a page for each run that says the same of its records. */
export function pagesOf(letters: readonly DeadLetter[]): StoredPage[] {
  const runs: DeadLetter[][] = [];
  for (const letter of letters) {
    const run = runs.at(-1);
    const head = run?.[0];
    if (head !== undefined && sameOrigin(head, letter)) run?.push(letter);
    else runs.push([letter]);
  }
  return runs.flatMap((run) => {
    const [head] = run;
    if (head === undefined) return [];
    const { source, connector, tenant, labels } = head;
    const ids = run.map(({ id }) => id);
    return [
      { source, connector, tenant, labels, records: run.map(({ record }) => record), positions: ids.map(position), letters: ids },
    ];
  });
}

function sameOrigin(a: DeadLetter, b: DeadLetter): boolean {
  return (
    a.source === b.source &&
    a.connector.hash === b.connector.hash &&
    a.connector.name === b.connector.name &&
    a.tenant === b.tenant &&
    a.labels.join('\n') === b.labels.join('\n')
  );
}
