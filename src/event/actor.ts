import type { User } from './attributes.ts';
import type { MapSpec } from './map-spec.ts';
import { userTypes } from './parties.ts';
import type { Paths, Read } from './reads.ts';
import { isEmail, textOf } from './values.ts';

/** The reads of the performer. */
export interface ActorReads {
  readonly uid: Read<string>;
  readonly name: Read<string>;
  readonly email: Read<string>;
  readonly fullName: Read<string>;
  readonly orgName: Read<string>;
  readonly type: ((record: unknown) => { readonly id: number; readonly text: string }) | undefined;
}

const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

function openType(paths: Paths, spec: MapSpec['actor.user.type_id']): ActorReads['type'] {
  if (spec === undefined) return undefined;
  if (typeof spec === 'object' && 'value' in spec) {
    const always = { id: spec.value, text: userTypes[spec.value] ?? 'Other' };
    return () => always;
  }
  const { from, values } = typeof spec === 'object' && 'from' in spec ? spec : { from: spec, values: {} };
  const ids = new Map(Object.entries(values).map(([word, id]) => [plain(word), id]));
  const read = paths.read(from, textOf);
  return (record) => {
    const text = read.take(record);
    if (text === undefined) return { id: 0, text: 'Unknown' };
    const id = ids.get(plain(text)) ?? 99;
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
  const type = reads.type?.(record);
  if (type !== undefined) {
    user.type_id = type.id;
    user.type = type.text;
  }
  const orgName = reads.orgName.get(record);
  if (tenant !== undefined || orgName !== undefined) {
    user.org = {};
    if (tenant !== undefined) user.org.uid = tenant;
    if (orgName !== undefined) user.org.name = orgName;
    reads.orgName.claim();
  }
  return user;
}
