import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

/** Which room may import which, types included: the drawing of the house, from the roof to the ground. Change it here first. */
const allowed: Record<string, readonly string[]> = {
  // What people type and see.
  cli: ['daemon', 'operate', 'workbench', 'runtime', 'config', 'journal', 'simulator', 'event', 'base'],
  // One process: signals, start and shutdown, the admin server, jobs handed over or done here.
  daemon: ['operate', 'runtime', 'config', 'admin', 'journal', 'base'],
  // For the person on call: jobs/ that the daemon executes, report/ that it reads, checks and previews.
  operate: ['runtime', 'collect', 'deliver', 'config', 'connectors', 'journal', 'event', 'http', 'base'],
  // For authors of connectors.
  workbench: ['runtime', 'collect', 'config', 'connectors', 'journal', 'event', 'http', 'base'],
  // Opens what a configuration names.
  runtime: ['collect', 'deliver', 'config', 'connectors', 'sinks', 'journal', 'event', 'http', 'base'],
  // From vendors into the journal, and from the journal to receivers. The two meet nowhere else.
  collect: ['connectors', 'journal', 'event', 'base'],
  deliver: ['sinks', 'journal', 'event', 'base'],
  config: ['connectors', 'sinks', 'event', 'base'],
  admin: ['base'],
  connectors: ['event', 'http', 'base'],
  sinks: ['event', 'http', 'base'],
  journal: ['base'],
  event: ['base'],
  http: ['base'],
  simulator: ['base'],
  base: [],
};

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');
const mostLines = 300;

interface Import {
  readonly file: string;
  /** Names as the imported file spells them; undefined stands for all of them. */
  readonly names: readonly string[] | undefined;
}

interface Source {
  /** Relative to `src`, or to the project outside of it. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const fromClause = /\b(?:import|export)\s+(?:type\s+)?(\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'(\.[^']+)'/g;
const wholeFile = /\bimport\s*\(?\s*'(\.[^']+)'/g;

function namesIn(clause: string): string[] | undefined {
  if (clause.startsWith('*')) return undefined;
  const members = clause.slice(1, -1).split(',');
  return members.map((member) => /^\s*(?:type\s+)?(\w+)/.exec(member)?.[1] ?? '').filter((name) => name !== '');
}

function importsOf(file: string, text: string): Import[] {
  const at = (target: string): string => resolve(dirname(file), target);
  const named = [...text.matchAll(fromClause)].map(([, clause = '', target = '']) => ({
    file: at(target),
    names: namesIn(clause),
  }));
  const whole = [...text.matchAll(wholeFile)].map(([, target = '']) => ({ file: at(target), names: undefined }));
  return [...named, ...whole];
}

function readSources(folder: string): Map<string, Source> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort();
  const sources = names.map((name): [string, Source] => {
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    return [file, { path: relative(src, file), text, imports: importsOf(file, text) }];
  });
  return new Map(sources);
}

const sources = readSources(src);
const roomOf = (file: string): string => relative(src, file).split('/')[0] ?? '';

/** The files of each circle, in the order in which they import each other. */
function circlesIn(all: ReadonlyMap<string, Source>): string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) circles.push([...way.slice(start), file].map((one) => relative(src, one)).join(' -> '));
    if (start >= 0 || done.has(file)) return;
    for (const target of all.get(file)?.imports ?? []) visit(target.file, [...way, file]);
    done.add(file);
  };
  for (const file of all.keys()) visit(file, []);
  return circles;
}

function exportsOf({ text }: Source): string[] {
  const declared = [...text.matchAll(/^export (?:async |abstract )?(?:function\*?|class|const|let|interface|type) (\w+)/gm)];
  const listed = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, members = '']) => members.split(','));
  const names = listed.map((member) => /(\w+)\s*$/.exec(member)?.[1] ?? '').filter((name) => name !== '');
  return [...declared.map(([, name = '']) => name), ...names];
}

/** Exports that no other file imports. */
function unusedExports(): string[] {
  const used = new Set<string>();
  const everywhere = [src, join(root, 'test'), join(root, 'scripts')].flatMap((folder) => [...readSources(folder)]);
  for (const [importer, { imports }] of everywhere) {
    for (const { file, names } of imports.filter((one) => one.file !== importer))
      for (const name of names ?? exportsOf(sources.get(file) ?? { path: '', text: '', imports: [] }))
        used.add(`${file} ${name}`);
  }
  const all = [...sources].flatMap(([file, source]) => [...new Set(exportsOf(source))].map((name) => [file, name] as const));
  return all
    .filter(([file, name]) => !used.has(`${file} ${name}`))
    .map(([file, name]) => `${relative(src, file)} exports ${name}`);
}

it('imports only from the floors below', () => {
  const wrong = [...sources].flatMap(([file, { path, imports }]) =>
    imports
      .map((target) => roomOf(target.file))
      .filter((room) => room !== roomOf(file) && !(allowed[roomOf(file)] ?? []).includes(room))
      .map((room) => `${path} imports ${room}`),
  );

  expect(wrong).toEqual([]);
});

it('allows no room what it does not need', () => {
  const needed = new Set(
    [...sources].flatMap(([file, { imports }]) => imports.map((one) => `${roomOf(file)} ${roomOf(one.file)}`)),
  );

  const unneeded = Object.entries(allowed).flatMap(([room, rooms]) => rooms.map((below) => `${room} ${below}`));

  expect(unneeded.filter((pair) => !needed.has(pair))).toEqual([]);
});

it('has no files that import each other in a circle, types included', () => {
  expect(circlesIn(sources)).toEqual([]);
});

it('keeps every file readable in one go', () => {
  const long = [...sources.values()]
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > mostLines)
    .map(({ path, lines }) => `${path}: ${lines} lines`);

  expect(long).toEqual([]);
});

it('exports nothing that nobody imports', () => {
  expect(unusedExports()).toEqual([]);
});

it('lets authors of connectors work without what delivers', () => {
  const reached = new Set<string>();
  const reach = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const target of sources.get(file)?.imports ?? []) reach(target.file);
  };
  for (const file of sources.keys()) if (roomOf(file) === 'workbench') reach(file);

  expect([...reached].filter((file) => roomOf(file) === 'deliver')).toEqual([]);
});

it('names no vendor outside the simulator', () => {
  const vendor = /anaconda|thoughtspot|analyst.?studio|datastax|\bastra\b|\bokta\b/i;

  const wrong = [...sources.values()].filter(({ path, text }) => !path.startsWith('simulator/') && vendor.test(text));

  expect(wrong.map(({ path }) => path)).toEqual([]);
});
