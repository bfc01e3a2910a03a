import { packageVersion } from '../../base/package.ts';
import type { KnownAction, KnownTable } from '../known-actions.ts';

const checkSourcetype = 'penstock:check';

const sourcetypeOf = ({ table }: KnownTable): string => `penstock:${table}`;

/**
 * A Splunk add-on: one app folder for search heads, indexers and forwarders alike.
 *
 * HEC brings the time of an event with it; the time settings are for files of a file sink that a forwarder reads.
 * Source: https://help.splunk.com/en/splunk-enterprise/administer/admin-manual/configuration-file-reference/props.conf
 */
export function splunkFiles(tables: readonly KnownTable[]): Record<string, string> {
  return {
    'splunk/default/app.conf': app,
    'splunk/default/props.conf': propsOf(tables),
    'splunk/default/transforms.conf': transforms,
    'splunk/default/eventtypes.conf': kindsOf(tables).map(eventtypeOf).join('\n'),
    'splunk/default/tags.conf': kindsOf(tables).map(tagsOf).join('\n'),
    'splunk/lookups/penstock_actions.csv': lookupOf(tables),
    'splunk/metadata/default.meta': '[]\naccess = read : [ * ], write : [ admin, sc_admin ]\nexport = system\n',
    'splunk/README.txt': readme,
  };
}

// No id: it would have to be the name of the folder, which is the installer's to choose; TA-penstock is what the page says.
const app = `[install]
is_configured = false
build = 1

[package]
check_for_updates = false

[launcher]
author = Penstock
description = Sourcetypes, event types, tags and lookups for audit events that Penstock delivers.
version = ${packageVersion}

[ui]
is_visible = false
label = Penstock Add-on
`;

const parsing = `SHOULD_LINEMERGE = false
LINE_BREAKER = ([\\r\\n]+)
TRUNCATE = 5000000
TIME_PREFIX = "time":
TIME_FORMAT = %s%3N
MAX_TIMESTAMP_LOOKAHEAD = 13
MAX_DAYS_AGO = 10950
KV_MODE = json
`;

function propsOf(tables: readonly KnownTable[]): string {
  const stanzas = tables.map(
    (table) => `[${sourcetypeOf(table)}]
description = Audit events of ${table.metadata.product.name}, by Penstock
category = Application
pulldown_type = true
${parsing}EVAL-object_attrs = coalesce('object_attrs{}', object_attrs)
LOOKUP-penstock_actions = penstock_actions sourcetype signature OUTPUTNEW class_name activity_name severity risk description
`,
  );
  const check = `[${checkSourcetype}]
description = Test events of penstock check
category = Application
pulldown_type = true
${parsing}`;
  return [...stanzas, check].join('\n');
}

const transforms = `[penstock_actions]
filename = penstock_actions.csv
case_sensitive_match = false
max_matches = 1
`;

/** Actions of a table that carry the same tags. */
interface Kind {
  readonly name: string;
  readonly sourcetype: string;
  readonly tags: readonly string[];
  readonly actions: readonly KnownAction[];
}

function kindsOf(tables: readonly KnownTable[]): Kind[] {
  return tables.flatMap((table) => {
    const tagged = table.actions.filter(({ cim }) => cim.tags !== undefined);
    const groups = Object.groupBy(tagged, ({ cim: { tags = [] } }) => tags.join('_'));
    return Object.entries(groups).map(([words, actions = []]) => ({
      name: `penstock_${table.table.replaceAll('-', '_')}_${words}`,
      sourcetype: sourcetypeOf(table),
      tags: actions[0]?.cim.tags ?? [],
      actions,
    }));
  });
}

// By title, which is the same however the vendor spells the action.
function eventtypeOf({ name, sourcetype, actions }: Kind): string {
  const titles = actions.map(({ title }) => `signature="${title}"`).join(' OR ');
  return `[${name}]\nsearch = sourcetype="${sourcetype}" (${titles})\n`;
}

const tagsOf = ({ name, tags }: Kind): string => `[eventtype=${name}]\n${tags.map((tag) => `${tag} = enabled`).join('\n')}\n`;

const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function lookupOf(tables: readonly KnownTable[]): string {
  const rows = tables.flatMap((table) =>
    table.actions.map(({ codes, title, className, activity, severity, risk, description = '' }) =>
      [sourcetypeOf(table), codes[0] ?? '', title, className, activity, severity, risk, description].map(cell).join(','),
    ),
  );
  const head = 'sourcetype,signature_id,signature,class_name,activity_name,severity,risk,description';
  return `${[head, ...rows].join('\n')}\n`;
}

const readme = `Penstock Add-on for Splunk

Search-time and parse-time settings for the events that a Penstock sink of type splunk_hec delivers in its default format, cim.
Install this folder on search heads, and on indexers or heavy forwarders that parse files of a Penstock file sink.
Made by "penstock siem splunk"; changes belong into a folder "local".
`;
