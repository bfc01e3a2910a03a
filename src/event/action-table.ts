import { normaliseKey } from './action-key.ts';
import type { ActionTableSpec, ClassSpec, StatusName, TargetSpec } from './action-spec.ts';
import type { Head, RiskLevel } from './attributes.ts';
import { type ActionRow, severityNames } from './event.ts';
import { compilePath, type Getter, parsePath } from './path.ts';
import { riskOfRow } from './risk.ts';
import { completeTable, type WholeAction, type WholeTable } from './whole-table.ts';

/** What a row makes of a record: the row itself or one of its variants. */
export interface Shape {
  readonly head: Head;
  readonly target: TargetSpec;
  readonly requires: readonly string[];
  readonly profiles: readonly string[];
  readonly subject: 'actor' | undefined;
}

interface Variant extends Shape {
  readonly field: Getter;
  readonly words: readonly string[];
}

/** A row of the table, compiled. */
export interface Action extends Shape {
  readonly row: ActionRow;
  readonly spec: WholeAction;
  readonly variants: readonly Variant[];
  /** How risky the table rates the action; undefined: not at all. */
  readonly risk: RiskLevel | undefined;
}

/** An action table, ready for lookup. */
export interface ActionTable {
  readonly spec: WholeTable;
  readonly actions: readonly Action[];
  /** The row of a normalised key or alias. */
  find(key: string): Action | undefined;
  /** How the action ended, from the text of the status field; undefined when the record has none. */
  outcomeOf(text: string | undefined): StatusName;
}

/** A fault of a table that a schema cannot express: where in it, what, and the fix. */
export interface TableFault {
  readonly path: readonly (string | number)[];
  readonly what: string;
  readonly fix: string;
}

type ClassRef = { readonly class_uid: number; readonly activity_id: number; readonly activity_name?: string };

function headOf(classes: WholeTable['classes'], ref: ClassRef, severity: number): Head | undefined {
  const found: ClassSpec | undefined = classes[String(ref.class_uid)];
  const activity = ref.activity_name ?? found?.activities[String(ref.activity_id)];
  if (found === undefined || activity === undefined) return undefined;
  return {
    class_uid: ref.class_uid,
    class_name: found.name,
    category_uid: found.category_uid,
    category_name: found.category_name,
    activity_id: ref.activity_id,
    activity_name: activity,
    type_uid: ref.class_uid * 100 + ref.activity_id,
    type_name: `${found.name}: ${ref.activity_id === 99 ? 'Other' : activity}`,
    severity_id: severity,
    severity: severityNames[severity] ?? 'Other',
  };
}

function shapeOf(table: WholeTable, ref: ClassRef, severity: number, target: TargetSpec): Shape | undefined {
  const head = headOf(table.classes, ref, severity);
  const found = table.classes[String(ref.class_uid)];
  if (head === undefined || found === undefined) return undefined;
  return { head, target, requires: found.requires ?? [], profiles: found.profiles ?? [], subject: found.subject };
}

function rowOf({ key, action, title, description, ecs, cim }: WholeAction, { class_name }: Head): ActionRow {
  const { model, dataset = model ?? undefined, ...columns } = cim;
  return {
    key,
    action,
    title,
    ...(description === undefined ? {} : { description }),
    class_name,
    ecs: { kind: ecs.kind ?? 'event', category: ecs.category, type: ecs.type },
    cim: { model, ...(dataset === undefined ? {} : { dataset }), ...columns },
  };
}

function compileAction(table: WholeTable, spec: WholeAction): Action | undefined {
  const severity = spec.ocsf.severity_id;
  const shape = shapeOf(table, spec.ocsf, severity, spec.target);
  if (shape === undefined) return undefined;
  const variants = (spec.variants ?? []).flatMap((variant): Variant[] => {
    const own = shapeOf(table, variant.ocsf, severity, variant.target);
    if (own === undefined) return [];
    return [{ ...own, field: compilePath(variant.when.field), words: variant.when.matches.map((word) => word.toLowerCase()) }];
  });
  return { ...shape, row: rowOf(spec, shape.head), spec, variants, risk: riskOfRow(spec.risk?.level) };
}

/** The class and target for one record: the first variant with a word that occurs in its field, else the row itself. */
export function shapeFor(action: Action, record: unknown): Shape {
  for (const variant of action.variants) {
    const value = variant.field(record);
    if (typeof value !== 'string') continue;
    const text = value.toLowerCase();
    if (variant.words.some((word) => text.includes(word))) return variant;
  }
  return action;
}

