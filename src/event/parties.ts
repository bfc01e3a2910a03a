import { type Entity, type Thing, type User, unknownName } from './attributes.ts';
import type { MapSpec } from './map-spec.ts';
import { isEmail, knownText, numberOf, type Paths, type Read, textOf } from './reads.ts';
import { riskLevel, riskWords } from './risk.ts';
import { openWords, plainWord, wordPaths } from './words.ts';

/** OCSF captions of user.type_id. */
const userTypes: Readonly<Record<number, string>> = { 0: 'Unknown', 1: 'User', 2: 'Admin', 3: 'System', 4: 'Service' };

/** The reads of one object that a record tells about. */
export interface PartyReads {
  readonly uid: Read<string>;
  readonly name: Read<string>;
  readonly email: Read<string>;
  readonly type: Read<string>;
}

/** What a record tells about one object; claimed only when an attribute takes it. */
export interface Party {
  readonly uid: string | undefined;
  readonly name: string | undefined;
  readonly email: string | undefined;
  readonly type: string | undefined;
  readonly reads: PartyReads;
}

/** Prepares the reads of `target`, `user`, `group`, `policy` or `resource`. */
export function openParty(paths: Paths, map: MapSpec, whose: 'target' | 'user' | 'group' | 'policy' | 'resource'): PartyReads {
  const withEmail = whose === 'target' || whose === 'user';
  return {
    uid: paths.read(map[`${whose}.uid`], textOf),
    name: paths.read(map[`${whose}.name`], textOf),
    email: paths.read(withEmail ? map[`${whose}.email_addr`] : undefined, textOf),
    type: paths.read(whose === 'target' ? map['target.type'] : undefined, textOf),
  };
}

/** Reads an object without claiming anything. */
export function readParty(reads: PartyReads, record: unknown): Party {
  return {
    uid: reads.uid.get(record),
    name: reads.name.get(record),
    email: reads.email.get(record),
    type: reads.type.get(record),
    reads,
  };
}

/** True when the record tells who or what it is. */
export function isKnown({ uid, name, email }: Party): boolean {
  return uid !== undefined || name !== undefined || email !== undefined;
}

/** The object as a user; undefined when nothing is known of it. The name falls back to the e-mail address. */
export function userOf(party: Party, typeId?: number): User | undefined {
  if (!isKnown(party)) return undefined;
  const { reads, uid, email } = party;
  const name = party.name ?? email;
  const user: User = {};
  if (name !== undefined) user.name = name;
  if (uid !== undefined) user.uid = uid;
  if (email !== undefined && isEmail(email)) user.email_addr = email;
  if (typeId !== undefined) {
    user.type_id = typeId;
    user.type = userTypes[typeId] ?? 'Other';
  }
  if (uid !== undefined) reads.uid.claim();
  if (party.name !== undefined) reads.name.claim();
  if (user.email_addr !== undefined || name === email) reads.email.claim();
  return user;
}

/** The object as a thing with name and id; undefined when neither is known. An e-mail address serves as name. */
export function thingOf(party: Party): Thing | undefined {
  const name = party.name ?? party.email;
  if (party.uid === undefined && name === undefined) return undefined;
  const thing: Thing = {};
  if (name !== undefined) thing.name = name;
  if (party.uid !== undefined) thing.uid = party.uid;
  if (party.uid !== undefined) party.reads.uid.claim();
  if (party.name !== undefined) party.reads.name.claim();
  if (name === party.email) party.reads.email.claim();
  return thing;
}

/** What stands for a user who must be there and is not known. */
export function unknownUser(): User {
  return { name: unknownName, type_id: 0, type: 'Unknown' };
}

/** Fills the object inside of an entity that OCSF has a type of its own for: 2 user, 3 group, 4 org, 5 policy. */
export function fillEntity(entity: Entity, party: Party): void {
  const thing: Thing = {};
  if (entity.name !== undefined) thing.name = entity.name;
  if (entity.uid !== undefined) thing.uid = entity.uid;
  if (entity.type_id === 2) entity.user = userOf(party) ?? thing;
  else if (entity.type_id === 3) entity.group = thing;
  else if (entity.type_id === 4) entity.org = thing;
  else if (entity.type_id === 5) entity.policy = thing;
}

/** The user that an invitation was sent to; undefined when neither object has an e-mail address. */
export function invitedUser(target: Party, user: Party): User | undefined {
  const party = target.email === undefined ? user : target;
  return party.email === undefined
    ? undefined
    : userOf({ ...party, uid: undefined, name: party === user ? user.name : undefined });
}

// Java writes the members of an object like this, JSON in quotes.
const member = /\blevel"?\s*[=:]\s*"?(\w+)/i;

/** What the vendor says of the performer. The `part` of a text is read where no word is the whole of it; the text stays where it is then. */
interface RiskReads {
  readonly level: Read<number>;
  readonly part: Read<number>;
  readonly score: Read<number>;
}

