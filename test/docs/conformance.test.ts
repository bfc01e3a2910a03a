// docs/conformance.md lists what test/conformance proves, so that a statement does not go without being missed.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/conformance.md'), 'utf8');
const folder = resolve(import.meta.dirname, '../conformance');
const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts') && name !== 'complete.test.ts');

/** Titles of tests and groups: three words or more, followed by a function. What a table fills in is shown as dots. */
function statementsOf(file: string): string[] {
  const title = /\(\s*(['"`])((?:\\.|(?!\1)[^\\\n])+ (?:\\.|(?!\1)[^\\\n])+)\1,\s*(?:\{[^}]*\},\s*)?(?:async\s*)?\(/g;
  return [...readFileSync(join(folder, file), 'utf8').matchAll(title)]
    .map(([, , text = '']) =>
      text
        .replaceAll(/%[a-z]|\$[\w.]+/g, '…')
        .replaceAll('\\', '')
        .replace(/^\d+\. /, ''),
    )
    .filter((text) => /^[^…]\S* \S+ \S+/.test(text));
}

/** The list below the line that names the file. */
function listedFor(file: string): string[] {
  const [, section = ''] = page.split(`\`test/conformance/${file}\``);
  const [list = ''] = section.split(/^## /m);
  return [...list.matchAll(/^\* (.+)$/gm)].map(([, text = '']) => text);
}

it.each(files)('%s proves what the page lists', (file) => {
  const statements = statementsOf(file);

  expect(statements.length).toBeGreaterThan(2);
  expect(listedFor(file)).toEqual(statements);
});
