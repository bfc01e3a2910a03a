import { expect, it } from 'vitest';
import { readProblems } from '../../src/cli/problems.ts';
import type { Problem } from '../../src/operate/report/status.ts';

const failed = (name: string, port: number, polls = 1): Problem => ({
  level: 'warning',
  where: `source ${name}`,
  what: `${polls} polls of ${name} failed: no connection to 127.0.0.1:${port}`,
  fix: 'check host and port',
});
const refused: Problem = { level: 'error', where: 'sink lake', what: 'on hold for 21s: answered 403', fix: 'check the token' };

it('puts errors first, and what stops everything before what stops one thing', () => {
  const daemon: Problem = { level: 'error', where: 'daemon', what: 'it is not running' };
  const held: Problem = { level: 'error', where: 'source feed', what: 'on hold for 3m', fix: 'renew it' };

  expect(readProblems([failed('one', 80), held, refused, daemon])).toEqual([daemon, refused, held, failed('one', 80)]);
});

it('says once what many say alike but for their names, numbers and times', () => {
  const all = ['one', 'two', 'three', 'four', 'five'].map((name, index) => failed(name, 8000 + index, index + 1));

  expect(readProblems([...all, refused])).toEqual([refused, { ...all[0], where: '5 sources: one, two, three and 2 more' }]);
  expect(readProblems(all.slice(0, 2))).toEqual([{ ...all[0], where: '2 sources: one, two' }]);
});

it('keeps apart what differs in its words, its fix, its level or its kind', () => {
  const one = failed('one', 80);
  const others = [
    { ...failed('two', 80), what: 'a poll of two failed: no answer' },
    { ...failed('three', 80), fix: 'check the proxy' },
    { ...failed('four', 80), where: 'sink four' },
  ];
  const error = { ...failed('five', 80), level: 'error' } as const;

  expect(new Set(readProblems([one, ...others, error]))).toEqual(new Set([one, ...others, error]));
});

it('keeps apart what is told of the journal or a job, and of nobody by name', () => {
  const jobs: Problem[] = [1, 2].map((id) => ({ level: 'warning', where: `job ${id}`, what: `failed ${id} s ago` }));

  expect(readProblems(jobs)).toEqual(jobs);
});
