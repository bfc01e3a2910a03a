import type { Shape } from './action-table.ts';
import { type Attributes, type Entity, type Thing, unknownName } from './attributes.ts';
import { fillEntity, isKnown, type Party, thingOf, unknownUser, userOf } from './parties.ts';

/** Everything a record tells about who and what was affected. */
export interface Parties {
  readonly target: Party;
  /** Named beside the target: `user.*`, `group.*`, `policy.*`, `resource.*` of the map. */
  readonly user: Party;
  readonly group: Party;
  readonly policy: Party;
  readonly resource: Party;
  readonly tenant: Thing | undefined;
  readonly privileges: () => readonly string[] | undefined;
}

const userWords = /user|member|service.?account|principal|person/i;
const groupWord = /group/i;

function isUser({ email, type }: Party): boolean {
  return email !== undefined || (type !== undefined && userWords.test(type) && !groupWord.test(type));
}

function isGroup({ type }: Party): boolean {
  return type !== undefined && groupWord.test(type);
}

function resourceOf(shape: Shape, parties: Parties, targetIsFree: boolean): Thing | undefined {
  const { resource_type: type, tenant } = shape.target;
  if (type === undefined) return undefined;
  const named =
    (targetIsFree ? thingOf(parties.target) : undefined) ??
    thingOf(parties.resource) ??
    (tenant === true ? parties.tenant : undefined);
  return { ...(named ?? { name: unknownName }), type };
}

function placeAccess(event: Attributes, shape: Shape, parties: Parties, targetIsFree: boolean): void {
  const fallback = shape.target.privileges_fallback;
  if (fallback !== undefined) event.privileges = parties.privileges() ?? fallback;
  const resource = resourceOf(shape, parties, targetIsFree);
  if (resource !== undefined) event.resource = resource;
}

function placeUser(event: Attributes, shape: Shape, parties: Parties): void {
  const { target, user } = parties;
  const typeId = shape.target.user_type_id;
  const untyped = target.type === undefined && !isKnown(user);
  const targetIsUser = isUser(target) || untyped;
  event.user = (targetIsUser ? userOf(target, typeId) : undefined) ?? userOf(user, typeId) ?? unknownUser();
  placeAccess(event, shape, parties, !targetIsUser);
  const policy = shape.target.policy === true ? thingOf(parties.policy) : undefined;
  if (policy !== undefined) event.policies = [policy];
}

function placeGroup(event: Attributes, shape: Shape, parties: Parties): void {
  const { target, group, user } = parties;
  const hasResource = shape.target.resource_type !== undefined;
  const untyped = target.type === undefined && target.email === undefined && !hasResource && !isKnown(group);
  const targetIsGroup = isGroup(target) || untyped;
  event.group = (targetIsGroup ? thingOf(target) : undefined) ?? thingOf(group) ?? { name: unknownName };
  const member = (!targetIsGroup && isUser(target) ? userOf(target) : undefined) ?? userOf(user);
  placeAccess(event, shape, parties, !targetIsGroup && !isUser(target));
  if (member !== undefined) event.user = member;
}

function placeEntity(event: Attributes, { target: { type, type_id: typeId, tenant, invited } }: Shape, parties: Parties): void {
  const { target } = parties;
  const party = isKnown(target) || invited !== true ? target : parties.user;
  const thing = thingOf(party) ?? (tenant === true ? parties.tenant : undefined);
  const entity: Entity = { ...(thing ?? { name: unknownName }) };
  if (type !== undefined) entity.type = type;
  if (typeId !== undefined) entity.type_id = typeId;
  if (thing !== undefined) fillEntity(entity, party, invited === true);
  event.entity = entity;
}

function named(parties: Parties, type: string | undefined): Thing {
  const thing = thingOf(parties.target) ?? { name: unknownName };
  return type === undefined ? thing : { ...thing, type };
}

/** Puts the affected object where the row says (schema.md 5); what is required and not told becomes Unknown. */
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
