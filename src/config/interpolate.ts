import { isAbsolute, resolve } from 'node:path';
import { NotUtf8, utf8Text } from '../base/file-text.ts';
import { setOwn } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';

/** Where `${env:NAME}` and `${file:PATH}` are read from. */
export interface ValueSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files: Pick<Files, 'readFile' | 'stat'>;
  /** Folder that relative paths start from: the configuration's. */
  readonly dir: string;
  readonly secrets: Secrets;
  /** What `${replica}` stands for; absent where it does not matter. */
  readonly replica?: string;
  /** A missing value is no fault; a placeholder stands for it. */
  readonly withoutSecrets: boolean;
}

/** A value with its interpolations filled in. Paths are those of {@link pathKey}. */
export interface Interpolated {
  readonly value: unknown;
  readonly faults: readonly Fault[];
  /** Scalars that held an interpolation: their text is never shown. */
  readonly filled: ReadonlySet<string>;
  /** Those of them that have no true value, because it is missing or was not asked for: nothing can be said of their content. */
  readonly blank: ReadonlySet<string>;
}

/** Stands for a value that is not known. */
export const placeholder = 'not-read';

const mostFileBytes = 1_048_576;

/** A path as the member of a set. */
export function pathKey(path: YamlPath): string {
  return JSON.stringify(path.map(String));
}

/** A copy of `value` with every string scalar interpolated once; what was filled in is remembered as a secret. */
export async function interpolate(value: unknown, doc: YamlText, at: YamlPath, from: ValueSources): Promise<Interpolated> {
  const faults: Fault[] = [];
  const filled = new Set<string>();
  const blank = new Set<string>();
  const text = async (scalar: string, path: YamlPath): Promise<string> => {
    const parts = await Promise.all(splitTemplate(scalar).map((part) => fillPart(part, from)));
    for (const { what, fix } of parts) if (what !== undefined) faults.push(doc.fault(path, what, fix));
    if (parts.some((part) => part.isFilled)) filled.add(pathKey(path));
    if (parts.some((part) => part.isBlank)) blank.add(pathKey(path));
    return parts.map((part) => part.text).join('');
  };
  const walk = async (node: unknown, path: YamlPath): Promise<unknown> => {
    if (typeof node === 'string') {
      if (node.includes('${')) return text(node, path);
      if (looksFilledIn(node)) faults.push(doc.fault(path, ...notFilledIn));
      return node;
    }
    if (Array.isArray(node)) return Promise.all(node.map((item, index) => walk(item, [...path, index])));
    if (typeof node !== 'object' || node === null) return node;
    const copy: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(node)) setOwn(copy, key, await walk(item, [...path, key]));
    return copy;
  };
  return { value: await walk(value, at), faults, filled, blank };
}

/** How other programs write a variable, alone or in an address. Upper case, because a password may hold a dollar. */
function looksFilledIn(scalar: string): boolean {
  const alone = /^(?:\$[A-Z_][A-Z0-9_]*|%[A-Z_][A-Z0-9_]*%|\$(?:env|ENV):\w+|\$\(.*\)|`.*`)$/.test(scalar.trim());
  const inAddress = /^[a-z][a-z0-9+.-]*:\/\/[^ ]*(?:\$[A-Z_][A-Z0-9_]*|%[A-Z_][A-Z0-9_]*%)/.test(scalar);
  return alone || inAddress || /\{\{-?\s*(?:env\b|secrets?\b|vault\b|lookup\b|\.[A-Z])/.test(scalar);
}

// What stands there may be a password after all, so it is not repeated.
const notFilledIn = [
  'nothing fills in a variable that is written like this',
  'write ${env:NAME} or ${file:PATH}; text that really is like this has to come from one of them',
] as const;

interface Part {
  readonly literal?: string;
  readonly reference?: string;
}

interface Filled {
  readonly text: string;
  readonly isFilled?: boolean;
  readonly isBlank?: boolean;
  /** Wrong wherever it is read, also where secrets do not exist. */
  readonly isMisspelt?: boolean;
  readonly what?: string;
  readonly fix?: string;
}

/** Cuts a scalar into literal text and the insides of `${...}`; `$${` is a literal `${`. */
function splitTemplate(scalar: string): Part[] {
  const parts: Part[] = [];
  let last = 0;
  for (const match of scalar.matchAll(/\$\$\{|\$\{([^}]*)(\}?)/g)) {
    parts.push({ literal: scalar.slice(last, match.index) });
    if (match[0] === '$${') parts.push({ literal: '${' });
    else parts.push({ reference: match[2] === '' ? '' : (match[1] ?? '') });
    last = match.index + match[0].length;
  }
  parts.push({ literal: scalar.slice(last) });
  return parts;
}

function missing(what: string, fix: string): Filled {
  return { text: placeholder, isFilled: true, isBlank: true, what, fix };
}

async function fillPart(part: Part, from: ValueSources): Promise<Filled> {
  if (part.literal !== undefined) return { text: part.literal };
  if (part.reference === 'replica') return { text: from.replica ?? placeholder };
  const [, kind, name] = /^(env|file):(.+)$/s.exec(part.reference ?? '') ?? [];
  if (kind === undefined || name === undefined) {
    const bare = /^[A-Za-z_]\w*$/.exec(part.reference?.trim().replace(/^env:\s*/, '') ?? '')?.[0];
    const fix = `write \${env:${bare ?? 'NAME'}} or \${file:PATH}; $\${ is a literal \${`;
    return missing('unknown interpolation after "${"', fix);
  }
  const found = kind === 'env' ? readVariable(name, from) : await readSecretFile(name, from);
  if (found.what === undefined) from.secrets.add(found.text);
  else if (from.withoutSecrets && found.isMisspelt !== true) return { text: placeholder, isFilled: true, isBlank: true };
  return found;
}

function readVariable(name: string, { env }: ValueSources): Filled {
  const [, plain, rest] = /^\s*([A-Za-z_]\w*)(.*)$/s.exec(name) ?? [];
  if (plain !== name)
    return { ...missing(`"${name.slice(0, 60)}" is no name of a variable`, nameFix(plain, rest)), isMisspelt: true };
  const value = env[name];
  if (value === undefined)
    return missing(`environment variable ${name} is not set`, `set ${name} for the process that runs penstock`);
  if (value === '') return missing(`environment variable ${name} is empty`, `give ${name} a value`);
  return { text: value, isFilled: true };
}

function nameFix(name: string | undefined, rest = ''): string {
  if (name === undefined) return 'write ${env:NAME} with letters, digits and "_"';
  return /^:?[-=?+]/.test(rest) ? `there are no defaults: write \${env:${name}} and set ${name}` : `write \${env:${name}}`;
}

async function readSecretFile(name: string, { files, dir }: ValueSources): Promise<Filled> {
  const path = isAbsolute(name) ? name : resolve(dir, name);
  try {
    const info = await files.stat(path);
    if (!info.isFile()) return missing(`"${path}" is not a regular file`, 'name a file that holds the value');
    if (info.size > mostFileBytes)
      return missing(`"${path}" holds ${info.size} bytes, more than 1 MiB`, 'name a file that holds the value alone');
    const text = utf8Text(await files.readFile(path)).replace(/\r?\n$/, '');
    return text === '' ? missing(`file "${path}" is empty`, 'write the value into it') : { text, isFilled: true };
  } catch (error) {
    if (error instanceof NotUtf8) return missing(`file "${path}": ${error.message}`, error.fix);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown fault';
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    return missing(
      `file "${path}" ${reason}`,
      'create it, or correct the path and its permissions; relative paths start at the configuration file',
    );
  }
}
