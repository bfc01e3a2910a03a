import type { Shape } from './action-table.ts';
import { type Attributes, type Entity, type Thing, unknownName } from './attributes.ts';
import { fillEntity, invitedUser, isKnown, type Party, thingOf, unknownUser, userOf } from './parties.ts';

/** What a record tells about who and what was affected; what stands beside the target is read only where a row asks for it. */
export interface Parties {
  readonly target: Party;
  readonly tenant: Thing | undefined;
  /** An object named beside the target: `user.*`, `group.*`, `policy.*`, `resource.*` of the map. */
  readonly beside: (whose: 'user' | 'group' | 'policy' | 'resource') => Party;
  readonly privileges: () => readonly string[] | undefined;
}

const userWords = /user|member|service.?account|principal|person/i;
const groupWord = /group/i;
/** OCSF class User Access Management. */
const userAccess = 3005;

function isUser({ email, type }: Party): boolean {
  return email !== undefined || (type !== undefined && userWords.test(type) && !groupWord.test(type));
}

function isGroup({ type }: Party): boolean {
  return type !== undefined && groupWord.test(type);
}

// The target's name where only the object's own field tells it: a policy that is the target is named by policy.name too.
function namedBy(target: Party, own: Party): Party {
  if (target.name !== undefined || own.name === undefined) return target;
  return { ...target, name: own.name, reads: { ...target.reads, name: own.reads.name } };
}

function resourceOf(shape: Shape, parties: Parties, targetIsFree: boolean): Thing | undefined {
  const { resource_type: type, tenant, policy } = shape.target;
  if (type === undefined) return undefined;
  const named =
    (targetIsFree ? thingOf(parties.target) : undefined) ??
    (policy === true ? thingOf(parties.beside('policy')) : undefined) ??
    thingOf(parties.beside('resource')) ??
    (tenant === true ? parties.tenant : undefined);
  return { ...(named ?? { name: unknownName }), type };
}

function placeAccess(event: Attributes, shape: Shape, parties: Parties, targetIsFree: boolean): void {
  const fallback = shape.target.privileges_fallback;
  if (fallback !== undefined) event.privileges = parties.privileges() ?? fallback;
  const resource = resourceOf(shape, parties, targetIsFree);
  if (resource === undefined) return;
  // OCSF 1.5.0 replaced `resource` of User Access Management by a list; Group Management still has the one.
  if (shape.head.class_uid === userAccess) event.resources = [resource];
  else event.resource = resource;
}

function placeUser(event: Attributes, shape: Shape, parties: Parties): void {
  const { target } = parties;
  const user = parties.beside('user');
  const { policy, tenant, user_type_id: typeId } = shape.target;
  const isTyped = target.type !== undefined;
  const targetIsUser = isTyped ? isUser(target) : !isKnown(user);
  // What is named beside a policy is the policy; the user has an e-mail address.
  const person = policy === true && target.email !== undefined ? { ...target, name: undefined } : target;
  event.user = (targetIsUser ? userOf(person, typeId) : undefined) ?? userOf(user, typeId) ?? unknownUser();
  // A target of no known kind is no resource where the resource is the tenant: it is most likely the user once more.
  placeAccess(event, shape, parties, !targetIsUser && (isTyped || tenant !== true));
  const attached = policy === true ? thingOf(parties.beside('policy')) : undefined;
  if (attached !== undefined) event.policies = [attached];
}

function placeGroup(event: Attributes, shape: Shape, parties: Parties): void {
  const { target } = parties;
  const group = parties.beside('group');
  const user = parties.beside('user');
  const hasResource = shape.target.resource_type !== undefined;
  const untyped = target.type === undefined && target.email === undefined && !hasResource && !isKnown(group);
  const targetIsGroup = isGroup(target) || untyped;
  event.group = (targetIsGroup ? thingOf(namedBy(target, group)) : undefined) ?? thingOf(group) ?? { name: unknownName };
  const member = (!targetIsGroup && isUser(target) ? userOf(target) : undefined) ?? userOf(user);
  placeAccess(event, shape, parties, !targetIsGroup && !isUser(target));
  if (member !== undefined) event.user = member;
}

function placeEntity(event: Attributes, { target: { type, type_id: typeId, tenant, invited } }: Shape, parties: Parties): void {
  const { target } = parties;
  const own = typeId === 5 ? namedBy(target, parties.beside('policy')) : target;
  const party = isKnown(own) || invited !== true ? own : parties.beside('user');
  const thing = thingOf(party) ?? (tenant === true ? parties.tenant : undefined);
  const entity: Entity = { ...(thing ?? { name: unknownName }) };
  if (type !== undefined) entity.type = type;
  if (typeId !== undefined) entity.type_id = typeId;
  if (thing !== undefined) fillEntity(entity, party);
  const guest = invited === true ? invitedUser(target, parties.beside('user')) : undefined;
  if (guest !== undefined) entity.user = guest;
  event.entity = entity;
}

function named(parties: Parties, type: string | undefined): Thing {
  const thing = thingOf(parties.target) ?? { name: unknownName };
  return type === undefined ? thing : { ...thing, type };
}

/** Puts the affected object where the row says; what is required and not known becomes Unknown. */
export function placeTarget(event: Attributes, shape: Shape, parties: Parties, product: string): void {
  const { place, type, operation, resource_type: resourceType } = shape.target;
  if (shape.subject === 'actor') {
    const { org: _org, ...user } = event.actor?.user ?? unknownUser();
    event.user = user;
    event.service = { name: product };
  } else if (place === 'user') placeUser(event, shape, parties);
  else if (place === 'group') placeGroup(event, shape, parties);
  else if (place === 'entity') placeEntity(event, shape, parties);
  else if (place === 'web_resource') event.web_resources = [named(parties, type)];
  else {
    event.api = { operation: operation ?? unknownName, service: { name: product } };
    event.resources = [named(parties, resourceType)];
  }
}
