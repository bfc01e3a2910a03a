import { type Static, Type } from 'typebox';
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
    'actor.user.org.name': attribute('Name of the tenant.'),
    'src_endpoint.ip': attribute('Address of the client; text that is no address becomes src_endpoint.name.'),
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