function checkRefs(table: WholeTable, spec: WholeAction, index: number): TableFault[] {
  const refs: [ClassRef, (string | number)[]][] = [[spec.ocsf, ['actions', index, 'ocsf']]];
  for (const [at, variant] of (spec.variants ?? []).entries())
    refs.push([variant.ocsf, ['actions', index, 'variants', at, 'ocsf']]);
  const faults = refs.flatMap(([ref, path]): TableFault[] => {
    if (headOf(table.classes, ref, 0) !== undefined) return [];
    const what = `class ${ref.class_uid} with activity ${ref.activity_id} is not in the head of the table`;
    return [{ path, what, fix: 'add the class and the activity under classes, or for activity 99 an activity_name' }];
  });
  for (const [at, { when }] of (spec.variants ?? []).entries()) {
    if (parsePath(when.field) === undefined)
      faults.push({
        path: ['actions', index, 'variants', at, 'when', 'field'],
        what: `"${when.field}" is not a path`,
        fix: 'write a path such as target_type',
      });
  }
  const key = normaliseKey(spec.action);
  if (key === '')
    faults.push({
      path: ['actions', index, 'action'],
      what: `"${spec.action}" has neither letters nor digits`,
      fix: 'write the name of the action as the vendor sends it',
    });
  else if (key !== spec.key)
    faults.push({
      path: ['actions', index, 'key'],
      what: `key "${spec.key}" is not the action in lower snake case`,
      fix: `write ${key}, or leave it out`,
    });
  return faults;
}

function checkNames(table: WholeTable): TableFault[] {
  const taken = new Map<string, string>();
  return table.actions.flatMap(({ action, key, aliases = [] }, index) => {
    const names: [string, (string | number)[]][] = [[key, ['actions', index, 'key']]];
    for (const [at, alias] of aliases.entries()) names.push([normaliseKey(alias), ['actions', index, 'aliases', at]]);
    return names.flatMap(([name, path]): TableFault[] => {
      const owner = taken.get(name);
      taken.set(name, owner ?? action);
      if (owner === undefined) return [];
      return [{ path, what: `"${name}" already stands for ${owner}`, fix: 'give every key and alias once' }];
    });
  });
}

function checkHead(table: WholeTable): TableFault[] {
  const faults: TableFault[] = [];
  const module = table.source.replaceAll('-', '_');
  if (!table.log_name.startsWith(`${module}.`))
    faults.push({ path: ['log_name'], what: `log_name does not begin with "${module}."`, fix: `write ${module}.audit` });
  const { constant, field } = table.status;
  if ((constant === undefined) === (field === undefined))
    faults.push({
      path: ['status'],
      what: 'status needs either a constant or a field',
      fix: 'write status: { constant: success }',
    });
  for (const [at, path] of (field ?? []).entries()) {
    if (parsePath(path) === undefined)
      faults.push({ path: ['status', 'field', at], what: `"${path}" is not a path`, fix: 'write a path such as outcome.result' });
  }
  return faults;
}

/** What is wrong with a table that its schema accepts: unknown classes, keys that are no keys, names given twice. */
export function checkActions(spec: ActionTableSpec): TableFault[] {
  const table = completeTable(spec);
  return [...checkHead(table), ...checkNames(table), ...table.actions.flatMap((spec, index) => checkRefs(table, spec, index))];
}

function compileOutcome({ constant, values = {}, missing = 'unknown' }: ActionTableSpec['status']): ActionTable['outcomeOf'] {
  if (constant !== undefined) return () => constant;
  const known = new Map(Object.entries(values).map(([text, outcome]) => [text.toLowerCase(), outcome]));
  const others = values['*'] ?? 'other';
  return (text) => (text === undefined ? missing : (known.get(text.trim().toLowerCase()) ?? others));
}

/**
 * Compiles a table that matches its schema. Throws a TypeError that lists what {@link checkActions} finds, so call that first to show it
 * with line and column.
 */
export function compileActions(spec: ActionTableSpec): ActionTable {
  const faults = checkActions(spec);
  if (faults.length > 0) throw new TypeError(faults.map(({ path, what }) => `${path.join('.')}: ${what}`).join('; '));
  const table = completeTable(spec);
  const actions = table.actions.flatMap((action) => compileAction(table, action) ?? []);
  const byName = new Map<string, Action>();
  for (const action of actions) {
    byName.set(action.row.key, action);
    for (const alias of action.spec.aliases ?? []) byName.set(normaliseKey(alias), action);
  }
  return { spec: table, actions, find: (key) => byName.get(key), outcomeOf: compileOutcome(table.status) };
}
