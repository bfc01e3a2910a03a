// The repository leans on no page that it does not contain.
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const own = relative(root, import.meta.filename);

const files = globSync('{src,test,scripts,docs,connectors,config,bin,.ci,.github}/**/*.{ts,js,md,yaml,yml,json,sh}', {
  cwd: root,
})
  .concat(globSync('*.{md,ts,json}', { cwd: root }), '.ci/run', 'Dockerfile')
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file !== own && file !== 'package-lock.json' && statSync(join(root, file)).isFile());
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const pages = files.filter((file) => file.endsWith('.md'));

/** Where something is cited: all of a page, and of code its comments and the names of tests. */
function citing(file: string): string {
  if (!/\.(?:ts|js)$/.test(file)) return textOf(file);
  return textOf(file)
    .split('\n')
    .filter((line) => /^\s*(?:\/\/|\/?\*)|\s\/\/ |\b(?:it|describe)\b|^\s*\]/.test(line))
    .join('\n');
}

it('cites only pages that are in it, by their path', () => {
  const wrong = files.flatMap((file) =>
    [...citing(file).matchAll(/(?<![\w/.-])(?:\.{0,2}\/)?[\w-]+(?:\/[\w.-]+)*\.md\b/g)]
      .map(([path]) => path)
      .filter((path) => !existsSync(join(root, path)) && !existsSync(join(root, dirname(file), path)))
      .map((path) => `${file}: ${path}`),
  );

  expect(files.length).toBeGreaterThan(300);
  expect(wrong).toEqual([]);
});

it('numbers no test by a list that is not in it', () => {
  const wrong = files
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) =>
      [...textOf(file).matchAll(/^\s*(?:(?:it|describe|test)\b.*|\]?\)?)\((['"`])\d+\. .*/gm)].map(
        ([line]) => `${file}: ${line.trim()}`,
      ),
    );

  expect(wrong).toEqual([]);
});

/** As the web shows a heading: lower case, spaces to dashes, no punctuation. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

function anchorsIn(file: string): string[] {
  return [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

it('links to pages and headings that are there', () => {
  const wrong = pages.flatMap((file) =>
    [...textOf(file).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
      .map(([, path = '', anchor]) => ({
        target: path === '' ? file : relative(root, resolve(root, dirname(file), path)),
        anchor,
      }))
      .filter(
        ({ target, anchor }) => !existsSync(join(root, target)) || (anchor !== undefined && !anchorsIn(target).includes(anchor)),
      )
      .map(({ target, anchor }) => `${file}: ${target}${anchor === undefined ? '' : `#${anchor}`}`),
  );

  expect(pages.length).toBeGreaterThan(20);
  expect(wrong).toEqual([]);
});

it('names files of the project that are there', () => {
  const wrong = pages.flatMap((file) =>
    [...textOf(file).matchAll(/`((?:src|test|scripts|docs|bin)\/[\w./-]+)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${file}: ${path}`),
  );

  expect(wrong).toEqual([]);
});

it('lists every decision, each with status, context, decision and consequences', () => {
  const decisions = pages.filter((file) => /^docs\/decisions\/\d{4}-/.test(file));
  const index = textOf('docs/decisions/README.md');

  const incomplete = decisions.filter(
    (file) => !/^Status: .+\n\n## Context\n[\s\S]+\n## Decision\n[\s\S]+\n## Consequences\n/m.test(textOf(file)),
  );

  expect(decisions.length).toBeGreaterThanOrEqual(10);
  expect(incomplete).toEqual([]);
  expect(decisions.filter((file) => !index.includes(`](${file.replace('docs/decisions/', '')})`))).toEqual([]);
});
