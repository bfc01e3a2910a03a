import { stringify } from 'yaml';
import type { Detection } from './detections.ts';

/**
 * Sigma rules on field paths of the format `ocsf`, correlations over them, and pipelines for the other formats. Each kind has a folder of
 * its own, which `sigma check` and `sigma convert` can be given; the file of a correlation repeats its rule, because they look no further.
 *
 * Source: https://sigmahq.io/sigma-specification/
 */
export function sigmaFiles(detections: readonly Detection[]): Record<string, string> {
  const rules = detections.map((detection) => [`sigma/${pathOf(detection)}`, ruleOf(detection)]);
  const bursts = detections.flatMap((detection) =>
    detection.burst === undefined
      ? []
      : [[`sigma-correlations/${pathOf(detection)}`, `${ruleOf(detection)}---\n${burstOf(detection, detection.burst)}`]],
  );
  return {
    ...Object.fromEntries([...rules, ...bursts]),
    'sigma-pipelines/penstock-splunk.yml': yaml(splunkPipeline),
    'sigma-pipelines/penstock-ecs.yml': yaml(ecsPipeline),
  };
}

const pathOf = ({ table, name }: Detection): string => `${table.table}/${table.table.replaceAll('-', '_')}_${name}.yml`;
const yaml = (value: unknown): string => stringify(value, { lineWidth: 120 });

/** Where an event is found: codes in every spelling that the vendor may send. */
function selectionOf({ table, actions, where = {} }: Detection): Record<string, unknown> {
  const codes = new Set(actions.flatMap(({ codes, action, confirmed }) => (confirmed ? codes : [...codes, action])));
  return { 'metadata.log_name': table.metadata.log_name, 'metadata.event_code': [...codes], ...where };
}

// As links: `sigma check` loads the list of techniques from the internet when it meets one as a tag, and fails without it.
const referencesOf = (techniques: readonly string[]): string[] =>
  techniques.map((technique) => `https://attack.mitre.org/techniques/${technique.replace('.', '/')}/`);

function ruleOf(detection: Detection): string {
  const { table, id, title, description, level, techniques, falsepositives, except } = detection;
  return yaml({
    title,
    id,
    status: 'experimental',
    description,
    author: 'Penstock',
    references: referencesOf(techniques),
    logsource: { product: table.table, service: 'audit' },
    detection: {
      selection: selectionOf(detection),
      ...(except === undefined ? {} : { filter_expected: except }),
      condition: except === undefined ? 'selection' : 'selection and not filter_expected',
    },
    falsepositives,
    level,
  });
}

function burstOf({ id, description, techniques }: Detection, burst: NonNullable<Detection['burst']>): string {
  return yaml({
    title: burst.title,
    id: burst.id,
    status: 'experimental',
    description: `At least ${burst.at_least} times within ${burst.within} by the same account: ${description}`,
    author: 'Penstock',
    references: referencesOf(techniques),
    correlation: {
      type: 'event_count',
      rules: [id],
      'group-by': ['actor.user.uid'],
      timespan: burst.within,
      condition: { gte: burst.at_least },
    },
    falsepositives: burst.falsepositives,
    level: burst.level,
  });
}

/** The format `cim` has the OCSF event below `ocsf`. */
const splunkPipeline = {
  name: 'Penstock events in Splunk, format cim',
  priority: 30,
  transformations: [{ id: 'penstock_ocsf', type: 'field_name_prefix', prefix: 'ocsf.' }],
};

const ecsPipeline = {
  name: 'Penstock events in Elasticsearch and OpenSearch, format ecs',
  priority: 30,
  transformations: [
    {
      id: 'penstock_ecs',
      type: 'field_name_mapping',
      mapping: {
        'metadata.log_name': 'event.dataset',
        'metadata.event_code': 'event.code',
        'metadata.tenant_uid': 'organization.id',
        'metadata.uid': 'penstock.uid',
        class_uid: 'penstock.ocsf.class_uid',
        type_uid: 'penstock.ocsf.type_uid',
        activity_name: 'penstock.ocsf.activity_name',
        severity_id: 'event.severity',
        'actor.user.uid': 'user.id',
        'actor.user.name': 'user.name',
        'actor.user.email_addr': 'user.email',
        'user.uid': 'user.target.id',
        'user.name': 'user.target.name',
        'user.email_addr': 'user.target.email',
        'group.name': 'group.name',
        'entity.name': 'penstock.target.name',
        'entity.type': 'penstock.target.type',
        privileges: 'penstock.privileges',
        'src_endpoint.ip': 'source.ip',
        'src_endpoint.location.country': 'source.geo.country_iso_code',
        'src_endpoint.autonomous_system.number': 'source.as.number',
        'http_request.user_agent': 'user_agent.original',
      },
    },
  ],
};
