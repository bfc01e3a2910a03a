import { isObject } from '../base/json.ts';
import { nearest } from '../base/nearest.ts';
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';

/** Gives the value of a name such as `options.token` or `window.from`; undefined when there is none now. */
export type Scope = (name: string) => string | undefined;

/** A compiled text with places for values. */
export interface Template {
  /** Names that occur in it. */
  readonly names: readonly string[];
  /** True when it starts with a value, as in `{{ options.api_url }}/logs`. */
  readonly startsWithValue: boolean;
  /** The text with every value passed through `encode`; undefined when one of its values is not there. */
  render(scope: Scope, encode?: (value: string) => string): string | undefined;
  /** Literal texts and names in order, for those who must look at the joints. */
  readonly parts: readonly TemplatePart[];
}

type TemplatePart = { readonly text: string } | { readonly name: string };

interface TemplateFault {
  readonly what: string;
  readonly fix: string;
}

// Only a name in double braces is a place: GraphQL and other texts have braces of their own.
const place = /\{\{\s*([a-z_][\w-]*(?:\.[\w-]+)*)\s*\}\}/gi;
// What was meant to be a place: braces around something else, or one of our names with a brace too few.
const broken = /\{\{[^{}\n]*\}\}|\{{1,2}\s*(?:options|window|page)\.[^\n]{0,30}|(?:options|window|page)\.[\w-]+\s*\}[^\n]{0,10}/i;

/** Cuts a text at its `{{ name }}` places. */
export function compileTemplate(text: string): Template {
  const parts: TemplatePart[] = [];
  let end = 0;
  for (const match of text.matchAll(place)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index) });
    parts.push({ name: match[1] ?? '' });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  const names = parts.flatMap((part) => ('name' in part ? [part.name] : []));
  const first = parts[0];
  return {
    names,
    parts,
    startsWithValue: first !== undefined && 'name' in first,
    render: (scope, encode) => renderParts(parts, scope, encode),
  };
}

function renderParts(
  parts: readonly TemplatePart[],
  scope: Scope,
  encode: (value: string) => string = String,
): string | undefined {
  let rendered = '';
  for (const part of parts) {
    if ('text' in part) {
      rendered += part.text;
      continue;
    }
    const value = scope(part.name);
    if (value === undefined) return undefined;
    rendered += encode(value);
  }
  return rendered;
}

/** Checks a template against the names that are known where it stands; undefined when all is well. */
export function templateFault(text: string, known: readonly string[]): TemplateFault | undefined {
  const unknown = compileTemplate(text).names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const guess = nearest(unknown, known);
    const list = `possible here: ${known.join(', ')}`;
    return {
      what: `the template names "${unknown}", which does not exist`,
      fix: guess === undefined ? list : `did you mean "${guess}"? ${list}`,
    };
  }
  // Blanks in their place keep the positions.
  const fault = broken.exec(text.replaceAll(place, (found) => ' '.repeat(found.length)));
  if (fault === null) return undefined;
  return {
    what: `the template is broken at character ${fault.index + 1}: "${fault[0].trim()}"`,
    fix: 'write {{ name }}; other braces stand for themselves',
  };
}

/** A text of a file, and where it stands. */
export type Place = readonly [path: YamlPath, text: string];

/** Every text below a value, with its path. */
export function textsBelow(value: unknown, path: YamlPath): Place[] {
  if (typeof value === 'string') return [[path, value]];
  if (Array.isArray(value)) return value.flatMap((item, index) => textsBelow(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => textsBelow(inner, [...path, key]));
}

/** What stands at a path of keys; undefined where nothing does. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, key) => (isObject(inner) ? inner[key] : undefined), value);
}

/** What is wrong with the templates of a file. */
export function templateFaults(places: readonly Place[], known: readonly string[], doc: YamlText): Fault[] {
  return places.flatMap(([path, text]) => {
    const fault = templateFault(text, known);
    return fault === undefined ? [] : [doc.fault(path, fault.what, fault.fix)];
  });
}
