import type { Event, Mapped } from '../../event/event.ts';

const ofAll = ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid'];

/** Attributes that OCSF requires beyond those of every event, by class. Source: https://schema.ocsf.io/1.8.0/classes */
const required: Readonly<Record<number, readonly string[]>> = {
  3001: ['user'],
  3002: ['user', 'service'],
  3004: ['entity'],
  3005: ['user', 'privileges'],
  3006: ['group'],
  6001: ['web_resources'],
  6003: ['actor', 'api', 'src_endpoint'],
};

/** What is wrong with an event: attributes that its class requires and it lacks, and a mapping that broke. */
export function eventFaults({ event, failed }: Pick<Mapped, 'event' | 'failed'>): readonly string[] {
  if (failed !== undefined) return [`it could not be mapped: ${failed}`];
  return missing(event).map((name) => `class ${event.class_uid} requires ${name}, which the event lacks`);
}

function missing(event: Event): string[] {
  return [...ofAll, ...(required[event.class_uid] ?? [])].filter((name) => event[name] === undefined);
}
