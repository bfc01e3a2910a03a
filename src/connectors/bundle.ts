import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { isObject, parseJson } from '../base/json.ts';
import { type Fault, parseYaml, type YamlPath, type YamlText } from '../base/yaml-faults.ts';

/** One text of a connector and what it is called in messages. */
export interface BundledFile {
  readonly file: string;
  readonly text: string;
}

/** All texts of one connector: enough to compile it anywhere, at any time. */
export interface Bundle {
  readonly name: string;
  /** connector.yaml, then those that it extends. */
  readonly connectors: readonly BundledFile[];
  /** actions.yaml, then the tables that add to it. */
  readonly actions: readonly BundledFile[];
}

const format = 'penstock.connector/1';

/** The bundle as one text for the journal. File names are cut to their last two parts, so that two machines give one hash. */
export function bundleText({ name, connectors, actions }: Bundle): string {
  const short = ({ file, text }: BundledFile): BundledFile => ({ file: file.split(/[\\/]/).slice(-2).join('/'), text });
  return JSON.stringify({ format, name, connectors: connectors.map(short), actions: actions.map(short) });
}

/** First 16 hex digits of SHA-256 over the bundle's text. */
export function bundleHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 16);
}

/** Reads what {@link bundleText} wrote; throws PEN_CONNECTOR_INVALID for anything else. */
export function parseBundle(text: string): Bundle {
  try {
    const value = parseJson(text);
    if (isObject(value) && value['format'] === format && typeof value['name'] === 'string') {
      return { name: value['name'], connectors: filesOf(value['connectors']), actions: filesOf(value['actions']) };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new PenstockError('PEN_CONNECTOR_INVALID', 'the stored connector is not one that this version wrote');
}

function filesOf(value: unknown): BundledFile[] {
  const files = Array.isArray(value) ? (value as unknown[]) : [];
  return files.flatMap((item) =>
    isObject(item) && typeof item['file'] === 'string' && typeof item['text'] === 'string'
      ? [{ file: item['file'], text: item['text'] }]
      : [],
  );
}

const read = new WeakMap<BundledFile, YamlText>();

/** Parses a file once, however often it is asked for; what it says is not to be changed. */
export function readYaml(file: BundledFile): YamlText {
  const known = read.get(file) ?? readBuilt(file, builtFolder) ?? parseYaml(file.text, file.file);
  read.set(file, known);
  return known;
}

// To parse a table of YAML takes as long as all else of a start. What the shipped files say is written beside the program when that is built.
const builtFolder = join(import.meta.dirname, 'yaml');

/** Where the build puts what a text says: a file that somebody has edited has another name. */
export function builtName(text: string): string {
  return `${hash('sha256', text, 'hex')}.json`;
}

/** What the build has put there; undefined for a text that it did not know. Only where something is wrong is the text itself parsed, for its lines. */
export function readBuilt({ file, text }: BundledFile, folder: string): YamlText | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(folder, builtName(text)), 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
  let parsed: YamlText | undefined;
  const doc = (): YamlText => (parsed ??= parseYaml(text, file));
  return {
    file,
    value,
    faults: [],
    locate: (path, at) => doc().locate(path, at),
    commentAfter: (path) => doc().commentAfter(path),
    fault: (path, what, fix, at) => doc().fault(path, what, fix, at),
  };
}

/**
 * Several YAML files as one: a section stands in the first file that has it. Faults keep the file and line of the section they are in.
 * `extends` itself does not appear in the value.
 */
export function mergeSections(files: readonly BundledFile[]): YamlText {
  const docs = files.map(readYaml);
  const [first] = docs;
  if (first === undefined) throw new PenstockError('PEN_INTERNAL', 'a connector without a file');
  const broken = docs.flatMap(({ faults }) => faults);
  const sections = new Map<string, YamlText>();
  const value: Record<string, unknown> = {};
  for (const doc of docs) {
    if (!isObject(doc.value)) continue;
    for (const [key, section] of Object.entries(doc.value)) {
      if (key === 'extends' || sections.has(key)) continue;
      sections.set(key, doc);
      value[key] = section;
    }
  }
  const docOf = (path: YamlPath): YamlText => sections.get(String(path[0])) ?? first;
  const whole = docs.find((doc) => doc.faults.length === 0 && !isObject(doc.value));
  const faults: Fault[] =
    whole === undefined
      ? broken
      : [...broken, whole.fault([], 'a connector is a map of sections', 'begin with name: and options:')];
  return {
    file: first.file,
    value: faults.length === 0 ? value : undefined,
    faults,
    locate: (path, at) => docOf(path).locate(path, at),
    commentAfter: (path) => docOf(path).commentAfter(path),
    fault: (path, what, fix, at) => docOf(path).fault(path, what, fix, at),
  };
}
