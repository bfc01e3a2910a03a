import { globSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemSeams } from '../../src/base/seams.ts';
import type { Format } from '../../src/event/event.ts';
import { joined } from '../../src/sinks/encoded.ts';
import { presetOf } from '../../src/sinks/http/presets/index.ts';
import { renderSamples } from '../../src/workbench/catalog.ts';
import { knownTables } from '../../src/workbench/known-actions.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { siemFiles, siems } from '../../src/workbench/siem/index.ts';
import { fewOrAll } from '../thorough.ts';

type Tree = Readonly<Record<string, unknown>>;

const folder = resolve(import.meta.dirname, '../../siem');
const { files } = systemSeams();
const tables = await knownTables(files);
// One of each table.
const connectors = tables.flatMap((one) => one.connectors.slice(0, 1).map(({ name }) => name));
const tableOf = (connector: string): string =>
  tables.find((one) => one.connectors.some(({ name }) => name === connector))?.table ?? '';

type Samples = readonly { readonly connector: string; readonly event: Tree }[];

async function renderAs(format: Format): Promise<Samples> {
  const lines = connectors.map(async (connector) =>
    (await renderSamples({ connector, format, includeRaw: true, now: 0 }, files)).lines.map((line) => ({
      connector,
      event: JSON.parse(line) as Tree,
    })),
  );
  return (await Promise.all(lines)).flat();
}

const rendered = new Map<Format, Promise<Samples>>();
function samplesAs(format: Format): Promise<Samples> {
  const samples = rendered.get(format) ?? renderAs(format);
  rendered.set(format, samples);
  return samples;
}

const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const readJson = (path: string): Tree => JSON.parse(read(path)) as Tree;

function valueAt(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Tree | undefined)?.[key], tree);
}

it.each(siems)('has the committed files of %s as penstock siem writes them', async (siem) => {
  const made = await siemFiles(siem, files);

  const roots = [...new Set(Object.keys(made).map((path) => path.split('/')[0] ?? ''))];
  const committed = roots
    .flatMap((root) => globSync(`${root}/**`, { cwd: folder }))
    .filter((path) => statSync(join(folder, path)).isFile());
  expect(committed.sort()).toEqual(Object.keys(made).sort());
  for (const [path, text] of Object.entries(made)) expect(read(path)).toBe(text);
});

/** Stanzas of a .conf file with their settings. */
function confOf(path: string): Map<string, Map<string, string>> {
  const stanzas = new Map<string, Map<string, string>>();
  let stanza = new Map<string, string>();
  for (const line of read(path).split('\n')) {
    const [, head] = /^\[(.+)\]$/.exec(line) ?? [];
    const [, key, value = ''] = /^([^=\s]+) = (.*)$/.exec(line) ?? [];
    if (head !== undefined) stanzas.set(head, (stanza = new Map()));
    else if (key !== undefined) stanza.set(key, value);
  }
  return stanzas;
}

describe('the Splunk add-on', () => {
  const props = confOf('splunk/default/props.conf');

  it('has a stanza for every sourcetype of the samples and for the test event, and none more', () => {
    const sourcetypes = connectors.map((connector) => `penstock:${tableOf(connector)}`);

    expect([...props.keys()].sort()).toEqual([...sourcetypes, 'penstock:check'].sort());
    for (const settings of props.values())
      expect(Object.fromEntries(settings)).toMatchObject({
        TRUNCATE: '5000000',
        KV_MODE: 'json',
        SHOULD_LINEMERGE: 'false',
        TIME_FORMAT: '%s%3N',
      });
    expect(readFileSync(join(folder, '../src/sinks/splunk-hec/probe.ts'), 'utf8')).toContain("sourcetype: 'penstock:check'");
  });

  it.each(fewOrAll(1, ['ocsf', 'cim'] as const))('reads the time of an event in a file of format %s', async (format) => {
    const prefix = new RegExp(props.get('penstock:check')?.get('TIME_PREFIX') ?? '');

    const read = (await samplesAs(format)).map(({ event }) => {
      const text = JSON.stringify(event);
      const found = prefix.exec(text);
      const time = format === 'cim' ? valueAt(event, 'ocsf.time') : event['time'];
      return { time, read: Number(text.slice((found?.index ?? 0) + (found?.[0].length ?? 0)).slice(0, 13)) };
    });

    expect(read.filter(({ time, read }) => time !== read)).toEqual([]);
  });

  it('gives every sample its tags, by one event type', async () => {
    const tags = confOf('splunk/default/tags.conf');
    const types = [...confOf('splunk/default/eventtypes.conf')].map(([name, settings]) => {
      const search = settings.get('search') ?? '';
      const [, sourcetype] = /^sourcetype="([^"]+)" \(/.exec(search) ?? [];
      const signatures = [...search.matchAll(/signature="([^"]+)"/g)].map(([, title]) => title);
      return { name, sourcetype, signatures };
    });

    const wrong = (await samplesAs('cim')).flatMap(({ connector, event }) => {
      const own = types.filter(
        ({ sourcetype, signatures }) =>
          sourcetype === `penstock:${tableOf(connector)}` && signatures.includes(event['signature'] as string),
      );
      const given = own.map(({ name }) => [...(tags.get(`eventtype=${name}`)?.keys() ?? [])]);
      return JSON.stringify(given) === JSON.stringify(event['tag'] === undefined ? [] : [event['tag']])
        ? []
        : [event['signature_id']];
    });

    expect([...tags.keys()]).toEqual(types.map(({ name }) => `eventtype=${name}`));
    expect(wrong).toEqual([]);
  });

  it('explains every action in the lookup', () => {
    const rows = read('splunk/lookups/penstock_actions.csv').trimEnd().split('\n').slice(1);

    expect(rows.length).toBe(tables.flatMap(({ actions }) => actions).length);
  });
});

