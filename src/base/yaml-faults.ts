// YAML whose faults can be shown to a person: every fault with its file, line, column and path, and a suggestion where one helps.
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { type ErrorCode, PenstockError } from './errors.ts';
import { aliasFaults, expandedSize, syntaxFaults } from './yaml-syntax.ts';

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
  const faultAt = ({ offset, ...words }: { offset: number; what: string; fix?: string }): Fault => ({
    file,
    ...positionAt(offset),
    path: [],
    ...words,
  });
  const faults = syntaxFaults(doc, text, (offset) => positionAt(offset).line).map(faultAt);
  const fault = (path: YamlPath, what: string, fix?: string, at?: 'key' | 'value'): Fault => {
    const place = { file, ...locate(path, at), path, what };
    return fix === undefined ? place : { ...place, fix };
  };
  if (faults.length > 0) return { file, value: undefined, faults, locate, commentAfter, fault };
  const ofAliases = aliasFaults(doc).map(faultAt);
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
