import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Metafile } from 'esbuild';
import { standardText } from './standard-licences.ts';

/** A package of which the bundle contains code. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As package.json names it, an SPDX identifier or expression in most; undefined when it names none. */
  readonly licence: string | undefined;
  /** The line of the licence that says whose work it is; made of the author where there is none. */
  readonly copyright: string;
  /** Licence and notice files one after another; where the package brings none, the common text of the licence that it names. */
  readonly text: string | undefined;
  readonly homepage: string | undefined;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string | { readonly type?: string };
  readonly licenses?: readonly (string | { readonly type?: string })[];
  readonly author?: string | { readonly name?: string };
  readonly homepage?: string;
}

// The innermost node_modules counts: packages bring others of another version along.
const packageFolder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

const licenceFile = /^(?:licen[cs]es?|copying|copyright|notices?|unlicense)(?:[.-].*)?$/i;

/** The packages of a bundle, each version once, in order of their names. `folder` is where esbuild ran. */
export function bundledPackages(metafile: Metafile, folder: string = process.cwd()): BundledPackage[] {
  const folders = new Set(
    Object.keys(metafile.inputs)
      .map((input) => packageFolder.exec(input.replaceAll('\\', '/'))?.[0])
      .filter((path) => path !== undefined),
  );
  const found = [...folders].map((path) => readPackage(resolve(folder, path)));
  const byName = new Map(found.map((entry) => [`${entry.name}@${entry.version}`, entry]));
  return [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

/** What a package in a folder says about itself. */
export function readPackage(folder: string): BundledPackage {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const licence = licenceOf(manifest);
  const own = ownText(folder);
  const copyright = copyrightOf(own ?? '') ?? `Copyright ${authorOf(manifest)}`;
  return {
    name: manifest.name,
    version: manifest.version,
    licence,
    copyright,
    text: own ?? standardText(licence, copyright),
    homepage: manifest.homepage,
  };
}

function licenceOf({ license, licenses = [] }: Manifest): string | undefined {
  const named = [license ?? [], licenses].flat().map((entry) => (typeof entry === 'string' ? entry : entry.type));
  const known = named.filter((name): name is string => name !== undefined && name !== '');
  if (known.length < 2) return known[0];
  return `(${known.join(' OR ')})`;
}

function authorOf({ name, author }: Manifest): string {
  const written = typeof author === 'string' ? author : author?.name;
  return written ?? `the authors of ${name}`;
}

function ownText(folder: string): string | undefined {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = entries.map(({ name }) => name).sort();
  const files = names.filter((name) => licenceFile.test(name) && !/\.(?:[cm]?[jt]s|json)$/i.test(name));
  const texts = files.map((name) => readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n').trim());
  return texts.some((text) => text !== '') ? texts.join('\n\n') : undefined;
}

/** The lines that claim a copyright; the Apache licence's own text speaks of copyright as well, and in brackets shows how to write one. */
function copyrightOf(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim().replace(/^[#*/\s]+/, ''));
  const claims = lines.filter((line) => /^(?:portions )?(?:copyright\b|\(c\)|©)/i.test(line) && /\d{4}|\(c\)|©/i.test(line));
  const own = claims.filter((line) => !/\[yyyy\]|\{yyyy\}|<year>/i.test(line));
  return own.length === 0 ? undefined : [...new Set(own)].join('; ');
}
