import { PenstockError } from '../base/errors.ts';
import { NotUtf8, utf8Text } from '../base/file-text.ts';
import { isObject, setOwn } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { type Fault, parseYaml, type YamlText } from '../base/yaml-faults.ts';
import { namePattern } from './file-options.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';

// A plain scalar inside of `{ }` or `[ ]` may hold none of these, so that YAML alone would refuse `{ token: ${env:TOKEN} }`, and of `${env: TOKEN}` it
// would say something of colons. While the text is
// parsed, characters that Unicode reserves for such use stand for them; each is one unit long, so that no column moves.
const structural = '{},[] ';
const standIns = '\uFDD0\uFDD1\uFDD2\uFDD3\uFDD4\uFDD5';

/** Parses the configuration file; `${...}` may stand wherever text may, also inside of `{ }` and `[ ]` without quotes. */
export function parseConfig(text: string, file: string): YamlText {
  if (/[\uFDD0-\uFDD5]/.test(text)) return parseYaml(text, file);
  const shielded = text.replaceAll(/\$\{[^{}"'\n]*\}/g, (match) => exchange(match, structural, standIns));
  const doc = parseYaml(shielded, file);
  const faults = doc.faults.map(restoreFault);
  return { ...doc, value: restore(doc.value), faults };
}

/**
 * Parses what stands beside `sources:` and `sinks:`, which are empty then: of thousands of them the parser takes seconds. Has faults where that
 * cannot be read without them, as where an anchor stands in one.
 */
export function parseTop(text: string, file: string): YamlText {
  let isInside = false;
  const lines = text.split('\n').flatMap((line) => {
    const block = /^(?:sources|sinks):(?=[ \t]*(?:#.*)?\r?$)/.exec(line)?.[0];
    isInside = block !== undefined || (isInside && /^(?:[ \t\r#]|$)/.test(line));
    return block === undefined ? (isInside ? [] : line) : `${block} {}`;
  });
  const top = lines.join('\n');
  // An alias may stand for an anchor that was set anew inside.
  return parseConfig(/(?:^|[\s,:[{-])\*\S/m.test(top) ? text : top, file);
}

function exchange(text: string, from: string, to: string): string {
  return Array.from(text, (character) => to[from.indexOf(character)] ?? character).join('');
}

function restoreText(text: string): string {
  return /[\uFDD0-\uFDD5]/.test(text) ? exchange(text, standIns, structural) : text;
}

function restoreFault(fault: Fault): Fault {
  const what = restoreText(fault.what);
  // Others read the environment and files that way.
  if (what.startsWith('text that begins with ! has'))
    return { ...fault, what, fix: 'write ${env:NAME} or ${file:PATH}, or put the text into quotes' };
  return fault.fix === undefined ? { ...fault, what } : { ...fault, what, fix: restoreText(fault.fix) };
}

function restore(value: unknown): unknown {
  if (typeof value === 'string') return restoreText(value);
  if (Array.isArray(value)) return value.map(restore);
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(copy, restoreText(key), restore(item));
  return copy;
}

const mostFileBytes = 16_777_216;

/** The text of the configuration file; throws PEN_CONFIG_INVALID when there is none, or, unless `isRough`, when it is not in UTF-8. */
export async function readText(path: string, files: Pick<Files, 'readFile' | 'stat'>, { isRough = false } = {}): Promise<string> {
  const fail = (what: string, fix: string, cause?: unknown): PenstockError =>
    new PenstockError('PEN_CONFIG_INVALID', what, { where: path, fix, cause });
  try {
    const info = await files.stat(path);
    if (!info.isFile()) throw fail('is not a regular file', 'name the configuration file: -c config/penstock.yaml');
    if (info.size > mostFileBytes)
      throw fail(
        `holds ${info.size} bytes, more than a configuration file may have`,
        'name the configuration file: -c config/penstock.yaml',
      );
    const bytes = await files.readFile(path);
    return isRough ? roughText(bytes) : utf8Text(bytes);
  } catch (error) {
    if (error instanceof PenstockError) throw error;
    if (error instanceof NotUtf8)
      throw new PenstockError('PEN_CONFIG_INVALID', error.message, { where: error.placeIn(path), fix: error.fix, cause: error });
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw fail('there is no such file', 'name it with -c, or write one with penstock init', error);
    throw fail(`the file cannot be read (${code ?? (error as Error).message})`, 'correct its permissions', error);
  }
}

/** What can be read of bytes in another charset than UTF-8: most of it is ASCII. */
function roughText(bytes: Buffer): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes);
}

/** The blocks below `sources:` or `sinks:`; a name that cannot be one is a fault. */
export function blocksOf(kind: 'sources' | 'sinks', blocks: unknown, { doc, faults }: LoadContext): NamedBlock[] {
  if (!isObject(blocks)) return [];
  return Object.entries(blocks).map(([name, raw]) => {
    if (!new RegExp(namePattern).test(name)) {
      const plain = name
        .toLowerCase()
        .replace(/[^a-z0-9_-]+/g, '-')
        .replace(/^[-_]+/, '')
        .slice(0, 63);
      const fix = `use a to z, 0 to 9, "-" and "_", 63 at most${plain === '' ? '' : `: "${plain}"`}`;
      faults.push(doc.fault([kind, name], `"${name.slice(0, 80)}" cannot be a name`, fix, 'key'));
    }
    return { name, at: [kind, name], raw };
  });
}
