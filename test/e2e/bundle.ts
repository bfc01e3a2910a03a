// Bundles the daemon once for all tests that start it: a bundle starts in half of the time that Node needs to read 300 files of sources.
import { chmod, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundle } from '../../scripts/bundle.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the bundled entry files `main.js` and `skewed-main.js`. */
    readonly bundle: string;
  }
}

export default async function bundleOnce(project: TestProject): Promise<() => Promise<void>> {
  const root = resolve(import.meta.dirname, '../..');
  const folder = await mkdtemp(join(tmpdir(), 'penstock-bundle-'));
  // Some tests run it as another user.
  await chmod(folder, 0o755);
  for (const name of ['package.json', 'connectors', 'config']) await symlink(join(root, name), join(folder, name));
  const dist = join(folder, 'dist');
  await bundle({ main: join(root, 'src/cli/main.ts'), 'skewed-main': join(import.meta.dirname, 'chaos/skewed-main.ts') }, dist);
  project.provide('bundle', dist);
  return () => rm(folder, { recursive: true, force: true });
}
