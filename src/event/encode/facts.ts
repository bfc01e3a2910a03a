import { isObject } from '../../base/json.ts';
import { type MappedEvent, type Thing, type User, unknownName } from '../attributes.ts';
import type { Event } from '../event.ts';

/** Somebody or something with a name, an id or both; placeholders are gone. */
export interface Named {
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
  readonly email?: string | undefined;
  readonly type?: string | undefined;
}

/** What the derived encodings tell of an event, read once. */
export interface Facts {
  readonly actor: Named | undefined;
  /** The affected user; on authentication the performer. */
  readonly user: Named | undefined;
  /** The user that an invitation was sent to. */
  readonly invited: Named | undefined;
  readonly group: Named | undefined;
  /** The affected object that is neither user nor group: entity, resource, web resource. */
  readonly object: Named | undefined;
  readonly isAuthentication: boolean;
  readonly address: string | undefined;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
  readonly serviceName: string | undefined;
  readonly outcome: 'success' | 'failure' | 'unknown';
  /** The vendor's id of the event, else ours. */
  readonly eventId: string;
}

const known = (text: string | undefined): string | undefined => (text === unknownName ? undefined : text);
const textAt = (object: Record<string, unknown> | undefined, key: string): string | undefined => {
  const value = object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
};

function personOf(user: User | undefined): Named | undefined {
  const name = known(user?.name);
  if (user === undefined || (name === undefined && user.uid === undefined)) return undefined;
  return { name, uid: user.uid, email: user.email_addr };
}

function thingOf(thing: Thing | undefined): Named | undefined {
  if (thing === undefined) return undefined;
  const name = known(thing.name);
  return name === undefined && thing.uid === undefined && thing.type === undefined
    ? undefined
    : { name, uid: thing.uid, type: thing.type };
}

function objectOf(event: MappedEvent): Named | undefined {
  const { entity, resource, web_resources: pages, resources, unmapped } = event;
  if (event.class_uid !== 0) return thingOf(entity ?? resource ?? pages?.[0] ?? resources?.[0]);
  const target = unmapped !== undefined && Object.hasOwn(unmapped, 'target') ? unmapped['target'] : undefined;
  if (!isObject(target)) return undefined;
  return thingOf({ ...strings(target, 'name'), ...strings(target, 'uid'), ...strings(target, 'type') });
}

function strings(object: Record<string, unknown>, key: string): Record<string, string> {
  const text = textAt(object, key);
  return text === undefined ? {} : { [key]: text };
}

/**
 * Types an event for the encoders. Every event comes from our mapper, which writes only these attributes; there is no other way to get one.
 */
export function mappedEvent(event: Event): MappedEvent {
  return event as MappedEvent;
}

/** Reads what the derived encodings need. */
export function factsOf(event: MappedEvent): Facts {
  const { metadata, unmapped, src_endpoint: source, http_request: request } = event;
  const isBase = event.class_uid === 0;
  const ip = source?.ip;
  const outcome = event.status_id === 1 ? 'success' : event.status_id === 2 ? 'failure' : 'unknown';
  return {
    actor: personOf(event.actor?.user),
    user: personOf(event.user),
    invited: personOf(event.entity?.user),
    group: thingOf(event.group),
    object: objectOf(event),
    isAuthentication: event.service !== undefined,
    address: ip ?? known(source?.name) ?? (isBase ? textAt(unmapped, 'src_ip') : undefined),
    ip: ip ?? (isBase ? textAt(unmapped, 'src_ip') : undefined),
    userAgent: request?.user_agent ?? (isBase ? textAt(unmapped, 'user_agent') : undefined),
    serviceName: textAt(unmapped, 'service_name'),
    outcome,
    eventId: metadata.original_event_uid ?? metadata.uid,
  };
}
