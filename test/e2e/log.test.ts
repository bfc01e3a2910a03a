import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { serve } from '../http/servers.ts';
import { untilStatus } from './conditions.ts';
import { configFile, penstock, run } from './penstock.ts';

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

it('says that it started once its port is bound, and not where that is taken', async () => {
  const holder = await serve(() => undefined);
  const config = { ...nothingToDo, admin: { listen: `127.0.0.1:${holder.port}` } };
  const refused = await run(['run', '-c', await configFile(config)]);
  await holder[Symbol.asyncDispose]();
  const daemon = penstock(['run', '-c', await configFile(config)]);
  await daemon.said('penstock started');
  const said = daemon.stderr();
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(refused.stderr).toContain('the address is already in use');
  expect(refused.stderr).not.toContain('penstock started');
  expect(said.indexOf('admin server is listening')).toBeLessThan(said.indexOf('penstock started'));
});

it('goes on when whoever reads the log goes away, and says so in the status', async () => {
  const file = await configFile(nothingToDo);
  const daemon = penstock(['run', '-c', file]);
  await daemon.said('admin server is listening');

  daemon.child.stderr?.destroy();
  daemon.child.kill('SIGHUP');
  const { problems } = await untilStatus(file, 'lines of the log that are lost', (status) => status.problems.length > 0);
  daemon.child.kill('SIGHUP');
  const more = await untilStatus(file, 'more of them', (status) => status.problems[0]?.what !== problems[0]?.what);
  daemon.child.kill('SIGTERM');

  expect(problems).toEqual([
    {
      level: 'warning',
      where: 'daemon',
      what: expect.stringMatching(
        /^(1 line of the log was|\d+ lines of the log were) lost in .*: write EPIPE; collection and delivery go on$/,
      ),
      fix: 'free space where the log goes, or start whoever reads it again, and then the daemon',
    },
  ]);
  expect([more.running, await daemon.exited]).toEqual([true, 0]);
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
