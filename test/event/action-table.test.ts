import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../src/base/schema.ts';
import { ActionTableSpec, checkActions, compileActions } from '../../src/event/index.ts';
import { loadFacts } from '../ocsf/facts.ts';
import { connectorNames, loadTable } from './load-connector.ts';

const isTable = compileSchema<ActionTableSpec>(ActionTableSpec);

/** The smallest table, with changes. */
function table(change: (draft: ReturnType<typeof draftTable>) => void = () => undefined): ActionTableSpec {
  const draft = draftTable();
  change(draft);
  const spec: unknown = JSON.parse(JSON.stringify(draft));
  if (!isTable(spec)) throw new Error(JSON.stringify(isTable.errors));
  return spec;
}

function draftTable() {
  const action = {
    action: 'Door Opened',
    key: 'door_opened',
    aliases: ['gate.opened'],
    title: 'Door opened',
    group: 'Doors',
    ocsf: { class_uid: 3004, activity_id: 3, severity_id: 1 },
    target: { place: 'entity', type: 'Door', type_id: 99 },
    ecs: { category: ['iam'], type: ['change'] },
    cim: { model: 'Change', action: 'modified' },
  };
  return {
    table: 'penstock.actions/1',
    source: 'some-house',
    vendor: 'House',
    product: 'House',
    log_name: 'some_house.audit',
    log_provider: 'House API',
    log_format: 'JSON',
    versions: { ocsf: '1.8.0', ecs: '9.4.0', cim: '8.5' },
    status: { constant: 'success' } as Record<string, unknown>,
    classes: { 3004: { name: 'Entity Management', category_uid: 3, category_name: 'IAM', activities: { 3: 'Update' } } },
    actions: [action as typeof action & Record<string, unknown>],
  };
}

it.each(connectorNames)('finds nothing wrong with the table of %s', (name) => {
  expect(checkActions(loadTable(name))).toEqual([]);
});

it.each(['door_opened', 'gate_opened'])('finds a row by %s', (key) => {
  expect(compileActions(table()).find(key)?.row.title).toBe('Door opened');
});

it.each(['constructor', '__proto__', 'window_opened', ''])('finds no row by %j', (key) => {
  expect(compileActions(table()).find(key)).toBeUndefined();
});

it('reports every key and alias that stands twice, with its place', () => {
  const spec = table(({ actions: [first], actions }) => {
    if (first !== undefined) actions.push({ ...first, aliases: ['Gate Opened', 'gate-opened'] });
  });

  expect(checkActions(spec).map(({ path, what }) => `${path.join('.')}: ${what}`)).toEqual([
    'actions.1.key: "door_opened" already stands for Door Opened',
    'actions.1.aliases.0: "gate_opened" already stands for Door Opened',
    'actions.1.aliases.1: "gate_opened" already stands for Door Opened',
  ]);
  expect(() => compileActions(spec)).toThrow(/already stands for Door Opened/);
});

it.each<[string, Parameters<typeof table>[0], string]>([
  ['a class that the head lacks', ({ actions: [row] }) => row && (row.ocsf.class_uid = 3999), 'actions.0.ocsf'],
  ['an activity that its class lacks', ({ actions: [row] }) => row && (row.ocsf.activity_id = 4), 'actions.0.ocsf'],
  ['a key that is not the normalised action', ({ actions: [row] }) => row && (row.key = 'door'), 'actions.0.key'],
  ['a log name of another source', (draft) => (draft.log_name = 'astra.audit'), 'log_name'],
  ['a status without constant and field', (draft) => (draft.status = {}), 'status'],
  ['a status field that is no path', (draft) => (draft.status = { field: ['a..b'] }), 'status.field.0'],
])('reports %s', (_what, change, path) => {
  expect(checkActions(table(change)).map((fault) => fault.path.join('.'))).toEqual([path]);
});

it.each<[string, (draft: ReturnType<typeof draftTable>) => unknown]>([
  ['an unknown column', ({ actions: [row] }) => row && Object.assign(row, { colour: 'red' })],
  ['an unknown place', ({ actions: [row] }) => row && (row.target.place = 'somewhere')],
  ['a severity beyond OCSF', ({ actions: [row] }) => row && (row.ocsf.severity_id = 7)],
  ['an outcome that is none', (draft) => (draft.status = { constant: 'fine' })],
  ['a missing title', ({ actions: [row] }) => row && Object.assign(row, { title: undefined })],
])('refuses %s by its schema', (_what, change) => {
  const draft = draftTable();

  change(draft);

  expect(isTable(JSON.parse(JSON.stringify(draft)))).toBe(false);
});

it('keeps every ECS type within its categories', () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    api: ['access', 'admin', 'allowed', 'change', 'creation', 'deletion', 'denied', 'end', 'info', 'start', 'user'],
    authentication: ['start', 'end', 'info'],
    configuration: ['access', 'change', 'creation', 'deletion', 'info'],
    database: ['access', 'change', 'info', 'error'],
    iam: ['admin', 'change', 'creation', 'deletion', 'group', 'info', 'user'],
    web: ['access', 'error', 'info'],
  };
  const rows = connectorNames.flatMap((name) => compileActions(loadTable(name)).spec.actions);

  const wrong = rows.filter(
    ({ ecs }) => !ecs.type.every((type) => ecs.category.some((category) => allowed[category]?.includes(type))),
  );

  expect(wrong).toEqual([]);
});

