import type { MappedEvent, User } from '../attributes.ts';
import type { ActionRow, Event, Mapped } from '../event.ts';
import { type Facts, factsOf, mappedEvent, type Named } from './facts.ts';
import { jsonLine } from './line.ts';
import { type Origin, originOf } from './origin.ts';

const placeholder = 'unknown';
// What the data models ask for and a record may not tell. https://help.splunk.com/en/splunk-cloud-platform/common-information-model
const required: Readonly<Record<string, readonly string[]>> = {
  Change: [
    'action',
    'change_type',
    'command',
    'dest',
    'dvc',
    'object',
    'object_attrs',
    'object_category',
    'object_id',
    'src',
    'status',
    'user',
    'vendor_product',
  ],
  Authentication: ['action', 'app', 'dest', 'src', 'user'],
  Data_Access: [
    'action',
    'app',
    'dest',
    'object',
    'object_attrs',
    'object_category',
    'object_id',
    'object_size',
    'src',
    'user',
    'user_name',
    'vendor_account',
    'vendor_product',
  ],
};

interface Roles {
  readonly user: Named | undefined;
  readonly performer: Named | undefined;
}

function isAccountChange(row: ActionRow | undefined): boolean {
  return row?.cim.dataset === 'Account_Management' && row.cim.object_category === 'user';
}

// In Account_Management `user` is the account that was changed, everywhere else the performer.
function rolesOf({ actor, user, invited }: Facts, row: ActionRow | undefined): Roles {
  if (row?.cim.model === 'Authentication') return { user: user ?? actor, performer: undefined };
  const changed = row?.cim.dataset === 'Account_Management' ? (user ?? invited) : undefined;
  if (isAccountChange(row)) return { user: changed, performer: actor };
  return changed === undefined ? { user: actor, performer: undefined } : { user: changed, performer: actor };
}

function objectOf(event: MappedEvent, { user, group, object }: Facts, row: ActionRow | undefined): Named | undefined {
  const person = user === undefined ? undefined : { name: user.name ?? user.uid, uid: user.uid };
  if (row?.cim.model === 'Authentication') return undefined;
  if (row?.cim.dataset === 'Account_Management' && person !== undefined && group === undefined) return person;
  return event.policies?.[0] ?? object ?? group ?? person;
}

function vendorProduct({ vendor_name: vendor, name }: MappedEvent['metadata']['product']): string {
  return name.toLowerCase().startsWith(vendor.toLowerCase()) ? name : `${vendor} ${name}`;
}

function knownType(user: User | undefined): string | undefined {
  return user?.type_id === 0 ? undefined : user?.type;
}

/** Who did it is the user, or has the prefix `src_` beside a changed account. */
function userFields({ user, performer }: Roles, event: MappedEvent, origin: Origin): Readonly<Record<string, unknown>> {
  const [own, beside] = performer === undefined ? [origin, undefined] : [undefined, origin];
  return {
    user: user?.name ?? user?.uid,
    user_id: user?.uid,
    user_name: user?.name,
    src_user: performer?.name ?? performer?.uid,
    src_user_id: performer?.uid,
    src_user_name: performer?.name,
    user_type: knownType(performer === undefined ? event.actor?.user : event.user),
    src_user_type: performer === undefined ? undefined : knownType(event.actor?.user),
    user_domain: own?.userDomain,
    user_risk_level: own?.userRiskLevel,
    user_risk_score: own?.userRiskScore,
    src_user_domain: beside?.userDomain,
    src_user_risk_level: beside?.userRiskLevel,
    src_user_risk_score: beside?.userRiskScore,
  };
}

/** Location, session and risk; what CIM has no field for keeps the spelling of its neighbours. */
function originFields({ location, system, os, ...origin }: Origin): Readonly<Record<string, unknown>> {
  return {
    src_city: location.city,
    src_region: location.region,
    src_country: location.country,
    src_postal_code: location.postal_code,
    src_lat: location.lat,
    src_long: location.long,
    src_asn: system.number,
    src_as_name: system.name,
    src_isp: origin.isp,
    src_domain: origin.domain,
    src_os: os.name,
    src_os_version: os.version,
    session_id: origin.sessionId,
    is_mfa: origin.isMfa,
    authentication_method: origin.factor,
    risk_level: origin.riskLevel,
  };
}

/** All events have one shape, what is not told is undefined: JSON.stringify takes half as long then, and leaves it out. */
function fieldsOf({ action }: Mapped, event: MappedEvent): Readonly<Record<string, unknown>> {
  const facts = factsOf(event);
  const { metadata } = event;
  const object = objectOf(event, facts, action);
  const origin = originOf(event);
  const isAuthentication = action?.cim.model === 'Authentication';
  const product = metadata.product.name;
  return {
    action: isAuthentication ? facts.outcome : action?.cim.action,
    change_type: action?.cim.change_type,
    object_category: action?.cim.object_category,
    status: facts.outcome,
    ...userFields(rolesOf(facts, action), event, origin),
    object: object?.name,
    object_id: object?.uid,
    object_attrs: event.privileges,
    src: facts.address,
    dest: product,
    dvc: action?.cim.model === 'Change' ? product : undefined,
    app: product,
    ...originFields(origin),
    user_agent: facts.userAgent,
    vendor_account: metadata.tenant_uid,
    vendor_product: vendorProduct(metadata.product),
    signature: action?.title ?? metadata.event_code ?? event.activity_name,
    signature_id: metadata.event_code,
    result: event.status_id === 2 ? (event.status_detail ?? placeholder) : event.status_detail,
    original_event_uid: facts.eventId,
    correlation_id: metadata.correlation_uid,
    tag: action?.cim.tags,
  };
}

/**
 * The event as one line: fields of Splunk's Common Information Model 8.5, what is required and not told as `unknown`, tags in `tag`, and the OCSF
 * event as `ocsf`. An unknown action belongs to no data model and gets no tags.
 */
export function cimLine(mapped: Mapped, ocsf: Event): string {
  const fields = fieldsOf(mapped, mappedEvent(mapped.event));
  const more: Record<string, unknown> = {};
  for (const name of required[mapped.action?.cim.model ?? ''] ?? []) if (fields[name] === undefined) more[name] = placeholder;
  if (isAccountChange(mapped.action) && fields['src_user'] === undefined) more['src_user'] = placeholder;
  more['ocsf'] = ocsf;
  return `${jsonLine(fields).slice(0, -1)},${jsonLine(more).slice(1)}`;
}
