import { resolve } from 'node:path';
import { isObject, setOwn } from '../base/json.ts';
import { compileSchema, type SchemaError, type Validate } from '../base/schema.ts';
import { schemaFaults } from '../base/schema-faults.ts';
import { unseenIn } from '../base/slips.ts';
import { type Fault, type YamlPath, type YamlText } from '../base/yaml-faults.ts';
import type { ObjectSchema, OptionSchema } from './block-schemas.ts';
import { type Interpolated, interpolate, pathKey, type ValueSources } from './interpolate.ts';

/** A schema, compiled. */
export interface BlockSchema {
  readonly json: ObjectSchema;
  readonly validate: Validate;
}

/** Compiles a block's schema; compile once per kind, not per block. */
export function blockSchema(json: ObjectSchema): BlockSchema {
  return { json, validate: compileSchema(json) };
}

/** A block of the file as the program uses it; trustworthy only when `faults` is empty. */
export interface Block {
  readonly value: Record<string, unknown>;
  readonly faults: readonly Fault[];
  readonly fillings: Fillings;
}

/** Fills in a block, checks it, remembers its secrets and makes its paths absolute. Can be called again at any time. */
export async function readBlock(
  raw: unknown,
  at: YamlPath,
  schema: BlockSchema,
  doc: YamlText,
  from: ValueSources,
): Promise<Block> {
  const filled = await interpolate(raw, doc, at, from);
  const value = isObject(filled.value) ? filled.value : {};
  const secrets = secretsIn(value, schema.json, at);
  for (const { text } of secrets) if (!justOrigin.test(text)) from.secrets.add(text);
  const schemaFaults = checkBlock(schema.validate, filled.value, doc, at, filled);
  const carried = [...secrets, ...filledIn(value, at, filled.filled)];
  const faults = [...filled.faults, ...schemaFaults, ...brokenSecrets(carried, doc), ...copiedSecrets(secrets, doc)];
  const isBlank = (path: YamlPath): boolean => filled.blank.has(pathKey(path));
  return { value: absolutePaths(value, schema.json, from.dir, at, isBlank), faults, fillings: filled };
}

/**
 * A block with defaults in the place of options that are faulty or not known: what is left can be looked at for further faults, so that one
 * reading of the file finds them all.
 */
export function soundPart({ value, faults, fillings }: Block, at: YamlPath, { validate }: BlockSchema): Record<string, unknown> {
  if (faults.length === 0 && fillings.blank.size === 0) return value;
  const sound = structuredClone(value);
  const blank = [...fillings.blank].map((key) => JSON.parse(key) as string[]);
  for (const path of [...faults.map((fault) => fault.path), ...blank]) removeAt(sound, path.slice(at.length));
  // Validating fills the defaults in; the options that are missing now were reported already.
  validate(sound);
  return sound;
}

function removeAt(root: Record<string, unknown>, path: YamlPath): void {
  const [step, ...rest] = path;
  if (step === undefined) return;
  const inner = Object.hasOwn(root, step) ? root[step] : undefined;
  // A fault in a list takes the whole list away: without one of its items it would say something else.
  if (rest.length > 0 && isObject(inner)) removeAt(inner, rest);
  else delete root[step];
}

interface SecretText {
  readonly path: YamlPath;
  readonly text: string;
}

