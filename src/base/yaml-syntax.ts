// What is wrong with a text as YAML, in the words of somebody who has to correct it.
import { type Document, isAlias, isCollection, isMap, isPair, isScalar, isSeq, type Node, visit, type YAMLError } from 'yaml';

/** A fault in the syntax; the offset is into the text. */
interface SyntaxFault {
  readonly offset: number;
  readonly what: string;
  readonly fix?: string;
}

/**
 * What the parser found, without what only follows: one fault a line, and nothing beside a second document. `lineOf` gives the number of the
 * line of an offset.
 */
export function syntaxFaults(errors: readonly YAMLError[], text: string, lineOf: (offset: number) => number): SyntaxFault[] {
  const documents = errors.find(({ code }) => code === 'MULTIPLE_DOCS');
  const byLine = new Map<number, YAMLError>();
  for (const error of documents === undefined ? errors : [documents]) {
    const line = lineOf(error.pos[0]);
    if (!byLine.has(line)) byLine.set(line, error);
  }
  return [...byLine.values()].map((error) => inWords(error, lineAt(text, error.pos[0]), error.pos[0]));
}

interface Place {
  readonly line: string;
  /** 0-based. */
  readonly column: number;
}

/** A line may be the whole file. */
const longestLook = 300;

function lineAt(text: string, offset: number): Place {
  const from = Math.max(0, offset - longestLook);
  const before = text.slice(from, offset);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const after = text.slice(offset, offset + longestLook).split('\n')[0] ?? '';
  return { line: `${line}${after}`, column: line.length };
}

type Words = Omit<SyntaxFault, 'offset'>;

