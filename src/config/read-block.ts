import { resolve } from 'node:path';
import type { ValidateFunction } from 'ajv';
import { isObject, setOwn } from '../base/json.ts';
import { compileSchema } from '../base/schema.ts';
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import type { ObjectSchema, OptionSchema } from './block-schemas.ts';
import { checkBlock, type Fillings } from './check-block.ts';
import { interpolate, pathKey, type ValueSources } from './interpolate.ts';

/** A schema, compiled. */
export interface BlockSchema {
  readonly json: ObjectSchema;
  readonly validate: ValidateFunction;
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
  for (const { text } of secrets) from.secrets.add(text);
  const schemaFaults = checkBlock(schema.validate, filled.value, doc, at, filled);
  const faults = [...filled.faults, ...schemaFaults, ...brokenSecrets(secrets, doc)];
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

/** Secrets that no header can carry: what a careless copy adds would be found out only by the first request. */
function brokenSecrets(secrets: readonly SecretText[], doc: YamlText): Fault[] {
  const broken = secrets.filter(({ text }) => control.test(text) && !isKeyFile(text));
  const fix = 'write it on one line; one line break at the end of a file is left out by itself';
  return broken.map(({ path }) => doc.fault(path, 'the secret holds a line break or another control character', fix));
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
