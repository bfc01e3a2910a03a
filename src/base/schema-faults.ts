// What a schema finds in a file, in the words of somebody who has to correct it: what is wrong, where, and what to write.
import { nearest } from './nearest.ts';
import { durationPattern, sizePattern } from './quantity.ts';
import type { SchemaError } from './schema.ts';
import { slipFix } from './slips.ts';
import type { Fault, YamlPath, YamlText } from './yaml-faults.ts';

/**
 * Turns ajv's errors into faults.
 *
 * Suggestions for misspelt keys and lists of allowed keys need ajv's `verbose`. A value is quoted as the file has it, never one that
 * its schema marks `secret: true`; the value of `${env:...}` cannot appear.
 */
export function schemaFaults(errors: readonly SchemaError[], doc: YamlText, at: YamlPath = []): Fault[] {
  return withoutBranches(errors.map(inWords)).map((error) => {
    const path = [...at, ...pathOf(error, doc, at)];
    const extra = extraKey(error);
    if (extra !== undefined) return doc.fault([...path, extra], `unknown option "${extra}"`, unknownFix(extra, error), 'key');
    const missing = error.keyword === 'required' ? (error.params as { missingProperty: string }).missingProperty : undefined;
    if (missing !== undefined)
      return doc.fault(path, `"${missing}" is missing`, `add "${missing}"${described(error, missing)}`, 'key');
    const fix = slipFix(error, shownOf(error)) ?? typeFix(error) ?? fixFor(error);
    return doc.fault(path, describeError(error), fix, error.keyword === 'propertyNames' ? 'key' : 'value');
  });
}

function pathOf(error: SchemaError, doc: YamlText, at: YamlPath): YamlPath {
  let value: unknown = at.reduce<unknown>(
    (inner, step) => (inner as Record<string | number, unknown> | undefined)?.[step],
    doc.value,
  );
  return error.instancePath
    .split('/')
    .slice(1)
    .map((segment) => {
      const key = segment.replaceAll('~1', '/').replaceAll('~0', '~');
      const step = Array.isArray(value) ? Number(key) : key;
      value = (value as Record<string | number, unknown> | null | undefined)?.[step];
      return step;
    });
}

function extraKey(error: SchemaError): string | undefined {
  const params = error.params as { additionalProperty?: string; unevaluatedProperty?: string };
  return params.additionalProperty ?? params.unevaluatedProperty;
}

function propertiesOf(error: SchemaError): Record<string, { description?: string } | undefined> {
  return (error.parentSchema?.['properties'] ?? {}) as Record<string, { description?: string } | undefined>;
}

function unknownFix(key: string, error: SchemaError): string {
  const known = Object.keys(propertiesOf(error));
  const guess = nearest(key, known);
  const list = known.length === 0 ? 'remove it' : `possible here: ${known.join(', ')}`;
  return guess === undefined ? list : `did you mean "${guess}"? ${list}`;
}

function described(error: SchemaError, key: string): string {
  const description = propertiesOf(error)[key]?.description;
  return description === undefined ? '' : `: ${description}`;
}

const typeFixes: Readonly<Record<string, string>> = {
  string: 'write text, in quotes if it looks like a number',
  integer: 'write a whole number',
  number: 'write a number',
  boolean: 'write true or false',
  object: 'write its options below it, indented, or remove it',
  array: 'write a list: [a, b]',
};

function typeFix({ keyword, params }: SchemaError): string | undefined {
  return keyword === 'type'
    ? (typeFixes[String((params as { type?: unknown }).type)] ?? 'write a value of that kind')
    : undefined;
}