const mappedWhole = ['penstock.unmapped', 'source.geo.location'];

/** Paths of all values below an object, down to the places that are mapped as a whole. */
function leavesOf(value: unknown, path: string): string[] {
  if (mappedWhole.includes(path) || typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, path === '' ? key : `${path}.${key}`));
}

describe.each([
  { siem: 'elastic', unmapped: { type: 'flattened', ignore_above: 8191, depth_limit: 512 } },
  { siem: 'opensearch', unmapped: { type: 'object', enabled: false } },
])('the index template of $siem', ({ siem, unmapped }) => {
  const template = readJson(`${siem}/index-template.json`);
  const mappings = valueAt(template, 'template.mappings') as Tree;
  const fieldAt = (path: string): unknown => valueAt(mappings, `properties.${path.replaceAll('.', '.properties.')}`);

  it('names every field of every sample with a type of its own, and takes no other', async () => {
    const leaves = new Set((await samplesAs('ecs')).flatMap(({ event }) => leavesOf(event, '')));

    const untyped = [...leaves].filter((path) => typeof (fieldAt(path) as Tree | undefined)?.['type'] !== 'string');

    expect(leaves.size).toBeGreaterThan(30);
    expect(untyped).toEqual([]);
    expect(mappings['dynamic']).toBe(false);
    expect(fieldAt('penstock.unmapped')).toEqual(unmapped);
  });

  it('stands above the templates that the product brings along', () => {
    expect(template).toMatchObject({ index_patterns: ['logs-penstock.audit-*'], priority: 500, data_stream: {} });
  });
});

describe('the Sentinel table', () => {
  const rule = readJson('sentinel/data-collection-rule.json');
  const streams = valueAt(rule, 'properties.streamDeclarations') as Readonly<
    Record<string, { readonly columns: readonly { readonly name: string; readonly type: string }[] }>
  >;
  const declared = Object.values(streams)[0]?.columns ?? [];

  const fits: Readonly<Record<string, (value: unknown) => boolean>> = {
    datetime: (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
    string: (value) => typeof value === 'string',
    int: (value) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
    long: (value) => Number.isSafeInteger(value),
    boolean: (value) => typeof value === 'boolean',
    dynamic: (value) => typeof value === 'object',
  };

  it('declares every column that the preset sends, in its type', async () => {
    const sentinel = presetOf({ preset: 'sentinel' } as Parameters<typeof presetOf>[0], true);
    const encode = sentinel.entry({ format: 'ocsf', isJson: true } as Parameters<typeof sentinel.entry>[0]);
    const wrong = (await samplesAs('ocsf')).flatMap(({ event }) => {
      const body = JSON.stringify(event);
      const sent = JSON.parse(joined(encode({ event, body } as unknown as Parameters<typeof encode>[0])).slice(0, -1)) as Tree;
      return Object.entries(sent)
        .filter(([name, value]) => fits[declared.find((column) => column.name === name)?.type ?? '']?.(value) !== true)
        .map(([name]) => name);
    });

    expect(declared.map(({ name }) => name)).toContain('TimeGenerated');
    expect([...new Set(wrong)]).toEqual([]);
  });

  it('has the columns of the stream in the table, and a parser over it', () => {
    const table = valueAt(readJson('sentinel/table.json'), 'properties.schema') as Tree;

    expect(table['columns']).toEqual(declared.map(({ name, type }) => ({ name, type: type === 'datetime' ? 'dateTime' : type })));
    expect(Object.keys(streams)).toEqual([`Custom-${table['name'] as string}`]);
    expect(read('sentinel/PenstockAudit.kql')).toContain(`\n${table['name'] as string}\n`);
  });
});

interface Rule extends Tree {
  readonly title: string;
  readonly id: string;
  readonly detection: Readonly<Record<string, Readonly<Record<string, unknown>>>> & { readonly condition: string };
}

const rules = new Map(
  globSync('sigma/**/*.yml', { cwd: folder })
    .sort()
    .map((path) => [path.replace(/^.*\/(.*)\.yml$/, '$1'), parse(read(path)) as Rule]),
);

/** As Sigma compares: text without case, one value of a list is enough, null means absent. */
function hasValue(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) return wanted.some((one) => hasValue(found, one));
  if (Array.isArray(found)) return found.some((one) => hasValue(one, wanted));
  if (wanted === null) return found === undefined;
  const isText = typeof found === 'string' && typeof wanted === 'string';
  return isText ? found.toLowerCase() === wanted.toLowerCase() : found === wanted;
}

