import { dirname, join, resolve } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { readUtf8 } from '../base/file-text.ts';
import { isObject } from '../base/json.ts';
import { nearest } from '../base/nearest.ts';
import type { Files } from '../base/seams.ts';
import { type BundledFile, readYaml } from './bundle.ts';
import { compileBundle } from './compile.ts';
import type { Connector } from './connector.ts';

/** Where connectors are looked for, and with what. */
export interface ConnectorPlaces {
  /** Folders that hold one folder per connector; the first that has the name wins. */
  readonly dirs: readonly string[];
  readonly files: Files;
}

/** What one source adds to a connector. */
export interface ConnectorExtras {
  /** Rows to add to the action table, or to put in the place of its rows: files, or texts with the name to call them by. */
  readonly actions?: readonly (string | BundledFile)[];
}

const longestChain = 4;
const largestFile = 4_000_000;

/** Names of all connectors in the folders, sorted. */
export async function listConnectors({ dirs, files }: ConnectorPlaces): Promise<string[]> {
  const found = await Promise.all(dirs.map((dir) => namesIn(dir, files)));
  return [...new Set(found.flat())].sort();
}

async function namesIn(dir: string, files: Files): Promise<string[]> {
  let entries: string[];
  try {
    entries = await files.readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new PenstockError('PEN_FILE_UNREADABLE', `cannot list the connectors in "${dir}"`, {
      fix: 'check connectors_dir',
      cause: error,
    });
  }
  const present = await Promise.all(
    entries.map(async (name) => ((await readIfThere(join(dir, name, 'connector.yaml'), files)) === undefined ? [] : [name])),
  );
  return present.flat();
}

/** Loads every connector of the folders, by name. Throws at the first that does not compile. */
export async function loadConnectors(places: ConnectorPlaces): Promise<ReadonlyMap<string, Connector>> {
  const names = await listConnectors(places);
  const loaded = await Promise.all(names.map((name) => loadConnector(name, places)));
  return new Map(loaded.map((connector) => [connector.name, connector]));
}

/**
 * Loads and compiles one connector. Throws PEN_CONNECTOR_INVALID with every fault of its files, each with file, line and column, and
 * PEN_USAGE for a name that no folder has.
 */
export async function loadConnector(name: string, places: ConnectorPlaces, extras: ConnectorExtras = {}): Promise<Connector> {
  const main = await findConnector(name, places);
  const connectors = await withBases(main, places);
  const table = await readTable(connectors, places.files);
  const extra = await Promise.all(
    (extras.actions ?? []).map((rows) =>
      typeof rows === 'string' ? readFile(resolve(rows), places.files) : Promise.resolve(rows),
    ),
  );
  const connector = compileBundle({ name, connectors, actions: [table, ...extra] }, dirname(main.file));
  if (connector.name === name) return connector;
  throw new PenstockError('PEN_CONNECTOR_INVALID', `the connector calls itself "${connector.name}"`, {
    where: main.file,
    fix: `set name to ${name}, or rename its folder`,
  });
}

async function findConnector(name: string, places: ConnectorPlaces): Promise<BundledFile> {
  if (/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    for (const dir of places.dirs) {
      const found = await readIfThere(join(dir, name, 'connector.yaml'), places.files);
      if (found !== undefined) return found;
    }
  }
  const known = await listConnectors(places);
  if (known.includes(name))
    throw new PenstockError('PEN_USAGE', `"${name}" is no name for a connector: it has lower-case letters, digits and hyphens`, {
      fix: `rename its folder, and set name in its connector.yaml, to ${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`,
    });
  const meant = await connectorsFor(name, places);
  const guess = meant.length === 0 ? '' : `did you mean ${meant.map((one) => `"${one}"`).join(' or ')}? `;
  throw new PenstockError('PEN_USAGE', `there is no connector "${name}"`, {
    fix: `${guess}known: ${known.join(', ') || 'none'}`,
  });
}

/**
 * Connectors that a word most likely means: the one that it misspells, else all in whose name, product name or documentation's host it
 * stands. A vendor is not always called as its connector is.
 */
export async function connectorsFor(word: string, places: ConnectorPlaces): Promise<string[]> {
  const known = await listConnectors(places);
  const guess = nearest(word, known);
  if (guess !== undefined) return [guess];
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (plain(word).length < 3) return [];
  const words = await Promise.all(known.map(async (name) => ({ name, words: [name, ...(await ownWords(name, places))] })));
  return words.filter((one) => one.words.some((text) => plain(text).includes(plain(word)))).map(({ name }) => name);
}

async function ownWords(name: string, places: ConnectorPlaces): Promise<string[]> {
  const { value } = readYaml(await findConnector(name, places));
  const { title, documentation } = isObject(value) ? value : {};
  const pages = Array.isArray(documentation)
    ? documentation.filter((page) => typeof page === 'string' && URL.canParse(page))
    : [];
  return [...(typeof title === 'string' ? [title] : []), ...pages.map((page) => new URL(page as string).hostname)];
}

async function withBases(main: BundledFile, places: ConnectorPlaces): Promise<BundledFile[]> {
  const chain = [main];
  for (let last = main; ; ) {
    const doc = readYaml(last);
    const base = isObject(doc.value) ? doc.value['extends'] : undefined;
    if (base === undefined) return chain;
    if (typeof base !== 'string')
      throw new PenstockError('PEN_CONNECTOR_INVALID', 'extends is not the name of a connector', { where: last.file });
    last = await findConnector(base, places);
    if (chain.some(({ file }) => file === last.file) || chain.length >= longestChain) {
      throw new PenstockError(
        'PEN_CONNECTOR_INVALID',
        `"${base}" is extended in a circle or over more than ${longestChain} files`,
        { where: main.file },
      );
    }
    chain.push(last);
  }
}

/** The action table stands beside the file that names it. */
async function readTable(connectors: readonly BundledFile[], files: Files): Promise<BundledFile> {
  const named = connectors.map((one) => {
    const { value } = readYaml(one);
    return { file: one.file, path: isObject(value) ? value['actions'] : undefined };
  });
  const { file = '', path } = named.find((one) => one.path !== undefined) ?? named[0] ?? {};
  return readFile(join(dirname(file), typeof path === 'string' ? path : 'actions.yaml'), files);
}

async function readIfThere(file: string, files: Files): Promise<BundledFile | undefined> {
  try {
    return { file, text: await readCapped(file, files) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(file, error);
  }
}

async function readFile(file: string, files: Files): Promise<BundledFile> {
  const found = await readIfThere(file, files);
  if (found !== undefined) return found;
  throw new PenstockError('PEN_CONNECTOR_INVALID', `there is no file "${file}"`, { fix: 'check the path, or add the file' });
}

async function readCapped(file: string, files: Files): Promise<string> {
  const { size } = await files.stat(file);
  if (size > largestFile) throw new PenstockError('PEN_CONNECTOR_INVALID', `"${file}" is larger than ${largestFile} bytes`);
  return readUtf8(files, file, 'PEN_CONNECTOR_INVALID');
}

function unreadable(file: string, error: unknown): PenstockError {
  if (error instanceof PenstockError) return error;
  return new PenstockError(
    'PEN_CONNECTOR_INVALID',
    `cannot read "${file}": ${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}`,
    { cause: error },
  );
}
