import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { penstock } from '../cli/terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = await readFile(join(root, 'README.md'), 'utf8');
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

it('names only commands and options that there are', async () => {
  const shown = [...readme.matchAll(/penstock ([a-z-]+)((?: [^`\n#|]*)?)/g)].map(([, name = '', rest = '']) => ({ name, rest }));
  const commands = new Map<string, string>();
  for (const name of new Set(shown.map((one) => one.name))) {
    const { code, out } = await penstock(['help', name]);
    if (code === 0 && out.startsWith('Usage: penstock ')) commands.set(name, out);
  }

  const unknown = shown.filter(({ name, rest }) => {
    const help = commands.get(name);
    const options = [...rest.matchAll(/--[a-z-]+/g)].map(([option]) => option);
    return help === undefined || options.some((option) => !help.includes(option));
  });

  expect(shown.length).toBeGreaterThan(12);
  expect(unknown).toEqual([]);
});

it('runs only scripts that package.json has', () => {
  const pages = readme.matchAll(/npm run ([\w:]+)|npm (start|test)/g);

  expect([...pages].map(([, run, short]) => run ?? short ?? '').filter((name) => !(name in scripts))).toEqual([]);
});
