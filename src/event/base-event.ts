import type { Attributes, Head, MappedEvent, Metadata } from './attributes.ts';
import { isKnown, type Party } from './parties.ts';

// Severity Low: a receiver that filters "Low and above" keeps what nobody has a row for.
const head = {
  class_uid: 0,
  class_name: 'Base Event',
  category_uid: 0,
  category_name: 'Uncategorized',
  activity_id: 99,
  type_uid: 99,
  type_name: 'Base Event: Other',
  severity_id: 2,
  severity: 'Low',
} as const;

/** Label of an event whose record could not be read. */
export const unreadableLabel = 'unreadable';
/** Label of an event whose record broke the mapper. */
export const mapFailedLabel = 'map_failed';

/** The head of an event whose action no row knows. */
export function baseHead(action: string): Head {
  const { class_uid, class_name, category_uid, category_name, activity_id, ...rest } = head;
  return { class_uid, class_name, category_uid, category_name, activity_id, activity_name: action, ...rest };
}

/**
 * Moves what Base Event has no attribute for into `unmapped`: `src_ip`, `user_agent`, `target`. A field of the record that has the same
 * name stays what it is, and ours is left out.
 */
export function unmapForBase(event: Attributes, target: Party, record: Record<string, unknown>): Record<string, unknown> {
  const extra: Record<string, unknown> = {};
  const { src_endpoint: source, http_request: request } = event;
  const address = source?.ip ?? source?.name;
  if (address !== undefined && !Object.hasOwn(record, 'src_ip')) extra['src_ip'] = address;
  if (request !== undefined && !Object.hasOwn(record, 'user_agent')) extra['user_agent'] = request.user_agent;
  delete event.src_endpoint;
  delete event.http_request;
  if ((isKnown(target) || target.type !== undefined) && !Object.hasOwn(record, 'target'))
    extra['target'] = unmappedTarget(target);
  return extra;
}

function unmappedTarget({ uid, name, email, type, reads }: Party): Record<string, string> {
  const target: Record<string, string> = {};
  if (uid !== undefined) target['uid'] = uid;
  if (name !== undefined) target['name'] = name;
  if (email !== undefined) target['email_addr'] = email;
  if (type !== undefined) target['type'] = type;
  reads.uid.claim();
  reads.name.claim();
  reads.email.claim();
  return target;
}

/** An event for a record that could not be read or mapped: nothing but its text. */
export function textEvent(activity: string, message: string, time: number, text: string, metadata: Metadata): MappedEvent {
  return {
    ...baseHead(activity),
    status_id: 0,
    status: 'Unknown',
    time,
    message,
    metadata,
    raw_data: text,
    raw_data_size: Buffer.byteLength(text),
  };
}
