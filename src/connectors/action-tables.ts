import { isObject } from '../base/json.ts';
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import { type ActionTable, normaliseKey } from '../event/index.ts';

/** A row for `penstock actions`. */
export interface ActionSummary {
  readonly action: string;
  readonly key: string;
  readonly title: string;
  readonly group: string;
  readonly className: string;
  readonly classUid: number;
  readonly activity: string;
  readonly severity: string;
  readonly severityId: number;
  readonly risk: string;
  readonly confirmed: boolean;
  readonly activityId?: number;
  /** Other spellings of the action, normalised. */
  readonly aliases?: readonly string[];
}

/** Action tables as one, remembering where each row stands. */
interface MergedTables {
  readonly value: unknown;
  readonly doc: YamlText;
  readonly faults: readonly Fault[];
}

type Row = { readonly value: unknown; readonly doc: YamlText; readonly path: YamlPath };

/**
 * Lays an operator's rows over a table: a row whose key is known takes the place of the old one, another is added. An overlay is a list
 * of rows, or a map with `actions` and further `classes`.
 */
export function mergeTables(table: YamlText, overlays: readonly YamlText[]): MergedTables {
  const broken = [table, ...overlays].flatMap((doc) => doc.faults);
  if (broken.length > 0 || overlays.length === 0 || !isObject(table.value))
    return { value: table.value, doc: table, faults: broken };
  let rows = rowsOf(table);
  let classes = isObject(table.value['classes']) ? table.value['classes'] : {};
  const faults: Fault[] = [];
  for (const overlay of overlays) {
    const added = rowsOf(overlay);
    if (added.length === 0)
      faults.push(overlay.fault([], 'the table has no rows', 'write a list of rows, or actions: with a list of rows'));
    const keys = new Set(added.map(keyOf).filter((key) => key !== undefined));
    rows = [...rows.filter((row) => !keys.has(keyOf(row) ?? '')), ...added];
    if (isObject(overlay.value) && isObject(overlay.value['classes'])) classes = { ...classes, ...overlay.value['classes'] };
  }
  const value = { ...table.value, classes, actions: rows.map((row) => row.value) };
  return { value, doc: relocated(table, rows), faults };
}

function rowsOf(doc: YamlText): Row[] {
  const isList = Array.isArray(doc.value);
  const list: unknown = isList ? doc.value : isObject(doc.value) ? doc.value['actions'] : undefined;
  const rows = Array.isArray(list) ? (list as unknown[]) : [];
  return rows.map((value, index) => ({ value, doc, path: isList ? [index] : ['actions', index] }));
}

function keyOf({ value }: Row): string | undefined {
  if (!isObject(value)) return undefined;
  const key = value['key'] ?? value['action'];
  return typeof key === 'string' ? normaliseKey(key) : undefined;
}

function relocated(table: YamlText, rows: readonly Row[]): YamlText {
  const place = (path: YamlPath): { doc: YamlText; path: YamlPath } => {
    const row = path[0] === 'actions' && typeof path[1] === 'number' ? rows[path[1]] : undefined;
    return row === undefined ? { doc: table, path } : { doc: row.doc, path: [...row.path, ...path.slice(2)] };
  };
  return {
    ...table,
    value: { ...(table.value as object), actions: rows.map((row) => row.value) },
    locate: (path, at) => place(path).doc.locate(place(path).path, at),
    fault: (path, what, fix, at) => place(path).doc.fault(place(path).path, what, fix, at),
  };
}

/** A row of the action table for people. */
export function summarise({ head, spec }: ActionTable['actions'][number]): ActionSummary {
  return {
    action: spec.action,
    key: spec.key,
    title: spec.title,
    group: spec.group,
    className: head.class_name,
    classUid: head.class_uid,
    activity: head.activity_name,
    severity: head.severity,
    severityId: head.severity_id,
    risk: spec.risk?.level ?? 'none',
    confirmed: spec.wire === 'documented',
    activityId: head.activity_id,
    aliases: (spec.aliases ?? []).map(normaliseKey),
  };
}
