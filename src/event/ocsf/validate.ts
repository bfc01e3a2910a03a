import { isIP } from 'node:net';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { isObject } from '../../base/json.ts';
import type { Event, Mapper } from '../event.ts';
import { isEmail } from '../reads.ts';
import { isOf } from './recognise.ts';
import { type Attribute, type ClassShape, classShapes, objectShapes, type Shape } from './shapes.ts';

const scalars: Readonly<Record<string, object>> = {
  text: { type: 'string' },
  int: { type: 'integer' },
  num: { type: 'number' },
  bool: { type: 'boolean' },
  ip: { type: 'string', maxLength: 40, format: 'ip' },
  email: { type: 'string', format: 'email' },
  json: {},
  object: { type: 'object' },
};

function schemaOfOne({ type, numbers, shape }: Attribute): object {
  if (shape !== undefined) return { $ref: `ocsf#/$defs/${shape.name}` };
  return numbers === undefined ? (scalars[type] ?? {}) : { enum: [...numbers] };
}

function schemaOf({ attributes, required, oneOf }: Shape): object {
  // A deprecated attribute is refused like an unknown one; what is said of it differs.
  const usable = [...attributes.values()].filter(({ isDeprecated }) => !isDeprecated);
  const properties = usable.map((attribute) => {
    const one = schemaOfOne(attribute);
    return [attribute.name, attribute.isList ? { type: 'array', items: one } : one];
  });
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required,
    additionalProperties: false,
    ...(oneOf.length === 0 ? {} : { anyOf: oneOf.map((name) => ({ required: [name] })) }),
  };
}

/** With what every class fixes: its names and its category. */
function schemaOfClass(shape: ClassShape): object {
  const schema = schemaOf(shape) as { properties: object };
  const { uid, name, categoryUid, categoryName } = shape;
  const fixed = {
    class_uid: { const: uid },
    class_name: { const: name },
    category_uid: { const: categoryUid },
    category_name: { const: categoryName },
  };
  return { ...schema, properties: { ...schema.properties, ...fixed } };
}

function openAjv(): Ajv {
  const formats = { ip: (text: string) => isIP(text) !== 0, email: isEmail };
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    strict: false,
    validateSchema: false,
    code: { optimize: false },
    formats,
  });
  const objects = [...objectShapes()].map((shape) => [shape.name, schemaOf(shape)]);
  return ajv.addSchema({ $id: 'ocsf', $defs: Object.fromEntries(objects) });
}

let ajv: Ajv | undefined;
const validators = new Map<number, ValidateFunction>();

/** Compiled when the first event of a class that is not known to be valid comes: a few milliseconds each. */
function validatorOf(shape: ClassShape): ValidateFunction {
  const known = validators.get(shape.uid);
  if (known !== undefined) return known;
  ajv ??= openAjv();
  const made = ajv.compile(schemaOfClass(shape));
  validators.set(shape.uid, made);
  return made;
}

function pathOf(instancePath: string): string {
  return instancePath
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
}

/** What is wrong, in a few words; nothing that stands in the record, for it goes into log and status. */
function faultOf({ instancePath, keyword, params, message }: ErrorObject, { attributes }: ClassShape): string {
  const path = pathOf(instancePath);
  const told = params as {
    readonly missingProperty?: string;
    readonly additionalProperty?: string;
    readonly [name: string]: unknown;
  };
  const member = told.missingProperty ?? told.additionalProperty ?? '';
  const place = [path, member].filter((step) => step !== '').join('.');
  if (keyword === 'required') return `${place} is required and missing`;
  if (keyword === 'additionalProperties')
    return attributes.get(place)?.isDeprecated === true ? `${place} is deprecated` : `${place} is no attribute of OCSF there`;
  if (keyword === 'enum') return `${place} is not one of ${(told['allowedValues'] as unknown[]).join(', ')}`;
  if (keyword === 'const') return `${place} is not ${JSON.stringify(told['allowedValue'])}`;
  if (keyword === 'type') return `${place} is not of type ${String(told['type'])}`;
  if (keyword === 'format') return `${place} is not of the form ${String(told['format'])}`;
  return `${place} ${message ?? 'is not valid'}`;
}

/** An object that has none of several attributes fails once for each and once as a whole. */
function faultsIn(errors: readonly ErrorObject[], shape: ClassShape): string[] {
  return errors
    .filter(({ schemaPath }) => !/\/anyOf\/\d+\//.test(schemaPath))
    .map((error) => {
      if (error.keyword !== 'anyOf') return faultOf(error, shape);
      const names = (error.parentSchema?.['anyOf'] as { required: string[] }[] | undefined) ?? [];
      const place = pathOf(error.instancePath);
      return `${place === '' ? 'the event' : place} has none of ${names.map(({ required }) => required[0]).join(', ')}`;
    });
}

const none: readonly string[] = [];

function checkType({ uid }: ClassShape, { activity_id, type_uid }: Event): readonly string[] {
  const wanted = typeof activity_id === 'number' ? uid * 100 + activity_id : type_uid;
  return type_uid === wanted ? none : [`type_uid is not ${wanted}, class_uid * 100 + activity_id`];
}

const hostProfile = 'host';

/** Two classes have an actor only by a profile, which the metadata have to name. */
function checkProfile({ uid }: ClassShape, event: Event): readonly string[] {
  if ((uid !== 0 && uid !== 6001) || event['actor'] === undefined || !isObject(event.metadata)) return none;
  const profiles = event.metadata['profiles'];
  return Array.isArray(profiles) && profiles.includes(hostProfile)
    ? none
    : [`metadata.profiles lacks "${hostProfile}", to which the actor of class ${uid} belongs`];
}

/** What is wrong with an event by OCSF 1.8.0, a few words each with the path in front; empty when it is valid. Tells no value of the record. */
export function validateEvent(event: Event): readonly string[] {
  const shape = classShapes.get(event.class_uid);
  if (shape === undefined) return [`class_uid ${event.class_uid} is no class that Penstock knows`];
  const [type, profile] = [checkType(shape, event), checkProfile(shape, event)];
  if (isOf(shape, event)) return type.length + profile.length === 0 ? none : [...type, ...profile];
  const validate = validatorOf(shape);
  return [...(validate(event) ? none : faultsIn(validate.errors ?? [], shape)), ...type, ...profile];
}

const validating = new WeakMap<Mapper, Mapper>();

/** The mapper with every event checked; the same mapper always gives the same one. */
export function withValidation(mapper: Mapper): Mapper {
  const known = validating.get(mapper);
  if (known !== undefined) return known;
  const made: Mapper = {
    table: mapper.table,
    map(envelope, context) {
      const mapped = mapper.map(envelope, context);
      const faults = validateEvent(mapped.event);
      return faults.length === 0 ? mapped : { ...mapped, faults };
    },
  };
  validating.set(mapper, made);
  return made;
}
