import { parseJson, setOwn } from '../base/json.ts';
import { type ActionNameSpec, readActionName } from './action-name.ts';
import type { ActionTable } from './action-table.ts';
import type { Attributes } from './attributes.ts';
import { type ClientReads, openClient } from './client.ts';
import type { MapSpec, PathsSpec } from './map-spec.ts';
import { type ActorReads, openActor, openParty, type PartyReads, readParty } from './parties.ts';
import { openPaths, type Paths, type Read, textOf, textsOf } from './reads.ts';
import { openSession, type SessionReads } from './session.ts';
import type { Parties } from './target.ts';
import { parseTime } from './time.ts';
import { openZone, type Zone } from './zone.ts';

/** What the mapper needs of a connector's `record:` section; candidates, the first that has a value wins. */
interface RecordPaths {
  readonly id?: PathsSpec;
  readonly time: PathsSpec;
  readonly action: ActionNameSpec;
  readonly tenant?: PathsSpec;
  readonly zone?: string;
}

/** What a mapper is made of. */
export interface MapperParts {
  readonly table: ActionTable;
  readonly map: MapSpec;
  readonly record: RecordPaths;
}

/** A time with the text that told it. */
export interface Told {
  readonly text: string;
  readonly ms: number;
  readonly dayOnly: boolean;
}

/** Every read of a mapper. */
export interface RecordReads {
  readonly paths: Paths;
  readonly action: Read<string>;
  readonly time: Read<Told>;
  /** What stands where the time should, if that cannot be read. */
  readonly timeText: Read<string>;
  readonly tenant: Read<string>;
  readonly id: Read<string>;
  readonly status: Read<string>;
  readonly statusDetail: Read<string>;
  readonly message: Read<string>;
  readonly correlation: Read<string>;
  readonly logged: Read<number>;
  readonly actor: ActorReads;
  readonly client: ClientReads;
  readonly session: SessionReads;
  readonly target: PartyReads;
  readonly user: PartyReads;
  readonly group: PartyReads;
  readonly policy: PartyReads;
  readonly resource: PartyReads;
  readonly privileges: Read<readonly string[]>;
}

function told(value: unknown, zone: Zone | undefined): Told | undefined {
  const parsed = parseTime(value, zone);
  return parsed === undefined ? undefined : { ...parsed, text: textOf(value) ?? '' };
}

/** Prepares every read of a mapper. */
export function openReads({ table, map, record }: MapperParts): RecordReads {
  const paths = openPaths(map.keep ?? []);
  const zone = record.zone === undefined ? undefined : openZone(record.zone);
  return {
    paths,
    action: readActionName(paths, record.action),
    time: paths.read(record.time, (value) => told(value, zone)),
    timeText: paths.read(record.time, textOf),
    tenant: paths.read(record.tenant, textOf),
    id: paths.read(map['metadata.original_event_uid'] ?? record.id, textOf),
    status: paths.read(table.spec.status.field, textOf),
    statusDetail: paths.read(map.status_detail, textOf),
    message: paths.read(map.message, textOf),
    correlation: paths.read(map['metadata.correlation_uid'], textOf),
    logged: paths.read(map['metadata.logged_time'], (value) => parseTime(value, zone)?.ms),
    actor: openActor(paths, map),
    client: openClient(paths, map),
    session: openSession(paths, map),
    target: openParty(paths, map, 'target'),
    user: openParty(paths, map, 'user'),
    group: openParty(paths, map, 'group'),
    policy: openParty(paths, map, 'policy'),
    resource: openParty(paths, map, 'resource'),
    privileges: paths.read(map.privileges, textsOf),
  };
}

/** The record with its embedded JSON parsed; the record itself when there is none. */
export function unfold(record: Record<string, unknown>, fields: readonly string[]): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const field of fields) {
    const text = Object.hasOwn(record, field) ? record[field] : undefined;
    if (typeof text !== 'string' || !/^\s*[[{]/.test(text)) continue;
    try {
      const value = parseJson(text);
      copy ??= { ...record };
      setOwn(copy, field, value);
    } catch (error) {
      // Text that only begins like JSON stays text.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return copy ?? record;
}

const statusNames = { success: [1, 'Success'], failure: [2, 'Failure'], unknown: [0, 'Unknown'], other: [99, 'Other'] } as const;

/** Status, its raw text and, unless it succeeded, why. */
export function fillStatus(event: Attributes, reads: RecordReads, table: ActionTable, record: unknown): void {
  const text = reads.status.take(record);
  const outcome = table.outcomeOf(text);
  const [id, name] = statusNames[outcome];
  event.status_id = id;
  event.status = outcome === 'other' && text !== undefined ? text : name;
  if (text !== undefined) event.status_code = text;
  const detail = id === 1 ? undefined : reads.statusDetail.take(record);
  if (detail !== undefined) event.status_detail = detail;
}

/** Everything that was affected, nothing of it claimed yet. */
export function readParties(reads: RecordReads, record: unknown, tenant: Parties['tenant']): Parties {
  return {
    target: readParty(reads.target, record),
    tenant,
    beside: (whose) => readParty(reads[whose], record),
    privileges: () => reads.privileges.take(record),
  };
}
