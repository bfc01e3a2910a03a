import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../src/base/package.ts';

const main = join(packageRoot, 'src/cli/main.ts');
const hasScript = spawnSync('script', ['--version']).status === 0;

function configFile(): string {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-log-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'penstock.yaml');
  writeFileSync(
    file,
    'data_dir: ./data\nadmin: { listen: off }\nsources: {}\nsinks: { out: { type: file, path: ./out.ndjson } }\n',
  );
  return file;
}

const command = (file: string): string =>
  [process.execPath, '--disable-warning=ExperimentalWarning', main, 'run', '--once', '-c', file]
    .map((part) => `'${part}'`)
    .join(' ');

it('logs JSON lines where nobody reads along', () => {
  const { stderr } = spawnSync('sh', ['-c', command(configFile())], { encoding: 'utf8' });

  const messages = stderr
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(expect.arrayContaining(['penstock started', 'penstock stopped']));
});

it.skipIf(!hasScript)('logs readable lines on a terminal', () => {
  const shown = execFileSync('script', ['-qec', command(configFile()), '/dev/null'], { encoding: 'utf8' });

  // oxlint-disable-next-line no-control-regex
  const plain = shown.replaceAll(/\u001b\[[0-9;]*m/g, '');
  expect(plain).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: penstock started \{.*\}\r?$/m);
  expect(plain).not.toContain('"level":');
});