function fires({ detection }: Rule, event: Tree): boolean {
  const holds = (name: string): boolean =>
    Object.entries(detection[name] ?? {}).every(([path, wanted]) => hasValue(valueAt(event, path), wanted));
  return holds('selection') && (detection.condition === 'selection' || !holds('filter_expected'));
}

describe('the Sigma rules', () => {
  it('say what they are, and when they are wrong', () => {
    const needed = ['title', 'id', 'status', 'description', 'level', 'falsepositives', 'logsource', 'detection'];

    const lacking = [...rules].flatMap(([name, rule]) =>
      needed
        .filter((key) => rule[key] === undefined || (rule[key] as { length?: number }).length === 0)
        .map((key) => `${name}: ${key}`),
    );

    expect(lacking).toEqual([]);
    expect(new Set([...rules.values()].map(({ id }) => id)).size).toBe(rules.size);
    expect(new Set([...rules.values()].map(({ title }) => title)).size).toBe(rules.size);
  });

  it('look at fields that the pipeline for ECS knows too', () => {
    const { transformations } = parse(read('sigma-pipelines/penstock-ecs.yml')) as {
      readonly transformations: readonly { readonly mapping: Tree }[];
    };

    const fields = [...rules.values()].flatMap(({ detection }) =>
      ['selection', 'filter_expected'].flatMap((part) => Object.keys(detection[part] ?? {})),
    );

    expect([...new Set(fields)].filter((field) => transformations[0]?.mapping[field] === undefined)).toEqual([]);
  });

  it('fire on the samples that they are for, and on no other', async () => {
    const samples = await samplesAs('ocsf');

    const fired = [...rules].map(([name, rule]) => {
      const found = samples.filter(({ event }) => fires(rule, event));
      return [name, found.map(({ event }) => valueAt(event, 'metadata.event_code')).join(' ')];
    });

    expect(Object.fromEntries(fired)).toEqual({
      anaconda_audit_log_export: 'audit_log_export_requested',
      anaconda_object_deleted:
        'channel_deleted organization_user_removed policy_deleted service_account_deleted user_group_deleted mirror_deleted',
      anaconda_policy_removed: 'policy_deleted policy_unassigned channel_policy_unassigned mirror_policy_unassigned',
      anaconda_role_changed: 'organization_user_updated',
      anaconda_service_account_created: 'service_account_created',
      anaconda_token_created: 'token_created',
      anaconda_token_revoked: 'token_revoked',
      analyst_studio_admin_granted: 'org_user_role_changed',
      analyst_studio_audit_log_read: 'audit_log_accessed',
      analyst_studio_data_exported: 'export_data_sql_exported export_data_report_exported_csv export_data_report_exported_pdf',
      analyst_studio_default_access_widened: 'workspace_default_access_changed',
      analyst_studio_member_key_created: 'api_token_member_key_generated',
      analyst_studio_object_deleted: 'group_deleted collection_deleted connection_deleted report_activity_report_deleted',
      analyst_studio_report_sent_outside: 'report_schedule_user_email_added report_schedule_channel_added',
      analyst_studio_token_revoked: 'api_token_member_key_revoked api_token_workspace_revoked',
      analyst_studio_workspace_token_created: 'api_token_workspace_created',
      astra_access_list_removed: 'CP_ACL_DELETED',
      astra_database_deleted: 'DELETE_ORG DB_DELETED',
      astra_identity_provider_changed: 'ADD_SAML_IDP UPDATE_IDP ENABLE_IDP DISABLE_IDP DELETE_IDP',
      astra_role_changed: 'CREATE_ROLE COPY_ROLE UPDATE_ROLE',
      astra_sso_disabled: 'DISABLE_ORG_SSO',
      astra_token_created: 'GENERATE_TOKEN_FOR_CLIENT',
      astra_token_deleted: 'DELETE_TOKEN_FOR_CLIENT',
      astra_user_removed: 'DELETE_USER REMOVE_USER_FROM_ORG',
      atlassian_api_token_created: 'api_token_created',
      atlassian_app_installed: 'marketplace_app_installed',
      atlassian_logged_in_as_user: 'user_logged_in_as_user',
      atlassian_login_failed: 'user_login_failed',
      atlassian_organization_setting_changed: 'org_settings_update',
      auth0_breached_password_used: 'pwd_leak reset_pwd_leak signup_pwd_leak',
      auth0_brute_force_blocked: 'limit_mu limit_sul limit_wc',
      auth0_factor_removed: 'gd_unenroll',
      auth0_guardian_settings_changed: 'gd_tenant_update',
      auth0_tenant_changed: 'sapi',
      auth0_user_deleted: 'sdu',
      cloudflare_changed: 'create update',
      cloudflare_changed_from_nowhere: 'update',
      cloudflare_deleted: 'delete',
      dbt_cloud_authentication_changed: 'v1.events.auth_provider.Changed',
      dbt_cloud_credentials_changed: 'v1.events.connection.Changed v1.events.credentials.Added v1.events.credentials.Changed',
      dbt_cloud_object_deleted:
        'v1.events.environment.Removed v1.events.job_definition.Removed v1.events.project.Removed v1.events.connection.Removed v1.events.repository.Removed',
      dbt_cloud_permission_added: 'v1.events.permission.Added',
      dbt_cloud_service_token_created: 'v1.events.service_token.Created',
      dbt_cloud_service_token_revoked: 'v1.events.service_token.Revoked',
      dbt_cloud_sign_in_failed: 'v1.events.auth.CredentialsLoginFailed v1.events.auth.SsoLoginFailed',
      entra_id_application_consent_given:
        'Add app role assignment to service principal Add delegated permission grant Consent to application',
      entra_id_application_credentials_changed:
        'Add service principal credentials Update application - Certificates and secrets management',
      entra_id_application_registered: 'Add application Add service principal',
      entra_id_conditional_access_changed: 'Delete Conditional Access policy Update Conditional Access policy',
      entra_id_federation_changed: 'Set domain authentication Set federation settings on domain',
      entra_id_role_granted:
        'Add eligible member to role Add member to role Add scoped member to role Add member to role in PIM completed (permanent) Add member to role in PIM completed (timebound) Add eligible member to role in PIM completed (permanent) Add eligible member to role in PIM completed (timebound)',
      entra_id_role_granted_outside_of_pim: 'Add member to role outside of PIM (permanent)',
      entra_id_user_deleted: 'Delete user Hard Delete user',
      github_admin_granted:
        'business.add_admin enterprise_role.assign org.add_security_manager org.update_member organization_role.assign',
      github_audit_log_exported:
        'business.audit_log_export business.audit_log_git_event_export org.audit_log_export org.audit_log_git_event_export',
      github_audit_log_streaming_changed: 'audit_log_streaming.destroy audit_log_streaming.update',
      github_outside_collaborator_added: 'org.add_outside_collaborator',
      github_repository_deleted: 'repo.destroy',
      github_repository_visibility_changed: 'repo.access repo.pages_public',
      github_sign_in_protection_disabled:
        'business.disable_oidc business.disable_saml business.disable_two_factor_requirement org.disable_saml org.disable_two_factor_requirement sso_lockdown.disable',
      github_token_created:
        'personal_access_token.access_granted personal_access_token.create personal_access_token.credential_regenerated',
      gitlab_access_token_created:
        'personal_access_token_created deploy_token_created group_deploy_token_created group_access_token_created project_access_token_created',
      gitlab_access_token_revoked:
        'personal_access_token_revoked deploy_token_destroyed deploy_token_revoked group_deploy_token_destroyed group_deploy_token_revoked group_access_token_deleted project_access_token_deleted',
      gitlab_admin_granted: 'custom_admin_role_assigned_to_user user_admin_status_updated user_auditor_status_updated',
      gitlab_audit_streaming_stopped:
        'deleted_group_audit_event_streaming_destination deleted_instance_audit_event_streaming_destination destroy_event_streaming_destination destroy_instance_event_streaming_destination update_event_streaming_destination update_instance_event_streaming_destination updated_group_audit_event_streaming_destination updated_instance_audit_event_streaming_destination',
      gitlab_exported: 'project_export_file_download_started group_export_created project_export_created',
      gitlab_sign_in_from_nowhere: 'authenticated_with_password',
      gitlab_sign_in_protection_changed:
        'group_saml_provider_update allow_mfa_for_subgroups_updated group_require_two_factor_authentication_updated',
      gitlab_visibility_changed: 'group_visibility_level_updated project_visibility_level_updated',
      google_workspace_admin_granted: 'GRANT_ADMIN_PRIVILEGE GRANT_DELEGATED_ADMIN_PRIVILEGES ASSIGN_ROLE',
      google_workspace_api_client_authorized: 'AUTHORIZE_API_CLIENT_ACCESS ADD_TO_TRUSTED_OAUTH2_APPS',
      google_workspace_data_exported: 'CREATE_DATA_TRANSFER_REQUEST REQUEST_ACCOUNT_INFO REQUEST_MAILBOX_DUMP',
      google_workspace_mail_forwarded_outside: 'CREATE_EMAIL_MONITOR email_forwarding_out_of_domain',
      google_workspace_sign_in_protection_changed:
        'CHANGE_SSO_SETTINGS ALLOW_STRONG_AUTHENTICATION CHANGE_ALLOWED_TWO_STEP_VERIFICATION_METHODS ENFORCE_STRONG_AUTHENTICATION',
      google_workspace_suspicious_login:
        'suspicious_login suspicious_login_less_secure_app suspicious_programmatic_login account_disabled_hijacked account_disabled_password_leak gov_attack_warning',
      google_workspace_two_step_verification_removed:
        'REVOKE_SECURITY_KEY TURN_OFF_2_STEP_VERIFICATION UNENROLL_USER_FROM_TITANIUM UNENROLL_USER_FROM_STRONG_AUTH',
      google_workspace_user_deleted: 'DELETE_USER',
      mongodb_atlas_api_key_created: 'API_KEY_CREATED',
      mongodb_atlas_api_key_deleted: 'API_KEY_DELETED',
      mongodb_atlas_deleted: 'GROUP_DELETED ORG_CLUSTERS_DELETED',
      mongodb_atlas_identity_provider_changed:
        'FEDERATION_SETTINGS_DELETED FEDERATION_SETTINGS_UPDATED IDENTITY_PROVIDER_CREATED IDENTITY_PROVIDER_UPDATED IDENTITY_PROVIDER_DELETED IDENTITY_PROVIDER_DEACTIVATED',
      mongodb_atlas_network_protection_removed:
        'API_KEY_UI_IP_ACCESS_LIST_INHERITANCE_DISABLED ORG_PUBLIC_API_ACCESS_LIST_NOT_REQUIRED ORG_UI_IP_ACCESS_LIST_DISABLED',
      mongodb_atlas_role_changed:
        'API_KEY_ROLES_CHANGED ROLE_MAPPING_CREATED ROLE_MAPPING_UPDATED TEAM_ROLES_MODIFIED USER_ROLES_CHANGED_AUDIT',
      mongodb_atlas_two_factor_optional: 'ORG_TWO_FACTOR_AUTH_OPTIONAL',
      okta_admin_granted: 'user.account.privilege.grant group.privilege.grant',
      okta_api_token_created: 'system.api_token.create',
      okta_api_token_revoked: 'system.api_token.revoke',
      okta_factors_reset: 'user.mfa.factor.deactivate user.mfa.factor.reset_all',
      okta_identity_provider_added: 'system.idp.lifecycle.create',
      okta_policy_weakened: 'policy.lifecycle.update policy.lifecycle.delete policy.rule.update zone.update',
      okta_sign_in_from_nowhere: 'user.authentication.sso',
      okta_support_impersonation: 'user.session.impersonation.initiate',
      okta_user_deactivated: 'user.lifecycle.deactivate user.lifecycle.suspend user.lifecycle.delete.initiated',
      onepassword_exported: 'export',
      onepassword_firewall_changed: 'updatfw',
      onepassword_object_deleted: 'delete purge',
      onepassword_recovery: 'beginr completr',
      onepassword_role_changed: 'role',
      onepassword_sign_in_protection_changed: 'chngpsso chngasso chngdsso delgsso',
      onepassword_sign_in_protection_disabled: 'disblduo disblmfa disblsso',
      onepassword_token_revoked: 'trevoke',
      slack_admin_granted: 'owner_transferred role_assigned role_change_to_admin role_change_to_owner',
      slack_anomaly: 'anomaly user_sessions_reset_by_anomaly_event_response',
      slack_app_rights_widened: 'app_scopes_expanded org_app_upgraded_to_org_install',
      slack_audit_log_exported: 'audit_logs_export_csv_started audit_logs_export_json_started',
      slack_data_exported:
        'channels_export_downloaded channels_export_started corporate_exports_enabled manual_export_downloaded manual_export_started manual_user_export_downloaded manual_user_export_started',
      slack_file_made_public: 'file_public_link_created',
      slack_sign_in_from_nowhere: 'user_login',
      slack_sign_in_protection_changed:
        'idp_configuration_deleted idp_prod_configuration_updated pref.sso_setting_changed pref.two_factor_auth_changed',
    });
  });

  it('are part of the correlation over them', () => {
    const files = globSync('sigma-correlations/**/*.yml', { cwd: folder }).sort();

    const correlations = files.map((path) => {
      const [base = '', burst = ''] = read(path).split('---\n');
      const { id } = parse(base) as Rule;
      return {
        isTheRule: base === read(path.replace('sigma-correlations/', 'sigma/')),
        counts: valueAt(parse(burst), 'correlation.rules'),
        id,
      };
    });

    expect(correlations.length).toBeGreaterThanOrEqual(6);
    for (const { isTheRule, counts, id } of correlations) expect([isTheRule, counts]).toEqual([true, [id]]);
  });
});

