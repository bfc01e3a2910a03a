// What a row or the head of a table need not say: the lookup key, OCSF's own classes, and what a class means in ECS and CIM.
import { normaliseKey } from './action-key.ts';
import type { ActionSpec, ActionTableSpec, ClassSpec, TargetSpec } from './action-spec.ts';

/** A row with everything that it may leave out. */
export type WholeAction = ActionSpec & Required<Pick<ActionSpec, 'key' | 'target' | 'ecs' | 'cim'>>;

/** A table whose rows and classes are all there. */
export type WholeTable = Omit<ActionTableSpec, 'classes' | 'actions'> & {
  readonly classes: Readonly<Record<string, ClassSpec>>;
  readonly actions: readonly WholeAction[];
};

const numbered = (names: readonly string[]): Record<string, string> => ({
  ...Object.fromEntries(names.map((name, index) => [String(index + 1), name])),
  99: 'Other',
});
const identity = { category_uid: 3, category_name: 'Identity & Access Management' };
const application = { category_uid: 6, category_name: 'Application Activity' };

/** The classes that the mapper writes, with their activities. Source: https://schema.ocsf.io/1.8.0 */
const readyClasses: Readonly<Record<string, ClassSpec>> = {
  3001: {
    name: 'Account Change',
    ...identity,
    activities: numbered([
      'Create',
      'Enable',
      'Password Change',
      'Password Reset',
      'Disable',
      'Delete',
      'Attach Policy',
      'Detach Policy',
      'Lock',
      'MFA Factor Enable',
      'MFA Factor Disable',
      'Unlock',
    ]),
  },
  3002: {
    name: 'Authentication',
    ...identity,
    activities: numbered([
      'Logon',
      'Logoff',
      'Authentication Ticket',
      'Service Ticket Request',
      'Service Ticket Renew',
      'Preauth',
      'Account Switch',
    ]),
    subject: 'actor',
  },
  3004: {
    name: 'Entity Management',
    ...identity,
    activities: numbered([
      'Create',
      'Read',
      'Update',
      'Delete',
      'Move',
      'Enroll',
      'Unenroll',
      'Enable',
      'Disable',
      'Activate',
      'Deactivate',
      'Suspend',
      'Resume',
    ]),
  },
  3005: { name: 'User Access Management', ...identity, activities: numbered(['Assign Privileges', 'Revoke Privileges']) },
  3006: {
    name: 'Group Management',
    ...identity,
    activities: numbered([
      'Assign Privileges',
      'Revoke Privileges',
      'Add User',
      'Remove User',
      'Delete',
      'Create',
      'Add Subgroup',
      'Remove Subgroup',
    ]),
  },
  6001: {
    name: 'Web Resources Activity',
    ...application,
    activities: numbered(['Create', 'Read', 'Update', 'Delete', 'Search', 'Import', 'Export', 'Share']),
    profiles: ['host'],
  },
  6003: {
    name: 'API Activity',
    ...application,
    activities: numbered(['Create', 'Read', 'Update', 'Delete']),
    requires: ['actor', 'src_endpoint'],
  },
};

/** Fills in what the rows and the head of a table leave out; what they say stands. */
export function completeTable(table: ActionTableSpec): WholeTable {
  return { ...table, classes: { ...readyClasses, ...table.classes }, actions: table.actions.map(completeRow) };
}

function completeRow(row: ActionSpec): WholeAction {
  const { key = normaliseKey(row.action), target = targetOf(row), ecs = ecsOf(row), cim = cimOf({ ...row, target }) } = row;
  return { ...row, key, target, ecs, cim };
}

const places: Readonly<Record<string, TargetSpec>> = {
  3001: { place: 'user' },
  3002: { place: 'user' },
  3005: { place: 'user', privileges_fallback: ['unknown'] },
  3006: { place: 'group' },
  6001: { place: 'web_resource' },
};

function targetOf({ action, ocsf }: ActionSpec): TargetSpec {
  return places[ocsf.class_uid] ?? (ocsf.class_uid === 6003 ? { place: 'api', operation: action } : { place: 'entity' });
}

type Change = 'creation' | 'deletion' | 'change' | 'access';

/** What an activity does to its object. */
function changeOf({ class_uid: uid, activity_id: id }: ActionSpec['ocsf']): Change {
  if (id === (uid === 3006 ? 6 : 1) && uid !== 3005) return 'creation';
  const ends: Readonly<Record<number, number>> = { 3001: 6, 3004: 4, 3006: 5, 6001: 4, 6003: 4 };
  if (id === ends[uid]) return 'deletion';
  if (uid === 3004 || uid === 6003) return id === 2 ? 'access' : 'change';
  return uid === 6001 && ![3, 6, 8].includes(id) ? 'access' : 'change';
}

function ecsOf({ ocsf }: ActionSpec): WholeAction['ecs'] {
  const change = changeOf(ocsf);
  switch (ocsf.class_uid) {
    case 3001:
    case 3005:
      return { category: ['iam'], type: ['user', change] };
    case 3002:
      return { category: ['authentication'], type: [['start', 'end'][ocsf.activity_id - 1] ?? 'info'] };
    case 3004:
      return { category: ['configuration'], type: [change] };
    case 3006:
      return { category: ['iam'], type: ['group', change] };
    case 6001:
      return { category: [change === 'access' ? 'web' : 'configuration'], type: [change] };
    case 6003:
      return { category: ['api'], type: [change] };
    default:
      return { category: [], type: ['info'] };
  }
}

const changed = { creation: 'created', deletion: 'deleted', change: 'modified', access: 'read' } as const;
/** What is done to documents has more names. */
const documentActions: Readonly<Record<number, string>> = { 6: 'uploaded', 7: 'downloaded', 8: 'shared' };

function cimOf({ ocsf, target, action }: ActionSpec & Pick<WholeAction, 'target'>): WholeAction['cim'] {
  const { class_uid: uid, activity_id: id } = ocsf;
  const change = changed[changeOf(ocsf)];
  const category = normaliseKey(target.type ?? target.resource_type ?? action);
  if (uid === 3002) return { model: 'Authentication', tags: ['authentication'] };
  if (uid === 3001 || uid === 3005 || uid === 3006) {
    const account = { model: 'Change', dataset: 'Account_Management', tags: ['change', 'account'], change_type: 'AAA' };
    return { ...account, action: change, object_category: uid === 3006 ? 'group' : 'user' };
  }
  if (uid === 6001 || (change === 'read' && (uid === 3004 || uid === 6003))) {
    const verb = uid === 6001 ? (documentActions[id] ?? change) : change;
    return { model: 'Data_Access', tags: ['data', 'access'], action: verb, object_category: category };
  }
  if (uid !== 3004 && uid !== 6003) return { model: null };
  const all = { model: 'Change', dataset: 'All_Changes', tags: ['change'], change_type: 'configuration' };
  return { ...all, action: change, object_category: category };
}
