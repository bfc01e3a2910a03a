import { type Static, Type } from 'typebox';
import { ActionNameSpec, ActionTableSpec, MapSpec, PathsSpec } from '../event/index.ts';
import { AuthSpec } from './auth-section.ts';
import { type ReadSpec, readKinds } from './read-section.ts';

const closed = { additionalProperties: false } as const;

/** One option of a connector: JSON Schema with the marks `secret`, `identity` and `optional`. */
const OptionSpec = Type.Object(
  {
    type: Type.Unsafe<string>({
      type: 'string',
      enum: ['string', 'integer', 'number', 'boolean', 'array'],
      description: 'Type of the value.',
    }),
    description: Type.Optional(Type.String({ description: 'One sentence for people.' })),
    secret: Type.Optional(Type.Boolean({ description: 'Never shown anywhere.' })),
    identity: Type.Optional(
      Type.Boolean({
        description: 'Part of the identity of a source: two sources with the same identity collect the same events.',
      }),
    ),
    optional: Type.Optional(Type.Boolean({ description: 'May be left out although it has no default.' })),
    default: Type.Optional(Type.Unknown({ description: 'Value when left out.' })),
    format: Type.Optional(
      Type.Unsafe<string>({
        type: 'string',
        enum: ['uri', 'path', 'duration', 'size', 'date-time'],
        description: 'Form of the text.',
      }),
    ),
    enum: Type.Optional(Type.Array(Type.Unknown(), { minItems: 1, description: 'The values that are allowed.' })),
    pattern: Type.Optional(Type.String({ description: 'Regular expression for the text.' })),
    minLength: Type.Optional(Type.Integer({ minimum: 0 })),
    maxLength: Type.Optional(Type.Integer({ minimum: 0 })),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
    minItems: Type.Optional(Type.Integer({ minimum: 0 })),
    items: Type.Optional(
      Type.Object(
        { type: Type.Literal('string'), minLength: Type.Optional(Type.Integer({ minimum: 0 })) },
        { ...closed, description: 'Elements of a list.' },
      ),
    ),
  },
  { ...closed, description: 'An option.' },
);
export type OptionSpec = Static<typeof OptionSpec>;

/** `record:`: what identifies, dates and names a record. */
export const RecordSpec = Type.Object(
  {
    id: Type.Optional(PathsSpec),
    hash: Type.Optional(
      Type.Array(Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })]), {
        minItems: 1,
        description: 'Fields whose hash is the id of records without one; a list gives the spellings of one field.',
      }),
    ),
    hash_is_id: Type.Optional(
      Type.Boolean({
        description:
          'True where the fields of `hash` identify a record: one that comes again is no second event. False by default.',
      }),
    ),
    volatile: Type.Optional(
      Type.Array(Type.String(), { description: 'Paths that may differ between two copies of one record.' }),
    ),
    each: Type.Optional(
      Type.String({ description: 'Path of a list in the record, of which every element is an event of its own.' }),
    ),
    time: PathsSpec,
    zone: Type.Optional(
      Type.String({ description: 'Zone of times that are told without one, such as Europe/Berlin or +02:00; UTC by default.' }),
    ),
    action: ActionNameSpec,
    tenant: Type.Optional(PathsSpec),
    self: Type.Optional(
      Type.Object(
        {
          actions: Type.Array(Type.String(), { minItems: 1, description: 'Actions that reading the log itself causes.' }),
          user_agent: Type.String({ description: 'Path of the User-Agent.' }),
        },
        { ...closed, description: 'Records that our own requests cause.' },
      ),
    ),
  },
  { ...closed, description: 'What identifies, dates and names a record.' },
);
export type RecordSpec = Static<typeof RecordSpec>;

const shared = {
  name: Type.String({ pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', description: "The connector's name, as its folder is called." }),
  title: Type.Optional(Type.String({ description: 'Product name for people.' })),
  documentation: Type.Optional(
    Type.Array(Type.String({ format: 'uri' }), { description: "The vendor's pages that it was written from." }),
  ),
  options: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_]*$' }), OptionSpec, {
    description: 'What a source sets under options.',
  }),
  tenant: Type.Optional(Type.String({ description: 'Organization or workspace of a source, such as {{ options.org_id }}.' })),
  record: RecordSpec,
  map: MapSpec,
  actions: Type.String({ description: 'The action table beside this file, ./actions.yaml.' }),
};

/** The whole of a connector with one kind of reading. */
export const connectorSchema = (kind: keyof typeof readKinds) =>
  Type.Object(
    { ...shared, auth: Type.Optional(AuthSpec), read: readKinds[kind] },
    { ...closed, description: 'A Penstock connector.' },
  );

/** A checked connector.yaml, `extends` resolved. */
export interface ConnectorSpec {
  readonly name: string;
  readonly title?: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly auth?: AuthSpec;
  readonly read: ReadSpec;
  readonly tenant?: string;
  readonly record: RecordSpec;
  readonly map: MapSpec;
  readonly actions: string;
}

/** JSON Schema of connector.yaml for editors; a file with `extends` may leave sections out. */
export function connectorJsonSchema(): object {
  const read = { anyOf: Object.values(readKinds) };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Penstock connector',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...shared,
      auth: AuthSpec,
      read,
      extends: { type: 'string', description: 'A connector whose sections stand in for those that are missing here.' },
    },
    required: ['name'],
  };
}

/** JSON Schema of actions.yaml for editors. */
export function actionsJsonSchema(): object {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Penstock action table', ...ActionTableSpec };
}