function inWords({ code, message }: YAMLError, place: Place, offset: number): SyntaxFault {
  const star = starredText(place.line);
  if (star !== undefined)
    return {
      offset: offset - place.column + star.column,
      what: 'text that begins with * has to be in quotes',
      fix: `write ${JSON.stringify(star.text)}`,
    };
  if (oddBlank.test(place.line))
    return {
      offset,
      what: 'a blank in this line is a no-break or other odd one, as web pages have them',
      fix: 'type its blanks anew',
    };
  if (/^(?:<{7}|={7}|>{7})(?: |$)/.test(place.line))
    return { offset, what: 'a mark of a merge conflict', fix: 'keep one of the two versions, and remove the lines with marks' };
  if (/^\s*\/\//.test(place.line)) return { offset, what: 'a comment begins with #', fix: 'write # in the place of //' };
  if (/\r(?!\n)/.test(place.line))
    return {
      offset,
      what: 'the lines end with a carriage return alone',
      fix: 'save the file with the line ends of Unix or Windows',
    };
  const unspaced = /^\s*(?:- +)?([\w-]+):([^\s:/]\S*|\/\S*|\.\S*)/.exec(place.line);
  if ((code === 'MULTILINE_IMPLICIT_KEY' || code === 'MISSING_CHAR') && unspaced !== null)
    return { offset, what: 'there is no blank after the colon', fix: `write ${unspaced[1]}: ${unspaced[2]}` };
  const words = byCode[code];
  return { offset, ...(typeof words === 'function' ? words(place, message) : (words ?? { what: message })) };
}

const oddBlank = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/;

/** Of a line such as `only: [*]`, the text that YAML takes for aliases. */
function starredText(line: string): { readonly text: string; readonly column: number } | undefined {
  const [, before = '', rest] = /^(.*?(?:[:[{,] *|- +))(\*.*)$/.exec(line) ?? [];
  if (rest === undefined || /["'#]/.test(before)) return undefined;
  const inFlow = /[[{]/.test(before);
  const text = (rest.split(inFlow ? /[,\]}]| #/ : / #/)[0] ?? '').trim();
  // An alias that exists, or is misspelt, is one word.
  return /^\*\w/.test(text) ? undefined : { text, column: before.length };
}

const quoted = (line: string, column: number): string => JSON.stringify(line.slice(column).split(' #')[0]?.trim() ?? '');

const unclosed: Words = {
  what: 'a quote or bracket is not closed before this line',
  fix: 'give the lines of one block the same indentation, and close every quote, { and [',
};

/** An address with brackets in a list such as `[https://[::1]]`. */
function unclosedIn(line: string): Words {
  const address = /[[,] *(\w+:\/\/\[[^\]]*\][^\],\s]*)/.exec(line)?.[1];
  return address === undefined
    ? unclosed
    : { what: 'brackets in an address end the list', fix: `put it into quotes: "${address}"` };
}

/** Where a variable is written as other programs have it. */
function variableFix(line: string): string | undefined {
  const name = /: *%([A-Z_][A-Z0-9_]*)%|\{\{-? *(?:\$?env\.|\.)?([A-Z_][A-Z0-9_]*) *\}\}/.exec(line)?.slice(1).find(Boolean);
  return name === undefined ? undefined : `write \${env:${name}}`;
}

const byCode: Readonly<Record<string, Words | ((place: Place, message: string) => Words)>> = {
  TAB_AS_INDENT: { what: 'tabs are not allowed as indentation', fix: 'indent with spaces' },
  BAD_INDENT: ({ line }, message) =>
    message.startsWith('Flow')
      ? unclosedIn(line)
      : { what: 'the lines of one block are not indented alike', fix: 'give them the same indentation' },
  BLOCK_AS_IMPLICIT_KEY: {
    what: 'a second ": " in one line',
    fix: 'put text that holds ": " into quotes, and indent what belongs to the line above',
  },
  MISSING_CHAR: ({ line }) => unclosedIn(line),
  MULTILINE_IMPLICIT_KEY: { what: 'a name without a colon', fix: 'end the name with a colon and a blank' },
  MULTIPLE_DOCS: { what: 'a second document begins here', fix: 'keep one in the file: remove "---" or "..." and what follows' },
  BAD_SCALAR_START: ({ line, column }) => ({
    what: `text that begins with ${line[column] ?? 'this'} has to be in quotes`,
    fix: variableFix(line) ?? `write ${quoted(line, column)}`,
  }),
  TAG_RESOLVE_FAILED: ({ line, column }) => ({
    what: `there is no tag "${/^\S*/.exec(line.slice(column))?.[0] ?? '!'}"`,
    fix: 'put text that begins with ! into quotes',
  }),
  UNEXPECTED_TOKEN: {
    what: 'the text goes on after its end',
    fix: "put the whole value into one pair of quotes; inside of '...' a quote is written ''",
  },
  BAD_DQ_ESCAPE: {
    what: 'there is no such escape',
    fix: "write \\\\ for a backslash, or put the text into single quotes: 'C:\\path'",
  },
  NON_STRING_KEY: ({ line }) => ({
    what: 'a name cannot begin with { or [',
    fix: variableFix(line) ?? 'put text that begins with a bracket into quotes',
  }),
};

/** Keys that come again in their map; yaml's own check compares every key with every other. */
export function repeatedKeys(doc: Document): { readonly offset: number; readonly name: string }[] {
  const repeated: { readonly offset: number; readonly name: string }[] = [];
  visit(doc, {
    Map: (_key, map) => {
      const known = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (known.has(key.value)) repeated.push({ offset: key.range?.[0] ?? 0, name: String(key.value) });
        known.add(key.value);
      }
    },
  });
  return repeated;
}

/** Aliases without an anchor before them, and merges (`<<`) of what is not a map. */
export function aliasFaults(doc: Document): { readonly offset: number; readonly what: string; readonly fix: string }[] {
  const faults: { readonly offset: number; readonly what: string; readonly fix: string }[] = [];
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
        if (node.anchor !== undefined) anchors.set(node.anchor, node as Node);
      } else if (!anchors.has(node.source)) {
        const fix = `put it into quotes if it is text: "*${node.source}"`;
        faults.push({ offset: node.range?.[0] ?? 0, what: `unknown alias "*${node.source}"`, fix });
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
