import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/bundle.ts';
import { bundledPackages } from '../../scripts/bundled-packages.ts';
import { itInLongTests } from '../thorough.ts';

const root = resolve(import.meta.dirname, '../..');
const runFile = promisify(execFile);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function start(node: string, args: readonly string[], cwd: string): Promise<Ended> {
  try {
    return {
      code: 0,
      ...(await runFile(node, [...args], { cwd, env: { PATH: '/usr/bin:/bin', HOME: cwd, NO_COLOR: '1' }, maxBuffer: 2 ** 28 })),
    };
  } catch (error) {
    const { code = 1, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
    return { code, stdout, stderr };
  }
}

/** A Node of the machine that is too old to run Penstock itself; undefined where there is none. */
function olderNode(): string | undefined {
  return ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
    if (!existsSync(path)) return false;
    const major = Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }));
    return major >= 20 && major < 24;
  });
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

// The package as npm would publish it, unpacked into a folder without node_modules.
let installed = '';
let bin = '';

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-package-'));
  const { stdout } = await runFile('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root });
  // The build may say something before the answer.
  const [{ filename }] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [{ filename: string }];
  await runFile('tar', ['-xzf', join(folder, filename), '-C', folder]);
  installed = join(folder, 'package');
  bin = join(installed, 'bin', 'penstock.js');
});

it('contains what runs and nothing else: no sources, no tests, no path of the machine that built it', async () => {
  const files = await filesBelow(installed);

  const folders = new Set(files.map((file) => file.split('/')[0]));
  const texts = await Promise.all(files.map((file) => readFile(join(installed, file), 'latin1')));
  expect([...folders]).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'bin', 'connectors', 'dist', 'package.json']));
  expect(files.filter((file) => /^(src|test|scripts|node_modules)\/|\.ts$/.test(file))).toEqual([]);
  expect(files.filter((_file, index) => texts[index]?.includes(root) === true)).toEqual([]);
});

describe('what it says about the code of others', () => {
  let packages: ReturnType<typeof bundledPackages> = [];

  beforeAll(async () => {
    const outdir = await mkdtemp(join(tmpdir(), 'penstock-same-bundle-'));
    packages = bundledPackages(await bundle({ main: join(root, 'src/cli/main.ts') }, outdir));
  });

  it('lists in the SBOM exactly the packages of the bundle', async () => {
    const { components } = JSON.parse(await readFile(join(installed, 'sbom.cdx.json'), 'utf8')) as {
      readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[];
    };

    expect(packages.length).toBeGreaterThan(20);
    expect(components.map(({ name, version }) => `${name} ${version}`)).toEqual(
      packages.map(({ name, version }) => `${name} ${version}`),
    );
    expect(new Set(components.map(({ purl }) => purl)).size).toBe(packages.length);
  });

  it('gives for each its licence, copyright line and text, and for nothing else', async () => {
    const [, ...given] = (await readFile(join(installed, 'THIRD-PARTY-NOTICES'), 'utf8')).split(`${'-'.repeat(80)}\n\n`);

    const wanted = packages.map(({ name, version, licence, copyright, text, homepage }) => {
      const head = [`${name} ${version}`, `Licence: ${licence}`, copyright, homepage];
      return `${head.filter((line) => line !== undefined).join('\n')}\n\n${text}\n\n`;
    });
    expect(given).toEqual(wanted);
  });

  it('knows licence and text of all of them', () => {
    expect(packages.filter(({ licence, text }) => licence === undefined || text === undefined)).toEqual([]);
  });

  it('names every package whose code the bundle shows', async () => {
    // The same with esbuild's comments, which say where each part is from.
    const readable = join(installed, 'readable');
    await bundle({ main: join(root, 'src/cli/main.ts') }, readable, { isReadable: true });
    const files = (await filesBelow(readable)).map((file) => join(readable, file));
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));

    const shown = texts.flatMap((text) => [
      ...text.matchAll(/^\s*\/\/ (?:\S*\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm),
    ]);

    expect(new Set(shown.map(([, name]) => name))).toEqual(new Set(packages.map(({ name }) => name)));
  });
});

it('has nothing installed but a Node, no script run by an installation, and takes every Node from 20', async () => {
  const { dependencies, optionalDependencies, peerDependencies, scripts, engines } = JSON.parse(
    await readFile(join(installed, 'package.json'), 'utf8'),
  ) as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;

  expect({ dependencies, peerDependencies, engines }).toEqual({ engines: { node: '>=20' } });
  expect(Object.keys(optionalDependencies ?? {}).filter((name) => !/^node-(?:bin-)?(?:linux|darwin|win)-/.test(name))).toEqual(
    [],
  );
  expect(Object.keys(scripts ?? {}).filter((name) => /^(?:pre|post)?(?:install|prepare|uninstall)$/.test(name))).toEqual([]);
});

it('leaves what it made where git does not look', async () => {
  const ignored = (await readFile(join(root, '.gitignore'), 'utf8')).split('\n');

  expect(ignored).toEqual(expect.arrayContaining(['dist/', 'THIRD-PARTY-NOTICES', 'sbom.cdx.json']));
});

const nodes = [
  { name: 'the Node that Penstock brings', node: process.execPath },
  ...[olderNode()].filter((node) => node !== undefined).map((node) => ({ name: 'an older Node, which hands over', node })),
];

describe.each(nodes)('started by $name, without any dependency installed', ({ node }) => {
  beforeAll(async () => {
    // What `npm install` puts beside the package and the bundle lacks: the Node of this system.
    const modules = join(installed, 'node_modules');
    if (existsSync(modules)) return;
    await mkdir(modules);
    const nodes = (await readdir(join(root, 'node_modules'))).filter((name) => /^node-(bin-)?(linux|darwin|win)-/.test(name));
    for (const name of nodes) await symlink(join(root, 'node_modules', name), join(modules, name));
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

    const ended = await start(node, [bin, '--version'], dirname(installed));

    expect(ended).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('validates the example that it ships', async () => {
    const ended = await start(
      node,
      [bin, 'validate', '--without-secrets', '-c', join(installed, 'config', 'penstock.example.yaml')],
      dirname(installed),
    );

    expect(ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('Warning') as string });
  });

  itInLongTests('runs the demo', async () => {
    const ended = await start(node, [bin, 'demo', '--for', '4s'], dirname(installed));

    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout.split('\n').filter((line) => line.includes('"class_uid"')).length).toBeGreaterThan(10);
  });
});