describe('what a row leaves out', () => {
  const short = (ocsf: Record<string, number>, more: Record<string, unknown> = {}) => {
    const spec: unknown = {
      ...draftTable(),
      classes: undefined,
      actions: [{ action: 'Door.Opened!', title: 'Door opened', group: 'Doors', ocsf: { severity_id: 1, ...ocsf }, ...more }],
    };
    const row: unknown = JSON.parse(JSON.stringify(spec));
    if (!isTable(row)) throw new Error(JSON.stringify(isTable.errors));
    return compileActions(row).actions[0];
  };

  it('is its key', () => {
    expect(short({ class_uid: 3004, activity_id: 1 })?.row.key).toBe('door_opened');
  });

  it.each([
    [3001, 1, 'Account Change: Create', 'user', 'iam user creation', 'Account_Management created user'],
    [3001, 6, 'Account Change: Delete', 'user', 'iam user deletion', 'Account_Management deleted user'],
    [3001, 10, 'Account Change: MFA Factor Enable', 'user', 'iam user change', 'Account_Management modified user'],
    [3002, 1, 'Authentication: Logon', 'user', 'authentication start', 'Authentication  '],
    [3002, 2, 'Authentication: Logoff', 'user', 'authentication end', 'Authentication  '],
    [3002, 99, 'Authentication: Other', 'user', 'authentication info', 'Authentication  '],
    [3004, 1, 'Entity Management: Create', 'entity', 'configuration creation', 'All_Changes created door_opened'],
    [3004, 2, 'Entity Management: Read', 'entity', 'configuration access', 'Data_Access read door_opened'],
    [3004, 4, 'Entity Management: Delete', 'entity', 'configuration deletion', 'All_Changes deleted door_opened'],
    [3004, 9, 'Entity Management: Disable', 'entity', 'configuration change', 'All_Changes modified door_opened'],
    [3005, 1, 'User Access Management: Assign Privileges', 'user', 'iam user change', 'Account_Management modified user'],
    [3006, 1, 'Group Management: Assign Privileges', 'group', 'iam group change', 'Account_Management modified group'],
    [3006, 5, 'Group Management: Delete', 'group', 'iam group deletion', 'Account_Management deleted group'],
    [3006, 6, 'Group Management: Create', 'group', 'iam group creation', 'Account_Management created group'],
    [6001, 2, 'Web Resources Activity: Read', 'web_resource', 'web access', 'Data_Access read door_opened'],
    [6001, 7, 'Web Resources Activity: Export', 'web_resource', 'web access', 'Data_Access downloaded door_opened'],
    [6001, 8, 'Web Resources Activity: Share', 'web_resource', 'configuration change', 'Data_Access shared door_opened'],
    [6003, 4, 'API Activity: Delete', 'api', 'api deletion', 'All_Changes deleted door_opened'],
  ])('is what class %i with activity %i means', (class_uid, activity_id, type, place, ecs, cim) => {
    const action = short({ class_uid, activity_id });
    const { dataset = '', action: verb = '', object_category: category = '' } = action?.row.cim ?? {};

    expect(action?.head.type_name).toBe(type);
    expect(action?.target.place).toBe(place);
    expect([...(action?.row.ecs.category ?? []), ...(action?.row.ecs.type ?? [])].join(' ')).toBe(ecs);
    expect([dataset, verb, category].join(' ')).toBe(cim);
  });

  it('stands where it says more', () => {
    const action = short(
      { class_uid: 3004, activity_id: 1 },
      { target: { place: 'entity', type: 'API Token' }, ecs: { category: ['iam'], type: ['admin'] } },
    );

    expect(action?.row).toMatchObject({ ecs: { type: ['admin'] }, cim: { object_category: 'api_token' } });
  });

  it.each([3001, 3002, 3004, 3005, 3006, 6001, 6003])('is the whole class %i as OCSF has it', (uid) => {
    const ready = compileActions(table(({ actions }) => actions.splice(0))).spec.classes;
    const { name, category, activities } = loadFacts().classes.find((one) => one.uid === uid) ?? {};
    const own = Object.fromEntries(Object.entries(activities ?? {}).filter(([id]) => id !== '0' && id !== '99'));

    expect({ ...compileActions({ ...table(), classes: undefined, actions: [] }).spec.classes[uid] }).toMatchObject({
      name,
      category_uid: category?.uid,
      category_name: category?.name,
      activities: { ...own, 99: 'Other' },
    });
    expect(ready[3004]?.activities).toEqual({ 3: 'Update' });
  });
});

it('refuses an action without a letter or digit', () => {
  const spec = table(({ actions: [first] }) => Object.assign(first ?? {}, { action: '--', key: undefined }));

  expect(checkActions(spec)).toEqual([
    {
      path: ['actions', 0, 'action'],
      what: '"--" has neither letters nor digits',
      fix: 'write the name of the action as the vendor sends it',
    },
  ]);
});

it('takes every text that is not listed for what * says', () => {
  const spec = table((draft) => (draft.status = { field: ['code'], values: { 0: 'success', '*': 'failure' } }));
  const compiled = compileActions(spec);

  expect(['0', '50126', undefined].map((text) => compiled.outcomeOf(text))).toEqual(['success', 'failure', 'unknown']);
});