/** A proxy may be written with a password; without one it is what a person has to see of a connection that fails. */
const justOrigin = /^https?:\/\/[^/?#@]+\/?$/i;

/** Every text that its schema calls a secret, with its place. */
function secretsIn(value: unknown, schema: OptionSchema, at: YamlPath): SecretText[] {
  const isSecret = schema.secret === true;
  const inBranches = (schema.anyOf ?? []).flatMap((branch) => secretsIn(value, branch, at));
  if (typeof value === 'string') return isSecret ? [{ path: at, text: value }, ...inBranches] : inBranches;
  if (Array.isArray(value))
    return value.flatMap((item, index) => [
      ...inBranches,
      ...secretsIn(item, { secret: isSecret, ...schema.items }, [...at, index]),
    ]);
  if (!isObject(value)) return inBranches;
  const inMembers = Object.entries(value).flatMap(([key, item]) =>
    secretsIn(item, { ...(isSecret ? { secret: true } : {}), ...ownProperty(schema, key) }, [...at, key]),
  );
  return [...inBranches, ...inMembers];
}

// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f]/;
const isKeyFile = (text: string): boolean => /^\s*(?:\{|-----BEGIN )/.test(text);

/** Every text that holds something from the environment or a file: it may be a secret wherever it stands, in a URL or a header. */
function filledIn(value: unknown, at: YamlPath, filled: ReadonlySet<string>): SecretText[] {
  if (typeof value === 'string') return filled.has(pathKey(at)) ? [{ path: at, text: value }] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => filledIn(item, [...at, index], filled));
  return isObject(value) ? Object.entries(value).flatMap(([key, item]) => filledIn(item, [...at, key], filled)) : [];
}

/** Secrets that no header can carry: what a careless copy adds would be found out only by the first request. */
function brokenSecrets(secrets: readonly SecretText[], doc: YamlText): Fault[] {
  const broken = new Map(
    secrets.filter(({ text }) => control.test(text) && !isKeyFile(text)).map(({ path }) => [pathKey(path), path]),
  );
  const fix = 'write it on one line; one line break at the end of a file is left out by itself';
  return [...broken.values()].map((path) => doc.fault(path, 'the secret holds a line break or another control character', fix));
}

/** What clings to a secret that is copied from elsewhere, which a receiver then refuses without saying why. Their values are not repeated. */
function copiedSecrets(secrets: readonly SecretText[], doc: YamlText): Fault[] {
  return secrets.flatMap(({ path, text }) => {
    const wrong = isKeyFile(text) ? undefined : whatClings(text, path.at(-1) === 'value' || path.at(-1) === 'password');
    return wrong === undefined ? [] : [doc.fault(path, ...wrong)];
  });
}

function whatClings(text: string, mayHaveScheme: boolean): readonly [string, string] | undefined {
  if (/^\s|[^\S\r\n]$/.test(text)) return ['the secret begins or ends with a blank', 'leave the blank out'];
  const unseen = unseenIn(text);
  if (unseen !== undefined) return unseen;
  if (/^(["']).*\1$/.test(text))
    return ['the secret stands in quotes', 'leave the quotes out; docker --env-file keeps those of its lines'];
  const scheme = /^(?:Authorization: *)?(Bearer|Basic|Splunk|SSWS|ApiKey|Token|GenieKey) +\S/i.exec(text)?.[1];
  if (scheme === undefined || mayHaveScheme) return undefined;
  return [`the secret begins with "${scheme} ", as a header does`, `leave "${scheme} " out: it is added by itself`];
}

function ownProperty(schema: OptionSchema, key: string): OptionSchema {
  const properties = schema.properties ?? {};
  return Object.hasOwn(properties, key) ? (properties[key] ?? {}) : {};
}

function absolutePaths(
  value: Record<string, unknown>,
  schema: OptionSchema,
  dir: string,
  at: YamlPath,
  isBlank: (path: YamlPath) => boolean,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const option = ownProperty(schema, key);
    const path = [...at, key];
    if (typeof item === 'string' && option.format === 'path' && !isBlank(path)) copy[key] = resolve(dir, item);
    else setOwn(copy, key, isObject(item) ? absolutePaths(item, option, dir, path, isBlank) : item);
  }
  return copy;
}

/** Which scalars of a value were filled in from elsewhere. */
type Fillings = Pick<Interpolated, 'filled' | 'blank'>;

/**
 * Checks a value that stands at a path of the file and fills in the defaults of its schema.
 *
 * Says nothing of scalars that have no true value, and never quotes one that was filled in.
 */
function checkBlock(validate: Validate, value: unknown, doc: YamlText, at: YamlPath, fillings: Fillings): Fault[] {
  if (validate(value)) return [];
  const placeOf = (error: SchemaError): string => pathKey([...at, ...stepsOf(error)]);
  const errors = validate.errors
    .filter((error) => !fillings.blank.has(placeOf(error)))
    .map((error) => (fillings.filled.has(placeOf(error)) ? { ...error, data: undefined } : error));
  return schemaFaults(withoutRepeated(errors), doc, at).map((fault) => {
    const name = fault.path.at(-1);
    const isUnknown = fault.what.startsWith('unknown option');
    const isOfBlock = isUnknown && fault.path.length === at.length + 1;
    const slip = isOfBlock && isObject(value) ? slippedOut(String(name), value[String(name)]) : undefined;
    if (slip !== undefined) return { ...fault, fix: slip };
    // `{ token:abc }` is one name for YAML, and may hold a secret.
    const [, before] = isUnknown ? (/^([\w-]+):\S/.exec(String(name)) ?? []) : [];
    if (before !== undefined)
      return {
        ...fault,
        path: fault.path.slice(0, -1),
        what: `there is no blank after the colon of "${before}"`,
        fix: `write ${before}: and a blank before its value`,
      };
    return fault;
  });
}

/** A text that has not its form need not be told so twice, by its pattern and by its format. */
function withoutRepeated(errors: readonly SchemaError[]): SchemaError[] {
  const told = new Set<string>();
  return errors.filter(({ keyword, instancePath }) => {
    if (keyword !== 'pattern' && keyword !== 'format') return true;
    const isFirst = !told.has(instancePath);
    told.add(instancePath);
    return isFirst;
  });
}

function stepsOf(error: SchemaError): string[] {
  return error.instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The path of a fault in a sink's own words, `auth.bearer` or `/auth/bearer`, as steps. */
export function splitPath(path: string): (string | number)[] {
  return path
    .split(/[./[\]]/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}

/** What to do about a name that is no option because of what stands before it: none of its blanks, or a blank that is none. */
function slippedOut(name: string, value: unknown): string | undefined {
  if (/^[^\S\n]/.test(name))
    return 'it begins with a no-break or other odd blank, as web pages have them: type the blanks of this line anew';
  if (!isObject(value)) return undefined;
  const above = 'connector' in value ? 'sources' : 'type' in value ? 'sinks' : undefined;
  return above === undefined ? undefined : `indent "${name}" and all of its lines so that it stands below ${above}:`;
}
