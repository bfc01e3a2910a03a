import { isIP } from 'node:net';
import { iso } from '../../base/quantity.ts';
import type { MappedEvent, Organization } from '../attributes.ts';
import type { Mapped } from '../event.ts';
import { type Facts, factsOf, mappedEvent, type Named } from './facts.ts';
import { type Origin, originOf } from './origin.ts';

const ecsVersion = '9.4.0';

function eventFields({ action, actionKey }: Mapped, event: MappedEvent, facts: Facts, original: string | undefined): object {
  const { metadata } = event;
  const isText = actionKey === undefined;
  return {
    kind: isText ? 'pipeline_error' : (action?.ecs.kind ?? 'event'),
    category: action?.ecs.category,
    type: action?.ecs.type ?? ['info'],
    action: actionKey,
    code: metadata.event_code,
    outcome: facts.outcome,
    module: metadata.log_name.split('.')[0],
    dataset: metadata.log_name,
    provider: metadata.log_provider,
    id: facts.eventId,
    severity: event.severity_id,
    created: metadata.logged_time === undefined ? undefined : iso(metadata.logged_time),
    reason: event.status_detail,
    original,
  };
}

function personFields(person: Named | undefined): Record<string, unknown> | undefined {
  return person === undefined ? undefined : { id: person.uid, name: person.name, email: person.email };
}

function userFields({ actor, user, invited, isAuthentication }: Facts, origin: Origin): object | undefined {
  const target = isAuthentication ? undefined : personFields(user ?? invited);
  const performer = personFields(isAuthentication ? (actor ?? user) : actor);
  if (performer === undefined) return target === undefined ? undefined : { target };
  const { userDomain: domain, userRiskLevel, userRiskScore } = origin;
  const risk = some({ static_level: userRiskLevel, static_score: userRiskScore });
  return { ...performer, domain, risk, target };
}

function some(object: Readonly<Record<string, unknown>>): object | undefined {
  for (const name in object) if (object[name] !== undefined) return object;
  return undefined;
}

/** The address with its place in the world. The index type `ip` takes no zone such as %eth0 and refuses the whole document. */
function source(address: string | undefined, ip: string | undefined, { domain, location, system }: Origin): object | undefined {
  const { lat, long } = location;
  const geo = some({
    city_name: location.city,
    region_name: location.region,
    country_iso_code: location.country,
    postal_code: location.postal_code,
    location: lat === undefined || long === undefined ? undefined : { lat, lon: long },
  });
  const as = some({ number: system.number, organization: system.name === undefined ? undefined : { name: system.name } });
  return some({ ip, address, domain, geo, as });
}

function userAgent(original: string | undefined, { os }: Origin): object | undefined {
  return some({ original, os: some({ name: os.name, version: os.version }) });
}

function related({ actor, user, invited }: Facts, ip: string | undefined): object | undefined {
  const users = [actor, user, invited].flatMap((person) => [person?.name, person?.email, person?.uid]);
  const names = [...new Set(users.filter((text) => text !== undefined))];
  if (names.length === 0 && ip === undefined) return undefined;
  return { user: names.length === 0 ? undefined : names, ip: ip === undefined ? undefined : [ip] };
}

function penstock(event: MappedEvent, { object }: Facts, origin: Origin, unmapped: unknown): object {
  return {
    ocsf: { class_uid: event.class_uid, type_uid: event.type_uid, activity_name: event.activity_name },
    target: object === undefined ? undefined : { id: object.uid, name: object.name, type: object.type },
    privileges: event.privileges,
    correlation_id: event.metadata.correlation_uid,
    session_id: origin.sessionId,
    is_mfa: origin.isMfa,
    auth_factor: origin.factor,
    source_isp: origin.isp,
    risk_level: origin.riskLevel,
    unmapped,
    uid: event.metadata.uid,
  };
}

function organization(event: MappedEvent): object | undefined {
  const org: Organization | undefined = event.actor?.user?.org;
  const id = event.metadata.tenant_uid ?? org?.uid;
  return id === undefined && org?.name === undefined ? undefined : { id, name: org?.name };
}

/**
 * The event as an ECS 9.4.0 document; what it does not tell is undefined. What ECS has no field for is under `penstock`; map `penstock.unmapped` as `flattened`.
 * Source: https://www.elastic.co/docs/reference/ecs
 */
export function ecsDocument(mapped: Mapped, original: string | undefined, unmapped: unknown): object {
  const event = mappedEvent(mapped.event);
  const facts = factsOf(event);
  const origin = originOf(event);
  const { address, group, serviceName } = facts;
  const ip = address !== undefined && isIP(address) !== 0 && !address.includes('%') ? address : undefined;
  return {
    '@timestamp': iso(event.time),
    ecs: { version: ecsVersion },
    message: event.message,
    event: eventFields(mapped, event, facts, original),
    user: userFields(facts, origin),
    group: group === undefined ? undefined : { id: group.uid, name: group.name },
    source: source(address, ip, origin),
    user_agent: userAgent(facts.userAgent, origin),
    organization: organization(event),
    service: serviceName === undefined ? undefined : { name: serviceName },
    observer: { vendor: event.metadata.product.vendor_name, product: event.metadata.product.name },
    related: related(facts, ip),
    tags: event.metadata.labels,
    penstock: penstock(event, facts, origin, unmapped),
  };
}
