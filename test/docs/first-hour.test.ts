import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { penstock } from '../cli/terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const pages = [...globSync('docs/first-hour/*.md', { cwd: root }).sort(), 'docs/deploy.md'];
const code = globSync('src/**/*.ts', { cwd: root }).map(read).join('\n');

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('shows configurations that are valid as they stand', async () => {
    const blocks = [...text.matchAll(/```yaml\n# penstock\.yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block);
    const folder = await mkdtemp(join(tmpdir(), 'penstock-first-hour-'));

    const answers: unknown[] = [];
    for (const block of blocks) {
      await writeFile(join(folder, 'penstock.yaml'), block);
      const { code, err } = await penstock(['validate', '--without-secrets', '-c', join(folder, 'penstock.yaml')]);
      answers.push([code, err]);
    }
    await rm(folder, { recursive: true });

    expect(blocks.length).toBe(/(splunk|elastic|sentinel|syslog)\.md$/.test(page) ? 1 : 0);
    expect(answers).toEqual(blocks.map(() => [0, '']));
  });

  it('calls only commands that there are', async () => {
    const named = new Set([...text.matchAll(/(?:npx|sudo|--|penstock) penstock ([a-z-]+)/g)].map(([, name = '']) => name));

    const helps = [...named].map(async (name) => ({ name, code: (await penstock(['help', name])).code }));

    expect((await Promise.all(helps)).filter(({ code }) => code !== 0)).toEqual([]);
  });

  it('names files of siem/ and deploy/ that are there', () => {
    const named = [...text.matchAll(/\b((?:siem|deploy)\/[\w./-]*\w)/g)].map(([, path = '']) => path);

    expect(named.filter((path) => globSync(path, { cwd: root }).length === 0)).toEqual([]);
  });
});

it('explains messages that there are', () => {
  const cells = [...read('docs/troubleshooting.md').matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = '']) => cell);
  const pieces = cells
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message))
    .flatMap((message) => message.split('...').map((piece) => piece.replaceAll(/^[ ,]+| +$/g, '')))
    .filter((piece) => piece !== '' && !piece.startsWith('['));

  expect(pieces.length).toBeGreaterThan(40);
  expect(pieces.filter((piece) => !code.includes(piece))).toEqual([]);
});
