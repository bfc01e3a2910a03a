// Builds what is released: dist/main.js with its chunks, everything included, so that neither the image nor a start-up reads node_modules.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist');

await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(root, 'src/cli/main.ts')],
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: false,
  logLevel: 'warning',
  // Bundled CommonJS packages call require().
  banner: {
    js: "import { createRequire as penstockRequire } from 'node:module';\nconst require = penstockRequire(import.meta.url);",
  },
});
