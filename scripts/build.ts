// Builds what is released: dist/main.js with its chunks, everything included, so that neither the image nor a start-up reads node_modules,
// and beside it whose code that is: THIRD-PARTY-NOTICES with the licences, sbom.cdx.json for programs.
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from './bundle.ts';
import { bundledPackages } from './bundled-packages.ts';
import { notices } from './notices.ts';
import { type Product, sbom } from './sbom.ts';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist');
const product = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Product;

await rm(outdir, { recursive: true, force: true });
const packages = bundledPackages(await bundle({ main: join(root, 'src/cli/main.ts') }, outdir));
await writeFile(join(root, 'THIRD-PARTY-NOTICES'), notices(packages));
await writeFile(join(root, 'sbom.cdx.json'), sbom(product, packages));
