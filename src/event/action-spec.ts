import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false };
const text = (description: string) => Type.String({ minLength: 1, description });
const words = (description: string) => Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description });
const numbered = (description: string) =>
  Type.Record(Type.String({ pattern: '^\\d+$' }), Type.String({ minLength: 1 }), { description, minProperties: 1 });

const StatusName = Type.Enum(['success', 'failure', 'unknown', 'other'], { description: 'OCSF status_id 1, 2, 0 and 99' });
/** How an action ended. */
export type StatusName = Static<typeof StatusName>;

const StatusSpec = Type.Object(
  {
    constant: Type.Optional(StatusName),
    field: Type.Optional(words('Paths of the field that tells the outcome; the first that is present wins.')),
    values: Type.Optional(
      Type.Record(Type.String(), StatusName, {
        description: 'StatusName per text of the field, compared without case; any other text is `other`, or what `*` says.',
      }),
    ),
    missing: Type.Optional(StatusName),
  },
  { ...closed, description: 'How an event gets its status: always `constant`, or from a `field` of the record.' },
);
type StatusSpec = Static<typeof StatusSpec>;

const ClassSpec = Type.Object(
  {
    name: text('class_name'),
    category_uid: Type.Integer({ minimum: 0 }),
    category_name: text('category_name'),
    activities: numbered('activity_name per activity_id'),
    subject: Type.Optional(
      Type.Enum(['actor'], { description: 'The performer is the affected user too; the product is the service.' }),
    ),
    requires: Type.Optional(
      Type.Array(Type.Enum(['actor', 'src_endpoint']), { description: 'Become Unknown when the record has none.' }),
    ),
    profiles: Type.Optional(words('OCSF profiles of an event that has an actor.')),
  },
  { ...closed, description: 'An OCSF class as the rows use it.' },
);
/** An OCSF class of the table head. */
export type ClassSpec = Static<typeof ClassSpec>;

const TargetSpec = Type.Object(
  {
    place: Type.Enum(['user', 'group', 'entity', 'web_resource', 'api']),
    type: Type.Optional(text('Caption of an entity or web resource.')),
    type_id: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 99, description: 'entity.type_id; 2 to 5 also fill user, group, org or policy.' }),
    ),
    user_type_id: Type.Optional(Type.Integer({ minimum: 0, maximum: 99, description: 'user.type_id of the affected user.' })),
    resource_type: Type.Optional(text('What the access is to; a target that is no user or group becomes this resource.')),
    operation: Type.Optional(text('api.operation')),
    tenant: Type.Optional(
      Type.Boolean({ description: 'The resource, or an entity that the record does not name, is the tenant itself.' }),
    ),
    invited: Type.Optional(Type.Boolean({ description: "The target's e-mail address is an invited user." })),
    policy: Type.Optional(
      Type.Boolean({ description: 'The policy goes into policies; in a grant to a group it is the resource.' }),
    ),
    privileges_fallback: Type.Optional(words('Privileges when the record has none; without it the event carries no privileges.')),
  },
  { ...closed, description: 'Where the affected object goes.' },
);
/** Where the affected object goes. */
export type TargetSpec = Static<typeof TargetSpec>;

const classUid = Type.Integer({ minimum: 1, description: 'One of the table head `classes`.' });
const activityId = Type.Integer({ minimum: 0, maximum: 99 });

const VariantSpec = Type.Object(
  {
    when: Type.Object(
      { field: text('Path in the record.'), matches: words('Words, one of which occurs in the field, without case.') },
      closed,
    ),
    ocsf: Type.Object(
      { class_uid: classUid, activity_id: activityId, activity_name: Type.Optional(text('For activity 99.')) },
      closed,
    ),
    target: TargetSpec,
  },
  closed,
);

const CimSpec = Type.Object(
  {
    model: Type.Union([Type.String({ minLength: 1 }), Type.Null()]),
    dataset: Type.Optional(text('Data set below the model; the model itself when absent.')),
    tags: Type.Optional(words('Tags by which the data model finds the event.')),
    action: Type.Optional(text('One of the values that CIM prescribes.')),
    change_type: Type.Optional(text('change_type')),
    object_category: Type.Optional(text('object_category')),
  },
  { ...closed, description: 'What the class and activity mean in CIM when absent.' },
);

const ActionSpec = Type.Object(
  {
    action: text("The vendor's own name."),
    key: Type.Optional(
      Type.String({
        pattern: '^[\\p{L}\\p{M}\\p{N}_]+$',
        description: 'The name in lower snake case; the lookup key. It follows from the action when it is left out.',
      }),
    ),
    aliases: Type.Optional(words('Other spellings of the same action.')),
    title: text('For people; the CEF name and the CIM signature.'),
    description: Type.Optional(text('One sentence.')),
    group: text('Heading under which the vendor lists it.'),
    ocsf: Type.Object(
      {
        class_uid: classUid,
        activity_id: activityId,
        activity_name: Type.Optional(text('For activity 99.')),
        severity_id: Type.Integer({ minimum: 0, maximum: 6 }),
      },
      closed,
    ),
    target: Type.Optional(TargetSpec),
    variants: Type.Optional(
      Type.Array(VariantSpec, { description: 'Another class when a field says so; the first match wins.' }),
    ),
    ecs: Type.Optional(
      Type.Object(
        {
          kind: Type.Optional(text('event.kind; `event` when absent.')),
          category: Type.Array(Type.String({ minLength: 1 })),
          type: words('event.type'),
        },
        { ...closed, description: 'What the class and activity mean in ECS when absent.' },
      ),
    ),
    cim: Type.Optional(CimSpec),
    risk: Type.Optional(
      Type.Object(
        {
          level: Type.Enum(['none', 'low', 'medium', 'high']),
          note: Type.Optional(text('For detection engineers; never sent.')),
        },
        closed,
      ),
    ),
    wire: Type.Optional(
      Type.Enum(['documented', 'inferred'], { description: 'Whether the vendor publishes this literal value.' }),
    ),
    documented_by: Type.Optional(words('Product pages that list it.')),
    deployment: Type.Optional(text('The deployment that writes it, when not all do.')),
  },
  closed,
);
/** A row of the table. */
export type ActionSpec = Static<typeof ActionSpec>;

/** An action table, `actions.yaml`: what each of a vendor's actions is in OCSF, ECS and CIM. Cross-checks are made by `compileActions`. */
export const ActionTableSpec = Type.Object(
  {
    table: Type.Literal('penstock.actions/1'),
    source: Type.String({
      pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
      description: 'Name of the table; part of every uid, so it never changes.',
    }),
    vendor: text('metadata.product.vendor_name'),
    product: text('metadata.product.name'),
    log_name: text('metadata.log_name: the source with underscores, a dot, the log.'),
    log_provider: text('metadata.log_provider'),
    log_format: text('metadata.log_format'),
    versions: Type.Object({ ocsf: text('metadata.version'), ecs: text('ecs.version'), cim: text('for the reader') }, closed),
    status: StatusSpec,
    classes: Type.Optional(
      Type.Record(Type.String({ pattern: '^\\d+$' }), ClassSpec, {
        description: 'Classes other than those that are known by themselves: 3001, 3002, 3004, 3005, 3006, 6001 and 6003.',
      }),
    ),
    actions: Type.Array(ActionSpec),
  },
  closed,
);
/** A checked action table. */
export type ActionTableSpec = Static<typeof ActionTableSpec>;
