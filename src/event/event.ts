import type { Json } from '../base/json.ts';

/** A mapped event: OCSF 1.8.0. Attributes that rooms read are typed; the rest is data. */
export interface Event {
  readonly class_uid: number;
  readonly type_uid: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly severity_id: number;
  readonly metadata: {
    /** Penstock's own id, 32 hex digits: the same record always has the same. */
    readonly uid: string;
    readonly event_code?: string;
    readonly log_name: string;
    readonly tenant_uid?: string;
    readonly labels?: readonly string[];
    readonly [attribute: string]: unknown;
  };
  readonly [attribute: string]: unknown;
}

/** One journalled record: what a page holds and what delivery maps. */
export interface Envelope {
  /** `metadata.uid`, made before redaction. */
  readonly uid: string;
  /** When Penstock received it, milliseconds since the epoch. */
  readonly received: number;
  /** The vendor's record after redaction; for an unreadable one its text. */
  readonly record: Json;
  /** Why the record could not be read as one; such a record is a string. */
  readonly unreadable?: string;
  /** Extra labels of this record, e.g. `id_conflict`. */
  readonly labels?: readonly string[];
}

/** What the mapper needs besides the record; the same for a whole page. */
export interface PageContext {
  /** The configured source's name; becomes the label `source:NAME`. */
  readonly source: string;
  /** From the configuration, for records that do not carry their own. */
  readonly tenant: string | undefined;
  readonly labels: readonly string[];
  /** When the page is mapped, milliseconds; becomes `metadata.processed_time`. */
  readonly processedTime: number;
}

/** Maps records of one connector version. Never throws: a record that breaks it becomes a Base Event and is counted. */
export interface Mapper {
  /** Name of the action table; sourcetype and module come from it. */
  readonly table: string;
  map(envelope: Envelope, context: PageContext): Mapped;
}

export interface Mapped {
  readonly event: Event;
  /** The action row's encodings; undefined for an unknown action. */
  readonly action: ActionRow | undefined;
  /** The row's key, or the normalised vendor action when unknown; undefined for an unreadable record. */
  readonly actionKey: string | undefined;
  /** The record as text for `include_raw` and format `raw`. */
  readonly raw: () => string;
  /** Set when mapping threw and the event is a fallback: why. */
  readonly failed?: string;
  /** What is wrong with the event by OCSF, where it was checked and something is. */
  readonly faults?: readonly string[];
}

/** The columns of an action row that encoders read. */
export interface ActionRow {
  readonly key: string;
  readonly action: string;
  readonly title: string;
  readonly description?: string | null;
  /** The OCSF class of the row itself: the same for every record of the action, also where a variant gives an event another class. */
  readonly class_name?: string;
  readonly ecs: { readonly kind: string; readonly category: readonly string[]; readonly type: readonly string[] };
  readonly cim: {
    readonly model: string | null;
    readonly dataset?: string;
    readonly tags?: readonly string[];
    readonly action?: string;
    readonly change_type?: string;
    readonly object_category?: string;
  };
}

/** Body formats that every sink offers. */
export const formats = ['ocsf', 'cim', 'ecs', 'cef', 'leef', 'raw'] as const;
export type Format = (typeof formats)[number];

/** OCSF captions per severity_id; 99 is Other. */
export const severityNames: readonly string[] = ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical', 'Fatal'];

// Unknown and Other count as Low: a receiver that filters "Low and above" keeps them.
const cef = [3, 1, 3, 5, 8, 10, 10];
const syslog = [5, 6, 5, 4, 3, 2, 2];

/** Severity 1 to 10 for CEF and LEEF. */
export function cefSeverity(event: Event): number {
  return cef[event.severity_id] ?? 3;
}

/** Syslog severity 2 (crit) to 6 (info), RFC 5424 section 6.2.1. */
export function severityOf(event: Event): number {
  return syslog[event.severity_id] ?? 5;
}
