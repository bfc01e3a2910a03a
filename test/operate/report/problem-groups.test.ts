import { expect, it } from 'vitest';
import { groupProblems } from '../../../src/operate/report/problem-groups.ts';
import type { Problem } from '../../../src/operate/report/status.ts';

const failed = (name: string, port: number, polls = 1): Problem => ({
  level: 'warning',
  where: `source ${name}`,
  what: `${polls} polls of ${name} failed: no connection to 127.0.0.1:${port}`,
  fix: 'check host and port',
});
const refused: Problem = { level: 'error', where: 'sink lake', what: 'on hold for 21s: answered 403', fix: 'check the token' };

/** What is printed of each. */
const printed = (problems: readonly Problem[]): Problem[] =>
  groupProblems(problems).map(({ level, where, what, fix }) => ({ level, where, what, ...(fix !== undefined && { fix }) }));

it('puts errors first, and what stops everything before what stops one thing', () => {
  const daemon: Problem = { level: 'error', where: 'daemon', what: 'it is not running' };
  const held: Problem = { level: 'error', where: 'source feed', what: 'on hold for 3m', fix: 'renew it' };

  expect(printed([failed('one', 80), held, refused, daemon])).toEqual([daemon, refused, held, failed('one', 80)]);
});

it('says once what many say alike but for their names, numbers and times', () => {
  const all = ['one', 'two', 'three', 'four', 'five'].map((name, index) => failed(name, 8000 + index, index + 1));

  expect(printed([...all, refused])).toEqual([refused, { ...all[0], where: '5 sources: one, two, three and 2 more' }]);
  expect(printed(all.slice(0, 2))).toEqual([{ ...all[0], where: '2 sources: one, two' }]);
});

it('knows names only where they are words, and says that a command is one for each of them', () => {
  const letters = (name: string): Problem => ({
    level: 'warning',
    where: `sink ${name}`,
    what: `answers of ${name} are bad`,
    fix: `penstock dead-letters list --sink ${name}`,
  });

  expect(groupProblems(['a', 'b', 'soc.eu'].map(letters))).toEqual([
    {
      level: 'warning',
      where: '3 sinks: a, b, soc.eu',
      what: 'answers of a are bad',
      fix: 'penstock dead-letters list --sink NAME',
      kind: 'sink',
      names: ['a', 'b', 'soc.eu'],
      key: 'warning\nsink\nanswers of * are bad\npenstock dead-letters list --sink *',
    },
  ]);
});

it('keeps apart what differs in its words, its fix, its level or its kind', () => {
  const one = failed('one', 80);
  const others = [
    { ...failed('two', 80), what: 'a poll of two failed: no answer' },
    { ...failed('three', 80), fix: 'check the proxy' },
    { ...failed('four', 80), where: 'sink four' },
  ];
  const error = { ...failed('five', 80), level: 'error' } as const;

  expect(new Set(printed([one, ...others, error]))).toEqual(new Set([one, ...others, error]));
});

it('keeps apart what is told of the journal or a job, and of nobody by name', () => {
  const jobs: Problem[] = [1, 2].map((id) => ({ level: 'warning', where: `job ${id}`, what: `failed ${id} s ago` }));
  const counts: Problem[] = [1, 2].map((id) => ({ level: 'error', where: 'journal', what: `counts disagreed: ${id}` }));

  expect(printed([...counts, ...jobs])).toEqual([...counts, ...jobs]);
  expect(new Set(groupProblems([...counts, ...jobs]).map(({ key }) => key)).size).toBe(4);
});

it('keeps a key while only names, numbers and times change', () => {
  const keyOf = (problem: Problem): string | undefined => groupProblems([problem])[0]?.key;
  const full = (free: string): Problem => ({ level: 'error', where: 'disk', what: 'the disk is full', fix: `free ${free}` });

  expect(keyOf(failed('one', 80, 3))).toBe(keyOf(failed('two', 443, 12)));
  expect(keyOf(full('7.5 MiB'))).toBe(keyOf(full('120 KiB')));
  expect(keyOf(full('7.5 MiB'))).not.toBe(keyOf({ ...full('7.5 MiB'), level: 'warning' }));
});

it('tells with its cause what only follows from it: the same has to be done about both', () => {
  const fix = 'free 7.5 MiB on the volume of data_dir';
  const paused = (name: string): Problem => ({ level: 'error', where: `source ${name}`, what: 'it is paused', fix });
  const disk: Problem = { level: 'error', where: 'disk', what: 'the disk is full', fix };

  expect(printed([paused('a1'), refused, paused('b2'), disk])).toEqual([
    { ...disk, what: 'the disk is full. 2 sources: a1, b2: it is paused' },
    refused,
  ]);
});
