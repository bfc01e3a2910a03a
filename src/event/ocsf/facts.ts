// What OCSF 1.8.0 says of the classes and objects that the mapper writes, and of no others. Facts of the core schema, https://schema.ocsf.io/1.8.0

/**
 * Attributes as they are written below: the name, `!` when required, `+` when recommended, else optional; `~` when deprecated; after a colon the
 * type: `int num bool ip email json object`, numbers for an enumeration, or an object's name, with `[]` for a list. Text where there is none.
 */
type Attributes = string;

/** A class; its activities are those of `activity_id`. */
interface WrittenClass {
  readonly uid: number;
  readonly name: string;
  readonly category: readonly [uid: number, name: string];
  readonly activities: string;
  readonly attributes: Attributes;
  /** One of these has to be there. */
  readonly oneOf?: string;
}

const everyClass: Attributes =
  'class_uid!:int class_name category_uid!:int category_name activity_name type_uid!:int type_name severity_id!:0-6,99 severity status_id+:0-2,99 ' +
  'status+ status_code+ status_detail+ time!:int message+ metadata!:metadata observables+:observable[] enrichments:enrichment[] raw_data ' +
  'raw_data_size:int unmapped:object';
const iam = [3, 'Identity & Access Management'] as const;
const application = [6, 'Application Activity'] as const;
const withClient = 'actor+:actor src_endpoint+:network_endpoint http_request:http_request';

export const writtenClasses: readonly WrittenClass[] = [
  { uid: 0, name: 'Base Event', category: [0, 'Uncategorized'], activities: '0,99', attributes: 'actor:actor' },
  {
    uid: 3001,
    name: 'Account Change',
    category: iam,
    activities: '0-12,99',
    attributes: `${withClient} user!:user policies:policy[] auth_factors:auth_factor[]`,
  },
  {
    uid: 3002,
    name: 'Authentication',
    category: iam,
    activities: '0-7,99',
    attributes: `${withClient} user!:user service+:service session+:session is_mfa+:bool auth_factors:auth_factor[]`,
    oneOf: 'service dst_endpoint',
  },
  {
    uid: 3004,
    name: 'Entity Management',
    category: iam,
    activities: '0-13,99',
    attributes: `${withClient} entity!:managed_entity`,
  },
  {
    uid: 3005,
    name: 'User Access Management',
    category: iam,
    activities: '0-2,99',
    attributes: `${withClient} user!:user privileges!:[] resource+~:resource_details resources+:resource_details[]`,
  },
  {
    uid: 3006,
    name: 'Group Management',
    category: iam,
    activities: '0-8,99',
    attributes: `${withClient} group!:group user+:user privileges+:[] resource+:resource_details`,
  },
  {
    uid: 6001,
    name: 'Web Resources Activity',
    category: application,
    activities: '0-8,99',
    attributes: 'actor:actor src_endpoint+:network_endpoint http_request+:http_request web_resources!:web_resource[]',
  },
  {
    uid: 6003,
    name: 'API Activity',
    category: application,
    activities: '0-4,99',
    attributes: 'actor!:actor src_endpoint!:network_endpoint http_request+:http_request api!:api resources+:resource_details[]',
  },
].map((one) => ({ ...one, attributes: `${everyClass} activity_id!:${one.activities} ${one.attributes}` }) as WrittenClass);

const thing = 'name+ uid+ type';
const named = 'name uid';

/** Object -> its attributes, and those of which one has to be there. */
export const writtenObjects: Readonly<Record<string, readonly [attributes: Attributes, oneOf?: string]>> = {
  actor: ['user+:user session:session app_name', 'user session app_name'],
  api: ['operation! service:service'],
  auth_factor: ['factor_type_id!:0-11,99 factor_type+'],
  autonomous_system: ['number+:int name+', 'number name'],
  enrichment: ['name! value! type+ provider+ data!:json'],
  feature: ['name+', named],
  group: [thing, named],
  http_request: ['user_agent+'],
  location: ['city+ region country+ postal_code lat:num long:num', 'city country postal_code region'],
  managed_entity: [
    'name+ uid+ type+ type_id+:0-7,99 user+:user group+:group org+:organization policy+:policy',
    'name uid group org policy user',
  ],
  metadata: [
    'version! product!:product uid event_code log_name+ log_provider log_format original_time+ original_event_uid tenant_uid+ logged_time:int ' +
      'correlation_uid processed_time:int profiles:[] labels:[]',
  ],
  network_endpoint: ['ip+:ip name+ domain isp location:location autonomous_system:autonomous_system os:os', 'ip name domain'],
  observable: ['name+ type_id!:0-27,30-42,44,45,47,48,99 type value'],
  organization: ['name+ uid+', named],
  os: ['name! type_id!:0,99-101,200,201,300-302,400-402 type version'],
  policy: [thing, 'name type uid'],
  product: ['name+ vendor_name+ feature:feature', named],
  resource_details: [thing, named],
  service: ['name+ uid+', named],
  session: ['uid+ is_mfa:bool'],
  user: [
    'name+ uid+ email_addr:email full_name domain type_id+:0-4,99 type risk_level_id:0-4,99 risk_level risk_score:int org:organization',
    named,
  ],
  web_resource: [thing, named],
};
