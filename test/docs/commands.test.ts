import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { penstock } from '../cli/terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = await readFile(join(root, 'README.md'), 'utf8');
const operations = await readFile(join(root, 'docs/operations.md'), 'utf8');
const scripts = (JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts;

it('shows a configuration that is valid as it stands', async () => {
  const text = /```yaml\n# penstock\.yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'penstock-readme-'));
  await writeFile(join(folder, 'penstock.yaml'), text);

  const { code, err } = await penstock(['validate', '--without-secrets', '-c', join(folder, 'penstock.yaml')]);
  await rm(folder, { recursive: true });

  expect(text).toContain('sinks:');
  expect([code, err]).toEqual([0, '']);
});

/** What is shown of the command line: the command, its options, and what stands between them. */
function shownIn(page: string) {
  const shown = page.matchAll(/(?:^|`|-- )penstock ([a-z][a-z-]+)((?: [^`\n#|]*)?)/gm);
  return [...shown].map(([, name = '', rest = '']) => ({
    name,
    options: [...rest.matchAll(/--[a-z-]+/g)].map(([option]) => option),
  }));
}

/** The help of a command and of those below it; undefined where there is none. */
async function helpOn(name: string): Promise<string | undefined> {
  const { code, out } = await penstock(['help', name]);
  if (code !== 0) return undefined;
  const below = [...(/\nCommands:\n([\s\S]*?)\n\n/.exec(out)?.[1] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map(
    ([, command = '']) => command,
  );
  const helps = await Promise.all(
    below.filter((command) => command !== 'help').map((command) => penstock(['help', name, command])),
  );
  return [out, ...helps.map((help) => help.out)].join('\n');
}

it.each([
  { page: 'README.md', text: readme },
  { page: 'docs/operations.md', text: operations },
])('$page names only commands and options that there are', async ({ text }) => {
  const shown = shownIn(text);
  const helps = new Map<string, string | undefined>();
  for (const { name } of shown) if (!helps.has(name)) helps.set(name, await helpOn(name));

  const unknown = shown.filter(({ name, options }) => {
    const help = helps.get(name);
    return help === undefined || options.some((option) => !help.includes(option));
  });

  expect(shown.length).toBeGreaterThan(12);
  expect(unknown).toEqual([]);
});

it('explains log messages that there are', () => {
  const [, table = ''] = /## What a line in the log means\n([\s\S]*?)\n## /.exec(operations) ?? [];
  const messages = [...table.matchAll(/^\| \d\d \| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text),
  );
  const code = globSync('src/**/*.ts', { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');

  expect(messages.length).toBeGreaterThan(5);
  expect(messages.filter((message) => !code.includes(message))).toEqual([]);
});

it('runs only scripts that package.json has', () => {
  const pages = readme.matchAll(/npm run ([\w:]+)|npm (start|test)/g);

  expect([...pages].map(([, run, short]) => run ?? short ?? '').filter((name) => !(name in scripts))).toEqual([]);
});
