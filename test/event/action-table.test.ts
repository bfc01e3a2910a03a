import { expect, it } from 'vitest';
import { compileSchema } from '../../src/base/schema.ts';
import { ActionTableSpec, checkActions, compileActions } from '../../src/event/index.ts';
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
  ['a class that the head lacks', ({ actions: [row] }) => row && (row.ocsf.class_uid = 3001), 'actions.0.ocsf'],
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
  const rows = connectorNames.flatMap((name) => loadTable(name).actions);

  const wrong = rows.filter(
    ({ ecs }) => !ecs.type.every((type) => ecs.category.some((category) => allowed[category]?.includes(type))),
  );

  expect(wrong).toEqual([]);
});
