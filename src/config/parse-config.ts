import { isObject, setOwn } from '../base/json.ts';
import { parseYaml, type YamlText } from '../base/yaml-faults.ts';

// A plain scalar inside of `{ }` or `[ ]` may hold none of these, so that YAML alone would refuse `{ token: ${env:TOKEN} }`. While the text is
// parsed, characters that Unicode reserves for such use stand for them; each is one unit long, so that no column moves.
const structural = '{},[]';
const standIns = '\uFDD0\uFDD1\uFDD2\uFDD3\uFDD4';

/** Parses the configuration file; `${...}` may stand wherever text may, also inside of `{ }` and `[ ]` without quotes. */
export function parseConfig(text: string, file: string): YamlText {
  if (/[\uFDD0-\uFDD4]/.test(text)) return parseYaml(text, file);
  const shielded = text.replaceAll(/\$\{[^{}"'\n]*\}/g, (match) => exchange(match, structural, standIns));
  const doc = parseYaml(shielded, file);
  const faults = doc.faults.map((fault) => ({ ...fault, what: restoreText(fault.what) }));
  return { ...doc, value: restore(doc.value), faults };
}

function exchange(text: string, from: string, to: string): string {
  return Array.from(text, (character) => to[from.indexOf(character)] ?? character).join('');
}

function restoreText(text: string): string {
  return /[\uFDD0-\uFDD4]/.test(text) ? exchange(text, standIns, structural) : text;
}

function restore(value: unknown): unknown {
  if (typeof value === 'string') return restoreText(value);
  if (Array.isArray(value)) return value.map(restore);
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(copy, restoreText(key), restore(item));
  return copy;
}
