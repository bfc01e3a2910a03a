import { dirname, join, relative } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { makeFolder } from '../base/make-folder.ts';
import { packageRoot } from '../base/package.ts';
import type { Files, Seams } from '../base/seams.ts';
import { testConnector } from './connector-test/index.ts';

const template = join(packageRoot, 'config/connector-template');
/** What the template calls itself; every file says the new name instead. */
const placeholder = /\bexample-vendor\b/g;

interface NewConnector {
  readonly folder: string;
  readonly written: readonly string[];
}

/** Writes a commented connector that loads and passes its test. Throws PEN_USAGE for a wrong name or a folder that exists. */
export async function newConnector(name: string, dir: string, seams: Seams): Promise<NewConnector> {
  const { files } = seams;
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))
    throw new PenstockError('PEN_USAGE', `"${name}" is not a valid name of a connector`, {
      fix: 'use lower-case letters, digits and single hyphens, such as acme-audit',
    });
  const folder = join(dir, name);
  await makeFolder(dir, files);
  try {
    await files.mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new PenstockError('PEN_USAGE', `"${folder}" already exists`, { fix: 'choose another name, or delete it first' });
  }
  const written: string[] = [];
  for (const path of await templateFiles(files)) {
    const target = join(folder, path);
    await makeFolder(dirname(target), files);
    const text = await files.readFile(join(template, path), 'utf8');
    await files.writeFile(target, withSchema(renamed(text, name), target));
    written.push(target);
  }
  // Ids depend on the name, so what is expected is written here.
  const { cases } = await testConnector(folder, seams, { update: true });
  return { folder, written: [...written, ...cases.flatMap((one) => one.written)] };
}

async function templateFiles(files: Files): Promise<string[]> {
  const entries = await files.readdir(template, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(template.length + 1))
    .sort();
}

/** Editors find a schema by a path beside the file; the template's leads nowhere from another folder. */
function withSchema(text: string, file: string): string {
  const schemas = relative(dirname(file), join(packageRoot, 'config'));
  return text.replace('$schema=../../config/', () => `$schema=${schemas}/`);
}

/** log_name and the event's labels spell the name with underscores. */
function renamed(text: string, name: string): string {
  return text.replace(placeholder, name).replace(/\bexample_vendor\b/g, name.replaceAll('-', '_'));
}
