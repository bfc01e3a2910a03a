// Builds what is released: dist/main.js with its chunks, everything included, so that neither the image nor a start-up reads node_modules,
// and beside it whose code that is: THIRD-PARTY-NOTICES with the licences, sbom.cdx.json for programs.
import { globSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseYaml } from '../src/base/yaml-faults.ts';
import { builtName } from '../src/connectors/bundle.ts';
import { bundle } from './bundle.ts';
import { bundledPackages } from './bundled-packages.ts';
import { notices } from './notices.ts';
import { type Product, sbom } from './sbom.ts';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist');
const product = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Product;

await rm(outdir, { recursive: true, force: true });
const metafile = await bundle({ main: join(root, 'src/cli/main.ts') }, outdir);
for (const file of Object.keys(metafile.outputs)) refuseWide(file, readFileSync(file, 'utf8'));
await writeYaml(globSync(join(root, 'connectors/*/{connector,actions}.yaml')));
const packages = bundledPackages(metafile);
await writeFile(join(root, 'THIRD-PARTY-NOTICES'), notices(packages));
await writeFile(join(root, 'sbom.cdx.json'), sbom(product, packages));

/** Writes what the files of the shipped connectors say, as a start finds it: what JSON cannot tell is left to the parser. */
async function writeYaml(files: readonly string[]): Promise<void> {
  await mkdir(join(outdir, 'yaml'));
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const { value } = parseYaml(text, file);
    const json = JSON.stringify(value);
    if (isDeepStrictEqual(JSON.parse(json), value)) await writeFile(join(outdir, 'yaml', builtName(text)), json);
  }
}

/** esbuild escapes wide characters in texts, but not in regular expressions; for one of them V8 keeps the whole file with two bytes a character. */
function refuseWide(file: string, text: string): void {
  const at = text.search(/[^\0-\xff]/);
  if (at >= 0)
    throw new Error(`${file} has a wide character, write it as an escape: ${text.slice(Math.max(0, at - 60), at + 10)}`);
}
