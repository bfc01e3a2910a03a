import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

/** Which room may import which: the drawing of the house. Change it here first. */
const allowed: Record<string, readonly string[]> = {
  cli: ['daemon', 'operate', 'workbench', 'runtime', 'config', 'journal', 'simulator', 'event', 'base'],
  daemon: [
    'operate',
    'runtime',
    'collect',
    'deliver',
    'config',
    'admin',
    'journal',
    'connectors',
    'sinks',
    'event',
    'http',
    'base',
  ],
  operate: ['runtime', 'collect', 'deliver', 'config', 'connectors', 'sinks', 'journal', 'event', 'http', 'base'],
  workbench: ['runtime', 'collect', 'config', 'connectors', 'journal', 'event', 'http', 'base'],
  runtime: ['collect', 'deliver', 'config', 'connectors', 'sinks', 'journal', 'event', 'http', 'base'],
  collect: ['connectors', 'journal', 'event', 'http', 'base'],
  deliver: ['sinks', 'journal', 'event', 'base'],
  config: ['connectors', 'sinks', 'base'],
  admin: ['base'],
  connectors: ['event', 'http', 'base'],
  sinks: ['event', 'http', 'base'],
  journal: ['base'],
  event: ['base'],
  http: ['base'],
  simulator: ['base'],
  base: [],
};

const src = resolve(import.meta.dirname, '../src');

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

function importsOf(file: string): string[] {
  const found = readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...found].map((match) => resolve(dirname(file), match[1] ?? ''));
}

it('imports only from the floors below', () => {
  const wrong = sourceFiles(src).flatMap((file) => {
    const room = relative(src, file).split('/')[0] ?? '';
    const targets = importsOf(file).filter((target) => target.startsWith(`${src}/`));
    return targets
      .map((target) => relative(src, target).split('/')[0] ?? '')
      .filter((target) => target !== room && !(allowed[room] ?? []).includes(target))
      .map((target) => `${relative(src, file)} imports ${target}`);
  });

  expect(wrong).toEqual([]);
});

it('names no vendor outside the simulator', () => {
  const vendor = /anaconda|thoughtspot|analyst.?studio|datastax|\bastra\b|\bokta\b/i;

  const wrong = sourceFiles(src)
    .filter((file) => !relative(src, file).startsWith('simulator/'))
    .filter((file) => vendor.test(readFileSync(file, 'utf8')))
    .map((file) => relative(src, file));

  expect(wrong).toEqual([]);
});
