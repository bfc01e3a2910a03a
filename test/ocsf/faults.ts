// Holds an event to OCSF 1.8.0: faults in words. JSON Schemas are derived from the facts and checked by ajv.
import { isIP } from 'node:net';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { type EventClass, loadFacts, type Shape } from './facts.ts';
import { scalars } from './scalars.ts';

const facts = loadFacts();

/** `0-3 99` -> 0, 1, 2, 3, 99; words stay words. */
function membersOf(list: string): (number | string)[] {
  return list.split(' ').flatMap((word): (number | string)[] => {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? [];
    if (from === undefined) return [word];
    return Array.from({ length: Number(to ?? from) - Number(from) + 1 }, (_, index) => Number(from) + index);
  });
}

function typeSchema(type: string): object {
  if (type.endsWith('[]')) return { type: 'array', items: typeSchema(type.slice(0, -2)) };
  const [, list] = /^enum (.+)$/.exec(type) ?? [];
  if (list !== undefined) return { enum: membersOf(list) };
  const scalar = scalars[type];
  if (scalar !== undefined) return scalar;
  if (facts.objects[type] === undefined) throw new Error(`no type ${type} in test/ocsf`);
  return { $ref: `ocsf:objects#/$defs/${type}` };
}

/** Closed: an attribute that OCSF does not name is a fault. */
function shapeSchema({ attributes, required, deprecated, atLeastOne }: Shape): object {
  const properties = Object.entries(attributes).map(([name, type]) => [
    name,
    { ...typeSchema(type), ...(deprecated.includes(name) ? { deprecated: true } : {}) },
  ]);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required,
    additionalProperties: false,
    ...(atLeastOne.length === 0 ? {} : { anyOf: atLeastOne.map((name) => ({ required: [name] })) }),
  };
}

function rule(condition: object, consequence: object): object {
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return { if: condition, then: consequence };
}

/** Where `id` is `number`, `name` has this one value. */
const pair = (id: string, number: number, name: string, value: unknown) =>
  rule({ properties: { [id]: { const: number } }, required: [id] }, { properties: { [name]: { const: value } } });

const needsProfile = ({ name, attributes }: NonNullable<EventClass['profile']>) =>
  rule(
    { anyOf: attributes.map((attribute) => ({ required: [attribute] })) },
    { properties: { metadata: { properties: { profiles: { contains: { const: name } } }, required: ['profiles'] } } },
  );

function rulesOf({ uid, name, activities, profile }: EventClass): object[] {
  const ofActivity = Object.entries(activities).flatMap(([text, caption]) => {
    const activity = Number(text);
    const type = pair('activity_id', activity, 'type_uid', uid * 100 + activity);
    const names = [
      pair('activity_id', activity, 'activity_name', caption),
      pair('activity_id', activity, 'type_name', `${name}: ${caption}`),
    ];
    return activity === 99 ? [type] : [type, ...names];
  });
  const ofCaptions = Object.entries(facts.captions).flatMap(([id, captions]) =>
    Object.entries(captions).map(([number, caption]) => pair(id, Number(number), id.replace(/_id$/, ''), caption)),
  );
  return [...ofActivity, ...ofCaptions, ...(profile === undefined ? [] : [needsProfile(profile)])];
}

function classSchema(eventClass: EventClass): object {
  const { uid, name, category, activities } = eventClass;
  const shape = shapeSchema(eventClass) as { properties: object };
  const numbers = Object.keys(activities).map(Number);
  const fixed = {
    class_uid: { const: uid },
    class_name: { const: name },
    category_uid: { const: category.uid },
    category_name: { const: category.name },
    activity_id: { enum: numbers },
    type_uid: { enum: numbers.map((activity) => uid * 100 + activity) },
  };
  return { ...shape, properties: { ...shape.properties, ...fixed }, allOf: rulesOf(eventClass) };
}

function createAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addFormat('ip', (text) => isIP(text) !== 0);
  ajv
    .removeKeyword('deprecated')
    .addKeyword({ keyword: 'deprecated', validate: () => false, error: { message: 'is deprecated' } });
  const objects = Object.entries(facts.objects).map(([name, shape]) => [name, shapeSchema(shape)]);
  return ajv.addSchema({ $id: 'ocsf:objects', $defs: Object.fromEntries(objects) });
}

const ajv = createAjv();
const validators = new Map<number, ValidateFunction>();

function validatorOf(uid: number): ValidateFunction | undefined {
  const known = validators.get(uid);
  const eventClass = facts.classes.find((one) => one.uid === uid);
  if (known !== undefined || eventClass === undefined) return known;
  const made = ajv.compile(classSchema(eventClass));
  validators.set(uid, made);
  return made;
}

function errorsOf(event: unknown): readonly ErrorObject[] | string {
  const uid = (event as { readonly class_uid?: unknown } | null)?.class_uid;
  const validate = typeof uid === 'number' ? validatorOf(uid) : undefined;
  if (validate === undefined) return `class_uid is ${JSON.stringify(uid)}: not a class of test/ocsf/classes.yaml`;
  return validate(event) ? [] : (validate.errors ?? []);
}

/** What is wrong with an event by OCSF, one sentence each; empty when it is valid. Takes the event as it is delivered: parsed JSON. */
export function faultsOf(event: unknown): string[] {
  const errors = errorsOf(event);
  if (typeof errors === 'string') return [errors];
  return errors
    .filter(({ keyword }) => keyword !== 'deprecated')
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

/** Paths of the attributes that OCSF means to drop: valid, but not to be written without need. */
export function deprecatedIn(event: unknown): string[] {
  const errors = errorsOf(event);
  if (typeof errors === 'string') return [];
  return errors.filter(({ keyword }) => keyword === 'deprecated').map(({ instancePath }) => instancePath);
}
