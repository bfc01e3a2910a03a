import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'connectors'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`the folder of penstock's own files was not found above ${import.meta.dirname}`);
  return findRoot(parent);
}

/** The folder that holds `connectors/`, `config/` and `package.json`: the checkout, the installed package or the image's /app. */
export const packageRoot: string = findRoot(import.meta.dirname);

/** This release, from package.json. */
export const packageVersion: string = (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string })
  .version;