describe("a connector of one's own", () => {
  /** What `penstock siem` makes of a new connector with these detections, or why it does not. */
  async function made(siem: (typeof siems)[number], detections: string): Promise<unknown> {
    const dir = await mkdtemp(join(tmpdir(), 'penstock-siem-'));
    await newConnector('acme', dir, systemSeams());
    await writeFile(join(dir, 'acme/detections.yaml'), detections);
    try {
      return await siemFiles(siem, files, [dir]);
    } catch (error) {
      return (error as Error).message.replaceAll(dir, '');
    } finally {
      await rm(dir, { recursive: true });
    }
  }
  const detection = `detections:
  - { name: signed_in, id: 3f0c1a52-6d0e-4b8f-9f3e-0a4b7c1d2e3f, title: Acme Sign-In, description: Somebody signed in., actions: [ACTION],
      except: { actor.user.uid: robot }, level: low, techniques: [T1078], falsepositives: [People] }
`;

  it('gets a rule for each of its detections', async () => {
    const result = (await made('sigma', detection.replace('ACTION', 'user_login'))) as Record<string, string>;

    expect(parse(result['sigma/acme/acme_signed_in.yml'] ?? '')).toEqual({
      title: 'Acme Sign-In',
      id: '3f0c1a52-6d0e-4b8f-9f3e-0a4b7c1d2e3f',
      status: 'experimental',
      description: 'Somebody signed in.',
      author: 'Penstock',
      references: ['https://attack.mitre.org/techniques/T1078/'],
      logsource: { product: 'acme', service: 'audit' },
      detection: {
        selection: { 'metadata.log_name': 'acme.audit', 'metadata.event_code': ['user.login'] },
        filter_expected: { 'actor.user.uid': 'robot' },
        condition: 'selection and not filter_expected',
      },
      falsepositives: ['People'],
      level: 'low',
    });
  });

  it('has a stanza in the add-on', async () => {
    const result = (await made('splunk', detection)) as Record<string, string>;

    expect(result['splunk/default/props.conf']).toMatch(/^\[penstock:acme\]\n/);
  });

  it.each([
    { fault: 'an action that the table lacks', text: detection, says: '/acme/detections.yaml:2:131' },
    { fault: 'an unknown word', text: detection.replace('level:', 'levle:'), says: 'unknown option "levle"' },
    { fault: 'broken YAML', text: 'detections: [', says: '/acme/detections.yaml:' },
  ])('is told where its detections have $fault', async ({ text, says }) => {
    expect(await made('sigma', text)).toContain(says);
  });
});
