import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { makeFolder } from '../base/make-folder.ts';
import { nearest } from '../base/nearest.ts';
import type { Files } from '../base/seams.ts';
import { configJsonSchema, renderStarter, sinkChoiceFor, sinkChoiceLike, sinkChoices } from '../config/index.ts';
import type { Connector } from '../connectors/connector.ts';
import { connectorsFor, listConnectors, loadConnector, loadConnectors } from '../connectors/index.ts';
import { shippedConnectors } from '../runtime/read-config.ts';

/** What a first configuration reads and writes to. */
interface Choice {
  readonly connector: Connector;
  /** A type of sink, or a preset of `type: http`. */
  readonly sink: string;
  /** By the name of the placeholder. */
  readonly answers?: Readonly<Record<string, string>>;
}

const places = (files: Files) => ({ dirs: [shippedConnectors], files });

/** The shipped connector of that name, or the only one that the word means. Throws PEN_USAGE with what it may mean. */
export async function vendorMeant(word: string, files: Files): Promise<Connector> {
  const names = await listConnectors(places(files));
  const named = names.find((name) => name === word.toLowerCase());
  if (named !== undefined) return loadConnector(named, places(files));
  const meant = nearest(word, names) === undefined ? await connectorsFor(word, places(files)) : [];
  return loadConnector(meant.length === 1 ? (meant[0] ?? word) : word, places(files));
}

/** The kind of sink that a word means. Throws PEN_USAGE with what it may mean. */
export function sinkMeant(word: string): string {
  const choice = sinkChoiceFor(word);
  if (choice !== undefined) return choice;
  const guess = sinkChoiceLike(word);
  throw new PenstockError('PEN_USAGE', `there is no sink "${word}"`, {
    fix: `${guess === undefined ? '' : `did you mean "${guess}"? `}known: ${sinkChoices.join(', ')}`,
  });
}

/**
 * Writes a first configuration with its schema and the variables that it reads; resolves with the files, the configuration first. Throws
 * PEN_USAGE, and writes nothing, where one of them exists.
 */
export async function writeStarter(choice: Choice, dir: string, files: Files): Promise<string[]> {
  const { config, env } = renderStarter(choice);
  const connectors = await loadConnectors(places(files));
  const schema = `${JSON.stringify(configJsonSchema([...connectors.values()]), null, 2)}\n`;
  const texts = { 'penstock.yaml': config, 'penstock.schema.json': schema, '.env.example': env };
  const paths = Object.keys(texts).map((name) => join(dir, name));
  for (const path of paths) await refuseExisting(path, files);
  await makeFolder(dir, files);
  for (const [name, text] of Object.entries(texts)) await writeNew(join(dir, name), text, files);
  return paths;
}

async function refuseExisting(path: string, files: Files): Promise<void> {
  const found = await files.lstat(path).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw cannotWrite(path, error);
  });
  if (found !== undefined) throw exists(path);
}

const exists = (path: string): PenstockError =>
  new PenstockError('PEN_USAGE', `"${path}" exists already; nothing is overwritten`, {
    fix: 'name another folder with --dir, or move the file away',
  });

const cannotWrite = (path: string, cause: unknown): PenstockError =>
  new PenstockError('PEN_OPERATION_FAILED', `"${path}" cannot be written: ${(cause as Error).message}`, {
    fix: 'name a folder with --dir that you may write',
    cause,
  });

/** Fails where something appeared meanwhile, a link included. */
async function writeNew(path: string, text: string, files: Files): Promise<void> {
  try {
    await files.writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? exists(path) : cannotWrite(path, error);
  }
}
