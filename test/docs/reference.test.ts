import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { referenceFiles } from '../../scripts/reference.ts';

const root = resolve(import.meta.dirname, '../..');
const files = await referenceFiles();
const isHere = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

it('has the manual pages and the page of commands that the commands make: npm run reference writes them', () => {
  const written = readdirSync(join(root, 'man')).map((name) => `man/${name}`);

  expect(written.toSorted()).toEqual([...files.keys()].filter((path) => path.startsWith('man/')).toSorted());
  for (const [path, text] of files) expect([path, readFileSync(join(root, path), 'utf8')]).toEqual([path, text]);
});

it.skipIf(!isHere('mandoc'))('has manual pages without a fault of their own', () => {
  const pages = [...files.keys()].filter((path) => path.startsWith('man/'));

  expect(() => execFileSync('mandoc', ['-T', 'lint', '-W', 'warning', ...pages], { cwd: root, encoding: 'utf8' })).not.toThrow();
});

it.skipIf(!isHere('man'))('is read by man', () => {
  const shown = execFileSync('man', ['-l', 'man/penstock-replay.1'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '120' },
  });

  expect(shown).toContain('penstock replay [options] <sink>');
  expect(shown).toMatch(/--from <time>/);
});
