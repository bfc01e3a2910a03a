// What the YAML parser finds wrong, in the words of somebody who has to correct it. What stands there may be a password: it is not repeated.
import type { YAMLError } from 'yaml';

/** What is wrong, and what to do. */
export interface Words {
  readonly what: string;
  readonly fix?: string;
}

/** A line, and the 0-based column in it that the parser names. */
export interface Place {
  readonly line: string;
  readonly column: number;
}

/** What a line tells by itself, whatever the parser makes of it; `column` where the fault is elsewhere in it. */
export function wordsOfLine(line: string): (Words & { readonly column?: number }) | undefined {
  const star = starredText(line);
  if (star !== undefined) return star;
  if (hasOddBlank(line))
    return { what: 'a blank in this line is a no-break or other odd one, as web pages have them', fix: 'type its blanks anew' };
  if (/^(?:<{7}|={7}|>{7})(?: |$)/.test(line))
    return { what: 'a mark of a merge conflict', fix: 'keep one of the two versions, and remove the lines with marks' };
  if (/^\s*\/\//.test(line)) return { what: 'a comment begins with #', fix: 'write # in the place of //' };
  if (/\r(?!\n)/.test(line))
    return { what: 'the lines end with a carriage return alone', fix: 'save the file with the line ends of Unix or Windows' };
  return undefined;
}

/** True for a blank that YAML takes for a letter. */
export const hasOddBlank = (line: string): boolean => /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/.test(line);

const intoQuotes = 'put all of it into quotes';

/** Of a line such as `only: [*]`, the text that YAML takes for aliases. */
function starredText(line: string): (Words & { readonly column: number }) | undefined {
  const [, before = '', rest] = /^(.*?(?:[:[{,] *|- +))(\*.*)$/.exec(line) ?? [];
  if (rest === undefined || /["'#]/.test(before)) return undefined;
  const text = (rest.split(/[[{]/.test(before) ? /[,\]}]| #/ : / #/)[0] ?? '').trim();
  // An alias that exists, or is misspelt, is one word.
  if (/^\*\w/.test(text)) return undefined;
  const fix = /^[\d*/, -]*$/.test(text) ? `write ${JSON.stringify(text)}` : intoQuotes;
  return { what: 'text that begins with * has to be in quotes', fix, column: before.length };
}

/** What one error of the parser means. */
export function wordsOfError({ code, message }: YAMLError, place: Place): Words {
  const name = /^\s*(?:- +)?([\w-]+):(?:[^\s:/]|\/|\.)/.exec(place.line)?.[1];
  if ((code === 'MULTILINE_IMPLICIT_KEY' || code === 'MISSING_CHAR') && name !== undefined)
    return { what: 'there is no blank after the colon', fix: asMember(name) };
  const words = byCode[code] ?? odd;
  return typeof words === 'function' ? words(place, message) : words;
}

/** The parser's own words may hold what stands there. */
const odd: Words = { what: 'a sign that means something in YAML, such as & or |, stands where it cannot', fix: intoQuotes };

/** Says the name where it looks like that of an option; what stands there may be a password on a line of its own, or the first half of one. */
const asMember = (name: string): string =>
  `write ${/^[a-z]+(?:_[a-z]+)*$/.test(name) ? `${name}:` : 'a colon'} and a blank before its value`;

function noColon({ line }: Place): Words {
  // Base64 ends with the sign.
  const name = /^\s*(?:- +)?([\w-]+) *= *[^\s=]/.exec(line)?.[1];
  return name === undefined
    ? { what: 'a name without a colon', fix: 'end the name with a colon and a blank' }
    : { what: 'there is a = in the place of a colon', fix: asMember(name) };
}

/** Said where it begins, not where the text has ended. */
export const openQuote: Words = { what: 'the quote that begins here is not closed', fix: 'close it where the text ends' };

const unclosed: Words = {
  what: 'a bracket is not closed before this line',
  fix: 'give the lines of one block the same indentation, and close every { and [',
};

/** Of an address with brackets in a list such as `[https://[::1]]`. */
function bracketsIn(line: string): Words | undefined {
  // A path may hold a token.
  const [, address, rest] = /[[,] *(\w+:\/\/\[[\da-f:.]*\](?::\d+)?)([^\],\s]*)/i.exec(line) ?? [];
  if (address === undefined) return undefined;
  const fix = rest === '' ? `put it into quotes: "${address}"` : 'put the whole address into quotes';
  return { what: 'brackets in an address end the list', fix };
}

/** Where a variable is written as other programs have it. */
function variableFix(line: string): string | undefined {
  const name = /: *%([A-Z_][A-Z0-9_]*)%|\{\{-? *(?:\$?env\.|\.)?([A-Z_][A-Z0-9_]*) *\}\}/.exec(line)?.slice(1).find(Boolean);
  return name === undefined ? undefined : `write \${env:${name}}`;
}

/** By how the parser's message begins. */
const missing: readonly (readonly [message: string, (place: Place) => Words])[] = [
  ['Missing closing', () => openQuote],
  ['Implicit map keys', noColon],
  ['Missing ,', () => ({ what: 'a comma is missing', fix: 'write a comma between two of a list, or of what stands in braces' })],
  [
    'Comments',
    () => ({
      what: 'there is no blank before #',
      fix: 'write one if a comment begins there, or put text that holds # into quotes',
    }),
  ],
];

const byCode: Readonly<Record<string, Words | ((place: Place, message: string) => Words)>> = {
  BAD_DIRECTIVE: {
    what: 'a line cannot begin with %',
    fix: 'indent it below its name, and put text that begins with % into quotes',
  },
  TAB_AS_INDENT: { what: 'tabs are not allowed as indentation', fix: 'indent with spaces, in every line' },
  BAD_INDENT: ({ line }, message) =>
    message.startsWith('Flow')
      ? (bracketsIn(line) ?? unclosed)
      : { what: 'the lines of one block are not indented alike', fix: 'give them the same indentation' },
  BLOCK_AS_IMPLICIT_KEY: { what: 'a second ": " in one line', fix: 'put text that holds ": " into quotes' },
  MISSING_CHAR: (place, message) =>
    bracketsIn(place.line) ?? missing.find(([beginning]) => message.startsWith(beginning))?.[1](place) ?? unclosed,
  MULTILINE_IMPLICIT_KEY: noColon,
  MULTIPLE_DOCS: { what: 'a second document begins here', fix: 'keep one in the file: remove "---" or "..." and what follows' },
  BAD_SCALAR_START: ({ line, column }) => ({
    what: `text that begins with ${line[column] ?? 'this'} has to be in quotes`,
    fix: variableFix(line) ?? intoQuotes,
  }),
  TAG_RESOLVE_FAILED: { what: 'text that begins with ! has to be in quotes', fix: intoQuotes },
  UNEXPECTED_TOKEN: (_place, message) =>
    /^Unexpected (?:,|empty)/.test(message)
      ? { what: 'there is nothing before this comma', fix: 'leave the comma out, or write what belongs there' }
      : {
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
