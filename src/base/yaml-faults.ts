// YAML whose faults can be shown to a person: every fault with its file, line, column and path, and a suggestion where one helps.
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { type ErrorCode, PenstockError } from './errors.ts';
import { nearest } from './nearest.ts';
import type { SchemaError } from './schema.ts';
import { aliasFaults, expandedSize, repeatedKeys, syntaxFaults } from './yaml-syntax.ts';

/** A way into a document: keys of maps and indexes of lists. */
export type YamlPath = readonly (string | number)[];

/** One thing wrong with a file. */
export interface Fault {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  readonly path: YamlPath;
  readonly what: string;
  readonly fix?: string;
}

interface Position {
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
}

/** A parsed file that remembers where everything stood. */
export interface YamlText {
  readonly file: string;
  /** What the text says; undefined when `faults` is not empty. */
  readonly value: unknown;
  /** What is wrong with the text as YAML: syntax, duplicate keys, unknown anchors or tags. */
  readonly faults: readonly Fault[];
  /** Where a path stands; a path that does not exist stands where its deepest existing ancestor does. `key` points at the key. */
  locate(path: YamlPath, at?: 'key' | 'value'): Position;
  /** What a comment right after a text without quotes says, without its `#`; undefined where there is none. */
  commentAfter(path: YamlPath): string | undefined;
  /** A fault at a path. */
  fault(path: YamlPath, what: string, fix?: string, at?: 'key' | 'value'): Fault;
}

/** A configuration of thousands of sources is a tenth of it; the parser takes seconds for each megabyte. */
const longestText = 4 * 1024 * 1024;

/** As many as a text of that length can hold without aliases. What reads the value walks through each of them. */
const mostValues = 2_000_000;

/** Parses one YAML 1.2 document. Never throws: what is wrong stands in `faults`. */
export function parseYaml(text: string, file: string): YamlText {
  if (text.length > longestText)
    return unreadable(file, `the file has ${text.length} characters, more than ${longestText}`, 'cut it into several');
  try {
    return parseText(text, file);
  } catch (error) {
    // Only the stack runs over: parser and visitor recurse.
    if (!(error instanceof RangeError)) throw error;
    return unreadable(file, 'it is nested too deeply', 'close the brackets and quotes that were meant to end earlier');
  }
}

function unreadable(file: string, what: string, fix: string): YamlText {
  const place = { line: 1, column: 1 };
  const fault = (path: YamlPath, said: string, help?: string): Fault => ({
    file,
    ...place,
    path,
    what: said,
    ...(help === undefined ? {} : { fix: help }),
  });
  return { file, value: undefined, faults: [fault([], what, fix)], locate: () => place, commentAfter: () => undefined, fault };
}

function parseText(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, stringKeys: true, merge: true });
  // The parser catches that by itself, and says all that follows from it as well.
  if (doc.errors.some(({ message }) => message.includes('call stack'))) throw new RangeError('nested too deeply');
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const locate = (path: YamlPath, at: 'key' | 'value' = 'value'): Position => positionAt(offsetOf(doc.contents, path, at));
  const commentAfter = (path: YamlPath): string | undefined => {
    const node = doc.getIn(path, true);
    return isScalar(node) && node.type === 'PLAIN' ? (node.comment ?? undefined) : undefined;
  };
  const faults: Fault[] = [
    ...syntaxFaults([...doc.errors, ...doc.warnings], text, (offset) => positionAt(offset).line),
    ...repeatedKeys(doc).map(({ offset, name }) => ({ offset, what: `"${name}" is written twice`, fix: 'keep one of them' })),
  ].map(({ offset, ...words }) => ({ file, ...positionAt(offset), path: [], ...words }));
  const fault = (path: YamlPath, what: string, fix?: string, at?: 'key' | 'value'): Fault => {
    const place = { file, ...locate(path, at), path, what };
    return fix === undefined ? place : { ...place, fix };
  };
  if (faults.length > 0) return { file, value: undefined, faults, locate, commentAfter, fault };
  const ofAliases = aliasFaults(doc).map(({ offset, ...words }) => ({ file, ...positionAt(offset), path: [], ...words }));
  if (ofAliases.length > 0) return { file, value: undefined, faults: ofAliases, locate, commentAfter, fault };
  if (expandedSize(doc) > mostValues)
    return unreadable(
      file,
      `its aliases stand for more than ${mostValues} values`,
      'let no anchor hold many aliases of others, or of itself',
    );
  return { file, value: doc.toJS({ maxAliasCount: -1 }) as unknown, faults, locate, commentAfter, fault };
}

