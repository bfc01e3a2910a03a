// What is wrong with a text as YAML, without what only follows from it.
import { type Document, isAlias, isCollection, isMap, isPair, isScalar, isSeq, type Node, visit, type YAMLError } from 'yaml';
import { hasOddBlank, openQuote, type Place, type Words, wordsOfError, wordsOfLine } from './yaml-words.ts';

/** A fault in the syntax; the offset is into the text. */
interface SyntaxFault extends Words {
  readonly offset: number;
}

/** `shifts` where a line stands in a wrong column, and the parser takes what follows for wrong as well. */
interface Found extends SyntaxFault {
  readonly shifts?: boolean;
}

/**
 * What the parser found: one fault a line, nothing beside a second document, and of lines in wrong columns only the first. `lineOf` gives the
 * number of the line of an offset.
 */
export function syntaxFaults(doc: Document.Parsed, text: string, lineOf: (offset: number) => number): SyntaxFault[] {
  const errors = [...doc.errors, ...doc.warnings];
  const documents = errors.find(({ code }) => code === 'MULTIPLE_DOCS');
  const around = surroundingsOf(doc, errors, text);
  const byLine = new Map<number, SyntaxFault>();
  let isShifted = false;
  for (const error of documents === undefined ? errors : [documents]) {
    const found = byLine.has(lineOf(error.pos[0])) ? undefined : foundIn(error, around);
    if (found === undefined || byLine.has(lineOf(found.offset))) continue;
    const { shifts = false, ...fault } = found;
    if (!shifts || !isShifted) byLine.set(lineOf(fault.offset), fault);
    isShifted ||= shifts;
  }
  // A name only seems to come again where the lines of two blocks are read as one.
  return [...byLine.values(), ...(isShifted ? [] : repeatedKeys(doc))];
}

interface Surroundings {
  readonly text: string;
  /** Of a value that the next line seems to continue, because it is indented deeper: where the name in that line ends, by where the value begins. */
  readonly continued: ReadonlyMap<number, number>;
  /** Where a text in quotes begins, by where it ends. */
  readonly quotes: ReadonlyMap<number, number>;
}

function surroundingsOf(doc: Document.Parsed, errors: readonly YAMLError[], text: string): Surroundings {
  const values = new Set(errors.filter(({ code }) => code === 'BLOCK_AS_IMPLICIT_KEY').map(({ pos }) => pos[0]));
  const over = errors.filter(({ code, pos }) => code === 'MULTILINE_IMPLICIT_KEY' && values.has(pos[0]));
  const quotes = new Map<number, number>();
  if (errors.length > 0)
    visit(doc, {
      Scalar: (_key, { type, range }) => {
        if (range != null && (type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE')) quotes.set(range[1], range[0]);
      },
    });
  return { text, continued: new Map(over.map(({ pos }) => pos)), quotes };
}

/** What one error of the parser comes from; undefined where another error says it. */
function foundIn(error: YAMLError, { text, continued, quotes }: Surroundings): Found | undefined {
  const [offset] = error.pos;
  const place = placeAt(text, offset);
  const ofLine = wordsOfLine(place.line);
  if (ofLine !== undefined) {
    const { column = place.column, ...words } = ofLine;
    return { offset: offset - place.column + column, ...words, shifts: hasOddBlank(place.line) };
  }
  const next = continued.get(offset);
  if (next !== undefined) return error.code === 'BLOCK_AS_IMPLICIT_KEY' ? deeperLine(place, next, text) : undefined;
  const quote = quotes.get(offset);
  if (quote !== undefined && text.slice(quote, offset).includes('\n')) return { offset: quote, ...openQuote };
  return { offset, ...wordsOfError(error, place), shifts: error.code === 'TAB_AS_INDENT' || error.message.startsWith('All ') };
}

/** The line of a name that ends at an offset, after a line that has a value; undefined where it does not stand deeper than that line. */
function deeperLine(before: Place, offset: number, text: string): Found | undefined {
  const { line, column } = placeAt(text, offset);
  const depth = line.search(/\S/);
  if (depth <= before.line.search(/\S/)) return undefined;
  const what = 'this line is indented deeper than the one above, which has a value already';
  return { offset: offset - column + depth, what, fix: 'begin both in the same column', shifts: true };
}

/** A line may be the whole file. */
const longestLook = 300;

function placeAt(text: string, offset: number): Place {
  const from = Math.max(0, offset - longestLook);
  const before = text.slice(from, offset);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const after = text.slice(offset, offset + longestLook).split('\n')[0] ?? '';
  return { line: `${line}${after}`, column: line.length };
}

/** Keys that come again in their map; yaml's own check compares every key with every other. */
function repeatedKeys(doc: Document): SyntaxFault[] {
  const repeated: SyntaxFault[] = [];
  visit(doc, {
    Map: (_key, map) => {
      const known = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const what = `"${String(key.value)}" is written twice`;
        if (known.has(key.value)) repeated.push({ offset: key.range?.[0] ?? 0, what, fix: 'keep one of them' });
        known.add(key.value);
      }
    },
  });
  return repeated;
}

/** Aliases without an anchor before them, and merges (`<<`) of what is not a map. */
export function aliasFaults(doc: Document): SyntaxFault[] {
  const faults: SyntaxFault[] = [];
  // An alias resolves itself by a walk through the whole document.
  const anchors = new Map<string, Node>();
  const isOfMaps = (value: unknown): boolean => {
    if (isAlias(value)) return !anchors.has(value.source) || isMap(anchors.get(value.source));
    return isMap(value) || (isSeq(value) && value.items.every((item) => !isSeq(item) && isOfMaps(item)));
  };
  visit(doc, {
    Pair: (_key, { key, value }) => {
      if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN' || isOfMaps(value)) return;
      const fix = 'write <<: *NAME, where &NAME stands before a map, or a list of such, or put the name << into quotes';
      faults.push({ offset: key.range?.[0] ?? 0, what: '"<<" merges maps into this one, and nothing else', fix });
    },
    Node: (_key, node) => {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
      } else if (!anchors.has(node.source)) {
        // It may be a password that begins with a star.
        const fix = 'put it into quotes if it is text, or write the name of an anchor (&NAME) that stands above';
        faults.push({ offset: node.range?.[0] ?? 0, what: 'an alias of no anchor', fix });
      }
    },
  });
  return faults;
}

/**
 * How many values the document stands for once each alias is written out; infinite where an anchor holds an alias of itself. In linear time: what an
 * anchor holds is counted once. yaml's own bound refuses any anchor that is used more than a hundred times, as thousands of sources may.
 */
export function expandedSize(doc: Document): number {
  const anchored = new Map<string, number>();
  const sizeOf = (node: unknown): number => {
    if (isPair(node)) return sizeOf(node.key) + sizeOf(node.value);
    if (isAlias(node)) return anchored.get(node.source) ?? 0;
    const { anchor } = (node ?? {}) as Partial<Node> & { anchor?: string };
    if (anchor !== undefined) anchored.set(anchor, Number.POSITIVE_INFINITY);
    let size = 1;
    if (isCollection(node)) for (const item of node.items) size += sizeOf(item);
    if (anchor !== undefined) anchored.set(anchor, size);
    return size;
  };
  return sizeOf(doc.contents);
}
