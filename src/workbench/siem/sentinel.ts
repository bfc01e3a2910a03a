import type { MappedEvent } from '../../event/attributes.ts';

/** Types of a stream; a table spells the last one `dateTime`. */
type ColumnType = 'string' | 'int' | 'long' | 'boolean' | 'dynamic' | 'datetime';

/** Every attribute of an event, so that none is sent that the stream does not declare: Azure drops those without a word. */
const attributes: Readonly<Record<keyof MappedEvent, ColumnType>> = {
  class_uid: 'int',
  class_name: 'string',
  category_uid: 'int',
  category_name: 'string',
  activity_id: 'int',
  activity_name: 'string',
  type_uid: 'long',
  type_name: 'string',
  severity_id: 'int',
  severity: 'string',
  status_id: 'int',
  status: 'string',
  status_code: 'string',
  status_detail: 'string',
  time: 'long',
  message: 'string',
  actor: 'dynamic',
  src_endpoint: 'dynamic',
  http_request: 'dynamic',
  session: 'dynamic',
  is_mfa: 'boolean',
  auth_factors: 'dynamic',
  user: 'dynamic',
  service: 'dynamic',
  group: 'dynamic',
  privileges: 'dynamic',
  policies: 'dynamic',
  entity: 'dynamic',
  web_resources: 'dynamic',
  api: 'dynamic',
  resource: 'dynamic',
  resources: 'dynamic',
  enrichments: 'dynamic',
  metadata: 'dynamic',
  observables: 'dynamic',
  raw_data: 'string',
  raw_data_size: 'long',
  unmapped: 'dynamic',
};

const tableName = 'Penstock_CL';
const stream = `Custom-${tableName}`;
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/**
 * Table, data collection rule and parser for a sink with `preset: sentinel` in its default format, `ocsf`.
 *
 * Source: https://learn.microsoft.com/en-us/azure/azure-monitor/data-collection/data-collection-rule-structure
 */
export function sentinelFiles(): Record<string, string> {
  const columns = [
    { name: 'TimeGenerated', type: 'datetime' },
    ...Object.entries(attributes).map(([name, type]) => ({ name, type })),
  ];
  const tableColumns = columns.map(({ name, type }) => ({ name, type: type === 'datetime' ? 'dateTime' : type }));
  return {
    'sentinel/table.json': json({
      properties: {
        plan: 'Analytics',
        retentionInDays: 90,
        totalRetentionInDays: 365,
        schema: { name: tableName, description: 'Audit events of Penstock (OCSF 1.8.0)', columns: tableColumns },
      },
    }),
    'sentinel/data-collection-rule.json': json({
      location: 'REGION',
      kind: 'Direct',
      properties: {
        streamDeclarations: { [stream]: { columns } },
        destinations: { logAnalytics: [{ name: 'workspace', workspaceResourceId: 'WORKSPACE_RESOURCE_ID' }] },
        dataFlows: [{ streams: [stream], destinations: ['workspace'], transformKql: 'source', outputStream: stream }],
      },
    }),
    'sentinel/PenstockAudit.kql': parser,
  };
}

const parser = `// Save as the function PenstockAudit. One row for each event, with names of ASIM's audit event schema beside the OCSF columns.
// Penstock delivers at least once: copies of an event have the same EventUid, and one of them is kept.
${tableName}
| extend EventUid = tostring(metadata.uid)
| summarize arg_max(TimeGenerated, *) by EventUid
| extend
    EventSchema = "AuditEvent",
    EventSchemaVersion = "0.1.2",
    EventCount = int(1),
    EventVendor = tostring(metadata.product.vendor_name),
    EventProduct = tostring(metadata.product.name),
    EventStartTime = unixtime_milliseconds_todatetime(['time']),
    EventEndTime = unixtime_milliseconds_todatetime(['time']),
    EventOriginalUid = coalesce(tostring(metadata.original_event_uid), EventUid),
    EventOriginalType = tostring(metadata.event_code),
    EventMessage = message,
    EventType = case(
        activity_name in ("Create", "Add User", "Assign Privileges"), "Create",
        activity_name in ("Delete", "Remove User", "Revoke Privileges"), "Delete",
        activity_name in ("Update", "Share"), "Set",
        activity_name in ("Read", "Export"), "Read",
        activity_name == "Enable", "Enable",
        activity_name == "Disable", "Disable",
        "Other"),
    EventResult = case(status_id == 1, "Success", status_id == 2, "Failure", "NA"),
    EventResultDetails = status_detail,
    EventSeverity = case(severity_id <= 1, "Informational", severity_id == 2, "Low", severity_id == 3, "Medium", "High"),
    Operation = tostring(metadata.event_code),
    ActorUsername = coalesce(tostring(actor.user.name), tostring(user.name)),
    ActorUserId = coalesce(tostring(actor.user.uid), tostring(user.uid)),
    TargetUsername = tostring(user.name),
    TargetUserId = tostring(user.uid),
    Object = coalesce(
        tostring(entity.name), tostring(resource.name), tostring(group.name),
        tostring(web_resources[0].name), tostring(resources[0].name), tostring(user.name)),
    ObjectId = coalesce(
        tostring(entity.uid), tostring(resource.uid), tostring(group.uid),
        tostring(web_resources[0].uid), tostring(resources[0].uid), tostring(user.uid)),
    ObjectType = coalesce(tostring(entity.type), tostring(resource.type), tostring(resources[0].type), class_name),
    SrcIpAddr = tostring(src_endpoint.ip),
    HttpUserAgent = tostring(http_request.user_agent),
    TenantUid = tostring(metadata.tenant_uid),
    CorrelationUid = tostring(metadata.correlation_uid),
    Labels = metadata.labels
`;