// Maps by key, so that thousands of faults in one map are placed in linear time.
const pairsByKey = new WeakMap<Node, ReadonlyMap<string, Pair>>();

function pairOf(node: Node | null | undefined, key: string | number): Pair | undefined {
  if (!isMap(node)) return undefined;
  let pairs = pairsByKey.get(node);
  if (pairs === undefined) {
    pairs = new Map(node.items.flatMap((pair) => (isScalar(pair.key) ? [[String(pair.key.value), pair] as const] : [])));
    pairsByKey.set(node, pairs);
  }
  return pairs.get(String(key));
}

function offsetOf(root: Node | null, path: YamlPath, at: 'key' | 'value'): number {
  let node: Node | null | undefined = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    const pair = pairOf(node, step);
    const child = (pair === undefined ? (isSeq(node) ? node.items[Number(step)] : undefined) : pair.value) as
      | Node
      | null
      | undefined;
    const key = pair?.key as Node | undefined;
    if (child === undefined && key === undefined) return offset;
    const wantsKey = at === 'key' && depth === path.length - 1;
    offset = (wantsKey ? (key ?? child) : (child ?? key))?.range?.[0] ?? offset;
    node = child;
  }
  return offset;
}

/** `sinks.soc.tokn`, `read.records[0]`; empty for the whole document. */
export function formatPath(path: YamlPath): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

/** `file:line:column (path)`. */
export function placeOf({ file, line, column, path }: Fault): string {
  return `${file}:${line}:${column}${path.length === 0 ? '' : ` (${formatPath(path)})`}`;
}

/** `file:line:column (path): what`, then the fix on a line of its own. */
export function formatFault(fault: Fault): string {
  const line = `${placeOf(fault)}: ${fault.what}`;
  return fault.fix === undefined ? line : `${line}\n  fix: ${fault.fix}`;
}

/** One error that carries every fault, in the order of the text; as its cause the faults themselves. */
export function faultsError(code: ErrorCode, faults: readonly Fault[]): PenstockError {
  const ordered = [...faults].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
  return new PenstockError(code, [...new Set(ordered.map(formatFault))].join('\n'), { cause: ordered });
}

/**
 * Turns ajv's errors into faults.
 *
 * Suggestions for misspelt keys and lists of allowed keys need ajv's `verbose`. A value is quoted as the file has it, never one that
 * its schema marks `secret: true`; the value of `${env:...}` cannot appear.
 */
export function schemaFaults(errors: readonly SchemaError[], doc: YamlText, at: YamlPath = []): Fault[] {
  return withoutBranches(errors).map((error) => {
    const path = [...at, ...pathOf(error, doc, at)];
    const extra = extraKey(error);
    if (extra !== undefined) return doc.fault([...path, extra], `unknown option "${extra}"`, unknownFix(extra, error), 'key');
    const missing = error.keyword === 'required' ? (error.params as { missingProperty: string }).missingProperty : undefined;
    if (missing !== undefined)
      return doc.fault(path, `"${missing}" is missing`, `add "${missing}"${described(error, missing)}`, 'key');
    return doc.fault(path, describeError(error), typeFix(error), error.keyword === 'propertyNames' ? 'key' : 'value');
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
