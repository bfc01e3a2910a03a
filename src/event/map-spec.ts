import { type Static, type TSchema, Type } from 'typebox';
import type { TableFault } from './action-table.ts';
import { parsePath } from './path.ts';

const closed = { additionalProperties: false };
const path = Type.String({ minLength: 1 });
const paths = Type.Array(path, { minItems: 1 });

/** Where an attribute comes from: one path into the record, or several of which the first that has a value wins. */
export const PathsSpec = Type.Union([path, paths], {
  description: 'A path such as actor.ip, target[0].id or target[type=User].id, or a list of candidates.',
});
/** One path or several candidates. */
export type PathsSpec = Static<typeof PathsSpec>;

const UserTypeSpec = Type.Union(
  [
    path,
    paths,
    Type.Object({ value: Type.Integer({ minimum: 0, maximum: 99 }) }, closed),
    Type.Object({ from: PathsSpec, values: Type.Record(Type.String(), Type.Integer({ minimum: 0, maximum: 99 })) }, closed),
  ],
  {
    description:
      'OCSF user type: { value: 1 } for all, or { from: path, values: { user: 1, system: 3 } }; other text is 99 with the text, none is 0.',
  },
);

const LoginSpec = Type.Object({ login: PathsSpec }, closed);
const DomainSpec = Type.Union([path, paths, LoginSpec], {
  description:
    'Domain in which the performer is defined; { login: path } takes it out of a login such as dana@example.com or CORP\\\\dana.',
});

const wordsOf = <T extends TSchema>(value: T, description: string) =>
  Type.Union([path, paths, Type.Object({ from: PathsSpec, values: Type.Record(Type.String(), value) }, closed)], { description });
const RiskSpec = wordsOf(
  Type.Integer({ minimum: 0, maximum: 4 }),
  'How risky the vendor rates it: info, low, medium, high or critical, or { from: path, values: { elevated: 3 } }.',
);
const MfaSpec = wordsOf(
  Type.Boolean(),
  'Whether a second factor was used: true or false, or { from: path, values: { totp: true } }.',
);
const FactorSpec = Type.Object(
  { from: PathsSpec, values: Type.Record(Type.String(), Type.Integer({ minimum: 1, maximum: 99 })) },
  { ...closed, description: 'OCSF auth_factor type per text, such as { SMS: 1, PUSH: 5, OTP: 7 }.' },
);
/** A path, or one with a value for each of its words. */
export type WordsSpec<T> = PathsSpec | { readonly from: PathsSpec; readonly values: Readonly<Record<string, T>> };

const attribute = (description: string) => Type.Optional({ ...PathsSpec, description });
/** The section `map:` of a connector: OCSF attribute from record path. What no attribute carries goes to `unmapped` by itself. */
export const MapSpec = Type.Object(
  {
    parse: Type.Optional(
      Type.Array(path, { description: 'Fields of the record that hold JSON as text; paths may lead into them.' }),
    ),
    keep: Type.Optional(Type.Array(path, { description: 'Paths that stay in unmapped although an attribute carries them.' })),
    message: attribute('What happened, for people; the title of the action when absent.'),
    status_detail: attribute('Why it failed; read only when it did not succeed.'),
    'metadata.original_event_uid': attribute("The vendor's id of the event; the id of the section `record` when absent."),
    'metadata.correlation_uid': attribute('Ties events of one transaction together.'),
    'metadata.logged_time': attribute('When the vendor recorded the event.'),
    'actor.user.uid': attribute('Id of the performer.'),
    'actor.user.name': attribute('Login or name of the performer; the e-mail address when absent.'),
    'actor.user.email_addr': attribute('E-mail address of the performer; left out when it does not look like one.'),
    'actor.user.full_name': attribute('Name of the performer for people.'),
    'actor.user.type_id': Type.Optional(UserTypeSpec),
    'actor.user.domain': Type.Optional(DomainSpec),
    'actor.user.risk_level': Type.Optional(RiskSpec),
    'actor.user.risk_score': attribute('How risky the vendor rates it, a number.'),
    'actor.user.org.name': attribute('Name of the tenant.'),
    'src_endpoint.ip': attribute('Address of the client; text that is no address becomes src_endpoint.name.'),
    'src_endpoint.domain': attribute("Domain that the client's address belongs to."),
    'src_endpoint.isp': attribute("Internet service provider of the client's address."),
    'src_endpoint.location.city': attribute('City of the client.'),
    'src_endpoint.location.region': attribute('State or province of the client.'),
    'src_endpoint.location.country': attribute('Country of the client: an ISO 3166 code of two letters, or its English name.'),
    'src_endpoint.location.postal_code': attribute('Postal code of the client.'),
    'src_endpoint.location.lat': attribute('Latitude of the client in degrees.'),
    'src_endpoint.location.long': attribute('Longitude of the client in degrees.'),
    'src_endpoint.autonomous_system.number': attribute(
      "Number of the autonomous system of the client's address: 64500 or AS64500.",
    ),
    'src_endpoint.autonomous_system.name': attribute('Owner of that autonomous system.'),
    'src_endpoint.os.name': attribute('Operating system of the client.'),
    'src_endpoint.os.version': attribute('Version of that operating system.'),
    'session.uid': attribute('Id of the session in which the performer acted.'),
    is_mfa: Type.Optional(MfaSpec),
    'auth_factor.factor_type_id': Type.Optional(FactorSpec),
    'http_request.user_agent': attribute('User-Agent of the client.'),
    'target.uid': attribute('Id of the affected object.'),
    'target.name': attribute('Name of the affected object.'),
    'target.email_addr': attribute('E-mail address of the affected object; makes it a user.'),
    'target.type': attribute('What kind of thing the affected object is; tells users and groups from resources.'),
    'user.uid': attribute('Id of the affected user where the target is something else.'),
    'user.name': attribute('Name of the affected user where the target is something else.'),
    'user.email_addr': attribute('E-mail address of the affected user where the target is something else.'),
    'group.uid': attribute('Id of the affected group where the target is something else.'),
    'group.name': attribute('Name of the affected group where the target is something else.'),
    'policy.uid': attribute('Id of the policy where the target is something else.'),
    'policy.name': attribute('Name of the policy where the target is something else.'),
    'resource.uid': attribute('Id of what access is given to where the target is the user or group.'),
    'resource.name': attribute('Name of what access is given to where the target is the user or group.'),
    privileges: attribute('Roles or access levels, a text or a list of texts.'),
  },
  closed,
);
/** A checked `map:` section. */
export type MapSpec = Static<typeof MapSpec>;

function pathsIn(value: unknown, at: readonly (string | number)[]): [string, readonly (string | number)[]][] {
  if (typeof value === 'string') return [[value, at]];
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsIn(item, [...at, index]));
  if (typeof value === 'object' && value !== null && 'from' in value) return pathsIn(value.from, [...at, 'from']);
  if (typeof value === 'object' && value !== null && 'login' in value) return pathsIn(value.login, [...at, 'login']);
  return [];
}

/** What is wrong with a `map:` section that its schema accepts: texts that are no paths. */
export function checkMap(map: MapSpec): TableFault[] {
  return Object.entries(map)
    .flatMap(([attribute, value]) => pathsIn(value, [attribute]))
    .filter(([path]) => parsePath(path) === undefined)
    .map(([path, at]) => ({
      path: at,
      what: `"${path}" is not a path`,
      fix: 'write a path such as actor.ip, target[0].id or target[type=User].id',
    }));
}
