// What can be known of the image without an engine: its instructions are read, and its COPY and RUN lines are done in a folder.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

const instructions: readonly Instruction[] = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => ({ word: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1).trim() }));

const starts = instructions.flatMap(({ word }, index) => (word === 'FROM' ? [index] : []));
const buildStage = instructions.slice(starts[0], starts[1]);
const finalStage = instructions.slice(starts[1]);
const restOf = (stage: readonly Instruction[], wanted: string): string[] =>
  stage.filter(({ word }) => word === wanted).map(({ rest }) => rest);
const command = (rest: string): string[] => JSON.parse(rest.slice(rest.indexOf('['))) as string[];

describe('the Dockerfile', () => {
  it('has two stages, each on a base with a tag for readers and a digest for engines', () => {
    expect(starts).toHaveLength(2);
    expect(
      restOf(instructions, 'FROM').filter((from) => !/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}(?: AS \w+)?$/.test(from)),
    ).toEqual([]);
  });

  it('ends with a stage in which nothing runs, nothing is fetched and nothing but what was built is copied', () => {
    const copies = restOf(finalStage, 'COPY');

    expect(finalStage.filter(({ word }) => ['RUN', 'ADD', 'SHELL'].includes(word))).toEqual([]);
    expect(copies.filter((copy) => !copy.startsWith('--from=build '))).toEqual([]);
    expect(copies.filter((copy) => /npm|node_modules|corepack|\/bin\/(?:ba|da)?sh\b/.test(copy))).toEqual([]);
  });

  it('runs as a user who is not root, by number, so that an orchestrator can see it', () => {
    expect(restOf(finalStage, 'USER')).toEqual(['1000:1000']);
  });

  it('starts, and asks for its health, without a shell', () => {
    const [health = ''] = restOf(finalStage, 'HEALTHCHECK');
    const [entry = ''] = restOf(finalStage, 'ENTRYPOINT');
    const [run = ''] = restOf(finalStage, 'CMD');

    expect(command(entry)).toEqual(['/usr/local/bin/node', '/app/bin/penstock.js']);
    expect(command(run)).toEqual(['run', '-c', '/etc/penstock/penstock.yaml']);
    expect(command(health)).toEqual([...command(entry), 'health', '-c', '/etc/penstock/penstock.yaml']);
    // Also while that file is being replaced.
    expect(restOf(finalStage, 'ENV')).toContain(`PENSTOCK_DATA_DIR=${restOf(finalStage, 'VOLUME')[0]}`);
  });

  it('says where it comes from', () => {
    const [labels = ''] = restOf(finalStage, 'LABEL');

    expect([...labels.matchAll(/org\.opencontainers\.image\.([\w.]+)=/g)].map(([, name]) => name)).toEqual([
      'title',
      'description',
      'licenses',
      'vendor',
      'url',
      'version',
      'revision',
      'source',
      'documentation',
      'base.name',
    ]);
  });

  it('installs with the lock file, without running a script of a package', () => {
    expect(restOf(buildStage, 'RUN').filter((run) => /npm (?!run )/.test(run))).toEqual([
      'npm ci --ignore-scripts --no-audit --no-fund',
    ]);
  });

  it('is given exactly the files that it copies', () => {
    const [first, ...letIn] = readFileSync(join(root, '.dockerignore'), 'utf8').trim().split('\n');
    const copied = restOf(buildStage, 'COPY').flatMap((copy) => copy.split(' ').slice(0, -1));

    expect(first).toBe('*');
    expect(letIn.sort()).toEqual(copied.map((path) => `!${path}`).sort());
  });
});

describe('the image, done in a folder', () => {
  let folder = '';
  const at = (path: string): string => join(folder, path);

  /** COPY: into a folder when the target is one or there are several sources, otherwise under the name of the target. */
  function copy(paths: readonly string[], to: string, from: string, target: string): void {
    for (const path of paths) {
      const source = join(from, path);
      const isInto = to.endsWith('/') || (existsSync(target) && statSync(target).isDirectory() && statSync(source).isFile());
      const place = isInto ? join(target, basename(path)) : target;
      mkdirSync(dirname(place), { recursive: true });
      cpSync(source, place, { recursive: true });
    }
  }

  function doInBuild(run: string): void {
    if (run.startsWith('npm ci')) symlinkSync(join(root, 'node_modules'), at('stage/build/node_modules'));
    else
      execFileSync('sh', ['-c', run.replaceAll(' /image', ` ${at('stage/image')}`)], { cwd: at('stage/build'), stdio: 'pipe' });
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'penstock-image-'));
    for (const path of ['stage/build', 'stage/usr/local/bin', 'image/app']) mkdirSync(at(path), { recursive: true });
    // What the base of the build stage has.
    for (const path of ['bin/node', 'LICENSE']) writeFileSync(at(`stage/usr/local/${path}`), path);
    chmodSync(at('stage/usr/local/bin/node'), 0o755);
    for (const { word, rest } of buildStage) {
      const paths = rest.split(' ');
      const to = paths.pop() ?? '';
      if (word === 'COPY') copy(paths, to, root, at(join('stage/build', to)));
      if (word === 'RUN') doInBuild(rest);
    }
    for (const rest of restOf(finalStage, 'COPY')) {
      const paths = rest.split(' ').filter((part) => !part.startsWith('--'));
      const to = paths.pop() ?? '';
      copy(paths, to, at('stage'), at(join('image', resolve('/app', to))));
    }
  });

  const penstock = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [at('image/app/bin/penstock.js'), ...args], { encoding: 'utf8', cwd: folder });

  it('has the bundle, what it reads, and whose code that is', () => {
    const expected = ['bin', 'config', 'connectors', 'dist', 'LICENSE', 'package.json', 'sbom.cdx.json', 'THIRD-PARTY-NOTICES'];

    expect(expected.filter((name) => !existsSync(at(join('image/app', name))))).toEqual([]);
    expect(['src', 'scripts', 'node_modules'].filter((name) => existsSync(at(join('image/app', name))))).toEqual([]);
    expect(existsSync(at('image/usr/share/doc/node/LICENSE'))).toBe(true);
  });

  it('runs without anything beside it', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };

    expect(penstock('--version')).toBe(`${version}\n`);
    expect(penstock('validate', '--without-secrets', '-c', at('image/app/config/penstock.example.yaml'))).toMatch(/^ok /);
  });

  it('has a command for people who look into the container, and an empty data_dir', () => {
    const launcher = at('image/usr/local/bin/penstock');

    expect(readFileSync(launcher, 'utf8')).toBe('#!/usr/local/bin/node\nimport "/app/bin/penstock.js";\n');
    expect(statSync(launcher).mode & 0o111).toBe(0o111);
    expect(existsSync(at('image/var/lib/penstock'))).toBe(true);
  });
});