function describeError(error: SchemaError): string {
  const params = error.params as Record<string, unknown>;
  const quoted =
    error.parentSchema?.['secret'] === true || typeof error.data !== 'string' || /\$\{/.test(error.data)
      ? ''
      : `"${error.data.slice(0, 60)}" `;
  if (error.keyword === 'enum') return `${quoted}must be one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}`;
  if (error.keyword === 'const') return `${quoted}must be ${JSON.stringify(params['allowedValue'])}`;
  if (error.keyword === 'type') return `must be ${article(String(params['type']))}`;
  const description = error.parentSchema?.['description'];
  const hint =
    typeof description === 'string' && ['pattern', 'format', 'anyOf', 'oneOf'].includes(error.keyword) ? ` (${description})` : '';
  return `${error.keyword === 'pattern' || error.keyword === 'format' ? quoted : ''}${error.message ?? 'is wrong'}${hint}`;
}

function article(type: string): string {
  return type.includes(',') ? `one of ${type.replaceAll(',', ', ')}` : /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}

// A union reports the errors of all its branches. Those about something deeper say more than the union itself; those at the same
// place say less.
function withoutBranches(errors: readonly SchemaError[]): SchemaError[] {
  const unions = new Map(
    errors
      .filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')
      .map((error) => [placeKey(error.schemaPath, error.instancePath), error] as const),
  );
  if (unions.size === 0) return [...errors];
  const outdone = new Set<SchemaError>();
  const shallow = new Set<SchemaError>();
  for (const error of errors)
    for (const union of unionsAround(error, unions))
      if (error.instancePath === union.instancePath) shallow.add(error);
      else outdone.add(union);
  return errors.filter((error) => !outdone.has(error) && !shallow.has(error));
}

const placeKey = (schemaPath: string, instancePath: string): string => `${schemaPath} ${instancePath}`;

/** The unions in whose branches an error is. */
function unionsAround({ schemaPath, instancePath }: SchemaError, unions: ReadonlyMap<string, SchemaError>): SchemaError[] {
  const schemas = beginningsOf(schemaPath).filter((path) => path !== schemaPath && /\/(?:any|one)Of$/.test(path));
  return schemas.flatMap((schema) =>
    beginningsOf(instancePath).flatMap((instance) => unions.get(placeKey(schema, instance)) ?? []),
  );
}

/** A pointer and those to what is around its place. */
function beginningsOf(pointer: string): string[] {
  const steps = pointer.split('/');
  return steps.map((_step, index) => steps.slice(0, index + 1).join('/'));
}

function inWords(error: SchemaError): SchemaError {
  const quantity = error.parentSchema?.['pattern'];
  // A number in the place of a quantity lacks its unit; quotes would not help.
  if (error.keyword === 'type' && typeof error.data === 'number' && (quantity === durationPattern || quantity === sizePattern)) {
    return inWords({ ...error, keyword: 'pattern', params: { pattern: quantity }, data: String(error.data) });
  }
  const pattern = (error.params as { pattern?: string }).pattern;
  if (pattern === durationPattern) return { ...error, message: 'must be a duration such as 30s, 5m or 24h' };
  if (pattern === sizePattern) return { ...error, message: 'must be a size such as 500KB or 2GiB' };
  if (schemesOf(error).length > 0) {
    const shown = shownOf(error);
    return { ...error, keyword: 'scheme', message: `${shown === undefined ? '' : `"${shown}" `}has no scheme` };
  }
  if (error.keyword === 'pattern') return { ...error, message: 'has an invalid form' };
  if (error.keyword === 'minLength') return { ...error, message: 'must not be empty' };
  if (error.keyword === 'anyOf') return { ...error, message: formsOf(error) ?? 'has none of the allowed forms' };
  return error;
}

/** What a union takes whose branches are known by their types. */
function formsOf({ parentSchema }: SchemaError): string | undefined {
  const branches = (parentSchema?.['anyOf'] ?? []) as readonly { readonly type?: unknown; readonly pattern?: unknown }[];
  const types = branches.map(({ type, pattern }) => (typeof type === 'string' && pattern === undefined ? type : undefined));
  return types.length === 0 || types.includes(undefined) ? undefined : `must be ${article([...new Set(types)].join(','))}`;
}

/** What stands there, if it may be shown. */
function shownOf({ data, parentSchema }: SchemaError): string | undefined {
  const isShown = typeof data === 'string' && parentSchema?.['secret'] !== true && !data.includes('${');
  return isShown ? data.slice(0, 60) : undefined;
}

/** Of an address without `://`, the schemes that it may begin with; none of anything else. */
function schemesOf({ keyword, params, data, parentSchema }: SchemaError): readonly string[] {
  const isForm = keyword === 'pattern' || keyword === 'format' || keyword === 'scheme';
  if (!isForm || (typeof data === 'string' && data.includes('://'))) return [];
  const pattern = (parentSchema?.['pattern'] ?? (params as { pattern?: string }).pattern) as string | undefined;
  const listed = /^\^\(?([a-z|?]+)\)?:\/\//.exec(pattern ?? '')?.[1];
  if (listed !== undefined && listed !== 'https?') return listed.split('|');
  if (listed === undefined && parentSchema?.['format'] !== 'uri') return [];
  const description = (parentSchema?.['description'] as string | undefined) ?? '';
  return [/\b(https?|wss?):\/\//.exec(description)?.[1] ?? (/websocket/i.test(description) ? 'wss' : 'https')];
}

function schemeFix(error: SchemaError): string {
  const schemes = schemesOf(error);
  // `https:/host` has lost a slash.
  const shown = shownOf(error)?.replace(/^[a-z]+:\/*(?=[^\d/\\])|^(?:https?|wss?)(?::\\+|:?\/\/)/i, '');
  const best = schemes.includes('tls') ? 'tls' : (schemes[0] ?? 'https');
  const others = schemes.filter((scheme) => scheme !== best).map((scheme) => `${scheme}://`);
  const also = others.length === 0 ? '' : `, or begin it with ${others.join(', ')}`;
  return shown === undefined ? `begin it with ${best}://${also}` : `write ${best}://${shown}${also}`;
}

const fixes: Readonly<Record<string, string>> = {
  minLength: 'give it a value or remove it',
  uniqueItems: 'remove the repeated one',
  minItems: 'add to the list or remove it',
  maxProperties: 'keep one of them',
};

function fixFor(error: SchemaError): string {
  const params = error.params as { limit?: number; pattern?: string; allowedValues?: unknown[] };
  if (error.keyword === 'scheme') return schemeFix(error);
  if (error.keyword === 'enum') {
    const guess = typeof error.data === 'string' ? nearest(error.data, (params.allowedValues ?? []).map(String)) : undefined;
    return guess === undefined ? 'use one of them' : `did you mean "${guess}"?`;
  }
  if (params.pattern === durationPattern) return 'write a number with its unit: ms, s, m, h, d or w';
  if (params.pattern === sizePattern) return 'write a number with its unit: B, KB, MB, GB, KiB, MiB or GiB';
  if (params.limit !== undefined && error.keyword.startsWith('min')) return fixes[error.keyword] ?? `use ${params.limit} or more`;
  if (params.limit !== undefined && error.keyword.startsWith('max')) return fixes[error.keyword] ?? `use ${params.limit} or less`;
  const description = (error.parentSchema as { description?: string } | undefined)?.description;
  return fixes[error.keyword] ?? (description === undefined ? 'correct the value' : 'write it as described');
}