/** Prepares the reads of the performer's risk. */
function openRisk(paths: Paths, map: MapSpec): RiskReads {
  const spec = map['actor.user.risk_level'];
  const idOf = openWords(spec, riskWords);
  return {
    level: paths.read(wordPaths(spec), idOf),
    part: paths.read(wordPaths(spec), (value) => idOf(member.exec(textOf(value) ?? '')?.[1])),
    score: paths.read(map['actor.user.risk_score'], numberOf),
  };
}

/** Writes what the vendor says of the performer. OCSF has no fractions of a score. */
function fillRisk(user: User, { level, part, score }: RiskReads, record: unknown): void {
  const id = level.take(record) ?? part.get(record);
  if (id !== undefined) Object.assign(user, riskLevel(id));
  const number = score.get(record);
  if (number === undefined) return;
  user.risk_score = Math.round(number);
  if (user.risk_score === number) score.claim();
}

/** The reads of the performer. */
export interface ActorReads {
  readonly uid: Read<string>;
  readonly name: Read<string>;
  readonly email: Read<string>;
  readonly fullName: Read<string>;
  readonly orgName: Read<string>;
  readonly domain: Read<string>;
  readonly risk: RiskReads;
  readonly type: ((record: unknown) => { readonly id: number; readonly text: string }) | undefined;
}

/** The domain of a login such as dana@example.com or CORP\dana. */
function loginDomain(value: unknown): string | undefined {
  const [, down, upn] = /^(?:([^\\@\s]+)\\\S+|\S+@([^\\@\s]+))$/.exec(textOf(value) ?? '') ?? [];
  return down ?? upn;
}

function readDomain(paths: Paths, spec: MapSpec['actor.user.domain']): Read<string> {
  if (typeof spec !== 'object' || !('login' in spec)) return paths.read(spec, knownText);
  const read = paths.read(spec.login, loginDomain);
  const get = (record: unknown): string | undefined => read.get(record);
  // The login is not carried by its domain.
  return { get, claim: () => undefined, take: get };
}

function openType(paths: Paths, spec: MapSpec['actor.user.type_id']): ActorReads['type'] {
  if (spec === undefined) return undefined;
  if (typeof spec === 'object' && 'value' in spec) {
    const always = { id: spec.value, text: userTypes[spec.value] ?? 'Other' };
    return () => always;
  }
  const { from, values } = typeof spec === 'object' && 'from' in spec ? spec : { from: spec, values: {} };
  const ids = new Map(Object.entries(values).map(([word, id]) => [plainWord(word), id]));
  const read = paths.read(from, textOf);
  return (record) => {
    const text = read.take(record);
    if (text === undefined) return { id: 0, text: 'Unknown' };
    const id = ids.get(plainWord(text)) ?? 99;
    return { id, text: userTypes[id] ?? text };
  };
}

/** Prepares the reads of the performer. */
export function openActor(paths: Paths, map: MapSpec): ActorReads {
  return {
    uid: paths.read(map['actor.user.uid'], textOf),
    name: paths.read(map['actor.user.name'], textOf),
    email: paths.read(map['actor.user.email_addr'], textOf),
    fullName: paths.read(map['actor.user.full_name'], textOf),
    orgName: paths.read(map['actor.user.org.name'], textOf),
    domain: readDomain(paths, map['actor.user.domain']),
    risk: openRisk(paths, map),
    type: openType(paths, map['actor.user.type_id']),
  };
}

/** The performer; undefined when the record tells neither id nor name. The tenant becomes the user's organization. */
export function readActor(reads: ActorReads, record: unknown, tenant: string | undefined): User | undefined {
  const uid = reads.uid.take(record);
  const email = reads.email.get(record);
  const own = reads.name.take(record);
  const name = own ?? email;
  if (uid === undefined && name === undefined) return undefined;
  const user: User = {};
  if (name !== undefined) user.name = name;
  if (uid !== undefined) user.uid = uid;
  if (email !== undefined) {
    if (isEmail(email)) user.email_addr = email;
    if (user.email_addr !== undefined || name === email) reads.email.claim();
  }
  const fullName = reads.fullName.take(record);
  if (fullName !== undefined) user.full_name = fullName;
  const domain = reads.domain.take(record);
  if (domain !== undefined) user.domain = domain;
  const type = reads.type?.(record);
  if (type !== undefined) {
    user.type_id = type.id;
    user.type = type.text;
  }
  fillRisk(user, reads.risk, record);
  const orgName = reads.orgName.get(record);
  if (tenant !== undefined || orgName !== undefined) {
    user.org = {};
    if (tenant !== undefined) user.org.uid = tenant;
    if (orgName !== undefined) user.org.name = orgName;
    reads.orgName.claim();
  }
  return user;
}
