import type { ErrorObject, ValidateFunction } from 'ajv';
import { nearest } from '../base/nearest.ts';
import { durationPattern, sizePattern } from '../base/quantity.ts';
import { type Fault, schemaFaults, type YamlPath, type YamlText } from '../base/yaml-faults.ts';
import { type Interpolated, pathKey } from './interpolate.ts';

/** Which scalars of a value were filled in from elsewhere. */
export type Fillings = Pick<Interpolated, 'filled' | 'blank'>;

/**
 * Checks a value that stands at a path of the file and fills in the defaults of its schema.
 *
 * Says nothing of scalars that have no true value, and never quotes one that was filled in.
 */
export function checkBlock(validate: ValidateFunction, value: unknown, doc: YamlText, at: YamlPath, fillings: Fillings): Fault[] {
  if (validate(value)) return [];
  const placeOf = (error: ErrorObject): string => pathKey([...at, ...stepsOf(error)]);
  const errors = (validate.errors ?? [])
    .filter((error) => !fillings.blank.has(placeOf(error)))
    .map((error) => inWords(fillings.filled.has(placeOf(error)) ? { ...error, data: undefined } : error));
  const byPlace = new Map(errors.map((error) => [placeOf(error), error]));
  return schemaFaults(errors, doc, at).map((fault) => {
    const error = byPlace.get(pathKey(fault.path));
    return fault.fix !== undefined || error === undefined ? fault : { ...fault, fix: fixFor(error) };
  });
}

function stepsOf(error: ErrorObject): string[] {
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

function inWords(error: ErrorObject): ErrorObject {
  const quantity = error.parentSchema?.['pattern'];
  // A number in the place of a quantity lacks its unit; quotes would not help.
  if (error.keyword === 'type' && typeof error.data === 'number' && (quantity === durationPattern || quantity === sizePattern)) {
    return inWords({ ...error, keyword: 'pattern', params: { pattern: quantity }, data: String(error.data) });
  }
  const pattern = (error.params as { pattern?: string }).pattern;
  if (pattern === durationPattern) return { ...error, message: 'must be a duration such as 30s, 5m or 24h' };
  if (pattern === sizePattern) return { ...error, message: 'must be a size such as 500KB or 2GiB' };
  if (error.keyword === 'pattern') return { ...error, message: 'has an invalid form' };
  if (error.keyword === 'minLength') return { ...error, message: 'must not be empty' };
  if (error.keyword === 'anyOf') return { ...error, message: 'has none of the allowed forms' };
  return error;
}

const fixes: Readonly<Record<string, string>> = {
  string: 'write text, in quotes if it looks like a number',
  integer: 'write a whole number',
  number: 'write a number',
  boolean: 'write true or false',
  object: 'write its options below it, indented, or remove it',
  array: 'write a list: [a, b]',
  minLength: 'give it a value or remove it',
  uniqueItems: 'remove the repeated one',
  minItems: 'add to the list or remove it',
};

function fixFor(error: ErrorObject): string {
  const params = error.params as { type?: string; limit?: number; pattern?: string; allowedValues?: unknown[] };
  if (error.keyword === 'type') return fixes[params.type ?? ''] ?? 'write a value of that kind';
  if (error.keyword === 'enum') {
    const guess = typeof error.data === 'string' ? nearest(error.data, (params.allowedValues ?? []).map(String)) : undefined;
    return guess === undefined ? 'use one of them' : `did you mean "${guess}"?`;
  }
  if (params.pattern === durationPattern) return 'write a number with its unit: ms, s, m, h, d or w';
  if (params.pattern === sizePattern) return 'write a number with its unit: B, KB, MB, GB, KiB, MiB or GiB';
  if (params.limit !== undefined && error.keyword.startsWith('min')) return fixes[error.keyword] ?? `use ${params.limit} or more`;
  if (params.limit !== undefined && error.keyword.startsWith('max')) return `use ${params.limit} or less`;
  const description = (error.parentSchema as { description?: string } | undefined)?.description;
  return fixes[error.keyword] ?? (description === undefined ? 'correct the value' : 'write it as described');
}
