import { expect, it } from 'vitest';
import { packageVersion } from '../../src/base/package.ts';
import { helpExamples } from '../../src/cli/help.ts';
import { penstock } from './terminal.ts';

it('explains itself when nothing is asked', async () => {
  const { code, out, err } = await penstock([]);

  expect([code, err]).toEqual([0, '']);
  for (const command of [
    'validate',
    'check',
    'run',
    'status',
    'dead-letters',
    'backfill',
    'replay',
    'schema',
    'actions',
    'sample',
    'demo',
  ]) {
    expect(out).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  }
  expect(out).toContain('penstock help config');
});

it.each([['config'], ['holds'], ['exit-codes'], ['validate'], ['run']])('explains %s', async (topic) => {
  const { code, out } = await penstock(['help', topic]);

  expect(code).toBe(0);
  expect(out.length).toBeGreaterThan(100);
});

it.each(Object.entries(helpExamples))('gives examples of %s that its help explains', async (name, lines) => {
  const words = name.split(' ');
  const { out } = await penstock(['help', ...words]);

  for (const line of lines) {
    expect(out).toContain(`  $ ${line}`);
    const [, ...typed] = line.split(/[ |#]+/);
    const below = ['dead-letters', 'sources', 'sinks', 'journal'].includes(name) ? [typed[1] ?? ''] : [];
    const { code, out: explained } = await penstock(['help', ...words, ...below]);
    expect([code, typed.slice(0, words.length)]).toEqual([0, words]);
    const options = (line.split('#')[0] ?? '').match(/ --?[a-z]+/g) ?? [];
    for (const option of options) expect(explained).toMatch(new RegExp(`^ .*${option}\\b`, 'm'));
  }
});

it.each([
  { argv: ['help', 'validte'], said: 'there is no help on "validte"\n  fix: did you mean "penstock help validate"?' },
  {
    argv: ['help', 'dead-letters', 'lst'],
    said: 'there is no help on "dead-letters lst"\n  fix: did you mean "penstock help dead-letters list"?',
  },
  { argv: ['validte'], said: "unknown command 'validte'" },
  { argv: ['validate', '--jsn'], said: "unknown option '--jsn'\n(Did you mean --json?)" },
  { argv: ['sample'], said: "missing required argument 'connector'\n(see penstock help sample)" },
  { argv: ['-c', 'p.yaml', 'status'], said: "unknown option '-c'\n(penstock COMMAND [options]; see penstock help)" },
  {
    argv: ['dead-letters', '-c', 'p.yaml', 'list'],
    said: "unknown option '-c'\n(penstock dead-letters COMMAND [options]; see penstock help dead-letters)",
  },
  { argv: ['jobs', 'cancel'], said: "missing required argument 'id'\n(see penstock help jobs cancel)" },
  { argv: ['sample', 'anaconda', '--format', 'xml'], said: 'Allowed choices are ocsf, cim, ecs, cef, leef, raw' },
  { argv: ['journal', 'move', '--to', 'mysql://db/x'], said: '"mysql://..." is neither a database' },
  {
    argv: ['journal', 'move', '--to', 'postgres://u:p@db/x'],
    said: 'the address holds a password\n  fix: take it out, and name a file',
  },
  { argv: ['journal', 'move', '--to', './data', '--from', 'postgres://u:p@db/x'], said: 'the address holds a password' },
  {
    argv: ['journal', 'move', '--to', 'postgres://u@db/x', '--schema', 'A b'],
    said: '"A b" is not a name that journal.schema takes',
  },
  { argv: ['schema', 'cat'], said: 'Allowed choices are config, connector, actions' },
])('answers $argv with exit code 2 and what is wrong', async ({ argv, said }) => {
  const { code, out, err } = await penstock(argv);

  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(said);
});

it.each([
  'mysql://u:hunter2@db/x',
  'POSTGRES://u:hunter2@db/x',
  'postgresql+asyncpg://u:hunter2@db/x',
  'postgres://u:hunter2@db:port/x',
  'postgres://db/x?password=hunter2',
])('shows no password of an address that it does not take: %s', async (place) => {
  for (const argv of [
    ['journal', 'move', '--to', place],
    ['journal', 'move', '--to', './data', '--from', place],
  ]) {
    const { code, out, err } = await penstock(argv);

    expect([code === 0, out, err.includes('hunter2')]).toEqual([false, '', false]);
    expect(err).toContain('fix: ');
  }
});

it.each([[['version']], [['--version']], [['-V']]])('says its version to %j', async (argv) => {
  expect(await penstock(argv)).toEqual({ code: 0, out: `${packageVersion}\n`, err: '' });
});
