type Mapping = Readonly<Record<string, unknown>>;

const keyword: Mapping = { type: 'keyword', ignore_above: 1024 };
const long: Mapping = { type: 'long' };
const date: Mapping = { type: 'date' };
const ip: Mapping = { type: 'ip' };
const text: Mapping = { type: 'match_only_text' };

const fields = (properties: Readonly<Record<string, Mapping>>): Mapping => ({ properties });
const keywords = (...names: readonly string[]): Record<string, Mapping> =>
  Object.fromEntries(names.map((name) => [name, keyword]));

/** Every field that the format `ecs` writes, with its type in ECS 9.4.0. */
const documentFields = (unmapped: Mapping): Record<string, Mapping> => ({
  '@timestamp': date,
  ecs: fields(keywords('version')),
  message: text,
  event: fields({
    ...keywords('kind', 'category', 'type', 'action', 'code', 'outcome', 'module', 'dataset', 'provider', 'id', 'reason'),
    severity: long,
    created: date,
    original: { type: 'keyword', index: false, doc_values: false },
  }),
  user: fields({
    ...keywords('id', 'name', 'email', 'domain'),
    risk: fields({ ...keywords('static_level'), static_score: { type: 'float' } }),
    target: fields(keywords('id', 'name', 'email')),
  }),
  group: fields(keywords('id', 'name')),
  source: fields({
    ip,
    ...keywords('address', 'domain'),
    geo: fields({ ...keywords('city_name', 'country_iso_code', 'region_name', 'postal_code'), location: { type: 'geo_point' } }),
    as: fields({ number: long, organization: fields(keywords('name')) }),
  }),
  user_agent: fields({ original: { ...keyword, fields: { text } }, os: fields(keywords('name', 'version')) }),
  organization: fields(keywords('id', 'name')),
  service: fields(keywords('name')),
  observer: fields(keywords('vendor', 'product')),
  related: fields({ user: keyword, ip }),
  tags: keyword,
  penstock: fields({
    ocsf: fields({ class_uid: long, type_uid: long, ...keywords('activity_name') }),
    target: fields(keywords('id', 'name', 'type')),
    ...keywords('privileges', 'correlation_id', 'uid', 'session_id', 'auth_factor', 'source_isp', 'risk_level'),
    is_mfa: { type: 'boolean' },
    unmapped,
  }),
});

const pattern = 'logs-penstock.audit-*';

/** Above 100, the priority of the templates that Elasticsearch brings along for logs-*-*. */
const priority = 500;

// Fields that the template does not name are stored and not indexed: a vendor's words never make a field.
function templateOf(unmapped: Mapping, settings: Mapping): Mapping {
  return {
    index_patterns: [pattern],
    data_stream: {},
    priority,
    template: {
      settings: {
        ...settings,
        'index.mapping.total_fields.limit': 1000,
        'index.mapping.depth.limit': 20,
        'index.mapping.nested_fields.limit': 10,
        'index.mapping.ignore_malformed': true,
      },
      mappings: { dynamic: false, date_detection: false, properties: documentFields(unmapped) },
    },
    _meta: { description: 'Audit events of Penstock, format ecs', made_by: 'penstock siem' },
  };
}

const policyName = 'penstock-audit';
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/**
 * Index template and lifecycle for Elasticsearch 8 and 9. 8191 characters are at most 32,764 bytes, the longest term that Lucene takes less two;
 * records are nested up to 500 levels deep.
 * Source: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/flattened
 */
export function elasticFiles(): Record<string, string> {
  const unmapped = { type: 'flattened', ignore_above: 8191, depth_limit: 512 };
  return {
    'elastic/ilm-policy.json': json({
      policy: {
        phases: {
          hot: { actions: { rollover: { max_primary_shard_size: '50gb', max_age: '30d' } } },
          delete: { min_age: '365d', actions: { delete: {} } },
        },
      },
    }),
    'elastic/index-template.json': json(templateOf(unmapped, { 'index.lifecycle.name': policyName })),
  };
}

/**
 * Index template and lifecycle for OpenSearch 2 and 3, where `flat_object` refuses long values, so what is not mapped is stored only.
 * Source: https://docs.opensearch.org/latest/im-plugin/ism/policies/
 */
export function opensearchFiles(): Record<string, string> {
  const states = [
    {
      name: 'hot',
      actions: [{ rollover: { min_primary_shard_size: '50gb', min_index_age: '30d' } }],
      transitions: [{ state_name: 'delete', conditions: { min_index_age: '365d' } }],
    },
    { name: 'delete', actions: [{ delete: {} }], transitions: [] },
  ];
  return {
    'opensearch/ism-policy.json': json({
      policy: {
        description: 'Audit events of Penstock',
        default_state: 'hot',
        states,
        ism_template: [{ index_patterns: [`.ds-${pattern}`, pattern], priority }],
      },
    }),
    'opensearch/index-template.json': json(templateOf({ type: 'object', enabled: false }, {})),
  };
}
