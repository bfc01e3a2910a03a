import { type MappedEvent } from '../attributes.ts';
import type { ActionRow, Mapped } from '../event.ts';
import { type Facts, factsOf, mappedEvent, type Named, told } from './facts.ts';

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
  Data_Access: ['action', 'app', 'dest', 'object', 'object_category', 'object_id', 'src', 'user', 'vendor_product'],
};

interface Roles {
  readonly user: Named | undefined;
  readonly performer: Named | undefined;
}

// In Account_Management `user` is the account that was changed, everywhere else the performer.
function rolesOf({ actor, user, invited }: Facts, row: ActionRow | undefined): Roles {
  if (row?.cim.model === 'Authentication') return { user: user ?? actor, performer: undefined };
  const changed = row?.cim.dataset === 'Account_Management' ? (user ?? invited) : undefined;
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

function fieldsOf({ action }: Mapped, event: MappedEvent): Record<string, unknown> {
  const facts = factsOf(event);
  const { metadata } = event;
  const { user, performer } = rolesOf(facts, action);
  const object = objectOf(event, facts, action);
  const isAuthentication = action?.cim.model === 'Authentication';
  const product = metadata.product.name;
  return told({
    action: isAuthentication ? facts.outcome : action?.cim.action,
    change_type: action?.cim.change_type,
    object_category: action?.cim.object_category,
    status: facts.outcome,
    user: user?.name ?? user?.uid,
    user_id: user?.uid,
    src_user: performer?.name ?? performer?.uid,
    src_user_id: performer?.uid,
    object: object?.name,
    object_id: object?.uid,
    object_attrs: event.privileges,
    src: facts.address,
    dest: product,
    dvc: action?.cim.model === 'Change' ? product : undefined,
    app: product,
    user_agent: facts.userAgent,
    vendor_account: metadata.tenant_uid,
    vendor_product: vendorProduct(metadata.product),
    signature: action?.title ?? metadata.event_code ?? event.activity_name,
    signature_id: metadata.event_code,
    result: event.status_id === 2 ? (event.status_detail ?? placeholder) : event.status_detail,
    original_event_uid: facts.eventId,
    correlation_id: metadata.correlation_uid,
    tag: action?.cim.tags,
  });
}

/**
 * The event as fields of Splunk's Common Information Model 8.5, what is required and not told as `unknown`, tags in `tag`. An unknown
 * action belongs to no data model and gets no tags.
 */
export function cimFields(mapped: Mapped): Record<string, unknown> {
  const fields = fieldsOf(mapped, mappedEvent(mapped.event));
  for (const name of required[mapped.action?.cim.model ?? ''] ?? []) fields[name] ??= placeholder;
  return fields;
}
