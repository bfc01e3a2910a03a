import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

/** What stands in backticks in a row, a list item or a paragraph, without the drawings. */
const lines = page
  .replace(/^```[\s\S]*?^```$/gm, '')
  .replace(/\n(?![\n|#*]|\d+\. )/g, ' ')
  .split('\n')
  .map((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));

const isPath = (code: string): boolean =>
  /^[\w.-]+(\/[\w.<>-]+)*(\.\w+|\/)$/.test(code) && code.includes('/') && !code.includes('<');
const placesOf = (path: string): string[] => [join(root, path), join(root, 'src', path)].filter((place) => existsSync(place));

it('names every room of src, in the drawing and in the table', () => {
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const drawing = /```\n([\s\S]*?)```/.exec(page)?.[1] ?? '';

  const missing = rooms.filter((room) => !page.includes(`| \`${room}/\``) || !new RegExp(`\\b${room}\\b`).test(drawing));

  expect(rooms.length).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});

it('names only files and folders that exist', () => {
  const paths = lines.flat().filter(isPath);

  expect(paths.length).toBeGreaterThan(40);
  expect(paths.filter((path) => placesOf(path).length === 0)).toEqual([]);
});

it('names functions and classes that are in the file beside them', () => {
  const wrong = lines.flatMap((codes) => {
    const sources = codes
      .filter((code) => code.endsWith('.ts') && isPath(code))
      .flatMap(placesOf)
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const names = codes.flatMap(
      (code) => /^(?:[A-Z]\w*\.)?(\w+)\(\)$/.exec(code)?.[1] ?? /^([A-Z][a-z]\w*)$/.exec(code)?.[1] ?? [],
    );
    return sources === ''
      ? []
      : names.filter((name) => !new RegExp(`\\b${name}\\b`).test(sources)).map((name) => `${name} (${codes.join(', ')})`);
  });

  expect(wrong).toEqual([]);
});

it('has at least one function for every step of the road and every question', () => {
  const steps = lines.filter((codes) => codes.some((code) => code.endsWith('()') || /^[A-Z][a-z]\w+$/.test(code)));

  expect(steps.length).toBeGreaterThan(25);
});
