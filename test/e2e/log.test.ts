import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { configFile, run } from './penstock.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;
const nothingToDo = { admin: { listen: 'off' }, sources: {}, sinks: { out: { type: 'file', path: './out.ndjson' } } };

it('logs JSON lines where nobody reads along', async () => {
  const { stderr } = await run(['run', '--once', '-c', await configFile(nothingToDo)]);

  const messages = stderr
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(expect.arrayContaining(['penstock started', 'penstock stopped']));
});

it.skipIf(!hasScript)('logs readable lines on a terminal', async () => {
  const main = join(inject('bundle'), 'main.js');
  const parts = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    main,
    'run',
    '--once',
    '-c',
    await configFile(nothingToDo),
  ];
  const shown = execFileSync('script', ['-qec', parts.map((part) => `'${part}'`).join(' '), '/dev/null'], { encoding: 'utf8' });

  // oxlint-disable-next-line no-control-regex
  const plain = shown.replaceAll(/\u001b\[[0-9;]*m/g, '');
  expect(plain).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: penstock started \{.*\}\r?$/m);
  expect(plain).not.toContain('"level":');
});
