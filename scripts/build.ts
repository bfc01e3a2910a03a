// Builds what is released: dist/main.js with its chunks, everything included, so that neither the image nor a start-up reads node_modules.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist');

await rm(outdir, { recursive: true, force: true });
await bundle({ main: join(root, 'src/cli/main.ts') }, outdir);
