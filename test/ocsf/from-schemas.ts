// Takes the facts out of a folder with one JSON Schema (draft 2020-12) per class. Stops at a keyword that it does not know, so nothing is lost.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventClass, Facts, Shape } from './facts.ts';

interface Schema {
  readonly title?: string;
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: Schema;
  readonly enum?: readonly (number | string)[];
  readonly const?: number | string;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly deprecated?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly { readonly if: Schema; readonly then: Schema }[];
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** A type with a pattern is recognised by the specimen that only it takes. */
const specimens = {
  email: 'a@example.com',
  ip: '2001:db8::1',
  mac: '00:00:5e:00:53:01',
  uuid: '0b6f6d0e-5a51-4d0e-9a53-6f2f3c1b7a10',
};

function only(schema: Schema, known: readonly string[]): void {
  const unknown = Object.keys(schema).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Error(`unknown keyword ${unknown.join(', ')} in ${JSON.stringify(schema).slice(0, 200)}`);
}

/** 0, 1, 2, 99 -> `0-2 99`. */
function listOf(members: readonly (number | string)[]): string {
  const runs: (number | string)[][] = [];
  for (const member of members) {
    const last = runs.at(-1);
    const before = last?.at(-1);
    if (last !== undefined && typeof member === 'number' && before === member - 1) last.push(member);
    else runs.push([member]);
  }
  return runs.map((run) => (run.length < 3 ? run.join(' ') : `${run[0]}-${run.at(-1)}`)).join(' ');
}

function patternType(schema: Schema): string {
  const pattern = new RegExp(schema.pattern ?? '');
  const found = Object.entries(specimens).filter(([, specimen]) => pattern.test(specimen));
  if (found.length !== 1) throw new Error(`unknown pattern ${schema.pattern}`);
  return found[0]?.[0] ?? '';
}

function typeOf(schema: Schema): string {
  only(schema, ['title', 'type', '$ref', 'items', 'enum', 'const', 'pattern', 'maxLength', 'minimum', 'maximum', 'deprecated']);
  if (schema.$ref !== undefined) return schema.$ref.replace('#/$defs/', '');
  if (schema.items !== undefined) return `${typeOf(schema.items)}[]`;
  if (schema.enum !== undefined) return `enum ${listOf(schema.enum)}`;
  if (schema.pattern !== undefined) return patternType(schema);
  if (schema.maxLength === 42) return 'subnet';
  if (schema.minimum === 0 && schema.maximum === 65_535) return 'port';
  if (schema.maxLength !== undefined || schema.minimum !== undefined)
    throw new Error(`unknown range in ${JSON.stringify(schema)}`);
  return schema.type ?? 'json';
}

function shapeOf(schema: Schema): Shape {
  if (schema.additionalProperties !== false) throw new Error(`${schema.title} is open`);
  const properties = Object.entries(schema.properties ?? {});
  return {
    attributes: Object.fromEntries(properties.map(([name, property]) => [name, typeOf(property)])),
    required: schema.required ?? [],
    deprecated: properties.filter(([, property]) => property.deprecated === true).map(([name]) => name),
    atLeastOne: (schema.anyOf ?? []).flatMap(({ required = [] }) => required),
  };
}

/** Number -> name out of the rules "where `id` is this number, `name` is this text". */
function captionsOf(schema: Schema, id: string, name: string): Record<string, string> {
  const rules = (schema.allOf ?? []).filter(
    (rule) => rule.then.properties?.[name]?.const !== undefined && rule.if.properties?.[id] !== undefined,
  );
  return Object.fromEntries(
    rules.map((rule) => [String(rule.if.properties?.[id]?.const), String(rule.then.properties?.[name]?.const)]),
  );
}

/** Every rule has to be one that `captionsOf`, `profileOf` or the validator knows. */
function checkRules({ title, allOf = [] }: Schema): void {
  const known = ['type_uid', 'type_name', 'activity_name', 'severity', 'status'];
  const strange = allOf.filter(
    (rule) => rule.if.anyOf === undefined && !Object.keys(rule.then.properties ?? {}).every((name) => known.includes(name)),
  );
  if (strange.length > 0) throw new Error(`unknown rule of ${title}: ${JSON.stringify(strange[0])}`);
}

function profileOf(schema: Schema): EventClass['profile'] {
  const rule = (schema.allOf ?? []).find((one) => one.if.anyOf !== undefined)?.if.anyOf;
  if (rule === undefined) return undefined;
  return { name: 'host', attributes: rule.flatMap(({ required = [] }) => required) };
}

const fixed = ['class_uid', 'class_name', 'category_uid', 'category_name', 'activity_id', 'type_uid'];

function classOf(schema: Schema): EventClass {
  only(schema, [
    '$schema',
    '$id',
    '$comment',
    'title',
    'type',
    'properties',
    'required',
    'additionalProperties',
    'anyOf',
    'allOf',
    '$defs',
  ]);
  checkRules(schema);
  const constant = (name: string) => schema.properties?.[name]?.const;
  const names: Record<string, string> = { ...captionsOf(schema, 'activity_id', 'activity_name'), 99: 'Other' };
  const shape = shapeOf(schema);
  const attributes = Object.entries(shape.attributes).map(([name, type]) => [
    name,
    fixed.includes(name) ? type.replace(/^enum .*/, 'integer') : type,
  ]);
  const profile = profileOf(schema);
  return {
    uid: Number(constant('class_uid')),
    name: String(constant('class_name')),
    category: { uid: Number(constant('category_uid')), name: String(constant('category_name')) },
    activities: Object.fromEntries(
      (schema.properties?.['activity_id']?.enum ?? []).map((id) => [String(id), names[String(id)] ?? '']),
    ),
    ...(profile === undefined ? {} : { profile }),
    ...shape,
    attributes: Object.fromEntries(attributes),
  };
}

/** Reads every `*.schema.json` of a folder. The facts are sorted by class and by object. */
export function factsFrom(folder: string): Facts {
  const files = readdirSync(folder).filter((name) => name.endsWith('.schema.json'));
  const schemas = files.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Schema);
  const objects = Object.assign({}, ...schemas.map(({ $defs }) => $defs)) as Record<string, Schema>;
  for (const object of Object.values(objects))
    only(object, ['title', 'type', 'properties', 'required', 'additionalProperties', 'anyOf']);
  const [first = {}] = schemas;
  return {
    captions: { severity_id: captionsOf(first, 'severity_id', 'severity'), status_id: captionsOf(first, 'status_id', 'status') },
    classes: schemas.map(classOf).sort((one, other) => one.uid - other.uid),
    objects: Object.fromEntries(
      Object.keys(objects)
        .sort()
        .map((name) => [name, shapeOf(objects[name] ?? {})]),
    ),
  };
}
